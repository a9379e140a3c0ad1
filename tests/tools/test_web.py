"""Fetching from a real little server on this machine: the allow-list, redirects, sizes, times and texts."""

from __future__ import annotations

import asyncio
import gzip
import socket
import sys
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError, MissingDependencyError, ModelRetry, ToolError
from agentkit.toolbox import Toolbox
from agentkit.tools import _addresses as addresses
from agentkit.tools._addresses import locate, parse_rules
from agentkit.tools._html import html_to_text
from agentkit.tools.web import http_tools

PAGE = """<!DOCTYPE html><html><head><title>Coats &amp; hats</title><style>p { color: red }</style>
<script>if (1 < 2) alert("<p>no</p>")</script></head><body><!-- hidden --><h1>Prices</h1>
<p>A coat is 12&nbsp;&euro;,
a hat is <b>3</b>.</p><table><tr><td>coat</td><td>12</td></tr><tr><td>hat</td><td>3</td></tr></table>
<pre>one
  two</pre><a title="a > b" href='/'>home</a></body></html>"""

BOMB = gzip.compress(b"\0" * 50_000_000)

Answer = tuple[int, dict[str, str], bytes]


class Handler(BaseHTTPRequestHandler):
    """Answers from a table; counts what it was asked."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]]
    arrived: ClassVar[Event]
    release: ClassVar[Event]

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        self.arrived.set()
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        answers: dict[str, Answer] = {
            "/page": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE.encode()),
            "/data?q=1": (200, {"Content-Type": "application/json"}, b'{"a": 1}'),
            "/latin": (200, {"Content-Type": "text/plain; charset=latin-1"}, "café".encode("latin-1")),
            "/odd": (200, {"Content-Type": "text/plain; charset=zlib"}, b"abc"),
            "/untyped": (200, {}, b"plain"),
            "/image": (200, {"Content-Type": "image/png"}, b"\x89PNG\0"),
            "/long": (200, {"Content-Type": "text/plain"}, b"x" * 5000),
            "/zip": (200, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, gzip.compress(b"packed")),
            "/bomb": (200, {"Content-Encoding": "gzip"}, BOMB),
            "/deflate": (
                200,
                {"Content-Type": "text/plain", "Content-Encoding": "deflate"},
                zlib.compress(b"deflated"),
            ),
            "/broken": (200, {"Content-Encoding": "gzip"}, b"not gzip"),
            "/brotli": (200, {"Content-Encoding": "br"}, b"\x0b\x02\x80"),
            "/moved": (302, {"Location": "/page"}, b""),
            "/loop": (302, {"Location": "/loop"}, b""),
            "/away": (302, {"Location": "http://192.0.2.1/"}, b""),
            "/inside": (302, {"Location": f"http://localhost:{port}/page"}, b""),
            "/file": (302, {"Location": "file:///etc/passwd"}, b""),
            "/nowhere": (302, {}, b"no location"),
        }
        if self.path == "/slow":
            self.release.wait(10)
        status, headers, body = answers.get(self.path, (404, {"Content-Type": "text/plain"}, b"no such page"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.asked, Handler.arrived, Handler.release = [], Event(), Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        Handler.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def base(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


Fetch = Callable[..., Awaitable[Any]]


@pytest.fixture
def fetch(base: str) -> Fetch:
    """Fetch a path of the server, as a plan would."""

    async def call(path: str, *, allow: list[str] | None = None, **limits: Any) -> Any:
        (one,) = http_tools([base] if allow is None else allow, **limits)
        return await one.invoke(one.bind({"url": path if "://" in path else f"http://{base}{path}"}))

    return call


async def test_a_page_comes_as_its_readable_text(fetch: Fetch, base: str) -> None:
    assert await fetch("/page") == {
        "url": f"http://{base}/page",
        "status": 200,
        "content_type": "text/html",
        "text": "Coats & hats\nPrices\nA coat is 12 €, a hat is 3.\ncoat 12\nhat 3\none\ntwo\nhome",
        "truncated": False,
    }


async def test_data_comes_as_it_is(fetch: Fetch) -> None:
    found = await fetch("/data?q=1")
    assert (found["content_type"], found["text"]) == ("application/json", '{"a": 1}')


async def test_the_host_is_named_to_the_server(fetch: Fetch, base: str) -> None:
    """Although the connection goes to a numeric address."""
    port = base.partition(":")[2]
    await fetch(f"http://localhost:{port}/page#part", allow=[f"localhost:{port}"])
    path, headers = Handler.asked[0]
    assert (path, headers["Host"], headers["User-Agent"]) == ("/page", f"localhost:{port}", "agentkit")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latin", "café"),
        ("/odd", "abc"),
        ("/untyped", "plain"),
        ("/image", ""),
        ("/zip", "packed"),
        ("/deflate", "deflated"),
    ],
)
async def test_contents_are_decoded(fetch: Fetch, path: str, text: str) -> None:
    assert (await fetch(path))["text"] == text


async def test_a_status_is_a_result(fetch: Fetch) -> None:
    found = await fetch("/missing")
    assert (found["status"], found["text"]) == (404, "no such page")
    assert (await fetch("/nowhere"))["status"] == 302


async def test_long_contents_are_cut(fetch: Fetch) -> None:
    by_bytes = await fetch("/long", max_bytes=100)
    by_characters = await fetch("/long", max_characters=50)
    assert [(len(one["text"]), one["truncated"]) for one in (by_bytes, by_characters)] == [(100, True), (50, True)]
    assert (await fetch("/long", max_bytes=5000))["truncated"] is False


async def test_a_bomb_is_not_unpacked(fetch: Fetch) -> None:
    """Fifty megabytes of zeros in fifty kilobytes; the tool holds no more than its limit."""
    await fetch("/zip")  # so that importing the client is not measured
    tracemalloc.start()
    try:
        found = await fetch("/bomb", max_bytes=10_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found["truncated"] is True
    assert peak < 10_000_000


async def test_redirects_are_followed_within_the_list(fetch: Fetch, base: str) -> None:
    found = await fetch("/moved")
    assert (found["url"], found["status"]) == (f"http://{base}/page", 200)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/away",
            "'{url}' redirects to a URL that cannot be used: '192.0.2.1' may not be fetched; allowed hosts are: {base}",
        ),
        (
            "/inside",
            (
                "'{url}' redirects to a URL that cannot be used: 'localhost:{port}' may not be fetched; allowed hosts "
                "are: {base}"
            ),
        ),
        (
            "/file",
            (
                "'{url}' redirects to a URL that cannot be used: 'file:///etc/passwd' is not an http or https URL; "
                "write one such as 'https://example.com/page'"
            ),
        ),
        ("/loop", "more than 5 redirects, the last one to '{url}'; fetch another page"),
    ],
)
async def test_redirects_out_of_the_list_are_refused(fetch: Fetch, base: str, path: str, message: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        await fetch(path)
    expected = message.format(url=f"http://{base}{path}", base=base, port=base.partition(":")[2])
    assert str(refusal.value) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/broken",
            "the server's answer cannot be unpacked: Error -3 while decompressing data: incorrect header check",
        ),
        ("/brotli", "the server answered in the encoding 'br', which was not asked for"),
    ],
)
async def test_answers_that_cannot_be_read_are_failures(fetch: Fetch, path: str, message: str) -> None:
    with pytest.raises(ToolError) as failure:
        await fetch(path)
    assert str(failure.value) == message


async def test_a_slow_server_is_not_waited_for(fetch: Fetch, base: str) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError) as failure:
        await fetch("/slow", timeout=0.3)
    assert time.monotonic() - started < 3
    assert not isinstance(failure.value, ModelRetry)
    assert str(failure.value) == f"'http://{base}/slow' did not answer within 0.3 s"


async def test_a_closed_port_is_a_failure_that_may_pass(fetch: Fetch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ToolError, match=f"^'http://{address}/' cannot be fetched: "):
        await fetch(f"http://{address}/", allow=[address])


async def test_cancelling_ends_a_fetch(fetch: Fetch) -> None:
    task = asyncio.ensure_future(fetch("/slow"))
    await asyncio.to_thread(Handler.arrived.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com/", "'example.com' may not be fetched; allowed hosts are: example.org, *.wikipedia.org"),
        (
            "http://evil-wikipedia.org/",
            ("'evil-wikipedia.org' may not be fetched; allowed hosts are: example.org, *.wikipedia.org"),
        ),
        (
            "http://example.org.evil.com/",
            ("'example.org.evil.com' may not be fetched; allowed hosts are: example.org, *.wikipedia.org"),
        ),
        (
            "http://example.org:8080/",
            ("'example.org:8080' may not be fetched; allowed hosts are: example.org, *.wikipedia.org"),
        ),
        ("http://user@example.org/", "the URL has a user name or password in it; leave them out"),
        ("http://example.org@evil.com/", "the URL has a user name or password in it; leave them out"),
        (
            "file:///etc/passwd",
            ("'file:///etc/passwd' is not an http or https URL; write one such as 'https://example.com/page'"),
        ),
        (
            "ftp://example.org/",
            ("'ftp://example.org/' is not an http or https URL; write one such as 'https://example.com/page'"),
        ),
        ("example.org", "'example.org' is not an http or https URL; write one such as 'https://example.com/page'"),
        ("http://", "'http://' is not an http or https URL; write one such as 'https://example.com/page'"),
        (
            "http://example.org:99999/",
            ("not a URL: 'http://example.org:99999/'; write one such as 'https://example.com/page'"),
        ),
        ("http://[::1/", "not a URL: 'http://[::1/'; write one such as 'https://example.com/page'"),
        (
            "http://example.org/a b",
            ("not a URL: 'http://example.org/a b'; give one of at most 2000 characters, without spaces"),
        ),
        (
            "http://example.org\\@evil.com/",
            ("not a URL: 'http://example.org\\\\@evil.com/'; give one of at most 2000 characters, without spaces"),
        ),
        (
            "http://example.org/\r\nX: y",
            ("not a URL: 'http://example.org/\\r\\nX: y'; give one of at most 2000 characters, without spaces"),
        ),
    ],
)
async def test_other_urls_are_refused(fetch: Fetch, url: str, message: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        await fetch(url, allow=["example.org", "*.wikipedia.org"]) if "://" in url else await locate(
            url, parse_rules(["example.org"])
        )
    assert str(refusal.value) == message
    assert Handler.asked == []


PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_listed_name_that_leads_into_a_private_network_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", address]

    monkeypatch.setattr(addresses, "_resolve", resolve)
    with pytest.raises(ModelRetry) as refusal:
        await locate("https://shop.example.com/", parse_rules(["*.example.com"]))
    assert str(refusal.value) == (f"'shop.example.com' leads to the private address {address} and may not be fetched")


async def test_a_public_address_is_checked_and_then_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was resolved is what is connected to, so that the name cannot change its mind in between."""
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.216.34"]

    monkeypatch.setattr(addresses, "_resolve", resolve)
    target = await locate("https://Shop.Example.COM./a?b#c", parse_rules(["*.example.com"]))
    assert (target.host, target.port, target.address) == ("shop.example.com", 443, "93.184.216.34")
    assert asked == [("shop.example.com", 443)]


async def test_the_connection_goes_to_the_checked_address(
    fetch: Fetch, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name has no address outside this test: looking it up a second time would fail."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(addresses, "_resolve", resolve)
    name = f"pinned.example.com:{base.partition(':')[2]}"
    assert (await fetch(f"http://{name}/page", allow=[name]))["url"] == f"http://{name}/page"
    assert Handler.asked[0][1]["Host"] == name


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/"])
async def test_a_glob_for_everything_still_keeps_private_addresses_out(url: str) -> None:
    with pytest.raises((ModelRetry, ToolError)):
        await locate(url, parse_rules(["*"]))


async def test_a_private_address_needs_its_host_and_port_on_the_list(fetch: Fetch, base: str) -> None:
    assert (await fetch("/page"))["status"] == 200
    port = base.partition(":")[2]
    for allow in (["127.0.0.1"], [f"*:{port}"], ["127.0.0.1:1"]):
        with pytest.raises(ModelRetry):
            await fetch("/page", allow=allow)


@pytest.mark.parametrize("entry", ["http://example.com", "example.com/path", "", "a@b.com", "example.com:", "x:y"])
def test_an_allow_list_holds_hosts(entry: str) -> None:
    with pytest.raises(DefinitionError) as refusal:
        http_tools([entry])
    assert str(refusal.value) == (
        f"{entry!r} is not a host; write 'example.com', '*.example.com' or 'localhost:8080', without http://"
    )


def test_an_empty_allow_list_is_a_mistake() -> None:
    with pytest.raises(DefinitionError) as refusal:
        http_tools([])
    assert str(refusal.value) == "the list of allowed hosts is empty; name the hosts that may be fetched from"
    with pytest.raises(DefinitionError):
        http_tools(["example.com"], timeout=0)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a < b & c &gt; d", "a < b & c > d"),
        ("<p>one<p>two<br>three", "one\ntwo\nthree"),
        ("<div><div>\n\n</div>x</div>", "x"),
        ("<SCRIPT>x</SCRIPT>y", "y"),
        ("<script/>y", "y"),
        ("<script>never closed <p>x", ""),
        ("a<!-- b --", "a"),
        ("a<!-- b --><?php c ?>d", "ad"),
        ('<a title="x>y">z</a>', "z"),
        ("<a title='unclosed>z", ""),
        ("&#99999999999999999999;", "\ufffd"),
        ("&#" + "9" * 10_000 + ";x", ""),
        ("", ""),
    ],
)
def test_html_becomes_text(page: str, text: str) -> None:
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<a ", "<a b='", "</", "<script>", "<div>", "&#", "<a b=\"'", "<![CDATA[", "<pre>", "\n ", "< "],
)
def test_hostile_html_takes_linear_time(piece: str) -> None:
    """The standard parser needs twenty seconds for sixty kilobytes of some of these."""
    started = time.monotonic()
    html_to_text(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - started < 5


@given(st.text(alphabet="<>/!-'\"=& abpre#;\n", max_size=60))
def test_any_html_gives_some_text(page: str) -> None:
    assert len(html_to_text(page)) <= len(page)


async def test_without_a_client_the_message_says_what_to_install(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingDependencyError) as refusal:
        await fetch("/page")
    assert str(refusal.value) == "web tools need the package 'httpx2'; install it with: pip install httpx2"


def test_the_family_is_one_reading_tool() -> None:
    tools = Toolbox(http_tools(["example.com"]))
    tools.validate()
    assert {name: (one.effect, one.resources) for name, one in tools.items()} == {"fetch_url": ("read", ("web",))}
