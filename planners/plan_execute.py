"""Plan-and-execute: one whole plan for the whole task, in the model's best spelling and under its best constraint."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agentkit.errors import DefinitionError
from agentkit.messages import GrammarOutput, JsonOutput, ModelProfile, ModelRequest, ModelSettings
from agentkit.planners._lines import with_goal
from agentkit.planners._streamed import StreamedPlan
from agentkit.planners._typed import TypedDecoder
from agentkit.planners.prompt import conversation
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import plan_grammar, plan_schema, read_json, read_python

Spelling = Literal["python", "json"]
Decoding = Literal["free", "grammar", "typed"]


class PlanAndExecute:
    """Asks the model for a whole plan.

    Args:
        spelling: ``python`` or ``json``; the model's profile decides by default.
        decoding: ``free`` text, one ``grammar`` (or JSON Schema) for the whole plan, or ``typed``: line by line, each
            under a grammar of the names and types defined so far. The model's profile decides by default; what the
            model's engine cannot do falls back to the next weaker one.
        settings: Sampling settings. A temperature of None is 0 for the first plan and rises with each refused one.
        stream: Read the plan while the model writes it. Each line of the Python spelling is checked when it is
            complete. A bad one stops the model, which goes on after the good lines; that counts as a repair. Calls that
            are pure or read and need no approval begin as soon as their lines are there, unless the agent judges plans
            or steps first or the task has constraints. Off by default: a plan that is refused in the end has then
            called tools for nothing. JSON plans are not streamed.
    """

    def __init__(
        self,
        *,
        spelling: Spelling | None = None,
        decoding: Decoding | None = None,
        settings: ModelSettings | None = None,
        stream: bool = False,
    ) -> None:
        self._spelling = spelling
        self._decoding = decoding
        self._settings = settings or ModelSettings(max_tokens=700)
        self._stream = stream

    async def propose(self, request: PlanRequest, run: Run) -> Proposal:
        """A plan for the whole task.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        if run.model is None:
            raise DefinitionError("plan-and-execute needs a model; give the agent one, e.g. model='openai:gpt-5'")
        profile = run.model.model.profile
        spelling = self._spelling or profile.spelling
        decoding = supported(self._decoding or profile.decoding, spelling, profile)
        messages = conversation(request, profile, spelling=spelling)
        settings = self._settings_for(request).for_profile(profile)
        purpose = "repair" if request.attempts else "plan"
        if decoding == "typed":
            decoder = TypedDecoder(request, run, messages, settings, purpose, early=self._stream)
            return await decoder.decode()
        output = _output(request, spelling, decoding, profile)
        asked = ModelRequest(messages, output=output, settings=settings)
        if self._stream and spelling == "python":
            return await StreamedPlan(request, run, run.model, asked, purpose).write()
        response = await run.model.request(asked, purpose=purpose)
        if spelling == "json":
            plan = read_json(response.text, strict=isinstance(output, JsonOutput) and output.strict)
        else:
            plan = read_python(response.text, request.toolbox, given=(*request.inputs, *request.given))
        return Proposal(with_goal(plan, request), response.text)

    def _settings_for(self, request: PlanRequest) -> ModelSettings:
        """Deterministic at first; warmer with each refused plan, so that a model that does not repair resamples."""
        refused = sum(attempt.outcome is None for attempt in request.attempts)
        settings = self._settings
        if settings.temperature is None:
            settings = replace(settings, temperature=min(0.4 * refused, 1.0))
        if settings.seed is not None:
            settings = replace(settings, seed=settings.seed + refused)
        return settings


def supported(wanted: Decoding, spelling: Spelling, profile: ModelProfile) -> Decoding:
    """The strongest constraint up to `wanted` that the model's engine can enforce."""
    if spelling == "json":
        return "grammar" if wanted != "free" and profile.json_schema else "free"
    if wanted == "typed" and not profile.prefix:
        wanted = "grammar"
    return wanted if profile.grammar else "free"


def _output(
    request: PlanRequest, spelling: Spelling, decoding: Decoding, profile: ModelProfile
) -> GrammarOutput | JsonOutput | None:
    if decoding == "free":
        return None
    if spelling == "python":
        return GrammarOutput(plan_grammar(request.toolbox, profile.kinds))
    strict = not profile.grammar
    return JsonOutput(plan_schema(request.toolbox, profile.kinds, strict=strict), name="plan", strict=strict)
