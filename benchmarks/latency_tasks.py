"""The three shapes of work of the LLMCompiler paper, as calls that a plan or a ReAct agent makes.

Source: Kim et al., "An LLM Compiler for Parallel Function Calling", 2024, arXiv:2312.04511. The questions are ours; how
many calls there are, and what waits for what, is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BRANCHES = {2: 21, 3: 31, 4: 31, 5: 30}
"""How many of the 113 questions of ParallelQA have so many branches (field ``branch`` of its data file)."""

_THINGS = (
    *(
        "Mount Everest",
        "Kilimanjaro",
        "Aconcagua",
        "Mont Blanc",
        "Denali",
        "Mount Elbrus",
        "Mount Fuji",
        "Table Mountain",
    ),
    *("the Yangtze", "the Volga", "the Mekong", "the Congo", "the Danube", "the Rhine", "the Nile", "the Niger"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One call: its line of code, and the thought that a ReAct agent writes before it."""

    code: str
    thought: str


@dataclass(frozen=True, slots=True)
class Task:
    """A question, the calls that answer it in an order in which they can be made, and the answer."""

    question: str
    steps: tuple[Step, ...]
    answer: str

    def plan(self) -> str:
        """The plan: the calls, and a model step that joins what they gave."""
        names = ", ".join(f"{{{step.code.split(' = ')[0]}}}" for step in self.steps)
        join = f'answer(generate(f"{self.question} Answer in one sentence from these findings: {names}"))'
        return "".join(f"{step.code}\n" for step in self.steps) + join

    def turn(self, number: int) -> str:
        """What a ReAct agent writes in turn `number`, counted from 0."""
        if number >= len(self.steps):
            return f'Thought: I have found everything that I need, so I can answer.\nAction: answer("{self.answer}")'
        step = self.steps[number]
        return f"Thought: {step.thought}\nAction: {step.code}"


@dataclass(frozen=True, slots=True)
class Workload:
    """Tasks of one shape, and the speed-up over ReAct that the paper reports for it."""

    name: str
    shape: str
    paper: float
    tasks: tuple[Task, ...]

    def first(self, most: int) -> Workload:
        """The same with at most so many tasks, spread evenly over all of them."""
        count = len(self.tasks)
        if count <= most:
            return self
        return Workload(self.name, self.shape, self.paper, tuple(self.tasks[i * count // most] for i in range(most)))


def workloads() -> tuple[Workload, ...]:
    """The workloads, in the paper's order."""
    return (
        Workload("HotpotQA comparison", "2 searches, join", 1.80, tuple(_compare(i) for i in range(20))),
        Workload("Movie recommendation", "8 searches, join", 3.74, tuple(_recommend(i) for i in range(20))),
        Workload("ParallelQA", "2 to 5 times search then maths, maths, join", 2.27, tuple(_parallel_qa())),
    )


def _search(name: str, what: str) -> Step:
    return Step(f'{name} = search(query="{what}")', f"I need to know more about {what}, so I search for it next.")


def _compare(number: int) -> Task:
    one, other = _thing(number), _thing(number + 5)
    return Task(
        f"Which of {one} and {other} was described first?",
        (_search("first", f"{one} history"), _search("second", f"{other} history")),
        f"{one} was described first, long before {other}.",
    )


def _recommend(number: int) -> Task:
    films = [f"film {number * 8 + i} about {_thing(number + i)}" for i in range(8)]
    return Task(
        f"Somebody likes {', '.join(films[:4])}. Which of {', '.join(films[4:])} should they see?",
        tuple(_search(f"film_{i + 1}", film) for i, film in enumerate(films)),
        f"They should see {films[5]}, which is the most like the others.",
    )


def _parallel_qa() -> Iterator[Task]:
    number = 0
    for branches, count in BRANCHES.items():
        for _ in range(count):
            yield _changed(number, branches)
            number += 1


def _changed(number: int, branches: int) -> Task:
    """So many things, each looked up and made larger; then the largest over the smallest."""
    things = [_thing(number + i) for i in range(branches)]
    steps: list[Step] = []
    for i, thing in enumerate(things):
        changed = f"size of {thing} in metres, {10 + 5 * i} percent more"
        steps.append(_search(f"fact_{i + 1}", f"{thing} {number}"))
        code = f'size_{i + 1} = maths(problem="{changed}", data=[fact_{i + 1}])'
        steps.append(Step(code, f"Now I compute the new size of {thing} from what I have found."))
    sizes = ", ".join(f"size_{i + 1}" for i in range(branches))
    steps.append(Step(f'ratio = maths(problem="largest over smallest", data=[{sizes}])', "Now I compute the ratio."))
    return Task(
        f"If each of {', '.join(things)} grew, how many times the smallest would the largest be?",
        tuple(steps),
        f"The largest would be {number % 7 + 2} times the smallest.",
    )


def _thing(number: int) -> str:
    return _THINGS[number % len(_THINGS)]
