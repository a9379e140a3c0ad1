"""What a tool may know about the run that calls it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from agentkit.messages import Usage
from agentkit.protocols import RunModel

Deps = TypeVar("Deps", default=Any)


# Not frozen: on Python 3.11 a frozen generic dataclass with slots cannot be made through `RunContext[X](…)`.
@dataclass(slots=True, eq=False)
class RunContext(Generic[Deps]):
    """Handed to a tool whose first parameter is annotated `RunContext`, or ``RunContext[TypeOfDeps]``.

    One is made for every attempt of a call; tools read it and leave it as it is.

    Attributes:
        deps: Whatever the caller of the run handed in for the tools: connections, settings, the user.
        usage: What the run has used up to now.
        retry: Which attempt this is; the first is 0.
        idempotency_key: The same for every attempt of this call, and on resume after a crash; differs between calls.
        run_id: The run.
        step: The step of the plan, with the iterations that it is in, e.g. ``mails[3].send``.
        model: The run's model, for asynchronous tools that ask one themselves: their calls are the run's, within its
            limits. None if the run has none.
        user: For whom the run works, as its caller named them; empty for nobody in particular.
    """

    deps: Deps
    usage: Usage = field(default_factory=Usage)
    retry: int = 0
    idempotency_key: str = ""
    run_id: str = ""
    step: str = ""
    user: str = ""
    model: RunModel | None = None
    _cancelled: bool = field(default=False, init=False, repr=False)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; a long synchronous tool looks at it and stops."""
        return self._cancelled

    def cancel(self) -> None:
        """Tell the tool that nobody waits for its result any more."""
        self._cancelled = True
