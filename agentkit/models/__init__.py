"""Language models behind one port: OpenAI and compatible servers, Anthropic, and llama.cpp in this process.

An SDK or an engine is imported when a model makes its first call.
"""

from __future__ import annotations

from agentkit.models.anthropic import AnthropicModel
from agentkit.models.budget import Budget, BudgetedModel, Spent
from agentkit.models.cached import CachedModel
from agentkit.models.cassette import CassetteModel
from agentkit.models.fallback import FallbackModel, Health
from agentkit.models.hedged import HedgedModel
from agentkit.models.ids import resolve_model
from agentkit.models.local import LocalModel
from agentkit.models.openai import OpenAIModel
from agentkit.models.rate import RateLimitedModel
from agentkit.models.retry import RetryingModel
from agentkit.models.router import Route, RouterModel, Routing
from agentkit.models.safety import override_allow_model_requests
from agentkit.models.semantic import SemanticCachedModel

__all__ = [
    "AnthropicModel",
    "Budget",
    "BudgetedModel",
    "CachedModel",
    "CassetteModel",
    "FallbackModel",
    "Health",
    "HedgedModel",
    "LocalModel",
    "OpenAIModel",
    "RateLimitedModel",
    "RetryingModel",
    "Route",
    "RouterModel",
    "Routing",
    "SemanticCachedModel",
    "Spent",
    "override_allow_model_requests",
    "resolve_model",
]
