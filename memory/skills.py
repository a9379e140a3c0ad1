"""Skills: plans that worked, kept with parameters, and offered as tools for tasks like theirs.

A skill is a record of kind ``skill`` in long-term memory. It is offered only while the tools that it calls are what
they were and today's checker accepts it. Source: the skill library of Wang et al., "Voyager" (2023), with checked plans
in place of code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentkit.composite import PlanTool, fresh, plan_tool
from agentkit.errors import DefinitionError, PlanRejectedError, ToolDefinitionError, UnknownMemoryError
from agentkit.events import Event, Executed, PlanProposed, SkillLearned, SkillsOffered, SkillsUsed, StepFinished
from agentkit.memory._generalise import content_words, generalise
from agentkit.memory.recall import LongTermMemory, Recalled
from agentkit.memory.records import Filter, Memory, Provenance, Scope
from agentkit.messages import Json
from agentkit.plan import Call, Plan, Subgoal, walk
from agentkit.planning import PlanRequest
from agentkit.remembering import Owner, Turn
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.spelling import read_json, write_json
from agentkit.toolbox import Toolbox

WITHDRAWN = "withdrawn"
"""Why a skill is retired that a person has withdrawn: nothing brings it back by itself."""

SHARED = Scope()
"""Everybody's."""

_TAG = "skill:"
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class Skill:
    """A plan that worked, with parameters.

    Attributes:
        id: The id of its record in the store.
        name: What plans call it by.
        description: The task that it was learnt from, with ``{parameter}`` for what varies.
        plan: The plan; its inputs are the parameters with their JSON Schemas.
        certificate: What the plan can do at most, as it was when it was learnt.
        tools: Fingerprints of the tools that it calls, by name.
        example: The task that it was learnt from.
        scope: Whose it is.
        run_id: The run that it was learnt in.
        successes: How often it has reached a goal.
        failures: How often a step of it has failed.
        streak: How often it has failed since it last worked.
        retired: Why it is not offered any more; empty while it is.
    """

    id: str
    name: str
    description: str
    plan: Plan
    certificate: Mapping[str, Json]
    tools: Mapping[str, str]
    example: str = ""
    scope: Scope = SHARED
    run_id: str = ""
    successes: int = 1
    failures: int = 0
    streak: int = 0
    retired: str = ""

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Json]]:
        """The JSON Schemas of its parameters."""
        return self.plan.inputs

    def changes(self, toolbox: Toolbox) -> str:
        """Which of its tools are not what they were, in words; empty if all are."""
        gone = [name for name in self.tools if name not in toolbox]
        changed = [name for name, was in self.tools.items() if name in toolbox and toolbox[name].fingerprint != was]
        parts = [f"the tool {name!r} is gone" for name in gone]
        return "; ".join(parts + [f"the tool {name!r} has changed" for name in changed])

    def metadata(self) -> dict[str, Json]:
        """It as a record's metadata."""
        return {
            "skill": self.name,
            "plan": json.dumps(write_json(self.plan), ensure_ascii=False),
            "certificate": json.dumps(dict(self.certificate)),
            "tools": json.dumps(dict(self.tools)),
            "example": self.example,
            "successes": self.successes,
            "failures": self.failures,
            "streak": self.streak,
            "retired": self.retired,
        }

    @classmethod
    def of(cls, memory: Memory) -> Skill:
        """The skill that a record holds.

        Raises:
            DefinitionError: It holds none.
        """
        data: Mapping[str, Any] = memory.metadata
        try:
            return cls(
                memory.id,
                data["skill"],
                memory.text,
                read_json(data["plan"]),
                json.loads(data["certificate"]),
                json.loads(data["tools"]),
                data["example"],
                memory.scope,
                memory.provenance.run_id,
                data["successes"],
                data["failures"],
                data["streak"],
                data["retired"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DefinitionError(f"the memory {memory.id!r} is not a skill ({error}).") from None


class SkillLibrary:
    """Learns skills from runs and offers them to later ones: ``AgentMemory(skills=SkillLibrary(memory))``.

    Args:
        memory: Where they are kept and found.
        k: How many are offered for a task at most.
        likeness: Which share of the words of a skill's description a task must have for it to be offered, from 0 to 1.
            A task of like meaning needs none, where the store has an embedder.
        min_calls: Plans with fewer tool calls are not worth keeping.
        retire_after: A skill that fails so often in a row is not offered any more.
    """

    def __init__(
        self,
        memory: LongTermMemory,
        *,
        k: int = 3,
        likeness: float = 0.5,
        min_calls: int = 2,
        retire_after: int = 2,
    ) -> None:
        self.memory = memory
        self._k = k
        self._likeness = likeness
        self._min_calls = min_calls
        self._retire_after = retire_after

    # what people ask

    async def skills(self, *, scope: Scope, retired: bool = False) -> list[Skill]:
        """The skills of a scope, newest first; the `retired` ones too, if asked for."""
        found = [Skill.of(memory) for memory in await self.memory.store.list(Filter(("skill",)), scope=scope)]
        return [skill for skill in found if retired or not skill.retired]

    async def withdraw(self, name: str, *, scope: Scope) -> Skill:
        """Never offer a skill again. To delete it, forget its record.

        Raises:
            UnknownMemoryError: There is none of this name in the scope.
        """
        known = await self.skills(scope=scope, retired=True)
        for skill in known:
            if skill.name == name:
                return await self._put(replace(skill, retired=WITHDRAWN))
        names = ", ".join(sorted(skill.name for skill in known)) or "none"
        raise UnknownMemoryError(f"there is no skill {name!r} in {scope!r}; there are: {names}.")

    # before a run

    async def offer(self, request: PlanRequest, run: Run, owner: Owner) -> PlanRequest:
        """The request with the skills that may serve its task among its tools."""
        scope = Scope(owner.user, owner.agent, owner.session)
        offered: dict[str, PlanTool] = {}
        withheld: dict[str, str] = {}
        for skill in await self._like(request.task, scope):
            if len(offered) >= self._k:
                break
            name = fresh(skill.name, {*request.toolbox, *offered})
            reason = skill.changes(request.toolbox)
            if not reason:
                try:
                    offered[name] = self._tool(skill, name, request)
                except PlanRejectedError as error:
                    reason = "; ".join(str(problem) for problem in error.diagnostics)
            if reason:
                withheld[skill.name] = reason
        if offered or withheld:
            ids = {name: _id_of(tool) for name, tool in offered.items()}
            run.events.emit(SkillsOffered(run.clock.time(), ids, withheld))
        return replace(request, toolbox=request.toolbox.with_(*offered.values())) if offered else request

    async def _like(self, task: str, scope: Scope) -> list[Skill]:
        """The skills that resemble a task, best first."""
        found = await self.memory.recall(
            task, scope=scope, k=4 * self._k, kinds=("skill",), where={"retired": ""}, explain=True
        )
        return [Skill.of(hit.memory) for hit in found.hits if self._resembles(hit, task)]

    def _resembles(self, hit: Recalled, task: str) -> bool:
        meaning = hit.why.get("meaning")
        if meaning is not None and meaning.score >= _NEAR:
            return True
        parameters = Skill.of(hit.memory).parameters
        words = content_words(hit.memory.text) - {word for name in parameters for word in content_words(name)}
        return bool(words) and len(words & content_words(task)) >= self._likeness * len(words)

    def _tool(self, skill: Skill, name: str, request: PlanRequest) -> PlanTool:
        return plan_tool(
            skill.plan,
            request.toolbox,
            name=name,
            description=f"{skill.description} (a skill: steps that did this before)",
            policy=request.policy,
            limits=request.limits,
            approver=request.approver,
            tags=("skill", f"{_TAG}{skill.id}"),
        )

    # after a run

    async def after_run(self, turn: Turn, request: PlanRequest, run: Run) -> None:
        """Count how the skills did that the run used, and learn its plan if it used none."""
        events = [event for event in run.events if getattr(event, "within", "") == ""]
        used = [event for event in run.events if isinstance(event, SkillsUsed)]
        for use in used:
            await self._count(use, run.events, request.toolbox)
        plan = None if used or turn.status != "done" else _whole_plan(events)
        if plan is None:
            return
        scope = Scope(turn.owner.user, turn.owner.agent)
        skill = await self._learn(plan, turn.task, turn.run_id, request, scope)
        if skill is not None:
            run.events.emit(SkillLearned(run.clock.time(), skill.name, skill.id, skill.description, skill.successes))

    async def learn(self, result: RunResult, toolbox: Toolbox, *, scope: Scope) -> Skill | None:
        """Keep the plan of a run that is done, as `AgentMemory` does after each run.

        Returns:
            The skill, with one success more if it was known; None if the plan is not worth keeping: it calls too
            little, its task says none of its constants, or it cannot stand alone.
        """
        plan = _whole_plan(result.events) if result.status == "done" else None
        request = PlanRequest(result.task, toolbox)
        return None if plan is None else await self._learn(plan, result.task, result.run_id, request, scope)

    async def _learn(self, plan: Plan, task: str, run_id: str, request: PlanRequest, scope: Scope) -> Skill | None:
        calls = [step.tool for step in walk(plan.steps) if isinstance(step, Call)]
        if len(calls) < self._min_calls or any(isinstance(step, Subgoal) for step in walk(plan.steps)):
            return None
        general = generalise(plan, task, request.toolbox)
        if not general.plan.inputs:
            return None
        report = replace(request, given={}).check(general.plan)
        if report.checked is None:
            return None
        tools = {name: request.toolbox[name].fingerprint for name in calls}
        certificate = report.checked.certificate.to_json()
        known = await self.skills(scope=scope, retired=True)
        for skill in known:
            if skill.scope == scope and write_json(skill.plan)["steps"] == write_json(general.plan)["steps"]:
                revived = skill.retired if skill.retired == WITHDRAWN else ""
                better = replace(skill, tools=tools, certificate=certificate, streak=0, retired=revived)
                return await self._put(replace(better, successes=skill.successes + 1))
        base = f"{general.name}_skill" if general.name in request.toolbox else general.name
        name = fresh(base, {*request.toolbox, *(skill.name for skill in known)})
        new = Skill("", name, general.description, general.plan, certificate, tools, task, scope, run_id)
        try:
            self._tool(new, name, request)
        except (PlanRejectedError, ToolDefinitionError):
            return None
        memory = await self.memory.remember(
            new.description, scope=scope, kind="skill", metadata=new.metadata(), provenance=Provenance("agent", run_id)
        )
        return replace(new, id=memory.id)

    async def _count(self, use: SkillsUsed, events: Sequence[Event] | Any, toolbox: Toolbox) -> None:
        ended = [e for e in events if isinstance(e, Executed) and (e.number, e.within) == (use.number, use.within)]
        failed = [
            event.step.removeprefix(use.within)
            for event in events
            if isinstance(event, StepFinished) and event.plan == use.number and event.status == "failed"
        ]
        for call, name in use.skills.items():
            tool = toolbox.get(name)
            memory = None if tool is None else await self._record(_id_of(tool))
            if memory is None:
                continue
            skill = Skill.of(memory)
            if any(step.startswith(f"{call}__") for step in failed):
                streak = skill.streak + 1
                retired = f"it failed {streak} times in a row" if streak >= self._retire_after else ""
                bad = replace(skill, failures=skill.failures + 1, streak=streak, retired=skill.retired or retired)
                await self._put(bad)
            elif ended and ended[-1].status == "done":
                await self._put(replace(skill, successes=skill.successes + 1, streak=0))

    async def _record(self, id: str) -> Memory | None:
        return await self.memory.store.get(id, scope=Scope("*", "*", "*"))

    async def _put(self, skill: Skill) -> Skill:
        memory = await self._record(skill.id)
        if memory is not None:
            changed = replace(memory, metadata=skill.metadata(), updated=self.memory.now())
            await self.memory.store.update(changed, scope=skill.scope)
        return skill


def _id_of(tool: Any) -> str:
    return next((tag.removeprefix(_TAG) for tag in tool.tags if tag.startswith(_TAG)), "")


def _whole_plan(events: Sequence[Event]) -> Plan | None:
    """The plan that a run was done with; turns that a planner took one at a time are put together."""
    proposed: dict[int, PlanProposed] = {}
    turns: list[Plan] = []
    whole: Plan | None = None
    for event in events:
        if isinstance(event, PlanProposed) and not event.within:
            proposed[event.number] = event
        elif isinstance(event, Executed) and not event.within and event.status == "done" and event.number in proposed:
            plan = read_json(proposed[event.number].plan)
            if proposed[event.number].final:
                whole = replace(plan, steps=(*(step for turn in turns for step in turn.steps), *plan.steps))
            else:
                turns.append(plan)
    return whole
