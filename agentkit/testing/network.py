"""A closed network: whatever a test does, it cannot leave this machine."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_blocks = 0
_hooked = False


@contextmanager
def block_network() -> Iterator[None]:
    """Make connections and name look-ups to anything but this machine fail inside a ``with`` block.

    It holds for the whole process and for every library, since it uses Python's audit hooks. Unix sockets, loopback
    addresses and ``localhost`` stay open. What is refused raises `ConnectionRefusedError`.
    """
    global _blocks, _hooked  # noqa: PLW0603 - audit hooks belong to the process and cannot be removed
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    _blocks += 1
    try:
        yield
    finally:
        _blocks -= 1


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _blocks or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if host is not None and not _is_local(host):
        raise ConnectionRefusedError(f"the network is closed by block_network(): {event} to {host!r} was refused")


def _is_local(host: str | bytes) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
