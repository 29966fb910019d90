"""``stepsched next``: what runs when, without a backend."""

from __future__ import annotations

from tests.unit.cli.conftest import CommandLine


def test_next_prints_json_on_a_pipe(stepsched: CommandLine) -> None:
    done = stepsched("next", "cron(0 9 ? * MON-FRI *)", "--timezone", "Europe/Paris", "-n", "2")
    assert (done.code, done.err) == (0, "")
    assert done.document == ["2030-01-07T09:00:00+01:00", "2030-01-08T09:00:00+01:00"]


def test_next_prints_a_table_on_a_terminal(stepsched: CommandLine) -> None:
    done = stepsched("next", "0 9 * * *", "-n", "1", terminal=True)
    assert [line.split("  ") for line in done.out.splitlines()][1:] == [
        ["Mon 2030-01-07 09:00 +00:00 UTC", "in 3 h"]
    ]


def test_a_wrong_expression_is_one_line_and_exit_code_2(stepsched: CommandLine) -> None:
    done = stepsched("next", "cron(0 25 * * ? *)")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: invalid schedule")
