"""A provider's exceptions and error objects, told in agentkit's three kinds and in words that say what to do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any

from agentkit.errors import ModelError, ModelOutputError, ModelRefusedError, ModelUnavailableError

_PASSING_CODES = frozenset(
    {
        "api_error",
        "internal_error",
        "internal_server_error",
        "overloaded_error",
        "rate_limit_error",
        "rate_limit_exceeded",
        "server_error",
        "service_unavailable",
        "timeout_error",
        "vector_store_timeout",
    }
)
_SPENT_CODES = frozenset(
    {
        "billing_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "ramp_limit_exceeded",
    }
)
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_LONGEST_QUOTE = 400


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is, in the words its error messages need.

    Attributes:
        name: The model id.
        model: The model's name at the provider.
        url: The base URL.
        key_help: What to do when the API key is missing or refused, as a sentence.
    """

    name: str
    model: str
    url: str
    key_help: str


def missing_key(endpoint: Endpoint) -> ModelRefusedError:
    """There is no API key to send."""
    return ModelRefusedError(f"{endpoint.name!r}: no API key. {endpoint.key_help}", model=endpoint.name)


def timed_out(endpoint: Endpoint, seconds: float) -> ModelUnavailableError:
    """The call took longer than its timeout."""
    return ModelUnavailableError(
        f"{endpoint.name!r}: no complete reply from {endpoint.url} within {seconds:g} s. "
        "Raise ModelSettings.timeout or the model's timeout=, or ask for fewer tokens.",
        model=endpoint.name,
    )


def cut_short(endpoint: Endpoint, reason: str) -> ModelUnavailableError:
    """The connection ended before the reply did."""
    return ModelUnavailableError(
        f"{endpoint.name!r}: the reply from {endpoint.url} broke off before it was complete ({reason}).",
        model=endpoint.name,
    )


def not_understood(endpoint: Endpoint, problem: str, reply: Any) -> ModelOutputError:
    """The reply is not what the provider's API promises."""
    text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False, default=str)
    return ModelOutputError(
        f"{endpoint.name!r}: {endpoint.url} sent a reply that cannot be read: {problem}. It was: {_quote(text)}",
        model=endpoint.name,
    )


def reported(
    endpoint: Endpoint,
    message: str,
    *,
    code: str = "",
    status: int | None = None,
    retry_after: float | None = None,
) -> ModelError:
    """The provider reported an error, in an HTTP response or inside a stream.

    Args:
        endpoint: The model.
        message: The provider's own words.
        code: The provider's error code or type, if any.
        status: The HTTP status, if it was an error status.
        retry_after: Seconds the provider asked to wait.
    """
    if status is None and code.isdigit():  # gateways put the status of the server behind them there
        status = int(code)
    said = f"HTTP {status}: {_quote(message)}" if status else f"{code or 'error'}: {_quote(message)}"
    refused = _refusal(endpoint, said, code, status)
    if refused:
        return ModelRefusedError(f"{endpoint.name!r}: {refused}", model=endpoint.name, status=status)
    if status == 429 or code in ("rate_limit_error", "rate_limit_exceeded"):
        what = f"{endpoint.url} limits the rate of requests ({said})."
    else:
        what = f"{endpoint.url} cannot answer now ({said})."
    wait = f"Try again in {retry_after:g} s." if retry_after is not None else "Try again later."
    return ModelUnavailableError(
        f"{endpoint.name!r}: {what} {wait}", model=endpoint.name, status=status, retry_after=retry_after
    )


def _refusal(endpoint: Endpoint, said: str, code: str, status: int | None) -> str:
    """Why another try will not help, or an empty text when it may."""
    if status == 402 or code in _SPENT_CODES:
        return f"the account at {endpoint.url} has no quota or credit left ({said}). Check its plan and billing."
    if status == 401 or code == "authentication_error":
        return f"{endpoint.url} does not accept the API key ({said}). {endpoint.key_help}"
    if status == 403 or code == "permission_error":
        return f"{endpoint.url} does not allow this key to use the model {endpoint.model!r} ({said})."
    if status == 404 or code in ("not_found_error", "model_not_found"):
        return f"{endpoint.url} has no model {endpoint.model!r} ({said}). Check the model's name and the URL."
    if _may_pass(code, status):
        return ""
    if status == 413 or code in ("context_length_exceeded", "request_too_large"):
        return f"the request is too long for it ({said}). Shorten the conversation or use a larger context window."
    return f"{endpoint.url} rejects the request ({said})."


def _may_pass(code: str, status: int | None) -> bool:
    """Whether the trouble is the provider's and for now. Without a status or a code nobody says that it is not."""
    if status is not None:
        return status in _PASSING_STATUSES or status >= 500
    return not code or code in _PASSING_CODES


def translate(error: Exception, sdk: ModuleType, endpoint: Endpoint, timeout: float) -> ModelError | None:
    """The agentkit error for what the SDK or its HTTP library raised; None for what is no provider's doing.

    Args:
        error: What was raised.
        sdk: ``openai`` or ``anthropic``: they name their exceptions alike.
        endpoint: The model.
        timeout: The call's timeout in seconds.
    """
    import httpx2  # it is the SDKs' HTTP library, so it is loaded by now

    if isinstance(error, ModelError):
        return error
    if isinstance(error, sdk.APIStatusError):
        return _from_status(error, endpoint)
    if isinstance(error, (sdk.APITimeoutError, httpx2.TimeoutException, TimeoutError)):
        return timed_out(endpoint, timeout)
    if isinstance(error, (sdk.APIConnectionError, httpx2.TransportError)):
        return _from_connection(error, endpoint)
    if isinstance(error, sdk.APIError):  # an error object inside a stream
        return reported(endpoint, str(error), code=_code(getattr(error, "body", None)))
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):  # in the middle of a stream
        return not_understood(endpoint, "it is not JSON", getattr(error, "doc", str(error)))
    if type(error).__module__.partition(".")[0] == sdk.__name__:
        return ModelRefusedError(
            f"{endpoint.name!r}: {str(error).rstrip('.')}. {endpoint.key_help}", model=endpoint.name
        )
    return None


def _from_status(error: Any, endpoint: Endpoint) -> ModelError:
    body = error.body
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    message = inner.get("message") if isinstance(inner, Mapping) else None
    return reported(
        endpoint,
        str(message or inner or error.response.reason_phrase or error),
        code=_code(inner),
        # An error event inside a stream is reported on the stream's own status, which is 200.
        status=error.status_code if error.status_code >= 300 else None,
        retry_after=retry_after_seconds(error.response.headers),
    )


def _from_connection(error: Exception, endpoint: Endpoint) -> ModelError:
    import httpx2

    cause = error if isinstance(error, httpx2.TransportError) else error.__cause__
    reason = str(cause or error) or type(cause or error).__name__
    if not isinstance(cause, (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError)):
        return ModelUnavailableError(
            f"{endpoint.name!r}: cannot reach {endpoint.url} ({reason}). Is the server running at that URL?",
            model=endpoint.name,
        )
    return cut_short(endpoint, reason)


def _code(body: object) -> str:
    """The error's code where it has a telling one, else its type."""
    if not isinstance(body, Mapping):
        return ""
    details = body.get("details")
    candidates = [details.get("error_code") if isinstance(details, Mapping) else None, body.get("code")]
    return str(next((c for c in candidates if isinstance(c, str | int) and c), None) or body.get("type") or "")


def retry_after_seconds(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date), if they can be read.

    Args:
        headers: The response's headers, with names in lower case.
        now: Unix time in seconds; by default the system's.
    """
    for header, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[header]) / scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - (now or time.time()))
    except (KeyError, ValueError):
        return None


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
