"""``stepsched play``: what would run, while nothing does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import CommandLine

JOBS = """\
- name: nightly-report
  schedule: cron(0 2 ? * MON-FRI *)
  timezone: Europe/Paris
  target: [python, report.py, --api-key=abc]
  input: {format: pdf, password: abc}
- name: cleanup
  group: house
  schedule: rate(12 hours)
  target: gone.away:cleanup
"""
INTERVAL = {
    "id": "reminder",
    "startDateTime": "2030-03-01T09:00:00.000Z",
    "endDateTime": "2031-01-01T09:00:00.000Z",
    "frequency": {"days": 3},
    "context": {"name": "Ada"},
}


@pytest.fixture
def jobs(stepsched: CommandLine) -> str:
    Path("jobs.yaml").write_text(JOBS)
    Path("job.json").write_text(json.dumps(INTERVAL))
    return "jobs.yaml"


def test_json_has_each_run_with_its_target_and_input_without_secrets(
    jobs: str, stepsched: CommandLine
) -> None:
    done = stepsched("play", jobs, "--until", "now+1d")
    assert (done.code, done.err) == (0, "")
    cleanup, night = done.document[0], done.document[2]
    assert [(each["at"], each["job"]) for each in done.document] == [
        ("2030-01-07T06:00:00+00:00", "cleanup"),
        ("2030-01-07T18:00:00+00:00", "cleanup"),
        ("2030-01-08T02:00:00+01:00", "nightly-report"),
        ("2030-01-08T06:00:00+00:00", "cleanup"),
    ]
    assert (cleanup["group"], cleanup["target"]["handler"], cleanup["attempt"]) == (
        "house",
        "gone.away:cleanup",
        1,
    )
    assert night["target"]["command"] == ["python", "report.py", "--api-key=***"]
    assert night["input"] == {"format": "pdf", "password": "***"}
    assert done.out == json.dumps(done.document, indent=2) + "\n"


def test_a_terminal_shows_a_table_with_zones_and_without_secrets(jobs: str, stepsched: CommandLine) -> None:
    done = stepsched("play", jobs, "--until", "now+20h", "--no-color", terminal=True)
    lines = [[cell.strip() for cell in line.split("  ") if cell] for line in done.out.splitlines()]
    assert lines[:3] == [
        ["WHEN", "JOB", "TARGET", "INPUT"],
        ["2030-01-07 06:00 +00:00 UTC", "cleanup", "gone.away:cleanup", "{}"],
        ["2030-01-07 18:00 +00:00 UTC", "cleanup", "gone.away:cleanup", "{}"],
    ]
    assert lines[3][:2] == ["2030-01-08 02:00 +01:00 Europe/Paris", "nightly-report"]
    assert all(len(line) <= 100 for line in done.out.splitlines())
    assert "abc" not in done.out


def test_names_and_yaml_are_forms_too(jobs: str, stepsched: CommandLine) -> None:
    assert stepsched("play", jobs, "--until", "now", "-o", "name").out == "cleanup\n"
    assert stepsched("play", jobs, "--until", "now", "-o", "yaml").out.startswith("- at: '2030-01-07T06:00")


def test_an_empty_play_says_its_span_on_a_terminal(jobs: str, stepsched: CommandLine) -> None:
    arguments = ("play", "job.json", "--from", "2030-03-01T09:01Z", "--until", "2030-03-02T00:00Z")
    assert stepsched(*arguments).out == "[]\n"
    assert stepsched(*arguments, terminal=True).out == (
        "no run from 2030-03-01 09:01 +00:00 UTC until 2030-03-02 00:00 +00:00 UTC\n"
    )


def test_an_interval_job_is_played_from_its_start_if_nothing_else_is_said(
    jobs: str, stepsched: CommandLine
) -> None:
    done = stepsched("play", "job.json")
    assert [(each["at"], each["target"], each["input"]) for each in done.document] == [
        (f"2030-03-0{day}T09:00:00+00:00", None, {"context": {"name": "Ada"}}) for day in (1, 4, 7)
    ]
    both = stepsched("play", "job.json", jobs, "-o", "name")
    assert set(both.out.split()) == {"cleanup", "nightly-report"}


def test_jobs_come_from_the_standard_input_too(jobs: str, stepsched: CommandLine) -> None:
    assert stepsched("play", "-", "--until", "now", "-o", "name", stdin=JOBS).out == "cleanup\n"
    document = json.dumps(INTERVAL)
    assert stepsched("play", "-", "-o", "name", stdin=document).out == "reminder\n" * 3


def test_a_play_of_many_runs_is_one_table_and_one_list(jobs: str, stepsched: CommandLine) -> None:
    late = "- {name: late-with-a-long-name, schedule: at(2031-01-06T00:00:00), target: ['true']}"
    Path("late.yaml").write_text(late)
    arguments = ("play", jobs, "late.yaml", "--until", "now+365d")
    head, *lines = stepsched(*arguments, "--no-color", terminal=True).out.splitlines()
    assert {line.index("gone.away") for line in lines if "gone.away" in line} == {head.index("TARGET")}
    assert [line.index("true") for line in lines if "late" in line] == [head.index("TARGET")]
    assert len(stepsched(*arguments).document) == len(lines) > 900


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:q", "queue arn:aws:sqs:eu-west-1:123456789012:q"),
        ("{kind: api, service: ecs, action: runTask, request: {cluster: c}}", "ecs:runTask"),
        ("{kind: parallel, targets: [{kind: handler, handler: 'a:b'}, [tidy, -f]]}", "a:b + tidy -f"),
        ("[python, -c, '" + "x" * 100 + "']", "python -c " + "x" * 69 + "…"),
    ],
)
def test_a_target_is_shown_in_few_words(
    target: str, text: str, stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    Path("one.yaml").write_text(f"- {{name: one, schedule: rate(1 hour), target: {target}}}")
    done = stepsched("play", "one.yaml", "--until", "now", "--no-color", terminal=True)
    assert done.out.splitlines()[1].split("  ")[2] == text


def test_no_function_is_imported(jobs: str, stepsched: CommandLine) -> None:
    Path("played_app.py").write_text("raise SystemExit('imported')\n")
    Path("own.yaml").write_text(JOBS.replace("gone.away", "played_app"))
    assert stepsched("play", "own.yaml").code == 0
    assert "played_app" not in sys.modules


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["gone.yaml"], "cannot load jobs from gone.yaml", id="file"),
        pytest.param(["jobs.yaml", "jobs.yaml"], "got jobs.yaml twice", id="twice"),
        pytest.param(["jobs.yaml", "--until", "now-1d"], "expected --until at or after", id="order"),
        pytest.param(["jobs.yaml", "--from", "2030-01-07T06:00"], "with its offset", id="naive"),
        pytest.param(["bad.json"], "frequency", id="document"),
        pytest.param(["job.json", "again.json"], "got 'reminder' twice", id="names"),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(
    arguments: list[str], words: str, jobs: str, stepsched: CommandLine
) -> None:
    Path("bad.json").write_text(json.dumps(INTERVAL | {"frequency": {"days": -1}}))
    Path("again.json").write_text(json.dumps(INTERVAL))
    done = stepsched("play", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("text", ["2030-01-01", "2030-01-01T00:00"])
def test_an_instant_without_its_offset_is_answered_with_one_that_works(
    text: str, stepsched: CommandLine
) -> None:
    done = stepsched("play", "jobs.yaml", "--from", text)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f"got '{text}'; write 2030-01-01T00:00Z, if UTC is meant\n")
