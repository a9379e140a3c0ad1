"""The spellings of a plan: JSON for files and APIs, restricted Python for models; grammars, schemas, renderings."""

from __future__ import annotations

from agentkit.spelling._json_writer import write_json
from agentkit.spelling.grammar import LineOption, line_grammar
from agentkit.spelling.json import read_json
from agentkit.spelling.python import read_python
from agentkit.spelling.render import mermaid, outline
from agentkit.spelling.schema import plan_schema
from agentkit.spelling.whole_grammar import plan_grammar
from agentkit.spelling.writing import write_python

__all__ = [
    "LineOption",
    "line_grammar",
    "mermaid",
    "outline",
    "plan_grammar",
    "plan_schema",
    "read_json",
    "read_python",
    "write_json",
    "write_python",
]
