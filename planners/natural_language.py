"""Plans in plain words, translated to calls step by step: a renamed tool changes no plan and no planner's prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentkit.checker import CheckReport
from agentkit.diagnostics import Diagnostic
from agentkit.errors import DefinitionError, ModelOutputError
from agentkit.messages import Json, ModelRequest, ModelSettings, system, user
from agentkit.plan import Plan, walk
from agentkit.planners._model import model_of
from agentkit.planners._turns import observed
from agentkit.planners.prompt import task_text
from agentkit.planners.translation import ModelTranslator, StepToTranslate, Translator
from agentkit.planning import Attempt, PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_python

GUIDE = """\
You plan. Write the steps that do what the user asks, in plain words, as a numbered list: one action each, naming the \
values that it needs and the step that they come from. The last step says what to answer. Write nothing else.
1. Find the best-selling product.
2. Look up the price of the product of step 1.
3. Answer with the price of step 2."""

TRIES = 2
"""Translations of one step before the checker gets to see it."""

_STEP = re.compile(r"^\s*(?:step\s*)?\d+\s*[.):]\s+(.+?)\s*$", re.IGNORECASE)
_WRONG_ARGUMENTS = re.compile(r"AK(20[2-7]|401)")


@dataclass(frozen=True, slots=True)
class _Translated:
    """A step with its code, the lines that this has in the source, and what each try at it was."""

    text: str
    code: str
    first: int
    last: int
    tries: tuple[str, ...]


class NaturalLanguage:
    """Asks the model for steps in plain words and has them translated to calls.

    The planner's model sees what the tools can do, not what they are called, so its plans outlive their names. Each
    step is checked as soon as it is translated, and translated once more when that fails. A plan that the checker
    refuses all the same is translated again, not planned again. How well the translation went is in the notes of the
    event `PlanProposed`.

    Args:
        translator: Translates the steps; the agent's model by default.
        steps: A plan that is already there; no model writes one then.
        settings: Sampling settings of the planner's model.

    Raises:
        DefinitionError: `steps` is given and empty.
    """

    def __init__(
        self,
        translator: Translator | None = None,
        *,
        steps: Sequence[str] | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        if steps is not None and (isinstance(steps, str) or not steps):
            raise DefinitionError(f"steps is {steps!r}; give a list of at least one step in words")
        self._translator = translator or ModelTranslator()
        self._steps = None if steps is None else tuple(steps)
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=500)

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """A plan in words, translated; None if the given steps have been tried.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: A model failed for good.
            LimitReached: A budget of the run is used up.
        """
        last = request.attempts[-1] if request.attempts else None
        if last is not None and last.outcome is None:
            steps: Sequence[str] = last.notes["steps"]
        elif self._steps is not None:
            if last is not None:
                return None
            steps = self._steps
        else:
            steps = await self._planned(request, run)
        translated = await self._translated(steps, last, request, run)
        source = "\n".join(f"# {number}. {one.text}\n{one.code}" for number, one in enumerate(translated, start=1))
        plan = read_python(f"{source}\n", request.toolbox, given=(*request.inputs, *request.given))
        plan = replace(plan, goal=request.task, inputs={**request.inputs, **plan.inputs})
        return Proposal(plan, source, notes={"steps": list(steps), "translation": _metrics(plan, translated, request)})

    async def _planned(self, request: PlanRequest, run: Run) -> list[str]:
        """The steps that the model writes."""
        model = model_of(run, "the natural-language planner")
        able = "\n".join(f"- {tool.description.strip().splitlines()[0]}" for tool in request.toolbox.values())
        prefix = "\n\n".join(part for part in (request.instructions, GUIDE, f"What can be done:\n{able}") if part)
        messages = [system(prefix, cache=True), *request.history, user(task_text(request))]
        failed = (one for one in request.attempts if one.outcome is not None and "steps" in one.notes)
        messages.extend(user(_failed(attempt)) for attempt in failed)
        asked = ModelRequest(tuple(messages), settings=self._settings.for_profile(model.model.profile))
        return await model.parsed(asked, _numbered, purpose="plan")

    async def _translated(
        self, steps: Sequence[str], last: Attempt | None, request: PlanRequest, run: Run
    ) -> list[_Translated]:
        problems = _problems(last) if last is not None and last.outcome is None else {}
        done: list[_Translated] = []
        line = 1
        for number in range(1, len(steps) + 1):
            earlier = [one.code for one in done]
            code, refused = problems.get(number, ("", ""))
            tried: list[str] = []
            for _ in range(TRIES):
                asked = StepToTranslate(steps, number, earlier, refused, code)
                code = _clean(await self._translator.translate(asked, request, run))
                errors = _errors([*earlier, code], request, partial=number < len(steps))
                tried.append(_status(code, [error.code.value for error in errors]))
                refused = "\n".join(map(str, errors[:5])) if code else "nothing was written for this step"
                if tried[-1] == "translated":
                    break
            first, line = line, line + 1 + code.count("\n") + 1
            done.append(_Translated(steps[number - 1], code, first, line - 1, tuple(tried)))
        return done


def _numbered(text: str) -> list[str]:
    steps = [match[1] for match in map(_STEP.match, text.splitlines()) if match]
    if not steps:
        raise ModelOutputError("the reply has no numbered steps")
    return steps


def _failed(attempt: Attempt) -> str:
    plan = "\n".join(f"{number}. {text}" for number, text in enumerate(attempt.notes["steps"], start=1))
    reason = attempt.verdict.reason if attempt.verdict is not None and attempt.verdict.reason else ""
    outcome = reason or str(observed(attempt, 500))
    return f"This plan was tried and did not reach the goal:\n{plan}\nWhat happened: {outcome}\nWrite another plan."


def _clean(code: str) -> str:
    """Code without a Markdown fence and without blank lines and comments, so that lines can be told apart."""
    lines = [line.rstrip() for line in code.splitlines() if not line.strip().startswith("```")]
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _errors(codes: Sequence[str], request: PlanRequest, *, partial: bool) -> list[Diagnostic]:
    """What the checker says of the last step of the translation so far."""
    if not codes[-1]:
        return []
    report = _check("".join(f"{code}\n" for code in codes), request, partial=partial)
    first = sum(code.count("\n") + 1 for code in codes[:-1]) + 1
    return [error for error in report.errors if error.line is None or error.line >= first]


def _check(source: str, request: PlanRequest, *, partial: bool) -> CheckReport:
    plan = read_python(source, request.toolbox, partial=partial, given=(*request.inputs, *request.given))
    return request.check(replace(plan, inputs={**request.inputs, **plan.inputs}), partial=partial)


def _problems(last: Attempt) -> dict[int, tuple[str, str]]:
    """For each step that was refused: its code, and what was wrong with it."""
    found: dict[int, tuple[str, str]] = {}
    for row in last.notes["translation"]["of"]:
        first, end = row["lines"]
        wrong = [str(one) for one in last.errors if one.line is not None and first <= one.line <= end]
        if wrong:
            found[row["step"]] = (row["code"], "\n".join(wrong))
    return found


def _metrics(plan: Plan, translated: Sequence[_Translated], request: PlanRequest) -> dict[str, Json]:
    """How the translation went, in total and step by step."""
    errors = request.check(plan).errors
    rows = []
    for number, one in enumerate(translated, start=1):
        codes = [e.code.value for e in errors if e.line is not None and one.first <= e.line <= one.last]
        tools = [s.tool for s in walk(plan.steps) if hasattr(s, "tool") and one.first <= (s.line or 0) <= one.last]
        rows.append(
            {
                "step": number,
                "text": one.text,
                "code": one.code,
                "lines": [one.first, one.last],
                "tools": tools,
                "status": _status(one.code, codes),
                "tries": list(one.tries),
                "codes": codes,
            }
        )
    counts = {
        status: sum(row["status"] == status for row in rows)
        for status in ("translated", "failed", "wrong_tool", "wrong_arguments")
    }
    return {"steps": len(rows), **counts, "tries": sum(len(one.tries) for one in translated), "of": rows}


def _status(code: str, codes: Sequence[str]) -> str:
    if "AK201" in codes:
        return "wrong_tool"
    if any(_WRONG_ARGUMENTS.fullmatch(one) for one in codes):
        return "wrong_arguments"
    return "failed" if codes or not code else "translated"
