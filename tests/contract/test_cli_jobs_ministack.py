"""The errors of AWS that only an emulator of its services shows, in words of the command line."""

from __future__ import annotations

import pytest

from tests.parts.ministack import REGION, Ministack
from tests.unit.cli.conftest import CommandLine, stepsched

__all__ = ["stepsched"]


def test_a_stack_that_is_not_there_is_exit_code_3(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch, ministack: Ministack, account: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    place = ("--backend", "stack:none", "--region", REGION, "--endpoint-url", ministack.endpoint_url)
    for command in (("list",), ("create", "a", "--schedule", "rate(1 hour)", "--", "true")):
        name, *arguments = command
        done = stepsched(name, *place, *arguments)
        assert (done.code, done.out) == (3, "")
        cure = "correct the name or the Region, or create the stack of stepsched.deploy.template"
        assert done.err == f"error: there is no stack 'none' in {REGION}; {cure}\n"
