"""Every exception agentkit raises on purpose.

Split by who must act::

    AgentKitError
    ├── DefinitionError          the developer: a tool, agent or setting is wrong
    │   ├── ToolDefinitionError      a function cannot become a tool
    │   └── MissingDependencyError   an optional package is not installed
    ├── ToolError                the plan's author, or the tool's
    │   ├── ToolInputError           arguments that the tool's schema refuses
    │   ├── ToolOutputError          a result that the tool's own schema refuses
    │   ├── ToolTimeoutError         no result within the timeout
    │   └── ModelRetry               the tool asks for other arguments
    ├── PlanRejectedError        the plan's author: the checker found errors (raised only where a plan is required)
    ├── TaskDeclinedError        the person who asked: nothing is planned for it (raised only where a plan is required)
    ├── ExpressionError          the plan's author: an expression that cannot be evaluated
    ├── ModelError               the operator: a provider failed
    │   ├── ModelUnavailableError    network, rate limit, overload: worth another try
    │   ├── ModelRefusedError        the request is wrong or not allowed: no other try will help
    │   │   └── BudgetExceededError      a budget around the model is used up
    │   ├── ModelOutputError         the reply is malformed, truncated or empty
    │   └── ModelFileError           the weights of a local model cannot be fetched, or are damaged
    ├── JournalError             the operator: the journal cannot be read or written
    ├── SessionError             the operator: a session or stored messages cannot be read or written
    └── MemoryStoreError         the operator: a memory store cannot be opened, read or written
        ├── UnknownMemoryError       the caller: no such memory is in the scope
        └── MemoryScopeError         the caller: the scope may read the memory, not write it

Problems in a plan are not exceptions: `check` returns them as `Diagnostic` data, because a model can mend them.
"""

from __future__ import annotations

from agentkit.diagnostics import Diagnostic
from agentkit.messages import Usage


class AgentKitError(Exception):
    """Base of every error that agentkit raises on purpose."""


class DefinitionError(AgentKitError):
    """A tool, an agent or a setting is defined wrongly; the developer must change code or configuration."""


class ToolDefinitionError(DefinitionError):
    """A function, method or JSON Schema cannot become a tool. The message lists every reason at once."""


class MissingDependencyError(DefinitionError):
    """An optional package is needed and not installed. The message says what to install."""


class ToolError(AgentKitError):
    """A tool call failed. A tool may raise it (or any other exception) to say why."""


class ToolInputError(ToolError):
    """The arguments do not satisfy the tool's input schema."""


class ToolOutputError(ToolError):
    """The tool returned something that its own output schema refuses, or that is not JSON."""


class ToolTimeoutError(ToolError):
    """The tool did not answer in time. Whether it had its effect is not known."""


class ModelRetry(ToolError):
    """Raised inside a tool to ask the planner for other arguments; the message is shown to the model."""


class PlanRejectedError(AgentKitError):
    """A plan was required to pass the checker and did not. `diagnostics` holds every problem."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        lines = "\n".join(f"  {diagnostic}" for diagnostic in diagnostics)
        super().__init__(f"the plan was refused by the checker:\n{lines}")
        self.diagnostics = diagnostics


class TaskDeclinedError(AgentKitError):
    """A plan was required for a task that is declined, or that must be made clear first. `reply` is the answer."""

    def __init__(self, reply: str) -> None:
        super().__init__(f"no plan was written, since the task was declined: {reply}")
        self.reply = reply


class ExpressionError(AgentKitError):
    """An expression of a plan could not be evaluated: a missing key, a wrong type, or a bound exceeded."""


class ModelError(AgentKitError):
    """A language model could not answer.

    Attributes:
        model: The model id.
        status: The HTTP status, if there was one.
        usage: What was used for nothing: one call, none if nothing was sent, more where a wrapper tried more than once.
    """

    def __init__(self, message: str, *, model: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.model = model
        self.status = status
        self.usage = Usage(model_calls=1)


class ModelUnavailableError(ModelError):
    """The provider could not be reached or would not serve now; another try may succeed.

    Attributes:
        retry_after: Seconds the provider asked to wait, if it said.
    """

    def __init__(
        self, message: str, *, model: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, model=model, status=status)
        self.retry_after = retry_after


class ModelRefusedError(ModelError):
    """The provider rejected the request (authentication, bad request, content policy); retrying will not help."""


class BudgetExceededError(ModelRefusedError):
    """A budget of a user or a key is used up; nothing was sent.

    Attributes:
        resets_at: Unix time in seconds at which the budget starts anew, None if it never does.
    """

    def __init__(self, message: str, *, model: str = "", resets_at: float | None = None) -> None:
        super().__init__(message, model=model)
        self.resets_at = resets_at
        self.usage = Usage()


class ModelOutputError(ModelError):
    """The model answered, but the answer is malformed, truncated or empty."""


class ModelFileError(ModelError):
    """The weights of a local model could not be fetched or checked, or the engine cannot load them."""


class SessionError(AgentKitError):
    """A session or stored messages are unreadable, from another version, or somebody else's."""


class JournalError(AgentKitError):
    """A journal is missing, unreadable, from another version, or does not hold the run asked for."""


class MemoryStoreError(AgentKitError):
    """A memory store cannot be opened, read or written, or holds what it should not."""


class UnknownMemoryError(MemoryStoreError):
    """No memory with this id is in the scope. One in another scope is told in the same words."""


class MemoryScopeError(MemoryStoreError):
    """The scope does not allow to write this memory."""
