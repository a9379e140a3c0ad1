"""A plan read while the model writes it: each line is checked when it is complete, and a bad one stops the model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from agentkit.calling import ModelCaller
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ModelUnavailableError
from agentkit.events import PlanLine
from agentkit.messages import Message, ModelRequest, ModelResponse, assistant, user
from agentkit.planners._lines import answered, check_lines, complete, read_lines, statement_start, tell
from agentkit.planning import STOPPED, PlanRequest, Proposal
from agentkit.run import Run

_FENCE = "```"


@dataclass(frozen=True, slots=True)
class _Bad:
    """A line that the checker refuses where it stands, as far as it was written, and why."""

    lines: tuple[str, ...]
    errors: tuple[Diagnostic, ...]


class StreamedPlan:
    """Writes one plan in the Python spelling.

    Args:
        request: What is asked.
        run: Budgets and events.
        model: The model that writes.
        asked: The request that opens the plan.
        purpose: Who asks, for the events.
    """

    def __init__(self, request: PlanRequest, run: Run, model: ModelCaller, asked: ModelRequest, purpose: str) -> None:
        self._request = request
        self._run = run
        self._model = model
        self._asked = asked
        self._purpose = purpose
        self._lines: list[str] = []
        self._raw = ""
        self._opening = ""
        self._in_block = False
        self._closed = False
        self._begun = False
        self._said = 0
        self._repairs = 0
        self._repeated: list[str] = []

    async def write(self) -> Proposal:
        """The plan; one whose bad line could not be mended is returned too, for the checker to refuse."""
        left = self._request.limits.repairs - _repaired(self._request)
        bad = await self._listen(self._asked)
        while bad is not None and self._repairs < left and not self._lacks_a_tool(bad):
            self._repairs += 1
            self._purpose = "repair"
            bad = await self._listen(self._going_on(bad))
        if bad is None and self._lines:
            self._say(len(self._lines))
        lines = self._lines if bad is None else [*self._lines, *bad.lines]
        source = "\n".join(lines) if lines else self._raw
        plan, notes = read_lines(source.split("\n"), self._request, partial=False), {STOPPED: bad is not None}
        return Proposal(plan, source, notes=notes if bad is not None else {}, repairs=self._repairs)

    def _lacks_a_tool(self, bad: _Bad) -> bool:
        """Whether the line may be right as soon as the tool that it calls has been added."""
        return self._request.more_tools and any(error.code is Code.UNKNOWN_TOOL for error in bad.errors)

    def _going_on(self, bad: _Bad) -> ModelRequest:
        """The request that goes on after the good lines."""
        profile, asked = self._model.profile, self._asked
        if self._asked.settings.temperature is not None and "temperature" in profile.settings:
            warmer = min(self._asked.settings.temperature + 0.4 * self._repairs, 1.0)
            asked = replace(asked, settings=replace(asked.settings, temperature=warmer))
        if profile.repairs or not profile.prefix:
            asked = replace(asked, messages=(*asked.messages, *self._complaint(bad)))
        good = "".join(f"{line}\n" for line in self._lines)
        self._expect_more(in_block=bool(profile.prefix and self._opening))
        return replace(asked, prefix=self._opening + good) if profile.prefix else asked

    def _expect_more(self, *, in_block: bool) -> None:
        """Another reply follows. It goes on after the good lines, or repeats them first."""
        self._repeated = list(self._lines)
        self._in_block, self._closed, self._begun = in_block, False, False

    def _complaint(self, bad: _Bad) -> tuple[Message, Message]:
        said = "\n".join((*self._lines, *bad.lines))
        problems = "\n".join(f"- {error}" for error in bad.errors[:10])
        good = "\n".join(self._lines)
        if good:
            wish = f"These lines are right and stay:\n{good}\nGo on after them: write only what follows, mended."
        else:
            wish = "Write the plan again from its first line, mended."
        return assistant(said), user(f"You were stopped there: that does not pass the check:\n{problems}\n{wish}")

    # listening

    async def _listen(self, asked: ModelRequest) -> _Bad | None:
        """Take lines until the model has ended, or has written a bad one, which stops it."""
        rest = ""
        async with aclosing(cast("Any", self._pieces(asked))) as pieces:
            async for piece in pieces:
                if piece is None:
                    rest = ""
                    continue
                *whole, rest = (rest + piece).split("\n")
                for line in whole:
                    bad = self._take(line)
                    if bad is not None:
                        return bad
        return self._take(rest, last=True)

    async def _pieces(self, asked: ModelRequest) -> AsyncIterator[str | None]:
        """The text of a reply as it is written.

        If the provider breaks off, it is asked again, without streaming; None says so.
        """
        said = ""
        try:
            async with aclosing(cast("Any", self._model.stream(asked, purpose=self._purpose))) as stream:
                async for piece in stream:
                    text = piece.text[len(said) :] if isinstance(piece, ModelResponse) else piece.text
                    said += text
                    self._raw += text
                    yield text
        except ModelUnavailableError:
            self._expect_more(in_block=bool(asked.prefix and self._opening))
            response = await self._model.request(asked, purpose=self._purpose)
            self._raw = response.text
            yield None
            yield response.text

    def _take(self, line: str, *, last: bool = False) -> _Bad | None:
        """Add a line that the model has written; it comes back if it is bad."""
        line = line.rstrip()
        if line.startswith(_FENCE):
            self._closed = self._in_block
            self._in_block = True
            if not self._lines:
                self._opening = f"{line}\n"
        elif self._wanted(line, last=last):
            bad = self._judge(line)
            if bad is not None:
                return None if self._is_prose(bad) else bad
            self._begun, self._repeated = True, []
            tell(self._lines, self._request)
            self._say(complete(self._lines))
        return self._whole() if last else None

    def _wanted(self, line: str, *, last: bool) -> bool:
        """Whether a line is part of the plan: not after its end, not written before, and not blank at either end."""
        if self._closed or answered(self._lines) or self._again(line):
            return False
        return bool(line or (self._lines and not last))

    def _again(self, line: str) -> bool:
        """Whether a model that was asked to go on repeats a line that it has written before, and begins anew."""
        if not self._repeated:
            return False
        repeated = len(self._lines) - len(self._repeated)
        if line == self._repeated[0]:
            self._repeated.pop(0)
            return True
        if repeated:
            del self._lines[repeated:]
            self._said = min(self._said, repeated)
            self._repeated = []
        return False

    # judging

    def _judge(self, line: str) -> _Bad | None:
        """Keep a line if it can stay there; in a block that may still grow, only its own problems count."""
        lines = [*self._lines, line]
        errors = check_lines(lines, self._request, partial=True).errors
        if complete(lines) < len(lines):
            errors = tuple(error for error in errors if error.line == len(lines))
        if not errors:
            self._lines = lines
            return None
        return self._cut(lines, errors)

    def _whole(self) -> _Bad | None:
        """What is wrong with the plan when the model has ended, as far as its end can be mended."""
        errors = check_lines(self._lines, self._request, partial=True).errors if self._lines else ()
        return self._cut(self._lines, errors) if errors else None

    def _cut(self, lines: list[str], errors: Sequence[Diagnostic]) -> _Bad:
        """Keep the lines before the first problem. An outermost statement that is only partly good goes as a whole."""
        first = min(len(lines), *(error.line or len(lines) for error in errors))
        inside = first == len(lines) and self._asked.output is None and len(lines) > len(self._lines)
        keep = first - 1 if inside else statement_start(lines, first - 1)
        self._lines = lines[:keep]
        self._said = min(self._said, keep)
        return _Bad(tuple(lines[keep:]), tuple(errors))

    def _is_prose(self, bad: _Bad) -> bool:
        """Whether a line before the first one of code is no code at all."""
        said = "".join(bad.lines)
        return not self._begun and bad.errors[0].code is Code.SYNTAX and not any(mark in said for mark in "=(")

    def _say(self, complete_lines: int) -> None:
        """Record the lines that are complete and have not been recorded."""
        number = self._request.plan_number
        for line in self._lines[self._said : complete_lines]:
            self._run.events.emit(PlanLine(self._run.clock.time(), number, line, self._run.within))
        self._said = max(self._said, complete_lines)


def _repaired(request: PlanRequest) -> int:
    """How many repairs the refused plans since the last accepted one have taken."""
    used = 0
    for attempt in reversed(request.attempts):
        if attempt.outcome is not None:
            break
        used += 1 + attempt.repairs
    return used
