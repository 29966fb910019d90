"""Bad input of every kind ends with its exit code and one line, soon, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import CommandLine, Done

JOBS = """\
- name: tidy
  schedule: rate(1 minute)
  target: [tidy]
"""


def refused(done: Done, code: int = 2) -> str:
    """Returns the one line of a command that was refused."""
    assert (done.code, done.out) == (code, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture
def jobs(stepsched: CommandLine) -> str:
    Path("jobs.yaml").write_text(JOBS)
    return "jobs.yaml"


# -- too much ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("command", ["play --from", "estimate --since"])
def test_a_beginning_at_the_end_of_the_calendar_is_taken(
    stepsched: CommandLine, jobs: str, command: str, end: str
) -> None:
    verb, option = command.split()
    assert stepsched(verb, jobs, option, end).code == 0


@pytest.mark.parametrize("number", ["100001", "9" * 99, "9" * 5_000])
def test_no_more_runs_are_computed_than_can_be_printed(
    stepsched: CommandLine, jobs: str, number: str
) -> None:
    assert "from 0 to 100,000" in refused(stepsched("next", "rate(1 minute)", "-n", number))
    place = ("--backend", "local:jobs.db")
    assert stepsched("apply", jobs, *place).code == 0
    assert "from 0 to 100,000" in refused(stepsched("upcoming", "--limit", number, *place))


def test_an_end_far_away_does_not_fill_the_memory(stepsched: CommandLine, jobs: str) -> None:
    place = ("--backend", "local:jobs.db")
    assert stepsched("apply", jobs, *place).code == 0
    for name in ((), ("tidy",)):
        line = refused(stepsched("upcoming", *name, "--until", "9999-01-01T00:00Z", *place))
        assert "more than 100,000 runs" in line


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no device without an end")
@pytest.mark.parametrize(
    "command",
    ["resume --backend local:jobs.db --from /dev/zero", "crontab /dev/zero"],
)
def test_a_file_without_an_end_is_refused(
    stepsched: CommandLine, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepsched.jobs.sources._MOST_CHARACTERS", 1_000)  # to be soon
    assert "expected at most 1,000 characters, got more" in refused(stepsched(*command.split()))


# -- nothing is changed --------------------------------------------------------------------------------


def test_a_job_that_is_refused_makes_no_file(stepsched: CommandLine) -> None:
    line = ("create", "tidy", "--schedule", "rate(1 day)", "--target", "gone:away", "--backend")
    refused(stepsched(*line, "local:new.db"), 5)
    assert not Path("new.db").exists()
    assert stepsched(*line[:4], "--backend", "local:new.db", "--", "tidy").code == 0
    assert Path("new.db").exists()
