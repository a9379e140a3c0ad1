"""Static types of plan values: read from JSON Schema, compared, joined and shown; gradual throughout.

A type is a set of JSON values. What cannot be known is `ANY`, and `flows` answers MAYBE rather than guess: NO is said
only where no value can be right, YES only where every value is.
"""

from __future__ import annotations

from agentkit.types.access import Found, NotFound, Presence, field_type, item_type
from agentkit.types.algebra import join, meet
from agentkit.types.flows import Flow, accepts, element_at, flows
from agentkit.types.kinds import (
    ANY,
    ARRAY,
    BOOLEAN,
    INTEGER,
    NEVER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    AnyType,
    ArrayType,
    BooleanType,
    IntegerType,
    LiteralType,
    NeverType,
    NullType,
    NumberType,
    ObjectType,
    RefinedType,
    Scalar,
    StringType,
    Type,
    UnionType,
    literal,
    members_of,
    refined,
    unrefined,
)
from agentkit.types.mismatch import Mismatch, MismatchKind, mismatch
from agentkit.types.schemas import from_schema, list_of, to_schema, type_of_value
from agentkit.types.widening import widen

__all__ = [
    "ANY",
    "ARRAY",
    "BOOLEAN",
    "INTEGER",
    "NEVER",
    "NULL",
    "NUMBER",
    "OBJECT",
    "STRING",
    "UNKNOWN",
    "AnyType",
    "ArrayType",
    "BooleanType",
    "Flow",
    "Found",
    "IntegerType",
    "LiteralType",
    "Mismatch",
    "MismatchKind",
    "NeverType",
    "NotFound",
    "NullType",
    "NumberType",
    "ObjectType",
    "Presence",
    "RefinedType",
    "Scalar",
    "StringType",
    "Type",
    "UnionType",
    "accepts",
    "element_at",
    "field_type",
    "flows",
    "from_schema",
    "item_type",
    "join",
    "list_of",
    "literal",
    "meet",
    "members_of",
    "mismatch",
    "refined",
    "to_schema",
    "type_of_value",
    "unrefined",
    "widen",
]
