"""Which hosts a tool may reach, and which network addresses they may stand for."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, urlsplit

from agentkit.errors import DefinitionError, ModelRetry, ToolError

MAX_URL = 2_000
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of an allow-list.

    Attributes:
        host: Host name, IP address, or glob such as ``*.example.com``.
        port: The only port; None for the usual ones, 80 and 443.
    """

    host: str
    port: int | None

    def allows(self, host: str, port: int) -> bool:
        """Whether this entry is about `host` and `port`."""
        return fnmatchcase(host, self.host) and (port in _PORTS.values() if self.port is None else port == self.port)

    @property
    def names_private(self) -> bool:
        """Whether it names one host and port, so that whoever wrote it meant that very address."""
        return self.port is not None and not set(self.host) & set("*?[")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Attributes:
        url: The address as given, without user, password and fragment.
        host: Host name in lower case.
        port: Port.
        address: Numeric address that `host` stands for, and that has been checked.
    """

    url: SplitResult
    host: str
    port: int
    address: str


def parse_rules(allow: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of an allow-list such as ``["api.example.com", "*.wikipedia.org", "127.0.0.1:8080"]``.

    Raises:
        DefinitionError: If an entry is not a host with or without a port.
    """
    rules = []
    for entry in allow:
        parts = urlsplit(f"//{entry}")
        try:
            host, port = _ascii(parts.hostname), parts.port
        except ValueError:
            host, port = "", None
        if not host or "/" in entry or "@" in entry or entry.endswith(":"):
            raise DefinitionError(
                f"{entry!r} is not a host; write 'example.com', '*.example.com' or 'localhost:8080', without http://"
            )
        rules.append(Rule(host, port))
    return tuple(rules)


async def locate(url: str, rules: tuple[Rule, ...]) -> Target:
    """Check `url` against the rules and the network that it really leads to.

    Raises:
        ModelRetry: If it is not an http(s) URL, its host is not allowed, or it leads into a private network.
        ToolError: If the host name cannot be resolved.
    """
    parts, host, port = _split(url)
    rule = next((one for one in rules if one.allows(host, port)), None)
    if rule is None:
        listed = ", ".join(map(str, rules)) or "none"
        raise ModelRetry(f"{_shown(host, port)!r} may not be fetched; allowed hosts are: {listed}")
    exact = any(one.names_private and one.allows(host, port) for one in rules)
    addresses = await _resolve(host, port)
    private = [address for address in addresses if not _is_public(address)]
    if private and not exact:
        raise ModelRetry(f"{_shown(host, port)!r} leads to the private address {private[0]} and may not be fetched")
    return Target(parts, host, port, addresses[0])


def _split(url: str) -> tuple[SplitResult, str, int]:
    if len(url) > MAX_URL or any(ord(character) < 33 or ord(character) == 127 for character in url) or "\\" in url:
        raise ModelRetry(f"not a URL: {url[:80]!r}; give one of at most {MAX_URL} characters, without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii(parts.hostname)
    except ValueError:
        raise ModelRetry(f"not a URL: {url[:80]!r}; write one such as 'https://example.com/page'") from None
    if parts.scheme not in _PORTS or not host:
        raise ModelRetry(f"{url[:80]!r} is not an http or https URL; write one such as 'https://example.com/page'")
    if parts.username is not None or parts.password is not None:
        raise ModelRetry("the URL has a user name or password in it; leave them out")
    return parts, host, _PORTS[parts.scheme] if port is None else port


def _ascii(host: str | None) -> str:
    """The form of a host name that is compared and connected to, also for letters beyond ASCII."""
    return (host or "").rstrip(".").encode("idna").decode("ascii").lower()


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ToolError(f"the host {host!r} cannot be found: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_public(address: str) -> bool:
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 address are as private as that one.
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)
        nat64 = ipaddress.IPv6Network("64:ff9b::/96")
        if inner is None and number in nat64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(str(inner))
    return number.is_global and not number.is_multicast and not number.is_reserved


def _shown(host: str, port: int) -> str:
    return host if port in _PORTS.values() else f"{host}:{port}"


def check_rules(rules: tuple[Rule, ...]) -> None:
    """Refuse an empty allow-list, which would make every call fail.

    Raises:
        DefinitionError: If there is no rule.
    """
    if not rules:
        raise DefinitionError("the list of allowed hosts is empty; name the hosts that may be fetched from")
