"""The manager: what it learns from a turn, what becomes of it beside what is known, and what it writes down of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import MemoryDecided, ModelCalled, from_json, to_json
from agentkit.limits import Limits
from agentkit.memory import (
    AgentMemory,
    AuditTrail,
    Candidate,
    Filter,
    InMemoryStore,
    LastTurns,
    LongTermMemory,
    Manager,
    Memory,
    ModelDecider,
    ModelExtractor,
    Scope,
    SessionStore,
    SqliteStore,
    history,
)
from agentkit.messages import ModelProfile
from agentkit.remembering import Owner, Turn
from agentkit.run import Run
from agentkit.testing import FakeClock, ScriptedModel
from tests.memory.doubles import embedder, holding

ANNA = Scope("anna")
DAY = 86_400.0
FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start=1_763_719_200.0)


@pytest.fixture
def memory(clock: FakeClock) -> LongTermMemory:
    return LongTermMemory(InMemoryStore(), clock=clock)


@pytest.fixture
def manager(memory: LongTermMemory) -> Manager:
    return Manager(memory)


async def told(manager: Manager, *texts: str, scope: Scope = ANNA) -> list[str]:
    """The actions that texts, learnt one after the other, lead to."""
    return [one.action for text in texts for one in await manager.learn([text], scope=scope)]


async def holds(manager: Manager, scope: Scope = ANNA) -> list[str]:
    """What is true now, oldest first, of one time by their texts."""
    now = manager.memory.now()
    found = await manager.memory.store.list(Filter(at=now), scope=scope)
    return [one.text for one in sorted(found, key=lambda one: (one.valid_from, one.text))]


def turn(task: str, output: str = "Fine.", user: str = "anna", **more: Any) -> Turn:
    return Turn(task, "done", output, (), (), Owner(user, "desk", ""), "r1", **more)


# deciding by rules


@pytest.mark.parametrize(
    ("texts", "actions", "left"),
    [
        (["Ada lives in Bern.", "Ada has moved to Porto."], ["insert", "replace"], ["Ada has moved to Porto."]),
        (["Ada lives in Bern.", "ada lives in Bern"], ["insert", "ignore"], ["Ada lives in Bern."]),
        (["Ada works as a nurse.", "Ada is employed as a nurse."], ["insert", "ignore"], ["Ada works as a nurse."]),
        (
            ["Ada works as a nurse.", "Ada works as a nurse in Bern."],
            ["insert", "replace"],
            ["Ada works as a nurse in Bern."],
        ),
        (
            ["Ada lives in Bern near the river.", "Ada lives in Bern since May."],
            ["insert", "merge"],
            ["Ada lives in Bern near the river. Ada lives in Bern since May."],
        ),
        (["Ada has a dog.", "Ada no longer has a dog."], ["insert", "delete"], []),
        (
            ["Ada plays the oboe.", "Ada plays the harp."],
            ["insert"] * 2,
            ["Ada plays the oboe.", "Ada plays the harp."],
        ),
        (
            ["Ada drives a Fiat.", "The brother of Ada drives a Saab."],
            ["insert"] * 2,
            ["Ada drives a Fiat.", "The brother of Ada drives a Saab."],
        ),
        (["Ada likes Bob.", "Bob likes Ada."], ["insert"] * 2, ["Ada likes Bob.", "Bob likes Ada."]),
        (["I love tea.", "I don't like tea anymore."], ["insert", "replace"], ["I don't like tea anymore."]),
        (
            ["Order 17 came broken.", "Order 17 came broken and was sent back."],
            ["insert", "replace"],
            ["Order 17 came broken and was sent back."],
        ),
        (
            ["Write to Ada by fax.", "Write to the sister of Ada by fax."],
            ["insert"] * 2,
            ["Write to Ada by fax.", "Write to the sister of Ada by fax."],
        ),
        (["Order 17 came.", "Order 18 came."], ["insert"] * 2, ["Order 17 came.", "Order 18 came."]),
        (["Ada lives in New York.", "Ada moved to New Delhi."], ["insert", "replace"], ["Ada moved to New Delhi."]),
    ],
)
async def test_old_and_new_are_kept_joined_replaced_or_both_dropped(
    manager: Manager, clock: FakeClock, texts: Sequence[str], actions: Sequence[str], left: Sequence[str]
) -> None:
    done = []
    for text in texts:
        done += await told(manager, text)
        await clock.advance(DAY)
    assert done == actions
    assert await holds(manager) == left


async def test_what_was_replaced_stays_in_a_chain_with_its_time(manager: Manager, clock: FakeClock) -> None:
    for text in ("Ada lives in Bern.", "Ada has moved to Porto.", "Ada has moved to Ghent."):
        [decided] = await manager.learn([text], scope=ANNA)
        await clock.advance(DAY)
    chain = await history(manager.memory.store, decided.memory, scope=ANNA)
    assert [one.text for one in chain] == ["Ada lives in Bern.", "Ada has moved to Porto.", "Ada has moved to Ghent."]
    assert [one.superseded_by for one in chain] == [chain[1].id, chain[2].id, ""]
    assert chain[0].valid_until == chain[1].valid_from
    before = await manager.memory.recall("Ada lives", scope=ANNA, at=chain[0].valid_from)
    assert [one.text for one in before.memories] == ["Ada lives in Bern."]


async def test_what_was_said_earlier_and_is_learnt_late_goes_into_the_history(manager: Manager) -> None:
    now = manager.memory.now()
    [new] = await manager.learn(["Ada has moved to Porto."], scope=ANNA)
    [old] = await manager.learn([Candidate(text="Ada lives in Bern.", said=now - 9 * DAY)], scope=ANNA)
    assert (old.action, old.targets) == ("insert", (new.memory,))
    assert await holds(manager) == ["Ada has moved to Porto."]
    assert [one.id for one in await history(manager.memory.store, new.memory, scope=ANNA)] == [old.memory, new.memory]


async def test_the_same_in_other_words_is_known_by_its_meaning_unless_a_name_differs(clock: FakeClock) -> None:
    manager = Manager(LongTermMemory(InMemoryStore(embedder()), clock=clock))
    assert await told(manager, "Dinner with Ada, nine o'clock", "With Ada dinner, nine o'clock") == ["insert", "ignore"]
    assert await told(manager, "With Bob dinner, nine o'clock") == ["insert"]


@pytest.mark.parametrize(
    ("policy", "actions", "left"),
    [
        ("newest", ["insert", "replace"], ["Ada's birthday is 4 May."]),
        ("keep_both", ["insert", "insert"], ["Ada's birthday is 3 May.", "Ada's birthday is 4 May."]),
    ],
)
async def test_a_contradiction_follows_the_policy(
    memory: LongTermMemory, clock: FakeClock, policy: Any, actions: Sequence[str], left: Sequence[str]
) -> None:
    manager = Manager(memory, contradictions=policy)
    assert await told(manager, "Ada's birthday is 3 May.") == actions[:1]
    await clock.advance(DAY)
    [decided] = await manager.learn(["Ada's birthday is 4 May."], scope=ANNA)
    assert (decided.action, decided.by) == (actions[1], f"rules, policy {policy}")
    assert await holds(manager) == left
    flagged = await manager.flagged(scope=ANNA)
    assert len(flagged) == (2 if policy == "keep_both" else 0)
    assert all(one.flagged.startswith("contradicts ") for one in flagged)


async def test_a_change_that_is_said_to_be_one_is_no_contradiction(memory: LongTermMemory) -> None:
    manager = Manager(memory, contradictions="keep_both")
    assert await told(manager, "Ada lives in Bern.", "Ada has moved to Porto.") == ["insert", "replace"]


@pytest.mark.parametrize(
    ("keep", "action", "left"),
    [
        ("old", "ignore", ["Ada's birthday is 3 May."]),
        ("new", "replace", ["Ada's birthday is 4 May, I guess."]),
        ("both", "insert", ["Ada's birthday is 3 May.", "Ada's birthday is 4 May, I guess."]),
    ],
)
async def test_a_judge_settles_contradictions_within_the_run_s_budget(
    memory: LongTermMemory, keep: str, action: str, left: Sequence[str]
) -> None:
    model = ScriptedModel([json.dumps({"why": "a guess", "keep": keep})])
    manager, run = Manager(memory, contradictions="judge"), Run(model=model)
    await told(manager, "Ada's birthday is 3 May.")
    [decided] = await manager.learn(["Ada's birthday is 4 May, I guess."], scope=ANNA, run=run)
    assert (decided.action, decided.by) == (action, "rules, the agent's model")
    assert decided.why.endswith("; a guess")
    assert sorted(await holds(manager)) == left
    assert run.meter.usage.model_calls == 1


async def test_a_judge_that_cannot_be_asked_leaves_both_flagged(memory: LongTermMemory) -> None:
    manager, run = Manager(memory, contradictions="judge"), Run(model=ScriptedModel([]), limits=Limits(model_calls=0))
    await told(manager, "Ada's birthday is 3 May.")
    [decided] = await manager.learn(["Ada's birthday is 4 May."], scope=ANNA, run=run)
    assert decided.why.endswith("; not settled: the limit model_calls=0 is used up")
    assert len(await manager.flagged(scope=ANNA)) == 2


# learning from turns


async def learnt(manager: Manager, task: str, **more: Any) -> list[Memory]:
    await manager.after_turn(turn(task, **more), Run(user="anna"))
    return sorted(await manager.memory.store.list(scope=Scope("anna", "desk")), key=lambda one: one.text)


async def test_statements_are_kept_and_questions_are_not(manager: Manager) -> None:
    found = await learnt(manager, "Hi! I live in Bern. I love jazz. It is nice. What is 2 + 2? Please add them up.")
    assert [(one.text, one.kind) for one in found] == [
        ("The user lives in Bern.", "fact"),
        ("The user loves jazz.", "preference"),
    ]
    assert found[0].scope == Scope("anna", "desk")
    assert (found[0].provenance.by, found[0].provenance.quote) == ("manager", "I live in Bern.")
    assert found[0].provenance.run_id


async def test_what_is_not_worth_keeping_by_itself_updates_what_is_known(manager: Manager) -> None:
    await learnt(manager, "The weather is nice. Remember that the door code is 1234.")
    found = await learnt(manager, "No, the door code is 9876.")
    assert [one.text for one in found] == ["The door code is 1234.", "The door code is 9876."]
    assert await holds(manager, Scope("anna", "desk")) == ["The door code is 9876."]


async def test_a_later_wish_takes_the_place_of_an_earlier_one(manager: Manager) -> None:
    await learnt(manager, "Always answer in German. Always round to two decimals.")
    await learnt(manager, "From now on answer in French.")
    assert await holds(manager, Scope("anna", "desk")) == [
        "The user wants: Always round to two decimals.",
        "The user wants: From now on answer in French.",
    ]


@pytest.mark.parametrize(
    "said", ["I have a question about my order.", "I like this", "I would like a refund", "I think that you are wrong"]
)
async def test_what_passes_is_not_kept(manager: Manager, said: str) -> None:
    assert await learnt(manager, said) == []


async def test_what_is_asked_to_be_remembered_is_and_what_is_asked_to_be_forgotten_is_gone(manager: Manager) -> None:
    await learnt(manager, "Remember that the alarm code is in the blue book. My dog's name is Rex. Call me Ann.")
    found = await learnt(manager, "Forget my dog's name. Forget that the alarm code is in the blue book.")
    assert [one.text for one in found] == ["The user wants to be called Ann."]
    trail = await manager.audit.decisions(scope=Scope("anna", "desk"))
    assert [one.action for one in trail] == ["insert"] * 3 + ["delete"] * 2
    assert "Rex" not in str(trail)


async def test_a_fact_with_an_end_is_recalled_until_then(manager: Manager, clock: FakeClock) -> None:
    await learnt(manager, "I am based in Oslo until Monday.")
    seen = Scope("anna", "desk")
    assert len((await manager.memory.recall("Where is the user based?", scope=seen)).hits) == 1
    await clock.advance(9 * DAY)
    assert (await manager.memory.recall("Where is the user based?", scope=seen)).hits == ()


async def test_what_has_expired_is_swept_away(manager: Manager, clock: FakeClock) -> None:
    await manager.memory.remember("a ticket", scope=ANNA, expires=manager.memory.now() + DAY)
    await manager.memory.remember("a ring", scope=ANNA)
    assert await manager.sweep(scope=ANNA) == []
    await clock.advance(2 * DAY)
    assert len(await manager.sweep(scope=ANNA)) == 1
    assert await holds(manager) == ["a ring"]


async def test_the_level_says_how_far_what_is_learnt_reaches(memory: LongTermMemory) -> None:
    owner = Owner("anna", "desk", "monday")
    levels: list[Any] = ["user", "agent", "session"]
    found = [Manager(memory, level=level).owner_of(owner) for level in levels]
    assert found == [Scope("anna"), Scope("anna", "desk"), Scope("anna", "desk", "monday")]


async def test_nobody_s_memories_are_changed_by_what_another_says(manager: Manager) -> None:
    await told(manager, "The user lives in Bern.", scope=Scope("anna"))
    await told(manager, "The user has moved to Porto.", scope=Scope("bob"))
    assert await holds(manager, Scope("anna")) == ["The user lives in Bern."]
    assert await manager.audit.decisions(scope=Scope("bob"), memory="") == [
        one for one in await manager.audit.decisions(scope=Scope("*")) if one.user == "bob"
    ]


async def test_what_all_users_share_is_not_changed_by_one_of_them(manager: Manager) -> None:
    await told(manager, "The shop's phone number is 12.", scope=Scope())
    [decided] = await manager.learn(["The shop's phone number is now 99."], scope=ANNA)
    assert decided.action == "insert"
    assert decided.why.endswith("; what it concerns is not this user's to change")
    assert await holds(manager, Scope("bob")) == ["The shop's phone number is 12."]


async def test_two_turns_at_once_keep_one_fact_once(manager: Manager) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(manager.learn(["Ada lives in Bern."], scope=ANNA))
    assert await holds(manager) == ["Ada lives in Bern."]


async def test_what_falls_out_of_the_context_is_kept_once(tmp_path: Path) -> None:
    memory = LongTermMemory(InMemoryStore())
    manager = Manager(memory)
    desk = Agent(
        ScriptedModel(["answer(1)"] * 4, profile=FREE),
        name="desk",
        memory=AgentMemory(
            session=SessionStore(tmp_path / "s.db"), short_term=LastTurns(1), manager=manager, overflow=manager
        ),
    )
    for n in range(4):
        await desk.run(f"What about number {n}?", session="s", user="anna")
    kept = await memory.store.list(Filter(kinds=("episode",)), scope=Scope("anna", "desk", "s"))
    assert sorted(one.text for one in kept) == ["1", "What about number 0?", "What about number 1?"]
    assert {one.metadata["role"] for one in kept} == {"user", "assistant"}


# models


def says(**decisions: Any) -> str:
    return json.dumps(decisions)


def decision(action: str, memory: int = 0, text: str = "", why: str = "so") -> dict[str, Any]:
    return {"why": why, "action": action, "memory": memory, "text": text}


async def test_a_model_extracts_and_decides_in_one_call_each_metered_by_the_run(memory: LongTermMemory) -> None:
    await memory.remember("The user lives in Bern.", scope=ANNA)
    rows = [
        {"text": "The user lives in Porto.", "kind": "fact", "importance": 7, "until": ""},
        {
            "text": "The user is in Rome for a user conference.",
            "kind": "episode",
            "importance": 2,
            "until": "2099-01-02",
        },
    ]
    model = ScriptedModel(
        [json.dumps({"memories": rows}), says(a=decision("replace", 1, why="moved"), b=decision("insert"))]
    )
    manager, run = Manager(memory, extract=ModelExtractor(), decide=ModelDecider(), level="user"), Run(model=model)
    await manager.after_turn(turn("I'm in Porto now."), run)
    assert sorted(await holds(manager)) == [rows[1]["text"], rows[0]["text"]]
    decided = [event for event in run.events if isinstance(event, MemoryDecided)]
    assert [(one.action, one.why, one.by) for one in decided] == [
        ("replace", "moved", "the agent's model"),
        ("insert", "so", "the agent's model"),
    ]
    assert from_json(to_json(decided[0])) == decided[0]
    assert run.meter.usage.model_calls == 2
    assert [event.purpose for event in run.events if isinstance(event, ModelCalled)] == ["memory", "memory"]
    assert "1. The user lives in Bern." in model.requests[1].messages[-1].content
    [rome] = [one for one in await memory.store.list(scope=ANNA) if "Rome" in one.text]
    assert (rome.importance, rome.valid_until) == (0.2, 4_070_995_200.0 + DAY)


async def test_a_model_is_not_asked_to_decide_where_nothing_is_known(memory: LongTermMemory) -> None:
    manager = Manager(memory, decide=ModelDecider(ScriptedModel([])))
    assert await told(manager, "Ada lives in Bern.") == ["insert"]


@pytest.mark.parametrize(
    ("said", "action", "left"),
    [
        (decision("merge", 1, "Ada nurses in Bern."), "merge", ["Ada nurses in Bern."]),
        (decision("merge", 1), "merge", ["Ada nurses people. Ada lives in Bern."]),
        (decision("delete", 1), "delete", []),
        (decision("ignore", 0), "ignore", ["Ada nurses people."]),
        (decision("contradict", 1), "replace", ["Ada lives in Bern."]),
        (decision("replace", 0), "insert", ["Ada lives in Bern.", "Ada nurses people."]),
    ],
)
async def test_what_a_model_says_is_done_and_an_order_without_a_memory_changes_none(
    memory: LongTermMemory, said: Any, action: str, left: Sequence[str]
) -> None:
    manager = Manager(memory, decide=ModelDecider(ScriptedModel([says(a=said)])))
    await memory.remember("Ada nurses people.", scope=ANNA)
    assert await told(manager, "Ada lives in Bern.") == [action]
    assert sorted(await holds(manager)) == left


async def test_a_model_cannot_replace_what_speaks_of_somebody_else(memory: LongTermMemory) -> None:
    manager = Manager(memory, decide=ModelDecider(ScriptedModel([says(a=decision("replace", 1, why="moved"))])))
    await memory.remember("Ada lives in Bern.", scope=ANNA)
    [decided] = await manager.learn(["The brother of Ada lives in Porto."], scope=ANNA)
    assert (decided.action, decided.why) == ("insert", "moved (not done: it speaks of something else)")


async def test_later_decisions_of_one_reply_see_what_earlier_ones_replaced(memory: LongTermMemory) -> None:
    reply = says(a=decision("replace", 1), b=decision("merge", 1, "Ada lives in Porto by the sea."))
    manager = Manager(memory, decide=ModelDecider(ScriptedModel([reply])))
    await memory.remember("Ada lives in Bern.", scope=ANNA)
    await manager.learn(["Ada lives in Porto.", "Ada lives by the sea."], scope=ANNA)
    assert await holds(manager) == ["Ada lives in Porto by the sea."]


async def test_malformed_replies_are_retried_within_the_output_budget(memory: LongTermMemory) -> None:
    model = ScriptedModel(["nonsense", '{"memories": 3}', '{"memories": []}'])
    run = Run(model=model, limits=Limits(output_retries=2))
    await Manager(memory, extract=ModelExtractor()).after_turn(turn("I live in Bern."), run)
    assert model.remaining == 0
    assert await memory.store.count(scope=Scope("anna", "desk")) == 0


@pytest.mark.parametrize(
    ("limits", "flagged"),
    [
        (Limits(output_retries=0), "not read: the reply is not JSON (Expecting value: line 1 column 1 (char 0)); "),
        (Limits(model_calls=0), "not read: the limit model_calls=0 is used up"),
    ],
)
async def test_what_cannot_be_read_is_kept_as_it_was_and_flagged(
    memory: LongTermMemory, limits: Limits, flagged: str
) -> None:
    run = Run(model=ScriptedModel(["nonsense"]), limits=limits)
    manager = Manager(memory, extract=ModelExtractor())
    await manager.after_turn(turn("I live in Bern.", "Noted."), run)
    [kept] = await manager.flagged(scope=Scope("anna", "desk"))
    assert (kept.kind, kept.text) == ("episode", "The user said: I live in Bern.\nThe answer was: Noted.")
    assert kept.flagged.startswith(flagged)


async def test_what_cannot_be_decided_is_kept_beside_the_rest_and_flagged(memory: LongTermMemory) -> None:
    await memory.remember("Ada lives in Bern.", scope=ANNA)
    run = Run(model=ScriptedModel(["nonsense"]), limits=Limits(output_retries=0))
    [decided] = await Manager(memory, decide=ModelDecider()).learn(["Ada lives in Porto."], scope=ANNA, run=run)
    assert (decided.action, decided.text) == ("insert", "Ada lives in Porto.")
    assert decided.flagged.startswith("not compared with what is known: the reply is not JSON")
    assert await memory.store.count(scope=ANNA) == 2


async def test_by_default_no_model_is_called(memory: LongTermMemory) -> None:
    run = Run(model=ScriptedModel([]))
    await Manager(memory).after_turn(turn("I live in Bern. No, I live in Porto."), run)
    assert run.meter.usage.model_calls == 0


async def test_the_answer_comes_before_the_manager_works() -> None:
    memory = LongTermMemory(InMemoryStore())
    desk = Agent(
        ScriptedModel(['answer("Nice.")'], profile=FREE), name="desk", memory=AgentMemory(manager=Manager(memory))
    )
    result = await desk.run("I live in Bern.", user="anna")
    kinds = [event.kind for event in result.events]
    assert kinds.index("executed") < kinds.index("memory_decided") < kinds.index("run_finished")
    assert result.output == "Nice."


# by hand, and the trail


async def test_the_trail_says_who_decided_what_when_and_why_and_outlives_the_process(
    tmp_path: Path, clock: FakeClock
) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    manager = Manager(LongTermMemory(store, clock=clock), audit=AuditTrail(tmp_path / "audit.db"))
    [first] = await manager.learn(["Ada lives in Bern."], scope=ANNA)
    await clock.advance(DAY)
    [second] = await manager.learn(["Ada has moved to Porto."], scope=ANNA)
    await manager.edit(second.memory, "Ada has moved to Braga.", scope=ANNA)
    trail = await AuditTrail(tmp_path / "audit.db").decisions(scope=ANNA)
    assert trail[:2] == [first, second]
    assert (second.action, second.targets, second.at - first.at) == ("replace", (first.memory,), DAY)
    assert second.why == "both say the home of ada, and the new one says that it changed"
    assert [(one.action, one.by, one.why) for one in trail[2:]] == [("replace", "user", "edited")]
    assert await AuditTrail(tmp_path / "audit.db").decisions(scope=Scope("bob")) == []
    assert len(await manager.audit.decisions(scope=ANNA, memory=first.memory)) == 2
    await store.aclose()


async def test_forgetting_leaves_no_word_in_any_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    manager = Manager(LongTermMemory(store), audit=AuditTrail(tmp_path / "audit.db"))
    [kept] = await manager.learn(["Ada lives in Xanadu."], scope=ANNA)
    await manager.learn(["Ada lives in Xanadu."], scope=ANNA)
    assert holding(tmp_path, "xanadu")
    assert await manager.forget(kept.memory, scope=ANNA) == [kept.memory]
    assert [(one.action, one.text) for one in await manager.audit.decisions(scope=ANNA)] == [
        ("insert", "(forgotten)"),
        ("ignore", "(forgotten)"),
        ("delete", "(forgotten)"),
    ]
    await store.aclose()
    assert holding(tmp_path, "xanadu") == []


async def test_an_edited_memory_is_compared_by_its_new_text(manager: Manager) -> None:
    [kept] = await manager.learn(["Ada lives in Bern."], scope=ANNA)
    await manager.edit(kept.memory, "Ada plays chess.", scope=ANNA)
    assert await told(manager, "Ada lives in Porto.") == ["insert"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contradictions": "oldest"}, "contradictions is 'oldest'; choose from newest, judge, keep_both"),
        ({"level": "team"}, "level is 'team'; choose from user, agent, session"),
    ],
)
def test_an_unknown_setting_is_refused(memory: LongTermMemory, options: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Manager(memory, **options)
    assert str(caught.value) == message


async def test_a_model_that_is_not_there_is_named(memory: LongTermMemory) -> None:
    with pytest.raises(DefinitionError, match=r"^ModelExtractor needs a model; give it one, or the agent$"):
        await ModelExtractor().extract(turn("Hi"), None, 0.0)


async def test_what_somebody_else_wrote_is_found_by_its_subject_among_much_that_is_alike(
    memory: LongTermMemory,
) -> None:
    """Memories that were imported, or kept by `remember`, have no labels of the manager."""
    await memory.remember("Ada Lind now rents a flat in Turin.", scope=ANNA)
    for number in range(20):
        await memory.remember(f"Number {number} of the family has moved to Tartu.", scope=ANNA)
    manager = Manager(LongTermMemory(memory.store), similar=3)
    assert await told(manager, "Ada Lind has moved to Tartu.") == ["replace"]


async def test_what_is_over_of_two_things_leaves_the_other(memory: LongTermMemory) -> None:
    manager = Manager(memory)
    said = ("Ada is allergic to nuts and shellfish.", "Ada is not allergic to nuts any more.")
    assert await told(manager, *said) == ["insert", "merge"]
    assert await holds(manager) == [" ".join(said)]


async def test_somebody_s_brother_may_be_several_things(memory: LongTermMemory) -> None:
    said = ("Ada's brother is a nurse.", "Ada's brother is a keen cyclist.")
    assert await told(Manager(memory), *said) == ["insert", "insert"]


# forgetting


async def test_what_is_to_be_forgotten_goes_with_what_it_replaced(memory: LongTermMemory) -> None:
    manager = Manager(memory, level="user")
    for said in ("My phone number is 111.", "My phone number is 222.", "I love jazz.", "Forget my phone number."):
        await manager.after_turn(turn(said), Run())
    assert [one.text for one in await memory.store.list(scope=ANNA)] == ["The user loves jazz."]


@pytest.mark.parametrize("said", ["Please forget everything about me.", "Forget everything you know.", "forget me"])
async def test_a_user_can_have_everything_forgotten_and_only_their_own(memory: LongTermMemory, said: str) -> None:
    manager = Manager(memory, level="user")
    await memory.remember("The shop opens at nine.", scope=Scope())
    await memory.remember("Ben loves jazz.", scope=Scope("ben"))
    for task in ("I live in Bern, and I love jazz.", "I have moved to Porto.", said):
        await manager.after_turn(turn(task), Run())
    left = await memory.store.list(scope=Scope("*", "*", "*"))
    assert {one.text for one in left} == {"The shop opens at nine.", "Ben loves jazz."}


async def test_nobody_in_particular_has_nothing_forgotten_at_once(memory: LongTermMemory) -> None:
    await memory.remember("The shop opens at nine.", scope=Scope())
    candidate = Candidate(text="Everything about the user.", forget=True)
    [decided] = await Manager(memory).learn([candidate], scope=Scope())
    assert decided.action == "ignore"


@pytest.mark.parametrize("said", ["Forget it.", "Please forget that", "Forget what I said.", "forget my last message"])
async def test_a_way_of_speaking_deletes_nothing(memory: LongTermMemory, said: str) -> None:
    manager = Manager(memory, level="user")
    for task in ("I love it that it rains in Bern this week.", "I am in Rome until Friday.", said):
        await manager.after_turn(turn(task), Run())
    assert len(await memory.store.list(scope=ANNA)) == 2


async def test_a_statement_after_a_comma_is_one_of_its_own(memory: LongTermMemory) -> None:
    manager = Manager(memory, level="user")
    for task in ("I live in Bern.", "I have moved to Porto.", "Actually I never moved, I still live in Bern."):
        await manager.after_turn(turn(task), Run())
    assert await holds(manager) == ["The user still lives in Bern."]


async def test_one_text_is_one_candidate(memory: LongTermMemory) -> None:
    [decided] = await Manager(memory).learn("Ada lives in Bern.", scope=ANNA)
    assert decided.text == "Ada lives in Bern."


# a small model, pair by pair


def read(old: tuple[str, str, str], new: tuple[str, str, str]) -> str:
    """A small model's reading of two sentences."""
    rows = ({"who": who, "topic": topic, "value": value} for who, topic, value in (old, new))
    return json.dumps(dict(zip(("earlier", "later"), rows, strict=True)))


NURSES = ("Ada", "job", "nurses people")
SOMETHING_ELSE = read(NURSES, ("Ada", "hobby", "hats"))


def small(*replies: str) -> ScriptedModel:
    """A model whose profile says that it is small."""
    return ScriptedModel(replies, profile=ModelProfile(repairs=False))


@pytest.mark.parametrize(
    ("later", "action", "left"),
    [
        (("Ada", "hobby", "sews hats"), "insert", ["Ada nurses people.", "Ada sews hats for a living."]),
        (("The sister of Ada", "job", "sews"), "insert", ["Ada nurses people.", "Ada sews hats for a living."]),
        (("Ada", "job", "milliner"), "insert", ["Ada nurses people.", "Ada sews hats for a living."]),  # made up
        (("ada", "the job", "sews hats"), "replace", ["Ada sews hats for a living."]),
        (("Ada", "job", "none"), "delete", []),
    ],
)
async def test_a_small_model_reads_pairs_that_the_rules_cannot_read(
    memory: LongTermMemory, later: tuple[str, str, str], action: str, left: Sequence[str]
) -> None:
    model = small(read(NURSES, later))
    manager = Manager(memory, decide=ModelDecider(model))
    await memory.remember("Ada nurses people.", scope=ANNA)
    [decided] = await manager.learn(["Ada sews hats for a living."], scope=ANNA)
    assert (decided.action, decided.by) == (action, model.name)
    assert sorted(await holds(manager)) == left
    asked = model.requests[0].messages[-2].content
    assert asked == "Earlier: Ada nurses people.\nLater: Ada sews hats for a living."


async def test_what_a_small_model_reads_alike_in_both_is_known(memory: LongTermMemory) -> None:
    both = read(("Ada", "patients", "people"), ("Ada", "patients", "People"))
    manager = Manager(memory, decide=ModelDecider(small(both)))
    await memory.remember("Ada nurses people.", scope=ANNA)
    [decided] = await manager.learn(["Ada has a job caring for people."], scope=ANNA)
    assert (decided.action, decided.why) == ("ignore", "both say the patients of Ada, and it is known")


async def test_what_the_rules_read_is_not_asked_of_a_small_model(memory: LongTermMemory) -> None:
    manager = Manager(memory, decide=ModelDecider(small()))
    await memory.remember("Ada lives in Bern.", scope=ANNA)
    assert await told(manager, "The brother of Ada lives in Porto.") == ["insert"]
    assert await told(manager, "Ada has moved to Rome.") == ["replace"]


async def test_a_small_model_is_not_asked_about_somebody_else(memory: LongTermMemory) -> None:
    manager = Manager(memory, decide=ModelDecider(small()))
    await memory.remember("Mister Ben Hall nurses people.", scope=ANNA)
    assert await told(manager, "Sweet Eva Lind nurses birds.") == ["insert"]


async def test_a_small_model_is_asked_about_the_nearest_three_until_one_is_concerned(memory: LongTermMemory) -> None:
    model = small(*[SOMETHING_ELSE] * 3)
    manager = Manager(memory, decide=ModelDecider(model))
    for name in ("cats", "dogs", "birds", "fish"):
        await memory.remember(f"Ada nurses {name}.", scope=ANNA)
    assert await told(manager, "Ada sews hats.") == ["insert"]
    assert model.remaining == 0


async def test_lessons_and_requests_to_forget_are_left_to_the_rules_by_a_small_model(memory: LongTermMemory) -> None:
    manager = Manager(memory, decide=ModelDecider(small()))
    await memory.remember("Ada nurses people.", scope=ANNA)
    [decided] = await manager.learn([Candidate(text="Ada nurses people", forget=True)], scope=ANNA)
    assert decided.action == "delete"


async def test_a_strong_model_can_be_asked_pair_by_pair_too(memory: LongTermMemory) -> None:
    model = ScriptedModel([read(NURSES, ("Ada", "job", "sews hats"))])
    manager = Manager(memory, decide=ModelDecider(model, pairs=True))
    await memory.remember("Ada nurses people.", scope=ANNA)
    assert await told(manager, "Ada sews hats.") == ["replace"]
