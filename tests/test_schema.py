"""What a function's hints and docstring become: JSON Schemas, and checks that are as strict as they say."""

from __future__ import annotations

import enum
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, computed_field
from typing_extensions import Doc
from typing_extensions import TypedDict as PydanticTypedDict

from agentkit.errors import ToolDefinitionError, ToolInputError, ToolOutputError
from agentkit.messages import Json
from agentkit.toolbox import Tool, tool

TYPES = "string, number, integer, boolean, object, array, null"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Product:
    name: str
    units: Annotated[int, Field(ge=0)] = 0
    tags: list[str] = field(default_factory=list)


class Row(PydanticTypedDict):
    name: str
    price: float


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    lines: list[Product] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        return len(self.lines)


def takes(hint: Any, default: Any = ...) -> Tool:
    """A tool with one argument ``x`` of the type given, which it returns as it got it."""

    def one(x: Any) -> Any:
        return x

    one.__annotations__ = {"x": Annotated[hint, Field(description="The value.")], "return": Any}
    if default is not ...:
        one.__defaults__ = (default,)
    return tool(one, description="Takes one value.", effect="pure")


def returns(hint: Any) -> Tool:
    def one() -> Any:
        """Returns one value."""

    one.__annotations__["return"] = hint
    return tool(one, effect="pure")


async def dumped(made: Tool, result: Any) -> Json:
    """What a tool of the same result type gives out for `result`."""

    def one() -> Any:
        """Returns one value."""
        return result

    one.__annotations__["return"] = made.function.__annotations__["return"]  # type: ignore[attr-defined]
    return await tool(one, effect="pure", name=made.name).invoke({})


class TestInputSchema:
    def test_is_a_closed_object_with_types_formats_defaults_and_descriptions(self) -> None:
        @tool(effect="read")
        def top(start: date, colour: Literal["red", "blue"], count: int = 10, note: str | None = None) -> None:
            """Find.

            Args:
                start: First day.
                colour: Which colour.
                count: How many.
                note: A remark.
            """

        assert top.input_schema == {
            "type": "object",
            "properties": {
                "start": {"type": "string", "format": "date", "description": "First day."},
                "colour": {"type": "string", "enum": ["red", "blue"], "description": "Which colour."},
                "count": {"type": "integer", "default": 10, "description": "How many."},
                "note": {
                    "anyOf": [{"type": "string"}, {"type": "null"}],
                    "default": None,
                    "description": "A remark.",
                },
            },
            "required": ["start", "colour"],
            "additionalProperties": False,
        }

    def test_of_a_function_without_parameters_is_an_empty_closed_object(self) -> None:
        assert returns(int).input_schema == {"type": "object", "properties": {}, "additionalProperties": False}

    @pytest.mark.parametrize(
        "docstring",
        [
            "Find.\n\n    Args:\n        start: First day.\n        end (date): Last day,\n            included.\n",
            """Find.

            Parameters
            ----------
            start : date
                First day.
            end : date
                Last day,
                included.
            """,
            "Find.\n\n    :param start: First day.\n    :param date end: Last day, included.\n    :returns: Nothing.\n",
        ],
        ids=["google", "numpy", "sphinx"],
    )
    def test_takes_descriptions_from_every_docstring_style(self, docstring: str) -> None:
        def find(start: date, end: date) -> None: ...

        find.__doc__ = docstring
        made = tool(find, effect="read")
        assert made.description == "Find."
        assert [p.description for p in made.parameters] == ["First day.", "Last day, included."]

    def test_takes_two_parameters_that_numpy_style_describes_together(self) -> None:
        def find(start: date, end: date) -> None:
            """Find.

            Parameters
            ----------
            start, end : date
                The period.
            """

        assert [p.description for p in tool(find).parameters] == ["The period.", "The period."]

    def test_prefers_descriptions_in_the_hint(self) -> None:
        def find(
            a: Annotated[int, Field(description="From Field.")],
            b: Annotated[int, Doc("From Doc.")],
            c: Annotated[int, "From text."],
        ) -> None:
            """Find.

            Args:
                a: From the docstring.
            """

        assert [p.description for p in tool(find).parameters] == ["From Field.", "From Doc.", "From text."]

    def test_of_a_parameter_is_complete_in_itself(self) -> None:
        [parameter] = takes(list[Product]).parameters
        assert parameter.required
        assert Draft202012Validator(parameter.schema).is_valid([{"name": "cat", "units": 3}])
        assert not Draft202012Validator(parameter.schema).is_valid([{"units": 3}])

    def test_leaves_out_a_default_that_is_not_json(self) -> None:
        assert "default" not in takes(int, object()).parameters[0].schema

    def test_knows_types_that_exist_only_inside_a_function(self) -> None:
        class Size(enum.Enum):
            SMALL = "s"
            MEDIUM = "m"

        @dataclass
        class Shirt:
            size: Size

        @tool(effect="pure")
        def wash(shirt: Shirt, size: Size) -> Shirt:
            """Wash.

            Args:
                shirt: It.
                size: Its size.
            """
            return shirt

        assert wash.bind({"shirt": {"size": "m"}, "size": "s"}) == {
            "shirt": Shirt(Size.MEDIUM),
            "size": Size.SMALL,
        }
        with pytest.raises(ToolInputError, match=r"argument 'shirt\.size': expected 's' or 'm', got 'xl'"):
            wash.bind({"shirt": {"size": "xl"}, "size": "s"})

    def test_knows_types_of_the_class_body_around_a_method(self) -> None:
        class Shop:
            Size: TypeAlias = Literal["s", "m"]

            @tool(effect="read")
            def stock(self, size: Size) -> int:
                """Count.

                Args:
                    size: Which.
                """
                return 1

        assert Shop().stock.parameters[0].schema["enum"] == ["s", "m"]

    def test_may_name_a_type_that_is_defined_after_the_function(self) -> None:
        @tool(effect="pure")
        def feed(animal: Later) -> str:
            """Feed.

            Args:
                animal: Whom.
            """
            return animal.name

        assert feed.bind({"animal": {"name": "Tom"}}) == {"animal": Later("Tom")}


@dataclass
class Later:
    name: str


class Tree(PydanticTypedDict):
    children: list[Tree]


ACCEPTED: list[tuple[Any, Json, Any]] = [
    (int, 7, 7),
    (int, 7.0, 7),
    (float, 7, 7.0),
    (bool, True, True),
    (str, "x", "x"),
    (date, "2024-05-31", date(2024, 5, 31)),
    (datetime, "2024-05-31T10:00:00", datetime(2024, 5, 31, 10)),  # noqa: DTZ001 - that is what was given
    (datetime, "2024-05-31", datetime(2024, 5, 31)),  # noqa: DTZ001
    (time, "09:30", time(9, 30)),
    (timedelta, "PT90S", timedelta(seconds=90)),
    (Decimal, "1.50", Decimal("1.50")),
    (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    (Colour, "red", Colour.RED),
    (Literal[1, 2], 2, 2),
    (int | None, None, None),
    (int | str, "7", "7"),
    (int | str, 7.0, 7),
    (date | None, "2024-05-31", date(2024, 5, 31)),
    (list[date], ["2024-05-31"], [date(2024, 5, 31)]),
    (dict[str, int], {"a": 1.0}, {"a": 1}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (set[int], [1, 2, 2], {1, 2}),
    (list[Product], [{"name": "cat", "units": 2.0}], [Product("cat", 2)]),
    (Row, {"name": "cat", "price": 3}, {"name": "cat", "price": 3.0}),
    (Order, {"id": 1, "lines": [{"name": "cat"}]}, Order(id=1, lines=[Product("cat")])),
    (Tree, {"children": [{"children": []}]}, {"children": [{"children": []}]}),
    (Any, {"a": [1, 7.0, None]}, {"a": [1, 7.0, None]}),
]

REFUSED: list[tuple[Any, Json, str]] = [
    (int, "7", "argument 'x': expected integer, got '7'"),
    (int, 7.5, "argument 'x': expected integer, got 7.5"),
    (int, True, "argument 'x': expected integer, got True"),
    (float, "7", "argument 'x': expected number, got '7'"),
    (float, True, "argument 'x': expected number, got True"),
    (bool, 1, "argument 'x': expected boolean, got 1"),
    (bool, "yes", "argument 'x': expected boolean, got 'yes'"),
    (str, 7, "argument 'x': expected string, got 7"),
    (date, 20240531, "argument 'x': expected date, got 20240531"),
    (date, "20240531", "argument 'x': expected ISO 8601 text, not a number of seconds, got '20240531'"),
    (datetime, "1700000000", "argument 'x': expected ISO 8601 text, not a number of seconds, got '1700000000'"),
    (Literal[1, 2], True, "argument 'x': expected one of the allowed numbers, not a boolean, got True"),
    (Literal["a", "b"], "c", "argument 'x': expected 'a' or 'b', got 'c'"),
    (Colour, "green", "argument 'x': expected 'red' or 'blue', got 'green'"),
    (int | str, None, "argument 'x': expected integer or string, got None"),
    (list[int], [1, "2"], "argument 'x[1]': expected integer, got '2'"),
    (dict[str, list[int]], {"a": [True]}, "argument 'x.a[0]': expected integer, got True"),
    (Annotated[int, Field(ge=1)], 0, "argument 'x': expected a value greater than or equal to 1, got 0"),
    (Annotated[str, Field(min_length=2)], "a", "argument 'x': string should have at least 2 characters, got 'a'"),
    (Product, {"units": 1}, "argument 'x.name': this field is missing"),
    (Product, {"name": "cat", "price": 1}, "argument 'x.price': this field does not exist, got 1"),
    (float, math.nan, "argument 'x': expected JSON, got nan"),
    (Any, {1, 2}, "argument 'x': expected JSON, got {1, 2}"),
]


class TestBind:
    @pytest.mark.parametrize(("hint", "value", "bound"), ACCEPTED)
    def test_accepts_what_the_schema_accepts_and_gives_python_values(self, hint: Any, value: Json, bound: Any) -> None:
        result = takes(hint).bind({"x": value})
        assert result == {"x": bound}
        assert type(result["x"]) is type(bound)

    @pytest.mark.parametrize(("hint", "value", "problem"), REFUSED)
    def test_refuses_what_the_schema_refuses(self, hint: Any, value: Json, problem: str) -> None:
        with pytest.raises(ToolInputError) as caught:
            takes(hint).bind({"x": value})
        assert str(caught.value) == f"tool 'one' cannot take these arguments:\n  - {problem}"

    def test_names_every_problem_at_once(self) -> None:
        @tool(effect="read")
        def find(start: date, end: date, count: int = 1) -> None:
            """Find.

            Args:
                start: First day.
                end: Last day.
                count: How many.
            """

        with pytest.raises(ToolInputError) as caught:
            find.bind({"start": "tomorrow", "cuont": 3, "count": "3"})
        assert str(caught.value) == (
            "tool 'find' cannot take these arguments:\n"
            "  - argument 'start': expected date in the format YYYY-MM-DD, input is too short, got 'tomorrow'\n"
            "  - argument 'end' is missing\n"
            "  - argument 'count': expected integer, got '3'\n"
            "  - argument 'cuont' does not exist; did you mean 'count'?"
        )

    def test_lists_the_arguments_when_none_is_close(self) -> None:
        with pytest.raises(ToolInputError, match="argument 'verbose' does not exist; there are: x"):
            takes(int).bind({"x": 1, "verbose": True})

    def test_leaves_defaults_to_the_function(self) -> None:
        assert takes(int, 3).bind({}) == {}

    def test_shortens_what_it_shows(self) -> None:
        with pytest.raises(ToolInputError) as caught:
            takes(int).bind({"x": "y" * 10_000})
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("value", ["\ud800", [[]] * 3])
    def test_survives_text_and_nesting_that_json_cannot_carry(self, value: Json) -> None:
        for _ in range(300):
            value = [value]
        with pytest.raises(ToolInputError, match="invalid JSON"):
            takes(Any).bind({"x": value})

    def test_refuses_arguments_that_are_no_object(self) -> None:
        with pytest.raises(ToolInputError, match=r"expected an object of arguments, got \[1\]"):
            takes(int).bind([1])  # type: ignore[arg-type]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
HINTS: list[Any] = [
    *(int, float, bool, str, int | None, int | str, list[int], dict[str, float], list[int | None], Row),
    *(Literal["a", 1], Literal[1, 2], Annotated[int, Field(ge=0, le=9)], tuple[int, str], Any),
]


@given(
    hint=st.sampled_from(HINTS),
    value=SCALARS
    | st.lists(SCALARS | st.sampled_from(["a", 1, 1.0]), max_size=3)
    | st.dictionaries(st.sampled_from(["name", "price", "z"]), SCALARS, max_size=3)
    | st.sampled_from(["a", 1, 2, 1.0, True, 0, 9.0]),
)
def test_binding_agrees_with_the_json_schema(hint: Any, value: Json) -> None:
    made = KNOWN.setdefault(str(hint), takes(hint))
    schema_accepts = Draft202012Validator(made.input_schema).is_valid({"x": value})
    try:
        made.bind({"x": value})
    except ToolInputError:
        assert not schema_accepts or not _encodable(value)
    else:
        assert schema_accepts


KNOWN: dict[str, Tool] = {}


def _encodable(value: Json) -> bool:
    """Half of a surrogate pair is a Python text, and not a JSON one."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return "\\ud" not in repr(value)


class TestOutput:
    @pytest.mark.parametrize(
        ("hint", "schema"),
        [
            (None, {"type": "null"}),
            (Any, {}),
            (object, {}),
            (list[int], {"type": "array", "items": {"type": "integer"}}),
            (
                Row,
                {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
                    "required": ["name", "price"],
                },
            ),
        ],
    )
    def test_schema_comes_from_the_return_hint(self, hint: Any, schema: Json) -> None:
        assert returns(hint).output_schema == schema

    def test_schema_says_that_a_field_with_a_default_is_always_there(self) -> None:
        assert returns(Product).output_schema["required"] == ["name", "units", "tags"]

    @pytest.mark.parametrize(
        ("hint", "result", "json"),
        [
            (int, 7, 7),
            (int, 7.0, 7),
            (float, 7, 7.0),
            (date, date(2024, 5, 31), "2024-05-31"),
            (date, "2024-05-31", "2024-05-31"),
            (Decimal, Decimal("1.5"), "1.5"),
            (Colour, Colour.RED, "red"),
            (list[str], ("a", "b"), ["a", "b"]),
            (set[int], {1}, [1]),
            (dict[date, int], {date(2024, 5, 31): 1}, {"2024-05-31": 1}),
            (Product, Product("cat", 2), {"name": "cat", "units": 2, "tags": []}),
            (Product, {"name": "cat"}, {"name": "cat", "units": 0, "tags": []}),
            (list[Row], [{"name": "cat", "price": 1}], [{"name": "cat", "price": 1.0}]),
            (
                Order,
                Order(id=1, lines=[Product("cat")]),
                {"id": 1, "lines": [{"name": "cat", "units": 0, "tags": []}], "count": 1},
            ),
            (Order, {"id": 1}, {"id": 1, "lines": [], "count": 0}),
            (Any, {"when": date(2024, 5, 31), 1: (1, 2)}, {"when": "2024-05-31", "1": [1, 2]}),
            (None, None, None),
        ],
    )
    async def test_is_plain_json(self, hint: Any, result: Any, json: Json) -> None:
        given_out = await dumped(returns(hint), result)
        assert given_out == json
        assert type(given_out) is type(json)

    @pytest.mark.parametrize(
        ("hint", "result", "problem"),
        [
            (int, "7", "result: expected integer, got '7'"),
            (int, True, "result: expected integer, got True"),
            (int, None, "result: expected integer, got None"),
            (None, 1, "result: expected null, got 1"),
            (list[Row], [{"name": "a", "price": "3"}], "result[0].price: expected number, got '3'"),
            (Product, Product(name=1), "result.name: expected string, got 1"),  # type: ignore[arg-type]
            (Product, Product("a", -1), "result.units: expected a value greater than or equal to 0, got -1"),
            (Order, {"id": "1"}, "result.id: expected integer, got '1'"),
            (float, math.nan, "result: expected JSON, got nan (Out of range float values are not JSON compliant)"),
            (Any, [math.inf], "result: expected JSON, got [inf] (Out of range float values are not JSON compliant)"),
            (
                Any,
                {"a": ...},
                "result: expected JSON, got {'a': Ellipsis} (Unable to serialize unknown type: <class 'ellipsis'>)",
            ),
        ],
    )
    async def test_that_does_not_fit_is_an_error(self, hint: Any, result: Any, problem: str) -> None:
        with pytest.raises(ToolOutputError) as caught:
            await dumped(returns(hint), result)
        assert str(caught.value) == f"tool 'one' returned what its output schema refuses:\n  - {problem}"

    async def test_of_an_alias_is_read_and_written_under_it(self) -> None:
        class Item(BaseModel):
            amount: int = Field(alias="qty")

        made = returns(Item)
        assert made.output_schema["properties"] == {"qty": {"type": "integer"}}
        assert await dumped(made, Item(qty=2)) == {"qty": 2}


class TestTypes:
    def test_without_a_schema_are_named_all_at_once_when_first_needed(self) -> None:
        class Opaque:
            pass

        def feed(
            a: Annotated[Opaque, "One."], b: Annotated[Callable[[int], str], "Two."], c: Annotated[int, "Three."]
        ) -> Opaque:
            """Feed."""
            return a

        made = tool(feed)
        with pytest.raises(ToolDefinitionError) as caught:
            made.bind({})
        assert str(caught.value) == (
            f"'{__name__}.{feed.__qualname__}' cannot be a tool:\n"
            f"  - parameter 'a' has type '{Opaque.__qualname__}', which cannot be described as JSON: "
            f"Unable to generate pydantic-core schema for {Opaque!r}\n"
            "  - parameter 'b' has type 'collections.abc.Callable[[int], str]', which cannot be described as JSON: "
            "Cannot generate a JsonSchema for core_schema.CallableSchema"
        )
        with pytest.raises(ToolDefinitionError, match="the return value has type"):
            _ = made.output_schema

    def test_that_nobody_defines_are_named_when_first_needed(self) -> None:
        def feed(animal: Unicorn) -> None:  # type: ignore[name-defined]  # noqa: F821
            """Feed.

            Args:
                animal: Whom.
            """

        made = tool(feed)
        with pytest.raises(ToolDefinitionError) as caught:
            _ = made.input_schema
        assert str(caught.value).endswith(
            "  - type hint 'Unicorn' of parameter 'animal' cannot be resolved: name 'Unicorn' is not defined"
        )

    def test_of_the_standard_typed_dict_say_which_one_to_use(self) -> None:
        class Plain(TypedDict):
            a: int

        with pytest.raises(ToolDefinitionError, match=r"Please use `typing_extensions.TypedDict`"):
            _ = returns(Plain).output_schema


class TestRemote:
    SCHEMA: ClassVar[Json] = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "Its title."},
            "size": {"$ref": "#/definitions/size"},
            "due": {"type": "string", "format": "date"},
        },
        "required": ["title"],
        "definitions": {"size": {"type": "integer", "minimum": 1}},
    }

    def remote(self, output_schema: Json = None, result: Any = None, **schema: Json) -> Tool:
        return Tool.from_schema(
            name="tracker.create-issue",
            description="Open an issue.",
            input_schema={**self.SCHEMA, **schema},
            output_schema=output_schema,
            call=lambda args: result,
        )

    def test_tool_has_the_parameters_of_its_schema(self) -> None:
        title, size, due = self.remote().parameters
        assert (title.name, title.required, title.description) == ("title", True, "Its title.")
        assert (due.name, due.required) == ("due", False)
        assert not Draft202012Validator(size.schema).is_valid(0)

    def test_arguments_are_all_checked(self) -> None:
        with pytest.raises(ToolInputError) as caught:
            self.remote().bind({"size": 0, "due": "soon", "titel": "x"})
        assert sorted(str(caught.value).splitlines()) == [
            "  - argument 'due': 'soon' is not a 'date'",
            "  - argument 'size': 0 is less than the minimum of 1",
            "  - argument 'titel' does not exist; did you mean 'title'?",
            "  - argument 'title' is missing",
            "tool 'tracker.create-issue' cannot take these arguments:",
        ]

    def test_arguments_are_passed_on_as_they_are(self) -> None:
        assert self.remote().bind({"title": "x", "size": 2.0}) == {"title": "x", "size": 2.0}

    def test_arguments_are_open_only_if_the_schema_says_so(self) -> None:
        with pytest.raises(ToolInputError, match="'extra' does not exist"):
            self.remote().bind({"title": "x", "extra": 1})
        assert self.remote(additionalProperties=True).bind({"title": "x", "extra": 1})["extra"] == 1

    def test_arguments_that_are_not_json_are_refused(self) -> None:
        with pytest.raises(ToolInputError, match="argument 'title': expected JSON, got nan"):
            self.remote().bind({"title": math.nan})

    def test_arguments_of_a_schema_that_never_ends_are_refused(self) -> None:
        endless = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"title": {"$ref": "#/$defs/a"}}}
        with pytest.raises(ToolInputError, match="the schema refers to itself without end"):
            self.remote(**endless).bind({"title": "x"})

    async def test_result_is_checked_against_the_output_schema(self) -> None:
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
        assert await self.remote(schema, {"id": 7, "url": "x"}).invoke({}) == {"id": 7, "url": "x"}
        with pytest.raises(ToolOutputError, match=r"result\.id: '7' is not of type 'integer'"):
            await self.remote(schema, {"id": "7"}).invoke({})

    async def test_result_has_to_be_json_even_without_an_output_schema(self) -> None:
        with pytest.raises(ToolOutputError, match="expected JSON, got <object"):
            await self.remote(None, object()).invoke({})

    @pytest.mark.parametrize(
        ("schema", "problem"),
        [
            (
                {"type": "objec"},
                f"input schema, at type: 'objec' is not a type; there are: {TYPES}",
            ),
            ({"type": "array"}, "input schema: a tool's arguments are an object, not 'array'"),
            ({"properties": {"a": {"pattern": "("}}}, "input schema, at properties.a.pattern: '(' is not a 'regex'"),
            (
                {"properties": {"a": {"$ref": "https://example.com/a.json"}}},
                (
                    "input schema: the reference 'https://example.com/a.json' leads outside; "
                    "put the schema that it means under '$defs'"
                ),
            ),
            (
                {"properties": {"a": {"$ref": "#/$defs/a"}}},
                "input schema: the reference '#/$defs/a' leads nowhere",
            ),
            ({"default": math.nan}, "input schema: not JSON (Out of range float values are not JSON compliant)"),
            ([], "input schema: expected an object, got list"),
        ],
    )
    def test_schema_is_checked_at_definition(self, schema: Json, problem: str) -> None:
        with pytest.raises(ToolDefinitionError) as caught:
            Tool.from_schema(name="remote", description="Far away.", input_schema=schema, call=dict)
        assert str(caught.value) == f"'remote' cannot be a tool:\n  - {problem}"

    def test_every_problem_of_a_definition_is_reported_at_once(self) -> None:
        with pytest.raises(ToolDefinitionError) as caught:
            Tool.from_schema(name="", input_schema=[], output_schema={"type": 3}, call=dict)  # type: ignore[arg-type]
        assert str(caught.value).count("\n  - ") == 4
