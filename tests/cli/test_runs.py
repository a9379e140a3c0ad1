"""``agentkit runs`` and the top of the command line, as they are typed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentkit import Agent, JournalStore, Policy, tool
from agentkit.cli.main import app
from agentkit.testing import ScriptedModel

AGENT = '''
from __future__ import annotations

from agentkit import Agent, Policy, tool
from agentkit.testing import ScriptedModel


@tool(effect="write", resources="mail")
async def send(to: str) -> str:
    """Send a mail.

    Args:
        to: The address.
    """
    return f"mail to {to}"


agent = Agent(ScriptedModel([]), tools=[send], policy=Policy(writes="auto"))
'''


def call(*args: object) -> tuple[int, str]:
    """Exit code and output; lines are as wide as a narrow terminal."""
    done = CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(arg) for arg in args])
    return done.exit_code, done.output


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with a run that was cut off while it sent a mail, and the agent's file beside it."""
    path = tmp_path / "runs.sqlite"
    started = asyncio.Event()

    @tool(effect="write", resources="mail")
    async def send(to: str) -> str:
        """Send a mail.

        Args:
            to: The address.
        """
        started.set()
        await asyncio.sleep(3600)
        return ""

    async def cut_off() -> None:
        model = ScriptedModel(['answer(send(to="anna"))'])
        agent = Agent(model, tools=[send], policy=Policy(writes="auto"))
        store = JournalStore(path)
        run = asyncio.create_task(agent.run("Write to Anna, who waits for a long and friendly letter", journal=store))
        await started.wait()
        run.cancel()
        await asyncio.wait([run])
        store.close()

    asyncio.run(cut_off())
    (tmp_path / "clerk.py").write_text(AGENT)
    return path


def run_id(journal: Path) -> str:
    store = JournalStore(journal)
    (row,) = store.runs()
    store.close()
    return row.run_id


def test_a_list_of_runs_names_them_whole_on_a_narrow_terminal(journal: Path) -> None:
    code, said = call("runs", "list", "--journal", journal)
    assert code == 0
    assert run_id(journal) in said


def test_a_step_in_doubt_is_told_with_what_to_type(journal: Path) -> None:
    code, said = call("runs", "resume", run_id(journal), f"{journal.parent}/clerk.py", "--journal", journal)
    assert code == 1
    assert said.endswith(
        "send_1: add --retry send_1 if it did not happen, or --done send_1=VALUE if it did, with its result as JSON\n"
    )


@pytest.mark.parametrize(
    ("decision", "answer"), [(("--retry", "send_1"), "mail to anna"), (("--done", 'send_1="m7"'), "m7")]
)
def test_what_is_typed_decides_about_the_step_in_doubt(journal: Path, decision: tuple[str, str], answer: str) -> None:
    name = run_id(journal)
    call("runs", "resume", name, f"{journal.parent}/clerk.py", "--journal", journal)
    code, said = call("runs", "resume", name, f"{journal.parent}/clerk.py", "--journal", journal, *decision)
    assert (code, answer in said) == (0, True)


def test_a_journal_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    for command in (["list"], ["show", "x"], ["resume", "x", "clerk.py"]):
        done = CliRunner().invoke(app, ["runs", *command, "--journal", str(path)])
        assert str(done.exception) == f"there is no journal '{path}'; 'agentkit run --journal {path}' makes one"
    assert not path.exists()


def test_the_version_is_told() -> None:
    code, said = call("--version")
    assert code == 0
    assert re.fullmatch(r"agentkit (\d+\.\d+\.\d+\S*|\(not installed: run from its sources\))\n", said)
