"""Tools: made of functions and methods, called, gathered in a toolbox."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from agentkit.context import RunContext
from agentkit.errors import DefinitionError, ModelRetry, ToolDefinitionError, ToolOutputError
from agentkit.messages import Json, Usage
from agentkit.toolbox import Tool, Toolbox, tool, tools_of

HERE = "tests.test_toolbox"


class Sale(TypedDict):
    name: str
    units: int


def row_of(kind: Any) -> Any:
    """A class that is called Row, with a field of a type."""
    make: Any = TypedDict
    return make("Row", {"a": kind})


def made(name: str, **settings: Any) -> Tool:
    """A tool that only its name and settings matter of."""

    def nothing() -> None:
        """Does nothing."""

    return tool(nothing, name=name, **settings)


@tool(effect="read", resources="shop_db")
async def fetch_top_products(start_date: date, end_date: date, num_products: int = 1) -> list[Sale]:
    """Fetch the best-selling products.

    The best one comes first.

    Args:
        start_date: First day of the period.
        end_date: Last day of the period.
        num_products: How many products at most.
    """
    return [Sale(name="Whiskers", units=(end_date - start_date).days)][:num_products]


@tool
def double(number: Annotated[int, "What to double."]) -> int:
    """Double a number."""
    return 2 * number


class TestDefinition:
    def test_reads_everything_from_the_function(self) -> None:
        top = fetch_top_products
        assert isinstance(top, Tool)
        assert (top.name, top.python_name, top.origin) == (
            "fetch_top_products",
            "fetch_top_products",
            f"{HERE}.fetch_top_products",
        )
        assert top.description == "Fetch the best-selling products.\n\nThe best one comes first."
        assert (top.effect, top.resources, top.idempotent) == ("read", ("shop_db",), True)
        assert [(p.name, p.required, p.description) for p in top.parameters] == [
            ("start_date", True, "First day of the period."),
            ("end_date", True, "Last day of the period."),
            ("num_products", False, "How many products at most."),
        ]

    def test_without_a_word_about_effects_is_a_write_on_the_world(self) -> None:
        assert (double.effect, double.resources, double.idempotent) == ("write", (), False)

    def test_takes_every_setting(self) -> None:
        given: dict[str, Any] = {
            "effect": "write",
            "resources": ("mail", "log"),
            "approval": "ask",
            "retries": 2,
            "timeout": 1.5,
            "max_concurrency": 3,
            "cost": 0.01,
            "expected_seconds": 0.2,
            "idempotent": True,
            "tags": frozenset({"slow"}),
            "version": "2",
            "description": "Sends.",
        }
        sender = made("send", **given)
        assert {name: getattr(sender, name) for name in given} == given

    def test_leaves_the_function_callable(self) -> None:
        assert double(4) == 8
        assert inspect.unwrap(double).__name__ == "double"
        assert double.__doc__ == "Double a number."

    def test_takes_a_bound_method_as_it_is(self) -> None:
        class Counter:
            def count(self, to: Annotated[int, "How far."]) -> int:
                """Count."""
                return to

        counting = tool(Counter().count, effect="pure")
        assert [p.name for p in counting.parameters] == ["to"]
        assert not counting.needs_instance
        assert asyncio.run(counting.invoke(counting.bind({"to": 3}))) == 3

    def test_lists_everything_that_is_missing_at_once(self) -> None:
        def find(start, end: date, *rest: int, limit: int = Field(default=3), **options: str):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, D
            """
            Args:
                strat: First day.
            """

        wrong: Any = "maybe"
        with pytest.raises(ToolDefinitionError) as caught:
            tool(find, effect=wrong, retries=-1, timeout=0, cost=float("nan"))
        how = "add it under 'Args:' in the docstring, or write Annotated[type, Field(description=…)]"
        assert str(caught.value) == "\n  - ".join(
            (
                f"'{find.__module__}.{find.__qualname__}' cannot be a tool:",
                "parameter 'start' has no type hint",
                "parameter '*rest' cannot be given by name: use a parameter of type list",
                "parameter 'limit' has Field(…) as its default: write Annotated[type, Field(…)] instead",
                "parameter '**options' has no declared names: use a parameter each, or one dict",
                f"parameter 'start' has no description: {how}",
                f"parameter 'end' has no description: {how}",
                f"parameter 'limit' has no description: {how}",
                "the docstring describes 'strat', which is not a parameter",
                "the return value has no type hint (write '-> None' if nothing is returned)",
                "effect has to be 'pure', 'read' or 'write', got 'maybe'",
                "retries has to be a whole number from 0, got -1",
                "timeout has to be seconds above 0, or None, got 0",
                "cost has to be US dollars from 0, got nan",
                "it has no description: write a docstring, or pass description=",
            )
        )

    def test_refuses_positional_only_parameters_and_generators(self) -> None:
        def numbers(start: Annotated[int, "Where."], /) -> Iterator[int]:
            """Count up."""
            yield start

        async def stream() -> AsyncIterator[int]:
            """Count up."""
            yield 1

        with pytest.raises(ToolDefinitionError) as caught:
            tool(numbers)
        assert "parameter 'start' is positional-only, and plans give names: remove the '/'" in str(caught.value)
        assert "it is a generator, and a tool returns one value: return a list" in str(caught.value)
        with pytest.raises(ToolDefinitionError, match="it is a generator"):
            tool(stream)

    @pytest.mark.parametrize("thing", [functools.partial(print), int, staticmethod(len), 3])
    def test_refuses_what_is_not_a_function(self, thing: Any) -> None:
        with pytest.raises(
            ToolDefinitionError, match=r"expected a function or a method, got .*: wrap it in a function"
        ):
            tool(thing)

    def test_refuses_a_tool_twice(self) -> None:
        with pytest.raises(ToolDefinitionError, match=r"'double' is a tool already; change its settings with .replace"):
            tool(double)

    def test_refuses_unknown_settings_and_pure_tools_with_resources(self) -> None:
        with pytest.raises(ToolDefinitionError) as caught:
            made("x", effect="pure", resources="db", retry=3)
        assert "there is no setting 'retry'; there are: name, description, effect" in str(caught.value)
        assert "a pure tool touches no resources: remove them, or say effect='read'" in str(caught.value)

    @pytest.mark.parametrize("name", ["", "two words", "-x", "naïve", "x" * 129])
    def test_refuses_names_that_no_plan_could_write(self, name: str) -> None:
        with pytest.raises(ToolDefinitionError, match="name has to be 1 to 128 letters, digits and"):
            made(name)

    def test_never_changes(self) -> None:
        with pytest.raises(FrozenInstanceError):
            double.name = "triple"  # type: ignore[misc]


class TestReplace:
    def test_changes_settings_and_keeps_the_rest(self) -> None:
        asked = fetch_top_products.replace(name="top", approval="ask")
        assert (asked.name, asked.approval, asked.resources) == ("top", "ask", ("shop_db",))
        assert fetch_top_products.approval is None
        assert asked.signature().startswith("top(")
        assert asked.bind({"start_date": "2024-01-01", "end_date": "2024-01-02"})["end_date"] == date(2024, 1, 2)

    def test_checks_the_new_settings(self) -> None:
        with pytest.raises(ToolDefinitionError) as caught:
            double.replace(retries=-1)
        assert str(caught.value) == ("'double' cannot be a tool:\n  - retries has to be a whole number from 0, got -1")

    def test_of_the_effect_decides_again_what_may_be_repeated(self) -> None:
        assert double.replace(effect="pure").idempotent
        assert not fetch_top_products.replace(effect="write").idempotent
        assert fetch_top_products.replace(effect="write", idempotent=True).idempotent


class TestSignature:
    def test_is_one_python_like_line(self) -> None:
        assert fetch_top_products.signature() == (
            "fetch_top_products(start_date: date, end_date: date, num_products: int = 1) -> "
            "list[{name: str, units: int}]"
        )

    def test_shows_every_kind_of_type(self) -> None:
        remote = Tool.from_schema(
            name="github.create-issue",
            description="Open an issue.",
            input_schema={
                "properties": {
                    "kind": {"enum": ["bug", "wish", 3, None]},
                    "labels": {"type": "array", "items": {"type": "string"}},
                    "extra": {"type": "object", "additionalProperties": {"type": "number"}},
                    "pair": {"type": "array", "prefixItems": [{"type": "integer"}], "items": False},
                    "at": {"type": ["string", "null"], "format": "date-time"},
                    "raw": {},
                    "open": {"type": "boolean", "default": True},
                },
                "required": ["kind", "labels", "extra", "pair", "at", "raw"],
            },
            output_schema={"type": "object", "properties": {"no": {"type": "integer"}, "the url": {"type": "string"}}},
            call=dict,
        )
        assert remote.signature() == (
            'github_create_issue(kind: "bug" | "wish" | 3 | None, labels: list[str], extra: dict[str, float], '
            "pair: tuple[int], at: datetime | None, raw: Any, open: bool = True) -> "
            '{no?: int, "the url"?: str}'
        )

    def test_shows_an_optional_argument_without_a_known_default(self) -> None:
        remote = Tool.from_schema(
            name="x", description="X.", input_schema={"properties": {"a": {"type": "integer"}}}, call=dict
        )
        assert remote.signature() == "x(a: int = ...) -> Any"


class TestFingerprint:
    def test_is_the_same_for_the_same_definition(self) -> None:
        again = tool(fetch_top_products.function, effect="read", resources="shop_db")
        assert again.fingerprint == fetch_top_products.fingerprint

    @pytest.mark.parametrize("change", [{"name": "top"}, {"version": "2"}, {"effect": "write"}, {"resources": "db"}])
    def test_changes_with_what_a_stored_plan_relies_on(self, change: Any) -> None:
        assert fetch_top_products.replace(**change).fingerprint != fetch_top_products.fingerprint

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (int | str, str | int),
            (list[int | str], list[str | int]),
            (Annotated[int, Field(ge=1)], Annotated[int, Field(ge=2)]),
            (Annotated[int, Field(examples=[1])], Annotated[int, Field(examples=[2])]),
            (Literal["a", "b"], Literal["b", "a"]),
            (int, float),
            (row_of(int), row_of(str)),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("place", ["argument", "return"])
    def test_changes_with_a_schema_whatever_was_seen_before(self, before: Any, after: Any, place: str) -> None:
        """Also where typing takes two hints for equal, or two classes have one name."""

        def fingerprint(hint: Any) -> str:
            def look(value: Any, label: Any) -> None:
                """Look.

                Args:
                    value: What to look at.
                    label: A text.
                """

            given, returned = (hint, int) if place == "argument" else (int, hint)
            look.__annotations__ = {"value": given, "label": str, "return": returned}
            return tool(look, effect="read").fingerprint

        assert fingerprint(before) == fingerprint(before) != fingerprint(after)

    def test_changes_with_a_default_a_description_and_what_is_required(self) -> None:
        def one(value: int) -> int:
            """Look.

            Args:
                value: What to look at.
            """
            return value

        def other(value: int) -> int:
            """Look.

            Args:
                value: What to look for.
            """
            return value

        def optional(value: int = 1) -> int:
            """Look.

            Args:
                value: What to look at.
            """
            return value

        def another_default(value: int = 2) -> int:
            """Look.

            Args:
                value: What to look at.
            """
            return value

        functions = (one, other, optional, another_default)
        assert len({tool(function, name="look").fingerprint for function in functions}) == len(functions)

    def test_does_not_change_with_how_a_call_is_made(self) -> None:
        changed = fetch_top_products.replace(retries=5, approval="ask", timeout=3, tags="slow")
        assert changed.fingerprint == fetch_top_products.fingerprint


async def call(it: Tool, context: RunContext[Any] | None = None, **args: Json) -> Json:
    return await it.invoke(it.bind(args), context)


class TestInvoke:
    async def test_awaits_an_async_function(self) -> None:
        assert await call(fetch_top_products, start_date="2024-01-01", end_date="2024-01-08") == [
            {"name": "Whiskers", "units": 7}
        ]

    async def test_runs_sync_functions_beside_the_event_loop_at_the_same_time(self) -> None:
        barrier = threading.Barrier(40, timeout=10)

        @tool(effect="read")
        def meet() -> bool:
            """Wait for the others: would never end on one thread, or on a pool of a few."""
            barrier.wait()
            return threading.current_thread() is not threading.main_thread()

        assert await asyncio.gather(*(call(meet) for _ in range(40))) == [True] * 40

    async def test_uses_threads_again(self) -> None:
        @tool(effect="read")
        def who() -> int:
            """Say which thread this is."""
            return threading.get_ident()

        assert len({await call(who) for _ in range(20)}) <= 2

    async def test_gives_a_thread_the_context_variables(self) -> None:
        user = contextvars.ContextVar("user", default="nobody")
        user.set("Ada")

        @tool(effect="read")
        def whoami() -> str:
            """Say who is asking."""
            found = user.get()
            user.set("changed by the tool")
            return found

        assert await call(whoami) == "Ada"
        assert user.get() == "Ada"

    async def test_awaits_what_a_decorated_async_function_hands_out(self) -> None:
        def logged(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def wrapper(**args: Any) -> Any:
                return function(**args)

            return wrapper

        @tool(effect="pure")
        @logged
        async def half(number: Annotated[float, "What to halve."]) -> float:
            """Halve a number."""
            return number / 2

        assert await call(half, number=3) == 1.5

    @pytest.mark.parametrize("error", [ModelRetry("Another city, please."), ValueError("bad"), StopIteration(3)])
    async def test_passes_on_what_a_sync_tool_raises(self, error: Exception) -> None:
        @tool(effect="read")
        def fail() -> None:
            """Fail."""
            raise error

        with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)) as caught:
            await call(fail)
        assert caught.value is error or caught.value.__cause__ is error

    async def test_passes_on_what_an_async_tool_raises(self) -> None:
        error = ModelRetry("Another city, please.")

        @tool(effect="read")
        async def fail() -> None:
            """Fail."""
            raise error

        with pytest.raises(ModelRetry) as caught:
            await call(fail)
        assert caught.value is error

    async def test_returns_at_once_when_cancelled_and_tells_the_thread(self) -> None:
        started, stopped = threading.Event(), threading.Event()

        @tool(effect="read")
        def search(context: RunContext[None]) -> None:
            """Search until told to stop."""
            started.set()
            while not context.cancelled:
                time.sleep(0.001)
            stopped.set()

        task = asyncio.create_task(call(search, RunContext(None)))
        assert await asyncio.to_thread(started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(stopped.wait, 5)

    def test_never_keeps_the_interpreter_from_exiting(self) -> None:
        program = """
import asyncio, threading
from agentkit.toolbox import tool

@tool
def hang() -> None:
    '''Hang for ever.'''
    threading.Event().wait()

async def main():
    try:
        async with asyncio.timeout(0.05):
            await hang.invoke({})
    except TimeoutError:
        print("left alone")

asyncio.run(main())
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, check=True)
        assert done.stdout == "left alone\n"
        assert done.stderr == ""

    async def test_survives_a_result_that_comes_after_the_loop_has_closed(self) -> None:
        release, finished = threading.Event(), threading.Event()

        @tool(effect="read")
        def late() -> int:
            """Come late."""
            release.wait(5)
            finished.set()
            return 1

        def elsewhere() -> None:
            async def main() -> None:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await call(late)

            asyncio.run(main())

        await asyncio.to_thread(elsewhere)
        release.set()
        assert await asyncio.to_thread(finished.wait, 5)
        assert await call(double, number=2) == 4

    async def test_refuses_a_result_of_another_type(self) -> None:
        @tool(effect="read")
        def price() -> float:
            """Look a price up."""
            return "cheap"  # type: ignore[return-value]

        with pytest.raises(ToolOutputError) as caught:
            await call(price)
        assert str(caught.value) == (
            "tool 'price' returned what its output schema refuses:\n  - result: expected number, got 'cheap'"
        )

    async def test_runs_a_remote_procedure_of_either_kind(self) -> None:
        async def ask(args: dict[str, Any]) -> Json:
            return {"async": args}

        def settings(name: str) -> Any:
            return {"name": name, "description": "X.", "input_schema": {"properties": {"a": {}}}}

        one = Tool.from_schema(**settings("one"), call=ask)
        two = Tool.from_schema(**settings("two"), call=lambda args: {"thread": threading.current_thread().name})
        assert await call(one, a=1) == {"async": {"a": 1}}
        assert await call(two) == {"thread": "agentkit-tool"}


class TestRunContext:
    async def test_is_handed_in_and_not_part_of_the_schema(self) -> None:
        @tool(effect="read")
        def tell(context: RunContext[dict[str, int]], key: Annotated[str, "Which."]) -> list[Any]:
            """Tell what is known."""
            return [context.deps[key], context.retry, context.idempotency_key, context.run_id, context.step]

        assert tell.takes_context
        assert [p.name for p in tell.parameters] == ["key"]
        context = RunContext({"a": 1}, usage=Usage(), retry=2, idempotency_key="k", run_id="r", step="s[0]")
        assert await call(tell, context, key="a") == [1, 2, "k", "r", "s[0]"]

    async def test_may_be_bare_async_and_absent(self) -> None:
        @tool(effect="read")
        async def tell(context: RunContext) -> bool:
            """Tell what is known."""
            return context.deps is None and not context.cancelled

        assert await call(tell) is True
        assert not double.takes_context

    def test_has_to_come_first(self) -> None:
        def tell(key: Annotated[str, "Which."], context: RunContext[None]) -> None:
            """Tell."""

        with pytest.raises(ToolDefinitionError, match="parameter 'context' is a RunContext, which has to be the first"):
            tool(tell)

    def test_can_be_made_for_a_given_type(self) -> None:
        assert RunContext[int](3).deps == 3


class Shop:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    @tool(effect="read", resources="shop")
    async def price(self, product: Annotated[str, "Its name."]) -> float:
        """Look a price up."""
        return len(product) * self.factor

    @tool(effect="write", resources="shop")
    def order(self, context: RunContext[str], product: Annotated[str, "Its name."]) -> str:
        """Order a product."""
        return f"{context.deps} ordered {product} for {self.factor}"


class TestMethods:
    async def test_become_tools_of_the_instance(self) -> None:
        cheap, dear = Shop(), Shop(2.0)
        assert await call(cheap.price, product="cat") == 3.0
        assert await call(dear.price, product="cat") == 6.0
        assert await dear.price("cat") == 6.0
        assert await call(dear.order, RunContext("Ada"), product="cat") == "Ada ordered cat for 2.0"
        assert [p.name for p in dear.order.parameters] == ["product"]

    def test_are_collected_base_first_with_overrides_in_place(self) -> None:
        class Store(Shop):
            @tool(effect="pure")
            def greet(self) -> str:
                """Greet."""
                return "hello"

            @tool(effect="read")
            def price(self, product: Annotated[str, "Its name."]) -> int:  # type: ignore[override]
                """Look a price up elsewhere."""
                return 1

        class Quiet(Store):
            greet = None  # type: ignore[assignment]

        names = [(found.name, found.effect) for found in tools_of(Store())]
        assert names == [("price", "read"), ("order", "write"), ("greet", "pure")]
        assert tools_of(Store())[0].description == "Look a price up elsewhere."
        assert [found.name for found in tools_of(Quiet())] == ["price", "order"]

    def test_overridden_by_a_plain_function_are_an_error(self) -> None:
        class Store(Shop):
            async def price(self, product: str) -> float:  # type: ignore[override]
                return 0.0

        with pytest.raises(DefinitionError) as caught:
            tools_of(Store())
        assert str(caught.value) == (
            "TestMethods.test_overridden_by_a_plain_function_are_an_error.<locals>.Store.price overrides the tool "
            f"'{HERE}.Shop.price' and is not a tool: decorate it with @tool, or set it to None to remove the tool"
        )

    async def test_cannot_be_called_without_their_object(self) -> None:
        message = (
            f"tool 'price' is the method '{HERE}.Shop.price' without its object: "
            r"take it from an instance, or give tools_of\(instance\)"
        )
        with pytest.raises(DefinitionError, match=message):
            Toolbox(Shop.price)
        with pytest.raises(DefinitionError, match=message):
            await Shop.price.invoke({"product": "cat"})

    def test_share_their_schemas(self) -> None:
        assert Shop().price.input_schema is Shop().price.input_schema


class TestToolbox:
    def test_maps_names_to_tools_in_order(self) -> None:
        box = Toolbox(double, [fetch_top_products, Toolbox(made("ping"))])
        assert list(box) == ["double", "fetch_top_products", "ping"]
        assert box["double"] is double
        assert box.get("nope") is None
        assert "ping" in box
        assert len(box) == 3
        assert repr(box) == "Toolbox(double, fetch_top_products, ping)"

    def test_suggests_a_name_when_there_is_none(self) -> None:
        with pytest.raises(KeyError, match=r"there is no tool 'duoble'; did you mean 'double'\?"):
            Toolbox(double)["duoble"]

    def test_takes_the_same_tool_twice(self) -> None:
        shop = Shop()
        box = Toolbox(double) | Toolbox(double, shop.price) | [shop.price]
        assert list(box) == ["double", "price"]

    def test_refuses_two_tools_of_one_name_and_names_both(self) -> None:
        with pytest.raises(DefinitionError) as caught:
            Toolbox(double, made("double"), Shop().price, Shop().price)
        assert str(caught.value) == (
            "these tools do not make a toolbox:\n"
            f"  - two tools are named 'double': {HERE}.double and {HERE}.made.<locals>.nothing; "
            "rename one of them with .replace(name=…)\n"
            f"  - two tools are named 'price': {HERE}.Shop.price and {HERE}.Shop.price; "
            "rename one of them with .replace(name=…)"
        )

    def test_refuses_two_tools_of_one_identifier(self) -> None:
        with pytest.raises(DefinitionError) as caught:
            Toolbox(made("a.b"), made("a-b"))
        where = f"{HERE}.made.<locals>.nothing"
        assert f"'a.b' ({where}) and 'a-b' ({where}) are both 'a_b' in a Python plan; rename" in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "what"),
        [
            ("answer", "reads 'answer' as a word of its own"),
            ("each", "reads 'each' as a word of its own"),
            ("import", "reads 'import' as a word of its own"),
            ("True", "reads 'True' as a word of its own"),
            ("len", "calls the pure function len(...)"),
            ("add-days", "calls the pure function add_days(...)"),
            ("concat", "calls the pure function concat(...)"),
        ],
    )
    def test_refuses_names_that_mean_something_else(self, name: str, what: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            Toolbox(made(name))
        assert str(caught.value) == (
            "these tools do not make a toolbox:\n"
            f"  - no tool can be named {name!r}, since a plan {what}: "
            f"rename it with @tool(name='{name}_tool'), or .replace(name=…)"
        )

    def test_refuses_what_is_not_a_tool(self) -> None:
        with pytest.raises(DefinitionError) as caught:
            Toolbox(len, "double", 3)  # type: ignore[arg-type]
        assert str(caught.value) == (
            "these tools do not make a toolbox:\n"
            "  - <built-in function len> is not a tool: decorate it with @tool\n"
            "  - 'double' is not a tool: give tools, toolboxes or iterables of them\n"
            "  - 3 is not a tool: give tools, toolboxes or iterables of them"
        )

    def test_finds_a_tool_by_its_identifier(self) -> None:
        remote = made("github.create-issue")
        assert Toolbox(remote).by_python_name("github_create_issue") is remote
        assert Toolbox(remote).by_python_name("github.create-issue") is None
        assert made("3d").python_name == "_3d"

    def test_selects_by_glob_and_tag(self) -> None:
        box = Toolbox(made("fetch_a", tags="web"), made("fetch_b", tags=("db", "slow")), made("send", tags=["web"]))
        assert list(box.select("fetch_*")) == ["fetch_a", "fetch_b"]
        assert list(box.select(tags="web")) == ["fetch_a", "send"]
        assert list(box.select("fetch_*", "send", tags=["web", "slow"])) == ["fetch_a", "fetch_b", "send"]
        assert list(box.select("f*", tags="web")) == ["fetch_a"]
        assert list(box.select("nothing_*")) == []
        assert list(box.select()) == list(box)

    def test_does_not_select_a_name_that_is_not_there(self) -> None:
        with pytest.raises(DefinitionError, match=r"there is no tool 'doubel' to select; did you mean 'double'\?"):
            Toolbox(double).select("doubel")

    @pytest.mark.parametrize(
        ("name", "closest"),
        [
            ("bing_search", ["web_search"]),
            ("searchTheWeb", ["web_search"]),
            ("fetch_top_product", ["fetch_top_products", "top_products_report", "product_info"]),
            ("product_report", ["top_products_report", "product_info", "fetch_top_products"]),
            ("info_about_product", ["product_info"]),
            ("xyzzy", []),
        ],
    )
    def test_knows_what_was_probably_meant(self, name: str, closest: list[str]) -> None:
        box = Toolbox(map(made, ("web_search", "send_mail", "product_info", "top_products_report")), fetch_top_products)
        assert box.closest(name) == closest

    def test_shows_all_signatures_with_a_word_about_each(self) -> None:
        assert Toolbox(double, fetch_top_products).signatures() == (
            "double(number: int) -> int  # Double a number.\n"
            "fetch_top_products(start_date: date, end_date: date, num_products: int = 1) -> "
            "list[{name: str, units: int}]  # Fetch the best-selling products."
        )

    def test_has_a_fingerprint_that_does_not_depend_on_the_order(self) -> None:
        one = Toolbox(double, fetch_top_products)
        assert one.fingerprint == Toolbox(fetch_top_products, double).fingerprint
        assert one.fingerprint != Toolbox(double).fingerprint

    def test_with_more_tools_is_another_toolbox(self) -> None:
        box = Toolbox(double)
        assert list(box.with_(made("ping"))) == ["double", "ping"]
        assert list(box) == ["double"]

    def test_validates_all_schemas_on_demand(self) -> None:
        class Opaque:
            pass

        def one() -> Opaque:
            """One."""
            return Opaque()

        def two(x: Annotated[Opaque, "It."]) -> None:
            """Two."""

        box = Toolbox(tool(one), tool(two), double)
        with pytest.raises(ToolDefinitionError) as caught:
            box.validate()
        assert "one' cannot be a tool" in str(caught.value)
        assert "two' cannot be a tool" in str(caught.value)
        Toolbox(double).validate()
