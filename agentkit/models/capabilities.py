"""What a request asks of a model, held against what the model's profile says it can do."""

from __future__ import annotations

from agentkit.errors import DefinitionError
from agentkit.messages import GrammarOutput, JsonOutput, ModelProfile, ModelRequest


def check_request(request: ModelRequest, profile: ModelProfile, name: str) -> None:
    """Refuse a request that model `name` could only answer by ignoring a part of it.

    Raises:
        DefinitionError: The message lists everything at once and names the field of the profile for each.
    """
    problems = [*_missing(request, profile), *_unsupported_settings(request, profile), *_tool_choice(request)]
    if not request.messages:
        problems.append("the request has no messages; give at least one user message")
    if problems:
        raise DefinitionError(f"model {name!r} cannot take this request: " + "; ".join(problems) + ".")


def _missing(request: ModelRequest, profile: ModelProfile) -> list[str]:
    wanted = {
        "json_schema": isinstance(request.output, JsonOutput),
        "grammar": isinstance(request.output, GrammarOutput),
        "tools": bool(request.tools),
        "prefix": bool(request.prefix),
    }
    asks = {
        "json_schema": "JSON output",
        "grammar": "output of a grammar",
        "tools": "native tool calls",
        "prefix": "the continuation of a prefix",
    }
    return [
        f"it asks for {asks[ability]}, which needs a profile with {ability}=True"
        for ability, asked in wanted.items()
        if asked and not getattr(profile, ability)
    ]


def _unsupported_settings(request: ModelRequest, profile: ModelProfile) -> list[str]:
    taken = ", ".join(sorted(profile.settings))
    return [
        f"it sets {setting!r}, which the model does not take (it takes: {taken}); leave it unset, "
        "or use settings.for_profile(model.profile)"
        for setting in sorted(request.settings.chosen() - profile.settings)
    ]


def _tool_choice(request: ModelRequest) -> list[str]:
    if request.tool_choice in ("auto", "none"):
        return []
    names = [tool.name for tool in request.tools]
    if request.tool_choice == "required":
        return [] if names else ["tool_choice is 'required' but no tools are offered"]
    if request.tool_choice in names:
        return []
    offered = ", ".join(names) or "none"
    return [f"tool_choice names the tool {request.tool_choice!r}, which is not offered (offered: {offered})"]
