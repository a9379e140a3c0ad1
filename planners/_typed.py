"""Type-directed decoding: a plan line by line, each under a grammar of the names and types defined so far.

The engine keeps the prefix cached, so a line costs about what it would cost in one long reply. A line is checked as
soon as it is there; one that the checker refuses is sampled again, a little warmer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agentkit.checker import CheckReport
from agentkit.diagnostics import Code
from agentkit.events import PlanLine
from agentkit.messages import GrammarOutput, Message, ModelRequest, ModelSettings
from agentkit.plan import KINDS, Ask, Call, Generate, Plan, Subgoal, Value, walk
from agentkit.planners._lines import read_lines, tell
from agentkit.planners._places import ASSIGNED, LOOP, around, check_so_far, level_of, places
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import line_grammar

MAX_LINES = 24
"""Lines of a plan at most; a small model that has not answered by then never does."""

TRIES = 4
"""Samples of one line."""

LINE_TOKENS = 160
"""Tokens of a line at most: a model that does not find its end is stopped early, and the line is sampled again."""

PLAN_TOKENS = 700
"""Tokens that all samples of all lines may take together, where the settings do not say."""

_ALIAS = re.compile(r"^[a-z_][a-z0-9_]* = [a-z_][a-z0-9_]*$")
"""Another name for what has one already; in a block it can be the choice that the block is for."""


class TypedDecoder:
    """Writes one plan.

    Args:
        request: What is asked.
        run: Model, budgets and events.
        messages: The conversation that asks for the plan.
        settings: Sampling settings of the first try of a line; `max_tokens` is for the whole plan.
        purpose: Who asks, for the events.
        early: Let steps begin while the plan is being written.
    """

    def __init__(
        self,
        request: PlanRequest,
        run: Run,
        messages: tuple[Message, ...],
        settings: ModelSettings,
        purpose: str,
        *,
        early: bool = False,
    ) -> None:
        self._request = request
        self._run = run
        self._messages = messages
        self._settings = settings
        self._purpose = purpose
        self._early = early
        self._left = settings.max_tokens or PLAN_TOKENS
        self._kinds = None if run.model is None else run.model.model.profile.kinds

    async def decode(self) -> Proposal:
        """The plan; one whose last line could not be mended is returned too, for the checker to refuse."""
        lines: list[str] = []
        while len(lines) < MAX_LINES and self._left > 0:
            line, good = await self._next(lines)
            lines.append(line)
            now = self._run.clock.time()
            self._run.events.emit(PlanLine(now, self._request.plan_number, line, self._run.within))
            if not good or _answered(lines):
                break
            if self._early:
                tell(lines, self._request)
        source = "\n".join(lines)
        return Proposal(self._read(lines), source)

    async def _next(self, lines: list[str]) -> tuple[str, bool]:
        """The next line, and whether the checker accepts it there."""
        options = list(places(lines, self._request))
        grammar = GrammarOutput(line_grammar(self._request.toolbox, options, self._kinds))
        prefix = "".join(f"{line}\n" for line in lines)
        warmth = self._settings.temperature or 0.0
        line, fallback = "", ""
        for attempt in range(TRIES):
            if attempt and self._left <= 0:
                break
            warmer = min(warmth + 0.3 * attempt, 1.2)
            settings = replace(self._settings, temperature=warmer, stop=("\n",), max_tokens=LINE_TOKENS)
            asked = ModelRequest(self._messages, output=grammar, prefix=prefix, settings=settings)
            assert self._run.model is not None, "the planner that made this decoder has a model"
            response = await self._run.model.request(asked, purpose=self._purpose)
            self._left -= response.usage.output_tokens
            line = response.text.split("\n")[0].rstrip()
            verdict = self._judge(lines, line)
            if verdict == "good":
                return line, True
            if verdict == "doubtful":
                fallback = fallback or line
        return (fallback, True) if fallback else (line, False)

    def _judge(self, lines: list[str], line: str) -> str:
        """``good``, ``doubtful`` (may run, and is probably not what was meant) or ``bad``."""
        if not line.strip() or _repeats(lines, line) or _ALIAS.match(line):
            return "bad"
        candidate = [*lines, line]
        report = check_so_far(candidate, self._request, partial=not _answered(candidate))
        if report.errors or not self._offered(report.plan):
            return "bad"
        if _answered(candidate) and (self._out_of_nothing(report.plan) or _unused(report)):
            return "doubtful"
        return "good"

    def _out_of_nothing(self, plan: Plan) -> bool:
        """Whether a plan answers without having asked anything or anybody, and without anything that it was told."""
        request = self._request
        told = request.inputs or request.given or request.history or request.recalled
        asks = any(isinstance(step, (Call, Generate, Ask, Subgoal)) for step in walk(plan.steps))
        return bool(request.toolbox) and not told and not asks

    def _offered(self, plan: Plan) -> bool:
        """Whether a plan has only steps that are offered; values come about between others too."""
        kinds = {KINDS[type(step)] for step in walk(plan.steps)} - {KINDS[Value]}
        return self._kinds is None or kinds <= set(self._kinds)

    def _read(self, lines: Sequence[str]) -> Plan:
        return read_lines(lines, self._request, partial=not (lines and _answered(lines)))


def _unused(report: CheckReport) -> bool:
    return any(one.code is Code.UNUSED for one in report.warnings)


def _repeats(lines: Sequence[str], line: str) -> bool:
    """Whether a line does again what an earlier one did: the rut that small models fall into.

    In a loop the same call again is often the point, so there only the very line before counts.
    """
    if lines and lines[-1] == line:
        return True
    found = ASSIGNED.match(line)
    if found is None or any(LOOP.match(one) for one in around(lines, level_of(line))):
        return False
    earlier = [one for one in map(ASSIGNED.match, lines) if one]
    if any(one[2] == found[2] and "(" in found[2] for one in earlier):
        return True
    return level_of(line) == 0 and any(one[1] == found[1] and one[2] != "[]" for one in earlier)


def _answered(lines: Sequence[str]) -> bool:
    """Whether every way through the plan has answered."""
    last = lines[-1]
    if not last.lstrip().startswith("answer("):
        return False
    if level_of(last) == 0:
        return True
    if "else:" not in lines or next(around(lines, level_of(last)), "") != "else:":
        return False
    position = len(lines) - 1 - list(reversed(lines)).index("else:")
    return position > 0 and lines[position - 1].lstrip().startswith("answer(")
