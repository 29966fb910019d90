"""What people see of secrets: nothing."""

from __future__ import annotations

from typing import Any

import pytest

import stepsched as ss
from stepsched.core.masking import MASK, text_without_secrets, without_secrets


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param({"password": "a", "n": 1}, {"password": "***", "n": 1}, id="a key"),
        pytest.param({"api-key": {"a": 1}}, {"api-key": "***"}, id="a key with a hyphen"),
        pytest.param({"a": [{"DB_SECRET": 1}]}, {"a": [{"DB_SECRET": "***"}]}, id="inside"),
        pytest.param({"token": None}, {"token": None}, id="absent"),
        pytest.param(
            [{"Name": "DB_PASSWORD", "Value": "a"}, {"Name": "N", "Value": "b"}],
            [{"Name": "DB_PASSWORD", "Value": "***"}, {"Name": "N", "Value": "b"}],
            id="the environment of a container",
        ),
        pytest.param(["run", "--password=a=b"], ["run", "--password=***"], id="an option"),
        pytest.param(["run", "--api-key", "a", "b"], ["run", "--api-key", "***", "b"], id="an option before"),
        pytest.param(["run", "--token", "--verbose"], ["run", "--token", "--verbose"], id="a flag"),
        pytest.param(["env", "TOKEN=a", "run"], ["env", "TOKEN=***", "run"], id="a variable"),
        pytest.param(
            ["docker", "run", "--env=DB_PASSWORD=a b"],
            ["docker", "run", "--env=DB_PASSWORD=***"],
            id="a variable in an option",
        ),
        pytest.param(
            ["curl", "-H", "Authorization: Bearer a"], ["curl", "-H", "Authorization: ***"], id="a header"
        ),
        pytest.param(
            ["sh", "-c", "exec PGPASSWORD='a b' N=1 psql --password=c && run"],
            ["sh", "-c", "exec PGPASSWORD=*** N=1 psql --password=*** && run"],
            id="variables and options in a line of a shell",
        ),
        pytest.param("https://h/?n=1&token=a&m=2", "https://h/?n=1&token=***&m=2", id="a query"),
        pytest.param({"dsn": "host=db password=a"}, {"dsn": "host=db password=***"}, id="a connection"),
        pytest.param("postgres://me:hush@host/db", "postgres://me:***@host/db", id="a URL"),
        pytest.param("amqp://me:hu@sh@host/v", "amqp://me:***@host/v", id="a URL whose password has an @"),
        pytest.param("https://host:8080/a@b", "https://host:8080/a@b", id="a URL without a password"),
        pytest.param({"dbPwd": "a", "cookie": "b"}, {"dbPwd": "***", "cookie": "***"}, id="short names"),
        pytest.param({"auth": "a", "author": "b"}, {"auth": "***", "author": "b"}, id="a whole word"),
        pytest.param(
            "https://h/x?page=1&token=a&sig=b",
            "https://h/x?page=1&token=***&sig=***",
            id="parameters of a URL",
        ),
        pytest.param("Server=x;Password=a;User=b", "Server=x;Password=***;User=b", id="a connection string"),
        pytest.param(["-H", "Authorization: Bearer a"], ["-H", "Authorization: ***"], id="a header"),
        pytest.param("a token: the first word", "a token: the first word", id="a sentence"),
        pytest.param(["a", 1, None, True], ["a", 1, None, True], id="nothing"),
    ],
)
def test_values_whose_name_suggests_a_secret_are_masked(value: Any, shown: Any) -> None:
    assert without_secrets(value) == shown
    assert without_secrets(shown) == shown


def test_what_is_masked_stays_as_it_is() -> None:
    for text in ('{"password": "***"}', "{'password': ***}", "--token=*** postgres://u:***@h"):
        assert text_without_secrets(text) == text


@pytest.mark.timeout(20)  # the square would take minutes
@pytest.mark.parametrize("text", ["a", "token", "token=", "-=", "token='", "a:", "x-", "a://", "a://b:"])
def test_a_text_of_the_largest_input_is_masked_at_once(text: str) -> None:
    """256 KB, such as a document in base64: the time grows with the length and not with its square."""
    large = text * (262_144 // len(text))
    shown = without_secrets([large, {"data": large}])
    assert len(shown) == 2


@pytest.mark.timeout(20)  # as above
@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.",
        "token",
        "token=",
        "a: expected ",
        "a: expected b, got ",
        "'a' ",
        "'token':",
        '"token":"\\',
        " ",
    ],
)
def test_a_sentence_about_the_largest_input_is_masked_at_once(text: str) -> None:
    """Such as about a name that nobody knows."""
    assert text_without_secrets(text * (262_144 // len(text)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "expected a list, got {'password': 'a', 'n': 1}; use",
            "expected a list, got {'password': ***, 'n': 1}; use",
            id="a member",
        ),
        pytest.param(
            """got '{"password": a': Expecting""", """got '{"password": ***': Expecting""", id="no JSON"
        ),
        pytest.param(
            "env.API_TOKEN: expected a text, got ['a'] (line 3)",
            "env.API_TOKEN: expected a text, got *** (line 3)",
            id="a refused secret",
        ),
        pytest.param(
            "env.N: expected a text, got ['a']", "env.N: expected a text, got ['a']", id="a refused value"
        ),
        pytest.param('connect to "http://me:a@h/x"', 'connect to "http://me:***@h/x"', id="a URL"),
        pytest.param("… ://me:a@h/x'", "… ://me:***@h/x'", id="a URL whose beginning is cut"),
        pytest.param("token: expected KEY=VALUE", "token: expected KEY=VALUE", id="nothing"),
    ],
)
def test_sentences_do_not_quote_secrets(text: str, shown: str) -> None:
    assert text_without_secrets(text) == shown


def test_what_contains_itself_is_masked_below_a_depth_and_refused_as_any_other_value() -> None:
    endless: list[object] = []
    endless.append(endless)
    shown = without_secrets({"a": endless})
    assert str(shown).count("[") == 99
    assert MASK in str(shown)
    with pytest.raises(ValueError, match="target"):
        ss.Job(name="n", schedule=ss.Rate("PT1H"), target={"a": endless})
