"""Every planner passes the one suite."""

from __future__ import annotations

from agentkit.messages import ModelProfile, ModelResponse, ToolCall
from agentkit.planners.candidates import Candidates
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.judge import ModelJudge
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planning import Planner
from tests.conformance.planner import PlannerConformance

WHOLE = "top = top_products(count=1)\ncost = price_of(name=top[0].name)\nanswer(cost)"


def calls(*made: ToolCall, thought: str = "") -> ModelResponse:
    """A reply with native tool calls."""
    return ModelResponse(thought, made, "tool_calls")


class TestPlanAndExecute(PlannerConformance):
    replies = (WHOLE,)

    def make(self) -> Planner:
        return PlanAndExecute()


class TestReActInText(PlannerConformance):
    replies = (
        "Thought: First the product.\nAction: top = top_products(count=1)",
        "Thought: Now its price.\nAction: cost = price_of(nam=top[0].name)",
        "Thought: The argument is called name.\nAction: cost = price_of(name=top[0].name)",
        "Thought: That is it.\nAction: answer(cost)",
    )

    def make(self) -> Planner:
        return ReAct()


class TestReActWithNativeCalls(PlannerConformance):
    profile = ModelProfile(tools=True)
    replies = (
        calls(ToolCall("x", "top_products", {"count": 1}), thought="First the product."),
        calls(ToolCall("y", "price_of", {"name": "sombrero"}), ToolCall("z", "double", {"number": 10})),
        "It costs 20 dollars.",
    )
    output = "It costs 20 dollars."

    def make(self) -> Planner:
        return ReAct()


class TestCandidates(PlannerConformance):
    """Three samples: two that fail when they run, and the fallback."""

    replies = ('answer(price_of(name="sombrero"))', WHOLE, 'x = price_of(name="sombrero")\nanswer(x)')

    def make(self) -> Planner:
        return Candidates(3)


class TestCandidatesWithAJudge(PlannerConformance):
    replies = ('answer(price_of(name="scarf"))', WHOLE, "B", "A")

    def make(self) -> Planner:
        return Candidates(2, judge=ModelJudge(), by="certificate")


class TestHierarchical(PlannerConformance):
    """A plan whose subgoal is done in thoughts and actions."""

    replies = (
        'name = subgoal("the best product\'s name", schema={"type": "string"})\nanswer(price_of(name=name))',
        "Thought: I look.\nAction: top = top_products(count=1)",
        "Thought: There.\nAction: answer(top[0].name)",
    )

    def make(self) -> Planner:
        return Hierarchical(below=ReAct())
