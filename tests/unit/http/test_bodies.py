"""Request bodies, bounded in size and time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from stepsched.http.bodies import DEEPEST, MOST_BYTES, BodyError, parse_object, read_body

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=5), parts, max_size=4),
    max_leaves=20,
)


def request(messages: Iterable[Message], headers: dict[str, str] | None = None) -> Request:
    """Returns a request whose messages come one after another; none comes after the last."""
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    names = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "headers": names}, receive)


def parts(*bodies: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, 1)
    ]


def refusal(body: bytes) -> BodyError:
    with pytest.raises(BodyError) as caught:
        parse_object(body)
    return caught.value


def test_a_body_in_parts_is_joined() -> None:
    assert asyncio.run(read_body(request(parts(b'{"a"', b":", b"1}")))) == b'{"a":1}'


def test_a_body_of_the_maximum_size_is_read_and_one_byte_more_is_refused() -> None:
    half = b" " * (MOST_BYTES // 2)
    assert len(asyncio.run(read_body(request(parts(half, half))))) == MOST_BYTES
    with pytest.raises(BodyError, match="expected a body of at most 262,144 bytes") as caught:
        asyncio.run(read_body(request(parts(half, half, b" "))))
    assert (caught.value.status, caught.value.headers) == (413, {"Connection": "close"})


def test_a_body_that_is_announced_as_too_large_is_refused_unread() -> None:
    with pytest.raises(BodyError, match="at most 10 bytes") as caught:
        asyncio.run(read_body(request([], {"content-length": "11"}), most=10))
    assert caught.value.status == 413


@pytest.mark.parametrize("length", ["-1", "9" * 5000, "ten", "", "1", "²"])
def test_a_wrong_length_changes_nothing(length: str) -> None:
    announced = request(parts(b"{}"), {"content-length": length} if length.isascii() else {})
    assert asyncio.run(read_body(announced)) == b"{}"


def test_a_body_that_does_not_come_is_refused() -> None:
    with pytest.raises(BodyError, match=r"expected the body within 0\.01 seconds") as caught:
        asyncio.run(read_body(request(parts(b"{", b"}")[:1]), patience=0.01))
    assert (caught.value.status, caught.value.headers) == (408, {"Connection": "close"})


def test_a_sender_that_leaves_is_told_apart_from_an_empty_body() -> None:
    with pytest.raises(BodyError, match="the connection was closed") as caught:
        asyncio.run(read_body(request([*parts(b"{", b"}")[:1], {"type": "http.disconnect"}])))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "expected JSON: expecting value at line 1, column 1", id="empty"),
        pytest.param(b"{", "expected JSON: expecting property name", id="cut off"),
        pytest.param(b'{"a": 1}x', "expected JSON: extra data at line 1, column 9", id="more"),
        pytest.param(b"\xef\xbb\xbf{}", "expected JSON: unexpected UTF-8 BOM", id="byte order mark"),
        pytest.param(b'{"a": "\xff"}', "expected UTF-8, got another byte at position 7", id="latin"),
        pytest.param('{"a": 1}'.encode("utf-16"), "expected UTF-8", id="UTF-16"),
        pytest.param(b'{"a": 1, "a": 2}', "expected each key once in an object, got 'a' twice", id="twice"),
        pytest.param(b'{"b": {"a": 1, "\\u0061": 2}}', "got 'a' twice", id="twice inside"),
        pytest.param(b'{"a": NaN}', "got NaN, which is not a number in JSON", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "got -Infinity", id="infinite"),
        pytest.param(b'{"a": 1e999}', "a number that a float can hold, got '1e999'", id="too great"),
        pytest.param(b'{"a": %s}' % (b"9" * 5000), "at most 100 characters, got 5,000", id="long"),
        pytest.param(b'{"a": 0.%s}' % (b"1" * 5000), "a number that a float can hold", id="long fraction"),
        pytest.param(b"[1]", "expected a JSON object, got a list", id="list"),
        pytest.param(b'"a"', "got a string", id="string"),
        pytest.param(b"12", "got a number", id="number"),
        pytest.param(b"1.5", "got a number", id="fraction"),
        pytest.param(b"true", "got true or false", id="boolean"),
        pytest.param(b"null", "got null", id="null"),
        pytest.param(b'{"a": "\\ud800"}', "got half of a surrogate pair", id="surrogate"),
        pytest.param(b'{"\\udc00": 1}', "got half of a surrogate pair", id="surrogate in a key"),
        pytest.param(b'{"a":' + b"[" * 101 + b"]" * 101 + b"}", "at most 100 objects and lists", id="deep"),
        pytest.param(b'{"a":' + b"[" * 262_000, "at most 100 objects and lists", id="far too deep"),
        pytest.param(b'{"a":' * 52_000, "at most 100 objects and lists", id="far too deep objects"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes, reason: str) -> None:
    error = refusal(body)
    assert reason in error.reason
    assert (error.status, error.headers) == (400, {})
    assert len(error.reason) < 300


def test_the_deepest_value_is_read() -> None:
    body = b'{"a":' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}"
    assert json.dumps(parse_object(body)).encode().replace(b" ", b"") == body


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_every_object_is_read_as_it_was_written(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(BodyError):
        assert isinstance(parse_object(body), dict)
