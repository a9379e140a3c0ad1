"""The latency benchmark: which way of planning is quicker, not by how much."""

from __future__ import annotations

import pytest

from benchmarks.latency import ARMS, DECODE, TOOL, Latency, compare, comparison, measure
from benchmarks.latency_tasks import BRANCHES, Workload, workloads

WORKLOADS = [workload.first(2) for workload in workloads()]


def test_parallel_qa_has_the_papers_mix_of_branches() -> None:
    hotpot, movie, parallel_qa = workloads()
    assert {len(task.steps) for task in hotpot.tasks} == {2}
    assert {len(task.steps) for task in movie.tasks} == {8}
    branches = [sum("search(" in step.code for step in task.steps) for task in parallel_qa.tasks]
    assert {count: branches.count(count) for count in BRANCHES} == {2: 21, 3: 31, 4: 31, 5: 30}
    assert len(branches) == 113


@pytest.mark.parametrize("decode", [DECODE[0], DECODE[-1]])
@pytest.mark.parametrize("seconds", [TOOL[0], TOOL[-1]])
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_streamed_is_as_quick_as_parallel_or_quicker_and_so_on_up_to_react(
    workload: Workload, seconds: float, decode: float
) -> None:
    arms = compare(workload, Latency(decode=decode, tool=seconds))
    react, sequential, parallel, streamed = (arms[arm.name].seconds for arm in ARMS)
    assert streamed <= parallel <= sequential <= react


def test_a_plan_takes_two_model_calls_and_react_one_a_step_and_one_for_the_answer() -> None:
    arms = compare(WORKLOADS[1], Latency())
    assert [arms[arm.name].model_calls for arm in ARMS] == [9, 2, 2, 2]
    assert arms["ReAct"].tokens > arms["plan, streamed"].tokens
    assert arms["plan, parallel"].tokens == arms["plan, streamed"].tokens


def test_virtual_time_is_the_same_every_time() -> None:
    one, again = (measure(WORKLOADS[2], ARMS[-1], Latency()) for _ in range(2))
    assert one == again


def test_the_table_has_a_row_for_each_way_and_the_papers_figure() -> None:
    workload = WORKLOADS[0]
    text = comparison({workload.name: compare(workload, Latency())}, {workload.name: workload.paper})
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == [
        f"| {workload.name}: {arm.name}" for arm in ARMS
    ]
    assert "| 1.80× |" in text.splitlines()[-1]
