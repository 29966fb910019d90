"""``stepsched explain``, ``timeline`` and ``crontab``: what expressions and files mean, without a backend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import stepsched as ss
from tests.unit.cli.conftest import CommandLine

JOBS = """
- {name: a, schedule: 'cron(0 9 * * ? *)', timezone: Europe/Paris, target: ['true']}
- {name: b, schedule: rate(12 hours), target: ['true']}
- {name: c, schedule: rate(12 hours), target: ['true'], enabled: false}
"""


# -- explain -----------------------------------------------------------------------------------------


def test_an_explanation_is_words_and_runs_on_a_terminal(stepsched: CommandLine) -> None:
    done = stepsched("explain", "0 9 * * 1-5", "--timezone", "Europe/Paris", terminal=True)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "meaning   At 09:00, Monday to Friday, Europe/Paris",
        "kind      cron: wall times of a zone",
        "on AWS    cron(0 9 ? * MON-FRI *)",
        "zone      Europe/Paris",
        "previous  Fri 2030-01-04 09:00 +01:00 Europe/Paris  2 d 22 h ago",
        "next      Mon 2030-01-07 09:00 +01:00 Europe/Paris  in 2 h",
        "          Tue 2030-01-08 09:00 +01:00 Europe/Paris  in 1 d 2 h",
        "          Wed 2030-01-09 09:00 +01:00 Europe/Paris  in 2 d 2 h",
        "          Thu 2030-01-10 09:00 +01:00 Europe/Paris  in 3 d 2 h",
        "          Fri 2030-01-11 09:00 +01:00 Europe/Paris  in 4 d 2 h",
    ]


def test_an_explanation_is_json_on_a_pipe(stepsched: CommandLine) -> None:
    done = stepsched("explain", "every 3 months", "--start", "2029-01-31T09:00", "--end", "2030-08-01T00:00")
    assert done.document == {
        "expression": "every 3 months",
        "kind": "windowed",
        "words": "Every 3 months from 31 January 2029 at 09:00 until 1 August 2030 at 00:00, UTC",
        "aws": "cron(0 9 L JAN,APR,JUL,OCT ? *)",
        "why_not_aws": None,
        "schedule": {
            "kind": "windowed",
            "start": "2029-01-31T09:00:00",
            "end": "2030-08-01T00:00:00",
            "every": {"months": 3},
            "timezone": "UTC",
        },
        "timezone": "UTC",
        "next": [
            "2030-01-31T09:00:00+00:00",
            "2030-04-30T09:00:00+00:00",
            "2030-07-31T09:00:00+00:00",
        ],
        "previous": "2029-10-31T09:00:00+00:00",
        "skipped": [],
    }


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(["rate(5 minutes)"], "counted  from now here; from the creation of a job", id="rate"),
        pytest.param(["rate(5 minutes)"], "zone     none: a rate counts elapsed time", id="no zone"),
        pytest.param(["at(2020-01-01T09:00:00)"], "next      no run is left", id="over"),
        pytest.param(["*/5 * 1-31/2 * 1"], "on AWS    no equivalent: the fields of AWS cannot", id="crontab"),
        pytest.param(
            ["every 5 months", "--start", "2030-02-01T09:00"],
            "on AWS   no equivalent: AWS has no step of 5 months",
            id="no step",
        ),
        pytest.param(
            ["cron(30 2 ? * SUN *)", "--timezone", "Europe/Paris"],
            "skipped   2030-03-31 02:30, which does not exist in Europe/Paris",
            id="a gap",
        ),
        pytest.param(
            ["0 9 * * *", "--start", "2030-01-01T00:00", "--timezone", "Europe/Paris"],
            "start     2030-01-01 00:00 +01:00 Europe/Paris",
            id="start",
        ),
    ],
)
def test_an_explanation_has_what_is_worth_knowing(
    stepsched: CommandLine, arguments: list[str], line: str
) -> None:
    done = stepsched("explain", *arguments, terminal=True)
    assert done.code == 0
    assert line in done.out


def test_an_explanation_warns(stepsched: CommandLine) -> None:
    assert stepsched("explain", "cron(0 9 ? * 1-5 *)").err.startswith("warning: day-of-week '1-5'")
    assert stepsched("explain", "cron(0 9 * * * *)").code == 2


# -- timeline ----------------------------------------------------------------------------------------


@pytest.fixture
def jobs(stepsched: CommandLine) -> None:
    """A file of jobs in the working folder."""
    Path("jobs.yaml").write_text(JOBS, encoding="utf-8")


@pytest.mark.usefixtures("jobs")
def test_a_timeline_has_the_runs_of_all_enabled_jobs_in_order(stepsched: CommandLine) -> None:
    done = stepsched("timeline", "jobs.yaml", "--days", "1")
    assert done.err == "left out, for they are disabled: c\n"
    assert done.document == [
        {"at": "2030-01-07T09:00:00+01:00", "job": "a"},
        {"at": "2030-01-07T18:00:00+00:00", "job": "b"},
        {"at": "2030-01-08T06:00:00+00:00", "job": "b"},
    ]


@pytest.mark.usefixtures("jobs")
def test_a_timeline_on_a_terminal_says_how_much_more_there_is(stepsched: CommandLine) -> None:
    done = stepsched("timeline", "jobs.yaml", "--days", "20", "--no-color", terminal=True)
    lines = done.out.splitlines()
    assert lines[0].split() == ["WHEN", "IN", "JOB"]
    assert lines[1] == "Mon 2030-01-07 09:00 +01:00 Europe/Paris  in 2 h        a"
    assert len(lines) == 51
    assert "and 10 more runs until 2030-01-27 06:00 +00:00 UTC; -o json prints all" in done.err


@pytest.mark.usefixtures("jobs")
def test_a_timeline_may_begin_at_any_instant(stepsched: CommandLine) -> None:
    done = stepsched("timeline", "jobs.yaml", "--days", "0.5", "--after", "2031-07-01T00:00Z")
    assert done.document[0] == {"at": "2031-07-01T09:00:00+02:00", "job": "a"}


def test_a_timeline_is_bounded(stepsched: CommandLine) -> None:
    often = "- {name: a, every: 1 second, start: 2030-01-01T00:00, target: ['true']}"
    done = stepsched("timeline", "-", "--days", "2", stdin=often)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: there are more than 100,000 runs in 2 days; use fewer --days\n"
    done = stepsched("timeline", "-", "--days", "2", stdin=often, terminal=True)
    assert done.err.startswith("and more than 99,950 more runs until 2030-01-09 06:00 +00:00 UTC")


@pytest.mark.usefixtures("jobs")
def test_a_timeline_ends_before_the_year_10000(stepsched: CommandLine) -> None:
    done = stepsched("timeline", "jobs.yaml", "--days", "10", "--after", "9999-12-30T00:00Z")
    assert done.err.splitlines()[-1] == "error: --days: expected an end before the year 10000, got 10"
    assert done.code == 2


@pytest.mark.usefixtures("jobs")
def test_a_timeline_of_a_name_in_two_files_is_refused(stepsched: CommandLine) -> None:
    Path("more.yaml").write_text(JOBS, encoding="utf-8")
    done = stepsched("timeline", "jobs.yaml", "more.yaml")
    assert done.err == "error: expected distinct job names, got 'a' in jobs.yaml and more.yaml\n"
    assert stepsched("timeline", "jobs.yaml", "jobs.yaml").err.endswith("got jobs.yaml twice\n")


# -- crontab -----------------------------------------------------------------------------------------

CRONTAB = "# name: backup\n0 9 * * 1-5 backup --all\n"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_the_jobs_of_a_crontab_are_printed_as_a_file_of_jobs(stepsched: CommandLine, form: str) -> None:
    Path("crontab.txt").write_text(CRONTAB, encoding="utf-8")
    done = stepsched("crontab", "crontab.txt", "--timezone", "Europe/Paris", "-o", form)
    Path(f"jobs.{form}").write_text(done.out, encoding="utf-8")
    assert ss.load_jobs(f"jobs.{form}") == ss.load_crontab("crontab.txt", timezone="Europe/Paris")
    assert stepsched("crontab", "crontab.txt", "-o", "name").out == "backup\n"


def test_a_terminal_shows_json_where_yaml_is_missing(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("yaml", "stepsched.jobs.yaml_text"):
        monkeypatch.setitem(sys.modules, name, None)  # as on a machine without it
    done = stepsched("crontab", "-", stdin=CRONTAB, terminal=True)
    assert [job["name"] for job in done.document] == ["backup"]
    done = stepsched("crontab", "-", "-o", "yaml", stdin=CRONTAB)
    assert done.code == 2
    assert "pip install 'stepsched[yaml]'" in done.err


def test_a_terminal_shows_yaml(stepsched: CommandLine) -> None:
    done = stepsched("crontab", "-", stdin=CRONTAB, terminal=True)
    assert done.out.startswith("- name: backup\n  schedule: cron(0 9 ? * MON-FRI *)\n")


def test_what_is_wrong_with_a_crontab_has_its_line(stepsched: CommandLine) -> None:
    Path("crontab.txt").write_text("MAILTO=ops\n@reboot x\n61 * * * * y\n", encoding="utf-8")
    done = stepsched("crontab", "crontab.txt")
    assert (done.code, done.out) == (2, "")
    assert [line.split(": ")[1] for line in done.err.splitlines()] == ["crontab.txt:2", "crontab.txt:3"]
    done = stepsched("crontab", "-", stdin=f"MAILTO=ops\n{CRONTAB}# name: lost\n")
    assert done.code == 0
    assert [line[-9:] for line in done.err.splitlines()] == [" (line 4)", " (line 1)"]


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
@pytest.mark.parametrize(
    "bound", ["9999-12-31T23:59:59.999999+00:00", "9999-12-31T23:59", "0001-01-01T00:00"]
)
@pytest.mark.parametrize("option", ["--start", "--end"])
def test_the_ends_of_the_calendar_are_explained(
    stepsched: CommandLine, option: str, bound: str, zone: str
) -> None:
    done = stepsched("explain", "cron(30 2 ? * SUN *)", option, bound, "--timezone", zone, terminal=True)
    assert (done.code == 0) is (done.err == "")
