"""What `import agentkit` costs a program that may never use most of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture import ROOT
from tests.test_architecture import HEAVY

MOST_TIMES_PYDANTIC = 1.5
ROUNDS = 7


def run_python(code: str) -> str:
    """What a fresh interpreter prints; bytecode may be cached, as it is for users."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def import_seconds(module: str) -> float:
    """CPU seconds that importing `module` takes in a fresh interpreter."""
    return float(run_python(f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"))


@pytest.mark.timeout(60)
def test_importing_agentkit_costs_no_more_than_one_and_a_half_times_pydantic() -> None:
    """Least CPU time of several runs in turns, after one that fills the caches."""
    for module in ("agentkit", "pydantic"):
        import_seconds(module)
    rounds = [(import_seconds("agentkit"), import_seconds("pydantic")) for _ in range(ROUNDS)]
    agentkit, pydantic = (min(times) for times in zip(*rounds, strict=True))
    assert agentkit <= MOST_TIMES_PYDANTIC * pydantic, f"agentkit {agentkit:.3f} s, pydantic {pydantic:.3f} s"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("statement", ["import agentkit", "from agentkit import *"])
def test_importing_agentkit_loads_no_heavy_package(statement: str) -> None:
    """Even with every public name in use, what costs seconds is loaded when it is first needed."""
    loaded = set(run_python(f"{statement}; import sys; print(*sys.modules)").split())
    assert loaded & HEAVY == set()
