"""A chain of models: the next one answers when one cannot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError, ModelError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._wrapper import all_failed, charge, close_stream, joint_profile, open_stream, resolve_all, told
from agentkit.models.capabilities import check_request
from agentkit.models.prices import priced
from agentkit.protocols import Clock, Model


@dataclass(frozen=True, slots=True)
class Health:
    """How a model of a chain is.

    Attributes:
        model: Its model id.
        failures: How often in a row it was unavailable.
        out_until: Unix time in seconds until which it is not asked; None while it is in.
        error: What it said last, if it is failing.
    """

    model: str
    failures: int
    out_until: float | None
    error: str


class FallbackModel:
    """Asks the first model; when it cannot answer, the next.

    A model that is unavailable is taken out for a cool-down, which doubles each time and is never shorter than the
    provider's ``retry_after``. When the cool-down is over, one request tries it again while the others go on to the
    next model; if that succeeds, the model is back. A stream falls over until its first piece has been handed on.

    The chain can do what every one of its models can do, and its context window is the smallest of theirs.

    Args:
        models: Models or model ids, best first.
        on: Which failures go on to the next model. Add `ModelRefusedError` for one model's content policy, or
            `ModelOutputError`. Only `ModelUnavailableError` takes a model out.
        first_cool_down: Seconds that a model is out after its first failure in a row.
        longest_cool_down: Seconds that a model is out at most, unless the provider asks for more.
        clock: Time, for tests.

    Raises:
        DefinitionError: There is no model, or a cool-down is not positive.
    """

    def __init__(
        self,
        *models: Model | str,
        on: tuple[type[ModelError], ...] = (ModelUnavailableError,),
        first_cool_down: float = 10.0,
        longest_cool_down: float = 600.0,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < first_cool_down <= longest_cool_down:
            raise DefinitionError(
                f"first_cool_down={first_cool_down!r} and longest_cool_down={longest_cool_down!r} do not fit; "
                "expected 0 < first_cool_down <= longest_cool_down, in seconds."
            )
        self._clock: Clock = clock or SystemClock()
        self._on = on
        self._members = [
            _Member(model, first_cool_down, longest_cool_down) for model in resolve_all("FallbackModel", models)
        ]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models, best first."""
        return tuple(member.model for member in self._members)

    @property
    def name(self) -> str:
        """``fallback(first, second, …)``."""
        return f"fallback({', '.join(model.name for model in self.models)})"

    @property
    def profile(self) -> ModelProfile:
        """What every one of the models can do."""
        return joint_profile(self.models)

    def health(self) -> tuple[Health, ...]:
        """How each model is, in the order of the chain."""
        return tuple(
            Health(member.model.name, member.failures, member.out_until, member.error) for member in self._members
        )

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` by the first model that can.

        Raises:
            ModelError: None could; the message has the reason of each.
        """
        check_request(request, self.profile, self.name)
        chain = _Attempts(self._members, self._on, self._clock)
        for member in chain:
            try:
                response = await member.model.request(request)
            except ModelError as error:
                chain.failed(member, error)
            except BaseException:
                member.left()
                raise
            else:
                member.answered()
                return chain.told(response, member)
        raise chain.error(self.name)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; a failure after the first piece is raised."""
        check_request(request, self.profile, self.name)
        chain = _Attempts(self._members, self._on, self._clock)
        for member in chain:
            try:
                first, source = await open_stream(member.model.stream(request))
            except ModelError as error:
                chain.failed(member, error)
                continue
            except BaseException:
                member.left()
                raise
            member.answered()
            async with AsyncExitStack() as stack:
                stack.push_async_callback(close_stream, source)
                try:
                    yield chain.told(first, member) if isinstance(first, ModelResponse) else first
                    async for piece in source:
                        yield chain.told(piece, member) if isinstance(piece, ModelResponse) else piece
                except ModelError as error:
                    member.failed(error, self._clock.time())
                    raise charge(error, chain.spent) from None
            return
        raise chain.error(self.name)


class _Member:
    """A model of the chain and its health. While `probing`, one request finds out whether it is back."""

    __slots__ = ("_first", "_longest", "error", "failures", "model", "out_until", "probing")

    def __init__(self, model: Model, first: float, longest: float) -> None:
        self.model = model
        self.failures = 0
        self.out_until: float | None = None
        self.error = ""
        self.probing = False
        self._first = first
        self._longest = longest

    def enter(self, now: float) -> bool:
        """Whether the model may be asked now; if it was out, the caller probes it."""
        if self.out_until is None:
            return True
        if now < self.out_until or self.probing:
            return False
        self.probing = True
        return True

    def answered(self) -> None:
        """It is well."""
        self.failures, self.out_until, self.error, self.probing = 0, None, "", False

    def failed(self, error: ModelError, now: float) -> None:
        """It failed; being unavailable takes it out."""
        self.probing = False
        if not isinstance(error, ModelUnavailableError):
            return
        self.failures += 1
        doublings = min(self.failures - 1, 64)
        wait = min(self._first * 2.0**doublings, self._longest)
        self.out_until = now + max(wait, error.retry_after or 0.0)
        self.error = str(error)

    def left(self) -> None:
        """Whoever asked did not wait for the answer."""
        self.probing = False

    def absence(self, now: float) -> ModelUnavailableError:
        """Why it is not asked."""
        wait = 0.0 if self.out_until is None else max(self.out_until - now, 0.0)
        doing = f"out for another {wait:.3g} s" if wait else "being tried again by another request"
        error = ModelUnavailableError(f"{doing} after: {self.error}", model=self.model.name, retry_after=wait)
        error.usage = Usage()
        return error


class _Attempts:
    """The models that one request asks, in turn, and how they failed."""

    def __init__(self, members: Sequence[_Member], on: tuple[type[ModelError], ...], clock: Clock) -> None:
        self._members = members
        self._on = on
        self._clock = clock
        self._failures: list[tuple[str, ModelError]] = []
        self.spent = Usage()

    def __iter__(self) -> Iterator[_Member]:
        for member in self._members:
            now = self._clock.time()
            if member.enter(now):
                yield member
            else:
                self._failures.append((member.model.name, member.absence(now)))

    def failed(self, member: _Member, error: ModelError) -> None:
        """Note a failure; one that does not go on to the next model is raised."""
        member.failed(error, self._clock.time())
        if not isinstance(error, self._on):
            raise charge(error, self.spent)
        self._failures.append((member.model.name, error))
        self.spent = self.spent + error.usage

    def told(self, response: ModelResponse, member: _Member) -> ModelResponse:
        """A response with its cost, that accounts for the failures before it and says who answered."""
        response = priced(response, member.model)
        if not self._failures:
            return response
        absent = ", ".join(repr(name) for name, _ in self._failures)
        return told(response, spent=self.spent, note=f"fallback: {member.model.name!r} answered instead of {absent}")

    def error(self, chain: str) -> ModelError:
        """What is raised when none answered."""
        count = len(self._failures)
        what = "the only model of the chain failed" if count == 1 else f"all {count} models of the chain failed"
        return all_failed(what, self._failures, model=chain)
