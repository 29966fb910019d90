"""The mapping templates of the API of one-shot tasks, rendered by an engine of their language."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus

import pytest

from stepsched.deploy.parts.http_mapping import EMPTY, REQUEST, RESPONSE
from tests.parts.api_gateway import render

HOSTILE = [
    "",
    "{}",
    '{"a": "b"}',
    '"',
    "\\",
    '\\"',
    "'",
    '", "stateMachineArn": "other", "input": "',
    '\\", \\"large\\": true, \\"x\\": \\"',
    "$input.body $util $context.resourcePath ${context} $!{x}",
    "#set($large = 1) #if(true) x #end ## #* *# #parse('x') #[[x]]#",
    "\x00\x01\x08\t\n\r\x1f\x7f\x80",
    "\u2028\u2029\ufeff\ufffe",
    "é 漢字 😀 \U0010ffff",
    "%22%5C+%00 +&=;~*-._",
    "<script>alert(1)</script>",
    "x" * 240_000,
]


def request(body: str, **headers: str) -> dict[str, Any]:
    """The request that Step Functions gets, with the decoded input."""
    context = {"resourcePath": "/schedule"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = json.loads(render(REQUEST, body, context, named))
    assert found.keys() == {"stateMachineArn", "input"}
    assert found["stateMachineArn"] == "MACHINE"
    assert found["input"].isascii()
    given = json.loads(found["input"])
    assert given.keys() == {"path", "body", "key", "large"}
    assert given["path"] == "/schedule"
    return {**given, "body": unquote_plus(given["body"]), "key": unquote_plus(given["key"])}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_a_client_sends_breaks_out_of_the_request(text: str) -> None:
    assert request(text) == {"path": "/schedule", "body": text, "key": "", "large": False}
    assert request("{}", Idempotency_Key=text)["key"] == text
    assert request("{}", idempotency_key=text)["key"] == text


@pytest.mark.parametrize("body", ["x" * 240_001, '"' * 80_001, "é" * 40_001])
def test_a_large_body_is_not_passed_on(body: str) -> None:
    """Each has more than 240,000 characters when it is encoded."""
    assert request(body) == {"path": "/schedule", "body": "", "key": "", "large": True}
    assert request(body[:-1])["large"] is False


def respond(result: Any, path: str = "/schedule") -> tuple[int | None, str]:
    context: dict[str, Any] = {"resourcePath": path, "responseOverride": {}}
    text = render(RESPONSE, json.dumps(result), context, {})
    return context["responseOverride"].get("status"), text.strip("\n")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_answer_of_the_machine_is_sent_as_it_is(text: str) -> None:
    body = json.dumps({"errors": [text]})
    for status in (200, 400, 404):
        output = json.dumps({"status": status, "body": body})
        assert respond({"status": "SUCCEEDED", "output": output}) == (status, body)


@pytest.mark.parametrize(
    "result",
    [
        {"status": "FAILED", "error": "Stepsched.Conflict", "cause": 'secret "x"'},
        {"status": "TIMED_OUT"},
        {"__type": "ExecutionLimitExceeded", "message": "too many"},
        {"Message": "User is not authorized"},
        {},
    ],
)
def test_a_failure_is_answered_in_the_known_words_and_says_nothing_else(result: dict[str, str]) -> None:
    assert respond(result) == (500, '{"msg": "Failed to schedule task. Please see logs"}')
    assert respond(result, "/cancel") == (500, '{"msg": "Failed to cancel task. Please see logs"}')


def test_a_response_without_a_body_is_empty() -> None:
    assert render(EMPTY, "", {}, {}) == ""
