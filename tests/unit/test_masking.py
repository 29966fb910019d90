"""What people see of secrets: nothing."""

from __future__ import annotations

from typing import Any

import pytest

from stepsched.core.masking import without_secrets


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
        pytest.param("postgres://me:hush@host/db", "postgres://me:***@host/db", id="a URL"),
        pytest.param("https://host:8080/a@b", "https://host:8080/a@b", id="a URL without a password"),
        pytest.param(["a", 1, None, True], ["a", 1, None, True], id="nothing"),
    ],
)
def test_values_whose_name_suggests_a_secret_are_masked(value: Any, shown: Any) -> None:
    assert without_secrets(value) == shown
