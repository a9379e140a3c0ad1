"""Language models behind one port: OpenAI and compatible servers, Anthropic, and llama.cpp in this process.

An SDK or an engine is imported when a model makes its first call.
"""

from __future__ import annotations

from agentkit.models.anthropic import AnthropicModel
from agentkit.models.fallback import FallbackModel, Health
from agentkit.models.ids import resolve_model
from agentkit.models.local import LocalModel
from agentkit.models.openai import OpenAIModel
from agentkit.models.retry import RetryingModel
from agentkit.models.safety import override_allow_model_requests

__all__ = [
    "AnthropicModel",
    "FallbackModel",
    "Health",
    "LocalModel",
    "OpenAIModel",
    "RetryingModel",
    "override_allow_model_requests",
    "resolve_model",
]
