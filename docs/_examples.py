"""The plans of the reference pages, as data: the pages are generated from it, and tests check every plan of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from agentkit import CheckReport, Code, Diagnostic, Limits, Plan, Policy, Toolbox, check, read_json, read_python, tool
from agentkit.certificate import Certificate
from agentkit.checker import Validator
from agentkit.constraints import Count
from agentkit.facts import Facts
from agentkit.ledger import CallDenied
from agentkit.validators import denied_calls, goal_constraints


class Product(TypedDict):
    """A product of the shop."""

    name: str
    price: float
    units: int


@tool(effect="read", resources="shop", cost=0.01, expected_seconds=0.5)
async def top_products(count: int = 3) -> list[Product]:
    """The products that sell best, best first.

    Args:
        count: How many.
    """
    return [Product(name="hat", price=20.0, units=5), Product(name="scarf", price=15.5, units=9)][:count]


@tool(effect="read", resources="shop", cost=0.01, expected_seconds=0.5)
async def price_of(name: str) -> float:
    """The price of a product in US dollars.

    Args:
        name: The product's name.
    """
    return 20.0 if name == "hat" else 15.5


@tool(effect="read", resources="warehouse", cost=0.01, expected_seconds=0.5)
async def stock(name: str, site: Literal["north", "south"] = "north") -> int:
    """How many of a product a warehouse holds.

    Args:
        name: The product's name.
        site: Which warehouse.
    """
    return 7 if site == "north" else 12


@tool(effect="read", resources="reviews", expected_seconds=0.5)
async def reviews(name: str, since: date) -> list[str]:
    """What customers wrote about a product.

    Args:
        name: The product's name.
        since: The first day to look at.
    """
    return ["Warm and light.", "Too small for a cat."]


@tool(effect="write", resources="orders", idempotent=True)
async def reorder(name: str, units: Annotated[int, Field(ge=1, le=500)]) -> str:
    """Order more of a product from its maker; gives the order's number.

    Args:
        name: The product's name.
        units: How many.
    """
    return "A-1"


@tool(effect="write", resources="mail")
async def send_mail(to: str, text: str) -> str:
    """Send a mail; gives its id.

    Args:
        to: The address.
        text: What to write.
    """
    return "mail-1"


TOOLBOX = Toolbox(top_products, price_of, stock, reviews, reorder, send_mail)
"""The tools that the plans of the reference pages call."""


def no_mails_at_night(plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
    """A validator with a rule of its own: no mails go out now."""
    if "send_mail" in certificate.writes.values():
        yield Diagnostic(Code.VALIDATOR, ("mail",), "no mails are sent between 22:00 and 06:00.")


Source: TypeAlias = str
"""A plan as text: JSON if it begins with a brace, restricted Python otherwise."""


@dataclass(frozen=True, slots=True)
class Example:
    """A plan that the checker has exactly one kind of complaint about.

    Attributes:
        source: The plan.
        shown: What the page shows of a plan that is too long for it.
        under: What the page says about how the plan is checked.
        policy: The policy that it is checked under.
        limits: The limits that it is checked under.
        approver: Whether somebody can be asked.
        validators: Domain checks.
    """

    source: Source
    shown: str = ""
    under: str = ""
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    approver: bool = True
    validators: Sequence[Validator] = ()

    def report(self) -> CheckReport:
        """What the checker says."""
        return check(
            read(self.source),
            TOOLBOX,
            policy=self.policy,
            limits=self.limits,
            approver=self.approver,
            validators=self.validators,
        )


def read(source: Source) -> Plan:
    """The plan that `source` spells."""
    return read_json(source) if source.lstrip().startswith("{") else read_python(source, TOOLBOX)


_INDENT = "    "
_DEEP = "".join(f"{_INDENT * level}if stock('hat') > {level}:\n" for level in range(33)) + f"{_INDENT * 33}answer(1)\n"

EXAMPLES: Mapping[Code, Example] = {
    Code.SYNTAX: Example("""\
top = top_products(count=1
answer(top[0].name)
"""),
    Code.UNSUPPORTED: Example("""\
try:
    cost = price_of("hat")
except LookupError:
    cost = 0.0
answer(cost)
"""),
    Code.SHAPE: Example("""\
{"steps": [{"id": "cost", "kind": "call", "tool": "price_of", "args": {"name": "hat"}, "retries": 2}],
 "answer": "${cost}"}
"""),
    Code.UNKNOWN_KIND: Example("""\
{"steps": [{"id": "cost", "kind": "foreach", "item": "p", "in": ["hat"], "do": []}], "answer": "${cost}"}
"""),
    Code.DUPLICATE_ID: Example("""\
{"steps": [{"id": "cost", "kind": "call", "tool": "price_of", "args": {"name": "hat"}},
           {"id": "cost", "kind": "call", "tool": "price_of", "args": {"name": "scarf"}}],
 "answer": "${cost}"}
"""),
    Code.INVALID_ID: Example("""\
{"steps": [{"id": "new order", "kind": "call", "tool": "reorder", "args": {"name": "hat", "units": 5}}],
 "answer": "ordered"}
"""),
    Code.EXPRESSION: Example("""\
{"steps": [{"id": "order", "kind": "call", "tool": "reorder", "args": {"name": "hat", "units": "${5 times 2}"}}],
 "answer": "${order}"}
"""),
    Code.TOO_LARGE: Example(
        _DEEP,
        shown="""\
if stock("hat") > 0:
    if stock("hat") > 1:
        …  # and so on, 33 deep
""",
    ),
    Code.UNKNOWN_TOOL: Example("""\
top = top_product(count=1)
answer(top[0].name)
"""),
    Code.MISSING_ARGUMENT: Example("""\
order = reorder(name="hat")
answer(order)
"""),
    Code.UNEXPECTED_ARGUMENT: Example("""\
top = top_products(number=1)
answer(top[0].name)
"""),
    Code.MISTYPED_ARGUMENT: Example("""\
top = top_products(count="three")
answer(top[0].name)
"""),
    Code.NOT_IN_ENUM: Example("""\
left = stock(name="hat", site="east")
answer(left)
"""),
    Code.OUT_OF_RANGE: Example("""\
order = reorder(name="hat", units=1000)
answer(order)
"""),
    Code.WRONG_FORMAT: Example("""\
found = reviews(name="hat", since="last week")
answer(found)
"""),
    Code.UNKNOWN_NAME: Example("""\
cost = price_of("hat")
answer(f"${cost}, or ${costs} with tax")
"""),
    Code.LATER_STEP: Example("""\
cost = price_of(top[0].name)
top = top_products(count=1)
answer(f"{top[0].name}: {cost}")
"""),
    Code.OUT_OF_SCOPE: Example("""\
{"steps": [{"id": "costs", "kind": "for_each", "item": "name", "in": ["hat", "scarf"], "do": [
             {"id": "cost", "kind": "call", "tool": "price_of", "args": {"name": "${name}"}}]}],
 "answer": "${costs[0] + cost}"}
"""),
    Code.WRONG_BRANCH: Example("""\
if stock("hat") < 10:
    order = reorder(name="hat", units=50)
answer(order)
"""),
    Code.UNKNOWN_FIELD: Example("""\
top = top_products(count=1)
answer(top[0].prize)
"""),
    Code.NO_SUCH_INDEX: Example("""\
sizes = ["S", "M", "L"]
answer(sizes[3])
"""),
    Code.CANNOT_FLOW: Example("""\
top = top_products(count=1)
cost = price_of(name=top[0])
answer(cost)
"""),
    Code.NOT_BOOLEAN: Example("""\
top = top_products()
if top:
    said = "There are best-sellers."
else:
    said = "Nothing was sold."
answer(said)
"""),
    Code.WRONG_OPERAND: Example("""\
top = top_products(count=1)
answer(top[0].name - top[0].price)
"""),
    Code.NOT_ITERABLE: Example("""\
cost = price_of("hat")
costs = [price_of(name) for name in cost]
answer(costs)
"""),
    Code.UNKNOWN_FUNCTION: Example("""\
{"steps": [{"id": "top", "kind": "call", "tool": "top_products", "args": {}}],
 "answer": "${average([p.price for p in top])}"}
"""),
    Code.FUNCTION_ARGUMENTS: Example("""\
top = top_products()
answer(round(top[0].price, 2, "up"))
"""),
    Code.UNBOUNDED_LOOP: Example("""\
{"steps": [{"id": "poll", "kind": "repeat", "max_iterations": 500, "until": "${left > 10}", "do": [
             {"id": "left", "kind": "call", "tool": "stock", "args": {"name": "hat"}}]}],
 "answer": "${poll}"}
"""),
    Code.UNREACHABLE: Example("""\
cost = price_of("hat")
answer(cost)
order = reorder(name="hat", units=5)
"""),
    Code.UNUSED: Example("""\
hat = price_of("hat")
scarf = price_of("scarf")
answer(scarf)
"""),
    Code.EMPTY_BLOCK: Example("""\
{"steps": [{"id": "left", "kind": "call", "tool": "stock", "args": {"name": "hat"}},
           {"id": "order", "kind": "if", "condition": "${left > 10}", "then": [], "else": [
             {"id": "more", "kind": "call", "tool": "reorder", "args": {"name": "hat", "units": 50}}]}],
 "answer": "${left}"}
"""),
    Code.NO_ANSWER: Example("""\
order = reorder(name="hat", units=5)
"""),
    Code.FORBIDDEN: Example(
        """\
mail = send_mail(to="anna@example.com", text="Hats are back.")
answer(mail)
""",
        under='`Policy(tools={"send_*": "never"})`',
        policy=Policy(tools={"send_*": "never"}),
    ),
    Code.TOO_MANY_CALLS: Example(
        """\
costs = [price_of(name) for name in ["hat", "scarf", "glove"]]
answer(costs)
""",
        under="`Limits(tool_calls=2)`",
        limits=Limits(tool_calls=2),
    ),
    Code.TOO_MANY_MODEL_CALLS: Example(
        """\
slogan = generate("A slogan for a shop for cats.")
shorter = generate(f"Half as long: {slogan}")
answer(shorter)
""",
        under="`Limits(model_calls=1)`",
        limits=Limits(model_calls=1),
    ),
    Code.TOO_COSTLY: Example(
        """\
costs = [price_of(name) for name in ["hat", "scarf", "glove"]]
answer(costs)
""",
        under="`Limits(cost=0.02)`, where each call costs $0.01",
        limits=Limits(cost=0.02),
    ),
    Code.TOO_SLOW: Example(
        """\
top = top_products(count=1)
cost = price_of(top[0].name)
left = stock(top[0].name)
answer(f"{left} at ${cost}")
""",
        under="`Limits(seconds=0.8)`, where each call is expected to take half a second and the last two run at once",
        limits=Limits(seconds=0.8),
    ),
    Code.TOO_MANY_STEPS: Example(
        """\
costs = [price_of(name) for name in ["hat", "scarf", "glove"]]
answer(costs)
""",
        under="`Limits(steps=3)`; the loop itself is a step too",
        limits=Limits(steps=3),
    ),
    Code.NO_APPROVER: Example(
        """\
order = reorder(name="hat", units=5)
answer(order)
""",
        under="the default policy, which asks before writes, by an agent without a `human`",
        approver=False,
    ),
    Code.DENIED: Example(
        """\
mail = send_mail(to="anna@example.com", text="Hats are back.")
answer(mail)
""",
        under='the rules of a run in which a person has just denied this call, with the reason "not on a Sunday"',
        validators=(
            denied_calls(
                [CallDenied("send_mail", {"to": "anna@example.com", "text": "Hats are back."}, "not on a Sunday")],
                TOOLBOX,
                {},
            ),
        ),
    ),
    Code.TOO_DEEP: Example(
        """\
choice = subgoal("Choose the product that fits a cat best.")
answer(choice)
""",
        under="`Limits(depth=0)`, as it is for a subgoal on the deepest level",
        limits=Limits(depth=0),
    ),
    Code.CONSTRAINT: Example(
        """\
order = reorder(name="hat", units=50)
answer(order)
""",
        under='the constraint `Count("calls.reorder", min=2, message="hats and scarves")`',
        validators=(goal_constraints([Count("calls.reorder", min=2, message="hats and scarves")], Facts(), {}),),
    ),
    Code.VALIDATOR: Example(
        """\
mail = send_mail(to="anna@example.com", text="Hats are back.")
answer(mail)
""",
        under="a validator with a rule of its own",
        validators=(no_mails_at_night,),
    ),
}
"""For each code, a plan that the checker gives exactly that code."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Python that a plan cannot have, and what to write instead; `what` may be Markdown."""

    what: str
    refused: Source
    instead: Source


REWRITES: Sequence[Rewrite] = (
    Rewrite(
        "`import`",
        'import math\nanswer(math.floor(price_of("hat")))',
        'answer(int(price_of("hat")))',
    ),
    Rewrite(
        "`def`, `class`, `lambda`",
        'def cost(name):\n    return price_of(name)\nanswer("hat")',
        'costs = [price_of(name) for name in ["hat", "scarf"]]\nanswer(costs)',
    ),
    Rewrite(
        "`try … except`",
        'try:\n    cost = price_of("hat")\nexcept LookupError:\n    cost = 0.0\nanswer(cost)',
        'cost = price_of("hat", _fallback=0.0)\nanswer(cost)',
    ),
    Rewrite(
        "changing a field",
        "p = top_products()[0]\np.price = 0.0\nanswer(p)",
        'p = top_products()[0]\nanswer({"name": p.name, "price": 0.0})',
    ),
    Rewrite(
        "a second `for` in a comprehension",
        'answer([[p.name, s] for p in top_products() for s in ["S", "M"]])',
        'top = top_products()\nanswer([[[p.name, s] for s in ["S", "M"]] for p in top])',
    ),
    Rewrite("sets", "answer({p.name for p in top_products()})", "answer(unique([p.name for p in top_products()]))"),
    Rewrite(
        "`:=`",
        'if (left := stock("hat")) < 10:\n    answer(left)\nelse:\n    answer(0)',
        'left = stock("hat")\nif left < 10:\n    answer(left)\nelse:\n    answer(0)',
    ),
    Rewrite(
        "`*` and `**` unpacking",
        'more = ["scarf"]\nanswer(["hat", *more])',
        'more = ["scarf"]\nanswer(["hat"] + more)',
    ),
)
"""What models and people write out of habit, and the form that a plan has."""
