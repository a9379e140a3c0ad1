"""Agents from YAML: what a file may say, and what is said about a wrong one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentkit import Limits, Policy, Toolbox, load_agent, tool
from agentkit.cli.main import app
from agentkit.definition import definition_schema, read_agent
from agentkit.errors import DefinitionError
from agentkit.memory import AgentMemory, SessionStore
from agentkit.messages import ModelProfile, ModelSettings
from agentkit.planners.candidates import Candidates
from agentkit.planners.react import ReAct
from agentkit.planning import Example
from agentkit.testing import ScriptedModel

FULL = """\
name: clerk
description: Looks things up.
model: openai:gpt-5
instructions: Answer about the files of the shop.
tools:
  - maths
  - files: {root: papers, read_only: true}
  - shop
planner: {name: candidates, count: 3}
memory: {session: talks.db, policy: {name: last_turns, turns: 4}, reserve: 0.2}
policy: {writes: never, tools: {"send_*": ask}}
limits: {tool_calls: 20, cost: 0.5}
output_schema: {type: string}
model_settings: {temperature: 0.2, stop: ["END"]}
examples:
  - task: What is 3 + 4?
    plan: answer(calculate(expression="3 + 4"))
"""


@tool(effect="read")
def price_of(name: str) -> float:
    """A price.

    Args:
        name: Of what.
    """
    return 20.0 if name == "hat" else 10.0


SHOP = Toolbox(price_of)


@pytest.fixture
def clerk(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    path = tmp_path / "clerk.yaml"
    path.write_text(FULL, encoding="utf-8")
    return path


def test_a_file_says_all_that_an_agent_is(clerk: Path) -> None:
    agent = load_agent(clerk, tools={"shop": SHOP})
    assert (agent.name, agent.description) == ("clerk", "Looks things up.")
    assert agent.instructions == "Answer about the files of the shop."
    assert {"calculate", "price_of", "view_file"} <= set(agent.toolbox)
    assert not any(one.effect == "write" for one in agent.toolbox.values())
    assert isinstance(agent.planner, Candidates)
    assert isinstance(agent.memory, AgentMemory)
    assert agent.memory.short_term.reserve == 0.2
    assert agent.policy == Policy(writes="never", tools={"send_*": "ask"})
    assert agent.limits == Limits(tool_calls=20, cost=0.5)
    assert agent.output_schema == {"type": "string"}
    assert agent.model_settings == ModelSettings(temperature=0.2, stop=("END",))
    assert list(agent.examples) == [Example("What is 3 + 4?", 'answer(calculate(expression="3 + 4"))')]


async def test_an_agent_from_yaml_remembers_what_it_is_told(tmp_path: Path) -> None:
    said = "name: desk\nmemory: {long_term: memory.db, manager: rules}"
    model = ScriptedModel(['answer("Noted.")', 'answer("Porto")'])
    desk = read_agent(said, folder=tmp_path, model=model)
    await desk.run("I have moved to Porto.", user="anna")
    await desk.run("To which town did I move?", user="anna")
    assert "- The user has moved to Porto." in model.requests[1].messages[-1].content


async def test_an_agent_from_yaml_runs(tmp_path: Path) -> None:
    profile = ModelProfile(spelling="python", decoding="free")
    model = ScriptedModel(['price = price_of(name="hat")\nanswer(price)'], profile=profile)
    agent = read_agent("tools: [shop]", tools={"shop": SHOP}, model=model)
    assert (await agent.run("What does a hat cost?")).output == 20.0


def test_the_way_of_planning_is_one_word() -> None:
    assert isinstance(read_agent("planner: react").planner, ReAct)


def test_nothing_is_imported_that_a_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('run')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for said in ("tools: [evil]", "tools: ['evil:TOOLS']", "planner: evil", "tools: [!!python/name:evil.x ]"):
        with pytest.raises(DefinitionError):
            read_agent(said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "modle: x\nlimits:\n  tool_cals: 3\n  steps: many",
            (
                "a.yaml:1: there is no key 'modle', did you mean 'model'?; there are: name, description, model, "
                "instructions, tools, planner, memory, policy, limits, output_schema, model_settings, examples\n"
                "a.yaml:3: there is no key 'limits.tool_cals', did you mean 'tool_calls'?; there are: replans, "
                "repairs, transport_retries, output_retries, turns, steps, tool_calls, model_calls, tokens, cost, "
                "seconds, parallelism, loop_iterations, depth\n"
                "a.yaml:4: limits.steps: Input should be a valid integer, unable to parse string as an integer, "
                "got 'many'"
            ),
        ),
        (
            "tools:\n  - math",
            (
                "a.yaml:2: there are no tools 'math', did you mean 'maths'?; the families are maths, units, dates, "
                "text, sql, files, web. Tools of your own are handed over by name: load_agent(…, tools={'math': …}) or "
                "--tools math=package.module:NAME"
            ),
        ),
        (
            "tools:\n  - files: {rot: x}",
            (
                "a.yaml:2: 'files' has no option 'rot', did you mean 'root'?; its options are: root, max_file_bytes, "
                "read_only, resource"
            ),
        ),
        (
            "tools: [sql]",
            ("a.yaml:1: 'sql' needs the option 'path'; its options are: path, max_rows, timeout, read_only, resource"),
        ),
        (
            "tools: [{maths: {}, text: {}}]",
            "a.yaml:1: expected one family with its options, as in 'files: {root: docs}'",
        ),
        ("name: a\nname: b", "a.yaml:2: the key 'name' stands here again; it is on line 1 already"),
        ("- a", "a.yaml: expected keys such as 'model:' and 'tools:', got list"),
        ("tools: [", "a.yaml:1: this is not YAML: expected the node content, but found '<stream end>'"),
        (
            "memory:\n  policy: last_turn",
            (
                "a.yaml:1: there is no policy 'last_turn', did you mean 'last_turns'?; there are: buffer, last_turns, "
                "token_window"
            ),
        ),
        (
            "memory:\n  manager: rules",
            "a.yaml:1: a manager needs a place for what it learns, such as long_term: memory.db",
        ),
        ("policy: {writes: maybe}", "a.yaml:1: policy.writes: Input should be 'auto', 'ask' or 'never', got 'maybe'"),
        (
            "planner: {name: candidates, count: 0}",
            "a.yaml:1: planner: count is 0; give 1 or more candidates",
        ),
    ],
)
def test_every_mistake_is_told_with_its_line(said: str, told: str) -> None:
    with pytest.raises(DefinitionError) as error:
        read_agent(said, name="a.yaml")
    assert str(error.value) == told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"cannot read the agent '.*none\.yaml'"):
        load_agent(tmp_path / "none.yaml")


def test_the_schema_for_editors_accepts_a_full_file_and_refuses_unknown_keys() -> None:
    import yaml
    from jsonschema import Draft202012Validator

    schema = definition_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(FULL))
    assert not validator.is_valid({"modle": "x"})
    assert not validator.is_valid({"planner": "raect"})
    assert not validator.is_valid({"limits": {"tool_cals": 1}})


def test_the_command_line_checks_a_yaml_agents_plan_with_tools_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text('price = price_of(name="hat")\nanswer(price)\n', encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text("tools: [shop]\nplanner: {name: fixed, file: plan.py}\n", encoding="utf-8")
    run = ["run", str(path), "What does a hat cost?", "--no-journal", "--json"]
    done = CliRunner().invoke(app, [*run, "--tools", "shop=tests.test_definition:SHOP"])
    assert json.loads(done.stdout)["output"] == 20.0
    refused = CliRunner().invoke(app, run)
    assert "there are no tools 'shop'" in str(refused.exception)
    printed = CliRunner().invoke(app, ["schema"])
    assert json.loads(printed.stdout) == definition_schema()


def test_the_command_line_goes_on_with_a_conversation(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text('answer("hello")\n', encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text("planner: {name: fixed, file: plan.py}\nmemory: {session: talks.db}\n", encoding="utf-8")
    for task in ("Greet me.", "Greet me again."):
        done = CliRunner().invoke(app, ["run", str(path), task, "--no-journal", "--session", "desk", "--user", "ann"])
        assert done.exit_code == 0
    kept = asyncio.run(SessionStore(str(tmp_path / "talks.db")).read("desk", user="ann"))
    assert [message.content for message in kept.messages if message.role == "user"] == ["Greet me.", "Greet me again."]
