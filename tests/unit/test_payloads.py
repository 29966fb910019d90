"""User data that travels as JSON."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

import stepsched as ss
from stepsched.core.payloads import MAX_PAYLOAD_BYTES, read_payload, to_json


class Word(str):
    """Text of a class of its own."""

    __slots__ = ()


class Color(str, Enum):
    RED = "red"


def nested(levels: int) -> list[Any]:
    """Lists in one another, so many in all."""
    outer: list[Any] = []
    inner = outer
    for _ in range(levels - 1):
        inner.append([])
        inner = inner[0]
    return outer


def ring() -> list[Any]:
    """A list that holds itself."""
    items: list[Any] = []
    items.append(items)
    return items


def looped() -> dict[str, Any]:
    """A mapping that holds itself, a level down."""
    outer: dict[str, Any] = {}
    outer["inner"] = {"outer": outer}
    return outer


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(derandomize=True, database=None, deadline=None)
@given(JSON)
def test_json_comes_back_the_same_from_the_copy_from_the_wire_and_from_a_job(value: JsonValue) -> None:
    copied = read_payload(value)
    assert copied == value
    assert json.loads(to_json(copied)) == value
    job = ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]), input=value)
    again = ss.Job.model_validate_json(job.model_dump_json())
    assert again.input == value
    assert to_json(again.input) == to_json(value)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        pytest.param(None, None, id="null"),
        pytest.param(True, True, id="true"),
        pytest.param(0, 0, id="zero"),
        pytest.param(10**100, 10**100, id="large number"),
        pytest.param("", "", id="empty text"),
        pytest.param("a\0b", "a\0b", id="NUL"),
        pytest.param("\N{GRINNING FACE}", "\N{GRINNING FACE}", id="beyond the basic plane"),
        pytest.param((1, (2, 3)), [1, [2, 3]], id="tuples"),
        pytest.param(OrderedDict(b=1, a=2), {"b": 1, "a": 2}, id="ordered dict"),
        pytest.param(MappingProxyType({"a": 1}), {"a": 1}, id="read-only mapping"),
        pytest.param(Word("x"), "x", id="text of another class"),
        pytest.param({Word("k"): Color.RED}, {"k": "red"}, id="enum of text"),
    ],
)
def test_json_values_are_taken(value: object, taken: JsonValue) -> None:
    assert read_payload(value) == taken


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(math.nan, "input is nan, which is not a number in JSON", id="nan"),
        pytest.param(math.inf, "input is inf, which is not a number in JSON", id="inf"),
        pytest.param({"a": [-math.inf]}, r"input\.a\[0\] is -inf", id="inf inside"),
        pytest.param(b"x", "input is a bytes, which is not JSON; use strings, numbers", id="bytes"),
        pytest.param({1, 2}, "input is a set, which is not JSON", id="set"),
        pytest.param({"at": [date(2030, 1, 1)]}, r"input\.at\[0\] is a date", id="date"),
        pytest.param(datetime(2030, 1, 1, tzinfo=timezone.utc), "input is a datetime", id="datetime"),
        pytest.param(Decimal(1), "input is a Decimal", id="decimal"),
        pytest.param(Fraction(1), "input is a Fraction", id="fraction"),
        pytest.param(range(3), "input is a range", id="range"),
        pytest.param(iter([1]), "input is a list_iterator", id="iterator"),
        pytest.param(object, "input is a type", id="class"),
        pytest.param(ss.Retry(), "input is a Retry", id="model"),
        pytest.param({1: 2}, "input has the key 1; expected strings as keys", id="number as a key"),
        pytest.param({None: 2}, "input has the key None", id="null as a key"),
        pytest.param({"a": {True: 2}}, r"input\.a has the key True", id="true as a key, inside"),
        pytest.param("\ud800", "input contains half of a surrogate pair", id="high surrogate"),
        pytest.param(
            {"a": ["\udfff"]}, r"input\.a\[0\] contains half of a surrogate pair", id="low surrogate"
        ),
        pytest.param({"\ud800": 1}, "surrogate", id="surrogate in a key"),
        pytest.param(nested(102), "nested deeper than 100 levels, or contains itself", id="deep"),
        pytest.param(nested(100_000), "nested deeper than 100 levels", id="very deep"),
        pytest.param(ring(), "nested deeper than 100 levels, or contains itself", id="holds itself"),
        pytest.param(looped(), "nested deeper than 100 levels, or contains itself", id="mapping in itself"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_payload(value)


def test_a_hundred_levels_are_taken() -> None:
    assert read_payload(nested(101)) == nested(101)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        pytest.param("x" * (MAX_PAYLOAD_BYTES - 2), True, id="256 KiB with the quotes"),
        pytest.param("x" * (MAX_PAYLOAD_BYTES - 1), False, id="a byte more"),
        pytest.param("é" * (MAX_PAYLOAD_BYTES // 2 - 1), True, id="256 KiB of UTF-8"),
        pytest.param("é" * (MAX_PAYLOAD_BYTES // 2), False, id="two bytes more"),
        pytest.param([0] * (MAX_PAYLOAD_BYTES // 2), False, id="list, a byte more"),
        pytest.param([0] * (MAX_PAYLOAD_BYTES // 2 - 2) + [10], True, id="list, compact"),
        pytest.param('"' * (MAX_PAYLOAD_BYTES // 2), False, id="escapes count"),
    ],
)
def test_the_limit_is_256_kib_of_compact_json_in_utf_8(value: JsonValue, fits: bool) -> None:
    if fits:
        assert len(to_json(read_payload(value)).encode()) == MAX_PAYLOAD_BYTES
        return
    with pytest.raises(ValueError, match=r"expected at most 262,144 bytes of JSON, got 262,14\d bytes"):
        read_payload(value)


def _deep_in(value: Any) -> list[Any]:
    found: list[Any] = value["list"]
    return found


@pytest.mark.parametrize(
    "keep",
    [
        pytest.param(lambda data: read_payload(data), id="payload"),
        pytest.param(
            lambda data: (
                ss.Job(
                    name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]), input=data
                ).input
            ),
            id="job",
        ),
        pytest.param(lambda data: ss.ApiTarget("ecs", "runTask", data).request, id="api request"),
        pytest.param(
            lambda data: ss.BatchTarget("d", job_queue="q", container_overrides=data).container_overrides,
            id="container overrides",
        ),
    ],
)
def test_a_payload_is_copied_in_to_its_depth(keep: Callable[[Any], Any]) -> None:
    data: dict[str, Any] = {"list": [{"a": 1}], "n": 1}
    kept = keep(data)
    data["n"] = 2
    data["list"][0]["a"] = 2
    data["list"].append(3)
    assert kept == {"list": [{"a": 1}], "n": 1}
    assert _deep_in(kept) is not data["list"]


def test_a_replaced_job_shares_no_payload_with_the_first() -> None:
    first = ss.Job(
        name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]), input={"list": [1]}
    )
    second = first.replace(name="k")
    assert second.input == first.input
    assert _deep_in(second.input) is not _deep_in(first.input)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}', id="no blanks"),
        pytest.param("é\N{GRINNING FACE}", '"é\N{GRINNING FACE}"', id="UTF-8 stays"),
        pytest.param({"b": 1, "a": 2}, '{"b":1,"a":2}', id="order stays"),
    ],
)
def test_json_travels_compact(value: JsonValue, text: str) -> None:
    assert to_json(value) == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([], id="list"),
        pytest.param("{}", id="text"),
        pytest.param(None, id="null"),
        pytest.param(1, id="number"),
    ],
)
def test_an_object_must_be_a_mapping(value: Any) -> None:
    with pytest.raises(ValueError, match=f"expected a mapping, got {type(value).__name__}"):
        ss.ApiTarget("ecs", "runTask", value)
