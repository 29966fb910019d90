"""``stepsched next``: what runs when, without a backend."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import CommandLine

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "interval_job"
JOBS = """
- {name: a, schedule: 'cron(0 9 * * ? *)', timezone: Europe/Paris, target: ['true']}
- {name: b, every: 1 month, start: 2030-01-31T09:00, target: ['true']}
"""


def test_next_prints_json_on_a_pipe(stepsched: CommandLine) -> None:
    done = stepsched("next", "cron(0 9 ? * MON-FRI *)", "--timezone", "Europe/Paris", "-n", "2")
    assert (done.code, done.err) == (0, "")
    assert done.document == ["2030-01-07T09:00:00+01:00", "2030-01-08T09:00:00+01:00"]


def test_next_prints_a_table_on_a_terminal(stepsched: CommandLine) -> None:
    done = stepsched("next", "0 9 * * *", "-n", "1", terminal=True)
    assert [line.split("  ") for line in done.out.splitlines()][1:] == [
        ["Mon 2030-01-07 09:00 +00:00 UTC", "in 3 h"]
    ]


def test_the_runs_up_to_an_instant_are_all_shown(stepsched: CommandLine) -> None:
    done = stepsched("next", "0 * * * *", "--until", "now+6h")
    assert (done.code, len(done.document), done.document[-1]) == (0, 6, "2030-01-07T12:00:00+00:00")
    assert len(stepsched("next", "0 * * * *", "--until", "now+6h", "-n", "2").document) == 2


def test_too_many_runs_up_to_an_instant_are_refused(stepsched: CommandLine) -> None:
    done = stepsched("next", "* * * * *", "--until", "now+9999d")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: there are more than 100,000 runs until then; use --number, or an earlier --until\n"
    )


@pytest.mark.parametrize("expression", [" rate(10 minutes)", "cron(0 9 * * ? *) "])
def test_blanks_around_a_form_of_aws_are_refused_as_there(stepsched: CommandLine, expression: str) -> None:
    done = stepsched("next", expression)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)


def test_a_table_has_the_zone_of_the_schedule(stepsched: CommandLine) -> None:
    done = stepsched("next", "@daily", "--timezone", "Asia/Kolkata", "-n", "1", terminal=True)
    assert "Tue 2030-01-08 00:00 +05:30 Asia/Kolkata  in 12 h 30 min" in done.out


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        pytest.param(["at(2030-02-01T09:00:00)"], "2030-02-01T09:00:00+00:00", id="at"),
        pytest.param(["rate(5 minutes)"], "2030-01-07T06:05:00+00:00", id="rate"),
        pytest.param(["0 9 ? * MON-FRI *"], "2030-01-07T09:00:00+00:00", id="six fields"),
        pytest.param(["0 9 * * 1-5"], "2030-01-07T09:00:00+00:00", id="crontab"),
        pytest.param(["@hourly"], "2030-01-07T07:00:00+00:00", id="shortcut"),
        pytest.param(["every month", "--start", "2030-01-31T09:00"], "2030-01-31T09:00:00+00:00", id="month"),
        pytest.param(
            ["1 month", "--start", "2030-01-31T09:00", "--timezone", "Europe/Paris"],
            "2030-01-31T09:00:00+01:00",
            id="1 month",
        ),
        pytest.param(["every 5 minutes"], "2030-01-07T06:05:00+00:00", id="every 5 minutes"),
        pytest.param(
            ["Every 90 seconds", "--start", "2030-01-07T06:00:30"], "2030-01-07T06:00:30+00:00", id="seconds"
        ),
        pytest.param(
            ["0 9 * * *", "--start", "2030-03-01T00:00", "--timezone", "Europe/Paris"],
            "2030-03-01T09:00:00+01:00",
            id="a start in the zone",
        ),
        pytest.param(["0 9 * * *", "--end", "2030-01-07T08:00Z"], None, id="ended"),
        pytest.param(["0 9 * * *", "--after", "now+2d"], "2030-01-09T09:00:00+00:00", id="after"),
    ],
)
def test_expressions_are_read_as_files_of_jobs_have_them(
    stepsched: CommandLine, arguments: list[str], first: str | None
) -> None:
    done = stepsched("next", *arguments, "-n", "1")
    assert (done.code, done.err) == (0, "")
    assert done.document == ([] if first is None else [first])


def test_the_31st_stays_the_last_day_of_shorter_months(stepsched: CommandLine) -> None:
    done = stepsched("next", "every month", "--start", "2030-01-31T10:00", "-n", "4", "-o", "name")
    assert [line[5:10] for line in done.out.splitlines()] == ["01-31", "02-28", "03-31", "04-30"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["cron(0 25 * * ? *)"], "error: invalid schedule", id="hours"),
        pytest.param(["every month"], "needs --start, the first run, such as --start 2030", id="no start"),
        pytest.param(["2 days"], "or write 'rate(2 days)', which counts 24 hours", id="days"),
        pytest.param(["rate(1 month)"], "write 'every month' with --start", id="rate of months"),
        pytest.param(["rate(30 seconds)"], "write 'every 30 seconds' with --start", id="rate of seconds"),
        pytest.param(["@every 5m"], "write 'every 5 minutes'", id="@every"),
        pytest.param(["nonsense"], "'0 9 * * 1-5' as in a crontab, and 'every month'", id="nonsense"),
        pytest.param(["0 0 */2 * 1"], "for both use '0 0 1-31/2 * *', and", id="two readings"),
        pytest.param(["Daily"], "'Daily' cannot be read; write '@daily'", id="shortcut"),
        pytest.param(["cron(0 9 * * *)"], "must be '?'; write '0 9 * * *'\n", id="crontab in cron"),
        pytest.param(["0", "9", "*", "*", "*"], "got 5 arguments; write it in quotes", id="no quotes"),
        pytest.param(["0 9 * * *", "--timezone", "Mars"], "error: --timezone: 'Mars' is not an", id="zone"),
        pytest.param(
            ["0 9 * * *", "--start", "2030-01-01T09:00"], "add one, such as 2030-01-01T09:00Z", id="offset"
        ),
        pytest.param(["at(2030-01-01T09:00:00)", "--end", "2030-01-01"], "error: --end: a one-time", id="at"),
        pytest.param(["0 9 * * *", "-n", "-1"], "expected a whole number from 0 to 100,000", id="number"),
        pytest.param([], "expected an expression, or --document FILE", id="nothing"),
    ],
)
def test_a_wrong_expression_is_one_line_and_exit_code_2(
    stepsched: CommandLine, arguments: list[str], words: str
) -> None:
    done = stepsched("next", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert words in done.err


def test_a_schedule_that_may_be_meant_otherwise_is_warned_of(stepsched: CommandLine) -> None:
    done = stepsched("next", "cron(0 9 ? * 1-5 *)", "-n", "1")
    assert done.code == 0
    assert done.err.startswith("warning: day-of-week '1-5' is Sunday to Thursday on AWS")


# -- documents ---------------------------------------------------------------------------------------


def test_the_calculator_of_an_interval_job_answers_to_the_letter(stepsched: CommandLine) -> None:
    answer = """{
  "name": "job_1_20210218T001500",
  "taskStartDateTime": "2021-02-18T00:15:00.000+00:00",
  "continue": true
}
"""
    for terminal in (False, True):
        done = stepsched("next", "--document", str(SAMPLES / "calculator_input.json"), terminal=terminal)
        assert (done.code, done.out, done.err) == (0, answer, "")
    done = stepsched("next", "--document", str(SAMPLES / "calculator_input.json"), "-o", "name")
    assert done.out == "job_1_20210218T001500\n"


@pytest.mark.parametrize(
    ("execution", "job", "expected"),
    [
        pytest.param(
            {
                "taskStartDateTime": "2018-01-01T00:00-06:00",
                "executionStartDateTime": "2019-01-01T00:00-06:00",
            },
            {"endDateTime": "2030-01-01T00:00Z", "frequency": {"minutes": 5}},
            ("job_20190101T060500", "2019-01-01T06:05:00.000+00:00", True),
            id="the later start",
        ),
        pytest.param(
            {"taskStartDateTime": "2021-01-01T00:00Z"},
            {"endDateTime": "2021-01-01T00:59:59.999Z", "frequency": {"hour": 1}},
            ("job_20210101T010000", "2021-01-01T01:00:00.000+00:00", False),
            id="the end is over",
        ),
        pytest.param(
            {"taskStartDateTime": "2021-01-02T00:00Z"},
            {"endDateTime": "2021-01-02T01:00Z", "frequency": {"hours": 1}},
            ("job_20210102T010000", "2021-01-02T01:00:00.000+00:00", True),
            id="the end is inclusive",
        ),
    ],
)
def test_the_next_execution_is_that_of_the_calculator(
    stepsched: CommandLine,
    execution: dict[str, str],
    job: dict[str, object],
    expected: tuple[str, str, bool],
) -> None:
    event = json.dumps({"execution": execution, "job": {"id": "job", **job}})
    done = stepsched("next", "--document", "-", stdin=event)
    assert tuple(done.document.values()) == expected


def test_the_document_of_an_interval_job_has_its_next_runs(stepsched: CommandLine) -> None:
    done = stepsched(
        "next", "--document", str(SAMPLES / "job.json"), "-n", "3", "--after", "2021-02-22T03:00Z"
    )
    assert [run[11:16] for run in done.document] == ["03:05", "03:10", "03:15"]


def test_a_job_of_a_file_has_its_next_runs(stepsched: CommandLine) -> None:
    Path("jobs.yaml").write_text(JOBS, encoding="utf-8")
    done = stepsched("next", "--document", "jobs.yaml", "b", "-n", "1")
    assert done.document == ["2030-01-31T09:00:00+00:00"]
    assert stepsched("next", "--document", str(SAMPLES / "job.json"), "task", "-n", "0").document == []
    other = stepsched("next", "--document", str(SAMPLES / "job.json"), "other")
    assert other.err == "error: expected no name: the file holds one interval job, got 'other'\n"
    only = stepsched("next", "--document", "-", "-n", "1", stdin=JOBS.splitlines()[1])
    assert only.document == ["2030-01-07T09:00:00+01:00"]


def test_a_job_of_a_program_has_its_next_runs(stepsched: CommandLine) -> None:
    program = "import stepsched as ss\n@ss.job('at(2031-01-01T00:00:00)')\ndef f(): ...\n"
    Path("program_with_a_job.py").write_text(program, encoding="utf-8")
    try:
        done = stepsched("next", "--document", "program_with_a_job.py")
    finally:
        sys.modules.pop("program_with_a_job", None)
    assert done.document == ["2031-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        pytest.param(JOBS, [], "expected the name of one of the jobs in standard input: a, b", id="several"),
        pytest.param(
            JOBS, ["c"], "expected the name of a job in standard input, got 'c'; it has a, b", id="c"
        ),
        pytest.param(JOBS, ["a", "--end", "x"], "expected no --end: the document says it", id="end"),
        pytest.param("{", [], "it is not JSON", id="broken"),
        pytest.param("5", [], "expected a list of jobs", id="a number"),
        pytest.param("", [], "expected a list of jobs", id="nothing"),
        pytest.param('{"execution": 5, "job": {}}', [], "execution: expected a mapping", id="execution"),
        pytest.param('{"execution": {}}', ["x"], "expected no EXPRESSION", id="an expression too"),
        pytest.param('{"id": "a"}', [], "lacks", id="half"),
        pytest.param(
            '{"id": "a\\u0007", "startDateTime": "2030-01-01T00:00Z", "endDateTime": "2031-01-01T00:00Z", '
            '"frequency": {"minutes": 5}}',
            [],
            r"error: name: 'a\x07' is not a name",
            id="id",
        ),
    ],
)
def test_a_wrong_document_is_one_line_and_exit_code_2(
    stepsched: CommandLine, text: str, arguments: list[str], words: str
) -> None:
    done = stepsched("next", "--document", "-", *arguments, stdin=text)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert words in done.err
