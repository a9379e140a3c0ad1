"""Every planner passes the one suite."""

from __future__ import annotations

from agentkit.messages import ModelProfile, ModelResponse, ToolCall
from agentkit.planners.candidates import Candidates
from agentkit.planners.fixed import FixedPlan
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.judge import ModelJudge
from agentkit.planners.matching import MatchTranslator
from agentkit.planners.natural_language import NaturalLanguage
from agentkit.planners.outline import Outline
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planners.reflexion import Reflexion
from agentkit.planners.strips import Action, Condition, Domain, Problem
from agentkit.planners.strips_world import StripsWorld
from agentkit.planners.tree_search import TreeSearch
from agentkit.planning import Planner, Situation
from agentkit.reflection import Reflection
from agentkit.spelling import read_python
from tests.conformance.planner import PlannerConformance
from tests.plans import BASIC


def _dear(situation: Situation) -> str:
    """What the judge of `TestReflexion` says."""
    value = None if situation.outcome is None else situation.outcome.value
    return "" if value == 20.0 else f"{value} is too little"


WHOLE = "top = top_products(count=1)\ncost = price_of(name=top[0].name)\nanswer(cost)"


def calls(*made: ToolCall, thought: str = "") -> ModelResponse:
    """A reply with native tool calls."""
    return ModelResponse(thought, made, "tool_calls")


class TestPlanAndExecute(PlannerConformance):
    replies = (WHOLE,)

    def make(self) -> Planner:
        return PlanAndExecute()


class TestPlanAndExecuteStreamed(PlannerConformance):
    replies = (WHOLE,)

    def make(self) -> Planner:
        return PlanAndExecute(stream=True)


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


class TestNaturalLanguage(PlannerConformance):
    """A translation that is refused at once, and one that only the loop refuses."""

    replies = (
        "1. Find the best product.\n2. Answer with its price.",
        "top = top_product(count=1)",
        "top = top_products(count=1)",
        "cost = price_of(nam=top[0].name)\nanswer(cost)",
        "cost = price_of(nome=top[0].name)\nanswer(cost)",
        "top = top_product(count=1)",
        "top = top_products(count=1)",
        "cost = price_of(name=top[0].name)\nanswer(cost)",
    )

    def make(self) -> Planner:
        return NaturalLanguage()


class TestNaturalLanguageWithoutAModel(PlannerConformance):
    asks = False

    def make(self) -> Planner:
        steps = ["Find the 1 product that sells best.", "Look up the price of that product."]
        return NaturalLanguage(MatchTranslator(), steps=steps)


class TestOutline(PlannerConformance):
    replies = (
        "top = top_products(count=1)\nanswer(price_of(name=top[0].name))",
        "# 1\ntop = top_product(count=1)\n# 2\nanswer(price_of(name=top[0].name))",
        "# 1\ntop = top_products(count=1)\n# 2\nanswer(price_of(name=top[0].name))",
    )

    def make(self) -> Planner:
        return Outline(["find the best product", "say its price"])


class TestTreeSearch(PlannerConformance):
    """A search whose best plan fails when it runs, and its fallback."""

    profile = ModelProfile(json_schema=True)
    replies = (
        '{"lines": ["cost = price_of(name=\\"sombrero\\")", "top = top_products(count=1)"]}',
        '{"outcome": "20.0", "promise": 0.9}',
        '{"outcome": "a hat", "promise": 0.7}',
        '{"lines": ["answer(cost)"]}',
        '{"outcome": "20.0", "promise": 1.0}',
        '{"lines": ["answer(price_of(name=top[0].name))"]}',
        '{"outcome": "20.0", "promise": 0.8}',
    )

    def make(self) -> Planner:
        return TreeSearch(enough=2)


class TestTreeSearchInASimulator(PlannerConformance):
    asks = False

    def make(self) -> Planner:
        found = Action("top_products", effects=(Condition(("found",)),))
        problem = Problem(
            Domain("shop", {"found": ()}, {"top_products": found}), {}, frozenset(), (Condition(("found",)),)
        )
        return TreeSearch(StripsWorld(problem, answer="answer(price_of(name=top_products_1[0].name))"))


class TestFixedPlan(PlannerConformance):
    asks = False

    def make(self) -> Planner:
        return FixedPlan(read_python(WHOLE, BASIC), WHOLE)


class TestReflexion(PlannerConformance):
    """Two tries of thought and action, and what was learnt in between."""

    reflection = Reflection(outcome=_dear)
    replies = (
        "Thought: The scarf.\nAction: cost = price_of(name='scarf')",
        "Thought: That is it.\nAction: answer(cost)",
        "Look which product sells best first.",
        "Thought: First the best product.\nAction: top = top_products(count=1)",
        "Thought: That is it.\nAction: answer(price_of(name=top[0].name))",
    )

    def make(self) -> Planner:
        return Reflexion(ReAct())
