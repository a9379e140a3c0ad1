"""Doubles for tests: models that follow a script, a function or a recording, a clock, and a closed network."""

from __future__ import annotations

from agentkit.testing.clock import FakeClock
from agentkit.testing.models import FunctionModel, ScriptedModel
from agentkit.testing.network import block_network
from agentkit.testing.recording import RecordedModel
from agentkit.testing.timed import TimedModel

__all__ = ["FakeClock", "FunctionModel", "RecordedModel", "ScriptedModel", "TimedModel", "block_network"]
