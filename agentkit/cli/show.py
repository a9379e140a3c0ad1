"""A run on the terminal: the plan, its problems, each step as it happens, the answer, tokens and seconds."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from agentkit.certificate import Certificate
from agentkit.events import (
    ApprovalAsked,
    ApprovalGiven,
    Event,
    IntentClarified,
    IntentJudged,
    ModelCalled,
    PlanChecked,
    PlanProposed,
    Reflected,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    ToolsSelected,
)
from agentkit.messages import Json, Usage

MARKS = {
    "done": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[yellow]–[/]",
    "cancelled": "[yellow]■[/]",
    "denied": "[red]⊘[/]",
}


class EventPrinter:
    """Prints a run's events as they happen; a listener of `Agent.run`.

    Args:
        console: Where to.
        verbose: Show values of pure steps and every model call too.
    """

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._actions: dict[str, str] = {}
        self._begun: set[int] = set()
        self._unpriced: dict[str, None] = {}

    def __call__(self, event: Event) -> None:
        """Print one event."""
        show = self._shows.get(type(event))
        if show is not None:
            show(self, event)

    def _run_started(self, event: RunStarted) -> None:
        self._console.print(f"\n[bold]{escape(event.task)}[/]")

    def _model_called(self, event: ModelCalled) -> None:
        self._unpriced.update(dict.fromkeys(event.unpriced))
        if event.error:
            self._line(f"[red]model: {escape(event.error)}[/]")
        elif self._verbose:
            self._line(f"[dim]model ({event.purpose}): {_tokens(event.usage)}, {event.seconds:.1f} s[/]")

    def _intent_judged(self, event: IntentJudged) -> None:
        if event.agent:
            self._line(f"[bold blue]handed over[/] to {escape(event.agent)}")
        elif self._verbose:
            self._line(f"[dim]intent: {event.outcome} {escape(event.label)} {escape(event.why)}[/]")

    def _intent_clarified(self, event: IntentClarified) -> None:
        self._line(f"[bold]{escape(event.question)}[/] {escape(event.answer)}")

    def _tools_selected(self, event: ToolsSelected) -> None:
        names = ", ".join(row["tool"] for row in event.tools)
        if event.number:
            self._line(f"[yellow]more tools: {escape(names)}[/] [dim]({escape(event.reason)})[/]")
        elif self._verbose:
            self._line(f"[dim]tools: {len(event.tools)} of {event.out_of:,}: {escape(names)}[/]")

    def _plan_proposed(self, event: PlanProposed) -> None:
        self._line(f"[bold blue]plan {event.number}[/]" + (f" for {event.within}" if event.within else ""))
        self._console.print(Syntax(event.source.strip(), "python", background_color="default", word_wrap=True))

    def _plan_checked(self, event: PlanChecked) -> None:
        for text in event.diagnostics:
            self._line(f"[yellow]{escape(text)}[/]")
        if event.accepted:
            self._line("[bold blue]checked[/]: " + escape(str(Certificate.from_json(event.certificate))))
        else:
            what = "what had begun is cancelled" if event.number in self._begun else "nothing was run"
            self._line(f"[red]refused by the checker, {what}[/]")

    def _step_started(self, event: StepStarted) -> None:
        args = ", ".join(f"{name}={_short(value)}" for name, value in (event.args or {}).items())
        self._actions[event.step] = f"{event.action}({args})"
        self._begun.add(event.plan)
        if event.effect == "write" or self._verbose:
            self._line(f"[dim]· {escape(event.step)}: {escape(self._actions[event.step])} …[/]")

    def _step_retried(self, event: StepRetried) -> None:
        self._line(f"[yellow]↻ {escape(event.step)}: {escape(event.error)}; again in {event.delay:.1f} s[/]")

    def _step_finished(self, event: StepFinished) -> None:
        action = self._actions.pop(event.step, "")
        if not action and not self._verbose and event.status == "done":
            return
        what = f"{escape(event.step)} = {escape(action)}" if action else escape(event.step)
        result = f" → {escape(_short(event.value))}" if event.status == "done" else f": {escape(event.error)}"
        again = " [dim](from the journal)[/]" if event.replayed else ""
        self._line(f"{MARKS[event.status]} {what}{result} [dim]{event.seconds:.2f} s[/]{again}")

    def _approval_asked(self, event: ApprovalAsked) -> None:
        self._line(f"[bold yellow]? {escape(event.tool)} wants to write[/]")

    def _approval_given(self, event: ApprovalGiven) -> None:
        self._line("[green]granted[/]" if event.granted else f"[red]denied[/] {escape(event.reason)}")

    def _reflected(self, event: Reflected) -> None:
        if not event.done:
            self._line(f"[yellow]not done yet: {escape(event.reason)}[/]")

    def _run_finished(self, event: RunFinished) -> None:
        if event.status in ("done", "declined"):
            self._console.print(f"[bold green]{escape(as_text(event.output))}[/]")
        else:
            self._console.print(f"[bold red]{event.status}[/]: {escape(event.error)}")
        unknown = f"; nobody says what {', '.join(self._unpriced)} costs" if self._unpriced else ""
        self._console.print(f"[dim]{_tokens(event.usage)}{escape(unknown)}[/]")

    def _line(self, text: str) -> None:
        self._console.print(f"  {text}", highlight=False)

    _shows: ClassVar[dict[type[Event], Any]] = {
        RunStarted: _run_started,
        ModelCalled: _model_called,
        IntentJudged: _intent_judged,
        IntentClarified: _intent_clarified,
        ToolsSelected: _tools_selected,
        PlanProposed: _plan_proposed,
        PlanChecked: _plan_checked,
        StepStarted: _step_started,
        StepRetried: _step_retried,
        StepFinished: _step_finished,
        ApprovalAsked: _approval_asked,
        ApprovalGiven: _approval_given,
        Reflected: _reflected,
        RunFinished: _run_finished,
    }


def as_text(value: Json) -> str:
    """A value as people read it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value: Json, most: int = 100) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}…"


def _tokens(usage: Usage) -> str:
    parts = [f"{usage.input_tokens} prompt tokens"]
    if usage.cached_tokens:
        parts[0] += f" ({usage.cached_tokens} cached)"
    parts.append(f"{usage.output_tokens} generated")
    parts.append(f"{usage.model_calls} model calls, {usage.tool_calls} tool calls")
    if usage.cost:
        parts.append(f"${usage.cost:.4f}")
    return ", ".join(parts)
