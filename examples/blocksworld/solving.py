"""Ways to solve a problem: a model by itself, a model whose plans are simulated first, and a tree search."""

from __future__ import annotations

from agentkit import Agent, Limits, RunResult, Task
from agentkit.constraints import Satisfies
from agentkit.facts import Facts
from agentkit.planners.simulation import StripsValidator
from agentkit.planners.strips_world import StripsWorld
from agentkit.planners.tree_search import TreeSearch
from agentkit.planning import Example
from agentkit.protocols import Model
from examples.blocksworld.domain import Table, Towers, problem_of, words

INSTRUCTIONS = 'You move blocks with one hand, which holds one block at a time. Finish with answer("done").'
CLEAR_FIRST = """\
unstack(block="y", off="x")
put_down(block="y")
pick_up(block="z")
stack(block="z", onto="x")
answer("done")
"""
EXAMPLES = (
    Example(
        "The blocks: x on the table, y on x, z on the table. "
        "Rearrange them to: x on the table, z on x, y on the table.",
        CLEAR_FIRST,
    ),
    Example(
        "The blocks: p on the table, q on the table. Rearrange them to: p on the table, q on p.",
        'pick_up(block="q")\nstack(block="q", onto="p")\nanswer("done")',
    ),
)


class Solving:
    """One problem on a table of its own.

    Args:
        start: The towers at first.
        goal: The towers in the end.
    """

    def __init__(self, start: Towers, goal: Towers) -> None:
        self.problem = problem_of(start, goal)
        self.table = Table(start)
        self.goal = goal
        self.words = f"The blocks: {words(start)}. Rearrange them to: {words(goal)}."

    @property
    def solved(self) -> bool:
        """Whether the table really is as it should be."""
        return self.problem.reached(self.table.facts())

    async def unaided(self, model: str | Model) -> RunResult:
        """A model's first plan, run without looking."""
        agent = Agent(
            model,
            INSTRUCTIONS,
            tools=self.table.tools(),
            examples=EXAMPLES,
            limits=Limits(repairs=0, replans=0),
        )
        return await agent.run(self.words)

    async def validated(self, model: str | Model, *, repairs: int = 3) -> RunResult:
        """A model whose plans are simulated before they run, and refused with what is impossible in them."""
        agent = Agent(
            model,
            INSTRUCTIONS,
            tools=self.table.tools(),
            examples=EXAMPLES,
            validators=[StripsValidator(self.problem, state=self.table.facts)],
            limits=Limits(repairs=repairs),
        )
        return await agent.run(self.task())

    async def searched(self, *, simulations: int = 1_000, enough: int = 50, seed: int = 0) -> RunResult:
        """A tree search in the simulator; no model is asked."""
        agent = Agent(
            tools=self.table.tools(),
            planner=TreeSearch(
                StripsWorld(self.problem, state=self.table.facts),
                simulations=simulations,
                enough=enough,
                seed=seed,
            ),
            validators=[StripsValidator(self.problem, state=self.table.facts)],
        )
        return await agent.run(self.task())

    def task(self) -> Task:
        """The task, with the goal as a constraint on the table itself."""

        def reached(facts: Facts) -> str:
            missing = [str(one) for one in self.problem.goal if not one.met(self.table.facts())]
            return f"on the table it is not so that {', '.join(missing)}" if missing else ""

        return Task(self.words, [Satisfies(reached)])
