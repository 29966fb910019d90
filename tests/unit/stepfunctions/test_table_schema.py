"""Tests the schema of the table: the writes that it allows, and that no other module names an attribute."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import stepsched
from stepsched.machines.shared import table_schema as schema

ROOT = Path(stepsched.__file__).parent


def test_a_write_names_what_it_uses_and_nothing_else() -> None:
    request = schema.write(
        schema.HAS_TOKEN,
        schema.CAN_CLAIM,
        values={"old_token": {"S": "t"}, "me": {"S": "e"}},
        sets={schema.CURSOR: {"S": "c"}},
        keeps={schema.DUE: {"S": "d"}},
        removes=(schema.LAST,),
    )
    assert request == {
        "ConditionExpression": "#token = :old_token AND "
        "(attribute_not_exists(#claimed_by) OR #claimed_by = :me)",
        "UpdateExpression": "SET #cursor = :cursor, #due = if_not_exists(#due, :due) REMOVE #last",
        "ExpressionAttributeNames": {
            "#token": "token",
            "#claimed_by": "claimed_by",
            "#cursor": "cursor",
            "#due": "due",
            "#last": "last",
        },
        "ExpressionAttributeValues": {
            ":old_token": {"S": "t"},
            ":me": {"S": "e"},
            ":cursor": {"S": "c"},
            ":due": {"S": "d"},
        },
    }


def test_a_write_without_values_says_none() -> None:
    assert schema.write(schema.IS_NEW) == {
        "ConditionExpression": "attribute_not_exists(#name)",
        "ExpressionAttributeNames": {"#name": "name"},
    }


RED = {"colour": {"S": "red"}}


@pytest.mark.parametrize(
    "build",
    [
        partial(schema.write, sets=RED),
        partial(schema.write, keeps=RED),
        partial(schema.write, removes=RED),
        partial(schema.write, "attribute_exists(#colour)"),
    ],
)
def test_an_unknown_attribute_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected attributes of the table, got colour"):
        build()


@pytest.mark.parametrize("values", [{}, {"old_token": {"S": ""}, "me": {"S": ""}}, {"token": {"S": ""}}])
def test_a_condition_has_exactly_its_values(values: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="expected the values"):
        schema.write(schema.HAS_TOKEN, values=values)


def test_the_attributes_are_all_that_the_schema_names() -> None:
    named = {
        value
        for name, value in vars(schema).items()
        if name.isupper() and isinstance(value, str) and not name.startswith(("_", "CURRENT", "RUN", "INDEX"))
    }
    conditions = {value for value in named if "#" in value}
    assert named - conditions - {schema.NO_MORE, schema.ZONE_ROW, schema.DEFINITION} == schema.ATTRIBUTES


MODULES = [
    *sorted(ROOT.joinpath("backends/stepfunctions").glob("*.py")),
    *sorted(ROOT.joinpath("backends/stepfunctions/workflows").glob("*.py")),
    ROOT / "machines/shared/register_tasks.py",
    ROOT / "machines/shared/writes.py",
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_other_module_spells_an_attribute(path: Path) -> None:
    """An attribute can be renamed in the schema alone. The names in rows of the AWS Solutions scheduler are
    excepted."""
    assert not list(spelled(ast.parse(path.read_text(encoding="utf-8"))))


def spelled(tree: ast.AST) -> Iterator[str]:
    """The literals where attributes are used: keys of written data, indexes of read data, and expressions."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    is_value = isinstance(value, ast.Dict) and {
                        each.value for each in value.keys if isinstance(each, ast.Constant)
                    } & {"S", "N"}
                    if isinstance(key, ast.Constant) and key.value in schema.ATTRIBUTES and is_value:
                        yield f"{node.lineno}: {key.value}"
            case ast.Subscript(
                value=ast.Name(id="item" | "row" | "following"), slice=ast.Constant(value=name)
            ):
                if name in schema.ATTRIBUTES:
                    yield f"{node.lineno}: {name}"
            case ast.Constant(value=str(text)) if "#" in text:
                if any(f"#{name} " in text or f"#{name})" in text for name in schema.ATTRIBUTES):
                    yield f"{node.lineno}: {text}"
