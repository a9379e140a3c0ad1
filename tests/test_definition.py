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
from agentkit.events import Reflected, SkillsOffered, ToolsSelected
from agentkit.memory import AgentMemory, Filter, Scope, SessionStore, SqliteStore
from agentkit.messages import ModelProfile, ModelSettings
from agentkit.planners.candidates import Candidates
from agentkit.planners.intent import EmbeddingIntent, ModelIntent, RuleIntent, Topic
from agentkit.planners.intent_registry import intent_from_data
from agentkit.planners.react import ReAct
from agentkit.planning import Example, Intent, Point
from agentkit.testing import ScriptedModel
from agentkit.tools.selection import ToolRetrieval

POINTS: tuple[Point, ...] = ("feasibility", "plan", "step", "outcome")

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
intent: {name: rules, rules: [{words: [files], tools: ["*_file"]}], otherwise: {reply: I only know files.}}
selector: {name: retrieval, k: 3, always: calculate}
reflection: {plan: Nothing is deleted., outcome: {at_least: 0.8}, step_every: 2}
cache: results.db
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
    assert isinstance(agent.intent, RuleIntent)
    assert isinstance(agent.selector, ToolRetrieval)
    assert [bool(agent.reflection.judges(point)) for point in POINTS] == [False, True, False, True]
    assert agent.reflection.step_every == 2
    assert agent.cache is not None
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


async def test_what_falls_out_of_the_context_goes_to_the_long_term_memory_of_an_agent_from_yaml(tmp_path: Path) -> None:
    kept = "{session: talks.db, policy: {name: last_turns, turns: 1}, long_term: memory.db, manager: rules}"
    model = ScriptedModel(['answer("Noted.")'] * 3)
    desk = read_agent(f"name: desk\nmemory: {kept}", folder=tmp_path, model=model)
    for said in ("The zebra fled at noon?", "What now?", "And now?"):
        await desk.run(said, user="anna", session="s1")
    store = SqliteStore(tmp_path / "memory.db")
    found = await store.list(Filter(("episode",)), scope=Scope("anna", "desk", "s1"))
    assert "The zebra fled at noon?" in {memory.text for memory in found}
    await store.aclose()


async def test_an_agent_from_yaml_runs(tmp_path: Path) -> None:
    profile = ModelProfile(spelling="python", decoding="free")
    model = ScriptedModel(['price = price_of(name="hat")\nanswer(price)'], profile=profile)
    agent = read_agent("tools: [shop]", tools={"shop": SHOP}, model=model)
    assert (await agent.run("What does a hat cost?")).output == 20.0


def test_the_way_of_planning_is_one_word() -> None:
    assert isinstance(read_agent("planner: react").planner, ReAct)


async def test_a_file_leads_requests_to_agents_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("name: shop\ntools: [shop]\nplanner: react\n", encoding="utf-8")
    said = (
        "name: front\nagents: [shop.yaml]\n"
        "intent: {name: rules, rules: [{words: [cost], agent: shop}], otherwise: {reply: I know prices.}}"
    )
    text = ModelProfile(tools=False)
    model = ScriptedModel(["Action: price = price_of(name='hat')", "Action: answer(price)"], profile=text)
    front = read_agent(said, folder=tmp_path, tools={"shop": SHOP}, model=model)
    assert (await front.run("What does a hat cost?")).output == 20.0
    declined = await front.run("Sing.")
    assert (declined.status, declined.output) == ("declined", "I know prices.")


async def test_a_model_classifies_by_one_word_from_what_the_instructions_say() -> None:
    model = ScriptedModel(["no"])
    front = read_agent("instructions: You know prices.\nintent: model", model=model)
    assert (await front.run("Sing.")).status == "declined"
    assert "You know prices." in model.requests[0].messages[0].content


def test_every_classifier_can_be_made_from_data() -> None:
    topics = [{"name": "sky", "examples": ["Is it cold?"], "means": "the weather", "tools": "weather"}]
    said = {"name": "examples", "topics": topics, "threshold": 0.2, "otherwise": {"reply": "No."}}
    examples = intent_from_data(said)
    assert isinstance(examples, EmbeddingIntent)
    assert examples.topics == (Topic("sky", ("Is it cold?",), "the weather", Intent(True, tools=("weather",))),)
    assert (examples.threshold, examples.otherwise) == (0.2, Intent(False, "No."))
    model = intent_from_data({"name": "model", "scope": "Prices.", "unclear": ["Hat."], "question": "Which?"})
    assert model == ModelIntent("Prices.", unclear=("Hat.",), question="Which?")


def test_agents_that_lead_to_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: one\nagents: [two.yaml]\n", encoding="utf-8")
    (tmp_path / "two.yaml").write_text("name: two\nagents: [one.yaml]\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"'.*one\.yaml' leads back to itself; of two agents only one can know"):
        load_agent(tmp_path / "one.yaml")


def test_an_agent_without_a_name_cannot_be_led_to(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("tools: [maths]\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"two\.yaml' gives its agent no name; add 'name:', for the intent"):
        read_agent("agents: [two.yaml]", folder=tmp_path)


async def test_an_agent_from_yaml_learns_skills_and_tells_of_them_first(tmp_path: Path) -> None:
    said = "name: shop\ntools: [shop]\nselector: skills_first\nmemory: {long_term: memory.db, skills: {min_calls: 1}}"
    model = ScriptedModel(['answer(price_of(name="hat"))', 'answer(price_of(name="scarf"))'])
    shop = read_agent(said, folder=tmp_path, tools={"shop": SHOP}, model=model)
    await shop.run("What does a hat cost?", user="ann")
    second = await shop.run("What does a scarf cost?", user="ann")
    [offered] = [event for event in second.events if isinstance(event, SkillsOffered)]
    assert len(offered.offered) == 1
    [selected, *_] = [event for event in second.events if isinstance(event, ToolsSelected)]
    assert [row["why"] for row in selected.tools] == ["a skill for a task like this"]


async def test_a_model_judges_where_a_file_says_so() -> None:
    verdict = json.dumps({"reason": "it has one", "evidence": ["price_of_1"], "content": True})
    model = ScriptedModel(['answer(price_of(name="hat"))', verdict])
    said = "tools: [shop]\nreflection: {outcome: It needs a price.}"
    result = await read_agent(said, tools={"shop": SHOP}, model=model).run("What does a hat cost?")
    [judged] = [event for event in result.events if isinstance(event, Reflected)]
    assert (result.status, judged.done, judged.by) == ("done", True, "model")
    assert "It needs a price." in model.requests[1].messages[0].content


async def test_paths_of_planners_inside_planners_start_from_the_folder_too(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text('answer("from the file")\n', encoding="utf-8")
    said = "planner: {name: reflexion, planner: {name: fixed, file: plan.py}}"
    agent = read_agent(said, folder=tmp_path, model=ScriptedModel([]))
    assert (await agent.run("Greet me.")).output == "from the file"


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
                "instructions, tools, planner, intent, agents, selector, reflection, memory, cache, policy, limits, "
                "output_schema, model_settings, examples\n"
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
                "a.yaml:2: tools: there are no tools 'math', did you mean 'maths'?; the families are maths, units, "
                "dates, text, sql, files, web. Tools of your own are handed over by name: load_agent(…, tools={'math': "
                "…}) or --tools math=package.module:NAME"
            ),
        ),
        (
            "tools:\n  - files: {rot: x}",
            (
                "a.yaml:2: tools: 'files' has no option 'rot', did you mean 'root'?; its options are: root, "
                "max_file_bytes, read_only, resource"
            ),
        ),
        (
            "tools: [sql]",
            (
                "a.yaml:1: tools: 'sql' needs the option 'path'; its options are: path, max_rows, timeout, read_only, "
                "resource"
            ),
        ),
        (
            "tools: [{maths: {}, text: {}}]",
            "a.yaml:1: tools: expected one family with its options, as in 'files: {root: docs}'",
        ),
        ("name: a\nname: b", "a.yaml:2: the key 'name' stands here again; it is on line 1 already"),
        ("- a", "a.yaml: expected keys such as 'model:' and 'tools:', got list"),
        ("tools: [", "a.yaml:1: this is not YAML: expected the node content, but found '<stream end>'"),
        (
            "memory:\n  policy: last_turn",
            (
                "a.yaml:1: memory: there is no policy 'last_turn', did you mean 'last_turns'?; there are: buffer, "
                "last_turns, token_window"
            ),
        ),
        (
            "memory:\n  manager: rules",
            "a.yaml:1: memory: a manager needs a place for what it learns, such as long_term: memory.db",
        ),
        ("policy: {writes: maybe}", "a.yaml:1: policy.writes: Input should be 'auto', 'ask' or 'never', got 'maybe'"),
        (
            "planner: {name: candidates, count: 0}",
            "a.yaml:1: planner: count is 0; give 1 or more candidates",
        ),
        (
            "selector: retreival\nplanner: reakt\nintent:\n  name: rulez",
            (
                "a.yaml:1: selector: there is no selector 'retreival', did you mean 'retrieval'?; there are: "
                "retrieval, skills_first\n"
                "a.yaml:2: planner: there is no planner 'reakt', did you mean 'react'?; there are: plan_execute, "
                "react, reflexion, candidates, hierarchical, natural_language, outline, tree_search, fixed\n"
                "a.yaml:3: intent: there is no intent classifier 'rulez', did you mean 'rules'?; there are: rules, "
                "examples, model"
            ),
        ),
        (
            "planner: {name: candidates, count: '3'}",
            "a.yaml:1: planner: the planner 'candidates': count is '3'; expected a whole number",
        ),
        (
            "planner: {name: plan_execute, spelling: jason}",
            (
                "a.yaml:1: planner: the planner 'plan_execute': spelling is 'jason'; expected 'python' or 'json' or "
                "nothing"
            ),
        ),
        (
            "planner: {name: react, settings: {temprature: 1}}",
            (
                "a.yaml:1: planner: there is no model setting 'temprature', did you mean 'temperature'?; there are: "
                "temperature, top_p, max_tokens, seed, stop, timeout"
            ),
        ),
        (
            "selector: {name: retrieval, kk: 3}",
            (
                "a.yaml:1: selector: 'retrieval' has no option 'kk', did you mean 'k'?; its options are: k, always, "
                "embedder, cache, neighbours"
            ),
        ),
        (
            "intent: {name: rules, rules: [{words: [sky], agent: sky}]}",
            "a.yaml:1: intent: there is no agent 'sky'; add its file to 'agents:'",
        ),
        (
            "intent: {name: rules, rules: [{words: sky, reply: N, question: Which}]}",
            (
                "a.yaml:1: intent: the rule {'words': 'sky', 'reply': 'N', 'question': 'Which'}: a request is let "
                "in (tools, tags, agent), declined (reply) or asked back (question); give one of the three"
            ),
        ),
        (
            "intent: {name: rules, rules: [{words: sky, reply: no}]}",
            "a.yaml:1: intent: the rule {'words': 'sky', 'reply': False}: reply is False; expected a text or nothing",
        ),
        (
            "reflection: {outcome: {at_leest: 1}}",
            (
                "a.yaml:1: there is no key 'reflection.outcome.at_leest', did you mean 'at_least'?; there are: "
                "criteria, at_least"
            ),
        ),
        (
            "memory: {skills: true}",
            "a.yaml:1: memory: a library of skills needs a place for what it learns, such as long_term: memory.db",
        ),
        ("examples:\n  - task: x", "a.yaml:2: examples.0.plan: Field required, got {'task': 'x'}"),
        (
            "reflection: {outcome: 3.5}",
            (
                "a.yaml:1: reflection.outcome: Input should be a valid boolean or: Input should be a valid string or: "
                "Input should be a valid dictionary, got 3.5"
            ),
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
    assert not validator.is_valid({"selector": "retreival"})
    assert not validator.is_valid({"intent": {"name": "rulez"}})
    assert validator.is_valid({"intent": None, "reflection": {"outcome": True}, "memory": {"skills": {"k": 2}}})
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


def test_the_command_line_holds_a_run_to_some_tools(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text('answer(price_of(name="hat"))\n', encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text("tools: [shop, maths]\nplanner: {name: fixed, file: plan.py}\n", encoding="utf-8")
    tools = ["--tools", "shop=tests.test_definition:SHOP"]
    for command, more in (("run", ["--no-journal", "--json"]), ("plan", ["--json"])):
        asked = [command, str(path), "What does a hat cost?", *more, *tools]
        for choice in (["none"], ["calc*"]):
            refused = CliRunner().invoke(app, [*asked, *(f"--tool-choice={one}" for one in choice)])
            assert (refused.exit_code, "price_of" in refused.stdout) == (1, True), refused.output
        for choice in (["required"], ["price_of", "calc*"], []):
            done = CliRunner().invoke(app, [*asked, *(f"--tool-choice={one}" for one in choice)])
            assert done.exit_code == 0, done.output
        both = CliRunner().invoke(app, [*asked, "--tool-choice=none", "--tool-choice=price_of"])
        assert both.exit_code == 2


def test_the_command_line_says_why_nothing_is_planned(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    said = "planner: react\nintent: {name: rules, rules: [{words: hat}], otherwise: {reply: I know hats.}}\n"
    path.write_text(said, encoding="utf-8")
    declined = CliRunner().invoke(app, ["plan", str(path), "Sing."])
    assert str(declined.exception) == "no plan was written, since the task was declined: I know hats."
    done = CliRunner().invoke(app, ["run", str(path), "Sing.", "--no-journal", "--json"])
    assert json.loads(done.stdout)["output"] == "I know hats."


def test_the_command_line_goes_on_with_a_conversation(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text('answer("hello")\n', encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text("planner: {name: fixed, file: plan.py}\nmemory: {session: talks.db}\n", encoding="utf-8")
    for task in ("Greet me.", "Greet me again."):
        done = CliRunner().invoke(app, ["run", str(path), task, "--no-journal", "--session", "desk", "--user", "ann"])
        assert done.exit_code == 0
    kept = asyncio.run(SessionStore(str(tmp_path / "talks.db")).read("desk", user="ann"))
    assert [message.content for message in kept.messages if message.role == "user"] == ["Greet me.", "Greet me again."]
