"""Memory: what an agent carries from one step, run and session into the next.

Short-term memory keeps a conversation inside a token budget; long-term memory keeps records that later tasks recall.
"""

if __name__ != "agentkit.memory":
    raise ImportError("import agentkit.memory, not memory")

from agentkit.memory.context import Context, ContextBuilder
from agentkit.memory.digests import Fact, Graph, KnowledgeGraph, RunningSummary, graph_of
from agentkit.memory.facade import AgentMemory
from agentkit.memory.in_memory import InMemoryStore
from agentkit.memory.policies import Buffer, ContextPolicy, LastTurns, TokenWindow
from agentkit.memory.records import EVERYTHING, KINDS, Filter, Kind, Memory, Provenance, Scope
from agentkit.memory.sessions import SessionRow, SessionStore
from agentkit.memory.store import Disagreement, Match, MemoryStore, history

__all__ = [
    "EVERYTHING",
    "KINDS",
    "AgentMemory",
    "Buffer",
    "Context",
    "ContextBuilder",
    "ContextPolicy",
    "Disagreement",
    "Fact",
    "Filter",
    "Graph",
    "InMemoryStore",
    "Kind",
    "KnowledgeGraph",
    "LastTurns",
    "Match",
    "Memory",
    "MemoryStore",
    "Provenance",
    "RunningSummary",
    "Scope",
    "SessionRow",
    "SessionStore",
    "TokenWindow",
    "graph_of",
    "history",
]
