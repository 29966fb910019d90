"""The runner of a table, which many tests create, rendered once."""

from __future__ import annotations

from functools import cache

from stepsched.machines.shared.runner import runner


@cache
def runner_text(table: str) -> str:
    return runner(table).to_json()
