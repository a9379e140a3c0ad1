"""Fetching pages and data from hosts that are named beforehand.

A request goes to the numeric address that was checked, so that a name cannot be re-pointed in between; redirects are
checked like the first address; nothing leads into a private network unless that very host and port is on the list.
"""

from __future__ import annotations

import asyncio
import codecs
import ssl
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from typing_extensions import TypedDict

from agentkit.errors import DefinitionError, ModelRetry, ToolError
from agentkit.toolbox import Tool, tool
from agentkit.tools._addresses import Rule, Target, check_rules, locate, parse_rules
from agentkit.tools._html import html_to_text
from agentkit.tools._optional import load

MAX_REDIRECTS = 5
_TEXT_TYPES = (
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-ndjson",
    "application/yaml",
)


class FetchedPage(TypedDict):
    """What a URL gave.

    Attributes:
        url: Where the content came from, after redirects.
        status: HTTP status, e.g. 200; 404 means that there is no such page.
        content_type: Media type without parameters, e.g. ``text/html``; empty if the server named none.
        text: The readable text: of HTML without its markup, of anything binary nothing.
        truncated: Whether the content was longer than what is kept.
    """

    url: str
    status: int
    content_type: str
    text: str
    truncated: bool


@dataclass(slots=True)
class _Fetcher:
    rules: tuple[Rule, ...]
    max_bytes: int
    max_characters: int
    timeout: float
    user_agent: str
    certificates: ssl.SSLContext | None

    async def fetch(self, url: str) -> FetchedPage:
        httpx = load("httpx2", "web tools")
        if self.certificates is None:
            # Reading the system's certificates takes long enough to be noticed by whatever else runs.
            self.certificates = await asyncio.to_thread(ssl.create_default_context)
        try:
            async with asyncio.timeout(self.timeout):
                # No proxies from the environment: they would connect to addresses that nobody checked.
                async with httpx.AsyncClient(trust_env=False, verify=self.certificates, timeout=self.timeout) as client:
                    return await self._follow(client, url)
        except TimeoutError:
            raise ToolError(f"{url!r} did not answer within {self.timeout:g} s") from None
        except httpx.TimeoutException:
            raise ToolError(f"{url!r} did not answer within {self.timeout:g} s") from None
        except httpx.InvalidURL as error:
            raise ModelRetry(f"not a URL: {url!r} ({error})") from None
        except httpx.HTTPError as error:
            raise ToolError(f"{url!r} cannot be fetched: {error or type(error).__name__}") from None

    async def _follow(self, client: Any, url: str) -> FetchedPage:
        first = url
        for _ in range(MAX_REDIRECTS + 1):
            target = await self._locate(url, first=first)
            request = self._request(client, target)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                location = response.headers.get("location")
                if response.status_code not in (301, 302, 303, 307, 308) or not location:
                    return await self._page(response, target)
            finally:
                await response.aclose()
            url = urljoin(target.url.geturl(), location)
        raise ModelRetry(f"more than {MAX_REDIRECTS} redirects, the last one to {url!r}; fetch another page")

    async def _locate(self, url: str, *, first: str) -> Target:
        try:
            return await locate(url, self.rules)
        except ModelRetry as refusal:
            if url == first:
                raise
            raise ModelRetry(f"{first!r} redirects to a URL that cannot be used: {refusal}") from None

    def _request(self, client: Any, target: Target) -> Any:
        address = f"[{target.address}]" if ":" in target.address else target.address
        parts = target.url
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = f"[{target.host}]" if ":" in target.host else target.host
        shown = host if parts.port is None else f"{host}:{target.port}"
        return client.build_request(
            "GET",
            f"{parts.scheme}://{address}:{target.port}{path}",
            headers={
                "Host": shown,
                "User-Agent": self.user_agent,
                "Accept": "text/html, application/json, text/*;q=0.9, */*;q=0.1",
                "Accept-Encoding": "gzip, deflate",
            },
            extensions={"sni_hostname": target.host},
        )

    async def _page(self, response: Any, target: Target) -> FetchedPage:
        content, truncated = await self._content(response)
        kind, charset = _content_type(response.headers.get("content-type", ""))
        text = _text(content, kind, charset)
        return FetchedPage(
            url=target.url._replace(fragment="").geturl(),
            status=response.status_code,
            content_type=kind,
            text=text[: self.max_characters],
            truncated=truncated or len(text) > self.max_characters,
        )

    async def _content(self, response: Any) -> tuple[bytes, bool]:
        """The unpacked content up to the limit; a small response may unpack to gigabytes."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "deflate", ""):
            raise ToolError(f"the server answered in the encoding {encoding!r}, which was not asked for")
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "deflate") else None
        content = bytearray()
        async for chunk in response.aiter_raw():
            left = self.max_bytes + 1 - len(content)
            try:
                content += chunk[:left] if unpack is None else unpack.decompress(chunk, left)
            except zlib.error as error:
                raise ToolError(f"the server's answer cannot be unpacked: {error}") from None
            if len(content) > self.max_bytes:
                return bytes(content[: self.max_bytes]), True
        return bytes(content), False


def http_tools(
    allow: Iterable[str],
    *,
    max_bytes: int = 2_000_000,
    max_characters: int = 20_000,
    timeout: float = 10.0,
    user_agent: str = "agentkit",
    certificates: ssl.SSLContext | None = None,
) -> tuple[Tool, ...]:
    """The tool ``fetch_url`` for the hosts in `allow`, and no others.

    Args:
        allow: Hosts such as ``"example.com"``, globs such as ``"*.wikipedia.org"``, or ``"localhost:8080"``. Without a
            port, 80 and 443 are meant. Private and loopback addresses are refused unless host and port are named.
        max_bytes: Bytes of content that are read, after unpacking.
        max_characters: Characters of text that are given.
        timeout: Seconds for everything: redirects, connecting, reading.
        user_agent: How requests introduce themselves.
        certificates: Certificates to trust; None for the system's.

    Raises:
        DefinitionError: If an entry of `allow` is not a host, there is none, or a limit is not positive.
    """
    rules = parse_rules([allow] if isinstance(allow, str) else allow)
    check_rules(rules)
    if min(max_bytes, max_characters, timeout) <= 0:
        raise DefinitionError("max_bytes, max_characters and timeout must be positive")
    fetcher = _Fetcher(rules, max_bytes, max_characters, timeout, user_agent, certificates)

    @tool(effect="read", resources=("web",), tags=("web",), expected_seconds=1.0)
    async def fetch_url(url: str) -> FetchedPage:
        """Fetch a web page or other text from a URL, without its markup.

        Args:
            url: http or https URL of an allowed host, such as 'https://example.com/page'.
        """
        return await fetcher.fetch(url)

    return (fetch_url,)


def _content_type(header: str) -> tuple[str, str]:
    kind, *parameters = (part.strip().lower() for part in header.split(";"))
    charset = next((one[8:].strip("\"' ") for one in parameters if one.startswith("charset=")), "utf-8")
    return kind, charset


def _text(content: bytes, kind: str, charset: str) -> str:
    if not (kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _TEXT_TYPES or not kind):
        return ""
    if not kind and b"\0" in content:
        return ""
    try:
        text = content.decode(codecs.lookup(charset).name, "replace")
    except (LookupError, UnicodeError):
        text = content.decode("utf-8", "replace")
    return html_to_text(text) if kind in ("text/html", "application/xhtml+xml") else text
