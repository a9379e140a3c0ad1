"""The person at the terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from agentkit.cli.show import as_text
from agentkit.messages import Json
from agentkit.protocols import ApprovalRequest, Decision


class TerminalHuman:
    """Asks at the terminal. Approvals are yes or no; anything but a clear yes is a no."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._one_at_a_time = asyncio.Lock()

    async def approve(self, request: ApprovalRequest) -> Decision:
        """Show the call and ask."""
        async with self._one_at_a_time:
            self._console.print(f"\n[bold]{escape(request.tool)}[/] ({escape(request.step)}) wants to run with")
            for name, value in request.args.items():
                self._console.print(f"  {escape(name)} = {escape(as_text(value))}")
            if request.resources:
                self._console.print(f"  and changes: {escape(', '.join(request.resources))}")
            reply = await self._input("Allow it? [y]es, or say why not: ")
        if reply.strip().lower() in ("y", "yes"):
            return Decision(True)
        return Decision(False, reply.strip() if reply.strip().lower() not in ("", "n", "no") else "")

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        """Ask a plan's question; an answer with a schema is read as JSON where it is not a text."""
        async with self._one_at_a_time:
            self._console.print(f"\n[bold]{escape(question)}[/]")
            reply = await self._input("> ")
        if schema is None or schema.get("type") == "string":
            return reply
        try:
            return json.loads(reply)
        except json.JSONDecodeError:
            return reply

    async def _input(self, prompt: str) -> str:
        try:
            return await asyncio.to_thread(self._console.input, escape(prompt))
        except EOFError:
            return ""
