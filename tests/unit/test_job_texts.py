"""Texts and records of jobs, and the mistakes of a file one by one."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.errors import JobFileError
from stepsched.jobs import read_crontab, read_jobs, write_jobs
from stepsched.jobs.json_text import read_json

T0 = datetime(2030, 1, 1, tzinfo=timezone.utc)


def job(name: str = "tidy", **changes: object) -> ss.Job:
    hourly = ss.Rate(timedelta(hours=1))
    return ss.Job(name=name, schedule=hourly, target=ss.CommandTarget(["true"])).replace(**changes)


def record(job: ss.Job, **changes: object) -> dict[str, object]:
    made = ss.JobRecord(
        job=job, status=ss.JobStatus.PAUSED, version=3, created_at=T0, updated_at=T0, next_run=None
    )
    return {**made.model_dump(mode="json"), **changes}


def problems_of(text: str, form: str) -> tuple[tuple[int | None, str], ...]:
    with pytest.raises(JobFileError) as refused:
        read_jobs(text, form=form)  # type: ignore[arg-type] # one of the two
    return refused.value.problems


# -- texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_is_written_is_read_as_equal_jobs_and_its_format_is_recognised(form: str) -> None:
    jobs = [job("a", input={"é": [1, None]}), job("b", tags={"team": "x"})]
    text = write_jobs(jobs, form=form)  # type: ignore[arg-type] # one of the two
    assert read_jobs(text) == read_jobs(f"\ufeff{text}", form=form) == jobs  # type: ignore[arg-type] # as above


def test_a_text_without_a_job_is_refused_with_its_source() -> None:
    with pytest.raises(JobFileError, match="cannot load jobs from standard input: expected at least one"):
        read_jobs("[]", source="standard input")
    with pytest.raises(JobFileError, match="cannot write jobs to the text: expected at least one job"):
        write_jobs([])


def test_another_format_is_refused_and_not_taken_for_yaml() -> None:
    for call in (lambda: read_jobs("[]", form="toml"), lambda: write_jobs([job()], form="JSON")):  # type: ignore[arg-type] # refused
        with pytest.raises(ValueError, match=r"expected 'json' or 'yaml' for form, got '(toml|JSON)'"):
            call()
    for read in (read_jobs, read_crontab):
        with pytest.raises(TypeError, match="expected a string for text, got b'x'"):
            read(b"x")  # type: ignore[arg-type] # refused


def test_the_text_of_a_crontab_is_read_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text("# name: backup\n0 9 * * 1-5 backup --all\n")
    text = (tmp_path / "crontab").read_text()
    assert read_crontab(text, timezone="Europe/Paris") == ss.load_crontab(
        tmp_path / "crontab", timezone="Europe/Paris"
    )


# -- records -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_list", [True, False])
def test_the_jobs_of_records_are_read(is_list: bool) -> None:
    """Of a list, as ``stepsched list`` prints it, and of a single one, as ``stepsched get`` does."""
    document = record(job())
    assert read_jobs(json.dumps([document] if is_list else document)) == [job()]


def test_a_record_of_a_job_that_stepsched_did_not_create_is_left_out() -> None:
    records = [record(job("a")), record(job("b"), owned=False)]
    assert read_jobs(json.dumps(records)) == [job("a")]


def test_a_record_is_read_as_what_is_stored() -> None:
    """A crontab line that is refused today was accepted when the job was stored."""
    stored = record(job())
    line = {"kind": "cron", "timezone": "UTC", "crontab": "0 0 */2 * 1"}
    stored["job"]["schedule"] = line  # type: ignore[index] # a mapping
    (read,) = read_jobs(json.dumps([stored]))
    assert read.schedule.expression is None
    with pytest.raises(JobFileError):
        read_jobs(json.dumps([stored["job"]]))


def test_a_mistake_in_a_record_has_its_line() -> None:
    text = json.dumps([record(job())], indent=1).replace('"enabled": true', '"enabled": 5')
    line = text[: text.index('"enabled"')].count("\n") + 1
    assert problems_of(text, "json") == ((line, "job 1 ('tidy'): enabled: expected true or false, got 5"),)


# -- problems ----------------------------------------------------------------------------------------

JSON = """[
  {"name": "a", "schedule": "rate(5 minutes)",
   "target": ["true"]},
  {"name": "b", "schedule": "rate(5 minutes)", "target": ["true"],
   "retry": {"max_attempts": 500},
   "colour": "red"},
  {"name": "a", "schedule": "rate(5 minutes)", "target": ["true"], "tags": {"a": "1",
    "a": "2"}}
]"""


def test_each_mistake_of_a_json_file_has_its_line() -> None:
    found = problems_of(JSON, "json")
    assert [(line, text.split(";")[0]) for line, text in found] == [
        (5, "job 2 ('b'): retry.max_attempts: expected a value less than or equal to 185, got 500"),
        (6, "job 2 ('b'): colour: unknown field"),
        (8, "job 3 ('a'): tags.a: duplicate key in one object: 'a'"),
        (7, "duplicate job name: 'a' occurs twice"),
    ]


def test_a_mistake_of_a_yaml_file_has_its_line_and_the_message_has_it_too() -> None:
    text = "- name: a\n  schedule: rate(5 minutes)\n  target: ['true']\n  enabled: maybe\n"
    with pytest.raises(JobFileError) as refused:
        read_jobs(text)
    assert refused.value.problems == ((4, "job 1 ('a'): enabled: expected true or false, got 'maybe'"),)
    assert refused.value.reason == "job 1 ('a'): enabled: expected true or false, got 'maybe' (line 4)"


@pytest.mark.parametrize(
    ("text", "form", "problem"),
    [
        pytest.param("[\n1,\n}", "json", (3, "it is not JSON: Expecting value, at column 1"), id="json"),
        pytest.param(
            "- a: 1\n\tb: 2\n",
            "yaml",
            (2, "it is not YAML: YAML is indented with blanks; a tab is not allowed here"),
            id="yaml",
        ),
        pytest.param("[]", "json", (None, "expected at least one job, got none"), id="no job"),
    ],
)
def test_what_is_wrong_with_the_whole_text_is_one_problem(
    text: str, form: str, problem: tuple[int | None, str]
) -> None:
    assert problems_of(text, form) == (problem,)


def test_the_problems_of_a_crontab_have_their_lines_and_survive_pickling() -> None:
    with pytest.raises(JobFileError) as refused:
        read_crontab("# a comment\n@reboot x\n61 * * * * y\n")
    assert [line for line, _ in refused.value.problems] == [2, 3]
    assert pickle.loads(pickle.dumps(refused.value)).problems == refused.value.problems


def test_a_warning_about_a_crontab_has_the_lines() -> None:
    with pytest.warns(ss.ScheduleWarning) as warned:
        read_crontab("MAILTO=ops\n# name: lost\n\n* * * * * x\n# name: end\n")
    assert [str(each.message).rpartition(" (")[2] for each in warned] == ["lines 2, 5)", "line 1)"]


def test_the_lines_of_json_are_those_of_its_values() -> None:
    text = '{"a": [1,\n {"b\\"\\u00e9]": "[x]\\n"},\n\n true],\n "c": {}, "d":\n null, "e": []}'
    found = read_json(text)
    places = [("a",), ("a", 0), ("a", 1, 'b"é]'), ("a", 2), ("c",), ("d",), ("e",), ("a", 9), ("z", 1)]
    assert [found.line(place) for place in places] == [1, 1, 2, 4, 5, 6, 6, 1, 1]


def test_every_value_of_a_json_text_has_its_line() -> None:
    document = {"a": [1, [], {}, [[{"b": [2, 3.5, -1e9]}]]], "": {"": None}, "c": "}{"}
    text = json.dumps(document, indent=1)
    found = read_json(text)
    for number, line in enumerate(text.split("\n"), 1):
        if "3.5" in line:
            assert found.line(("a", 3, 0, 0, "b", 1)) == number
        if "null" in line:
            assert found.line(("", "")) == number


def test_a_key_that_occurs_twice_is_told_once_and_not_what_is_below_it() -> None:
    found = read_json('{"a": {"x": 1},\n "a": {"x": 2, "y": [], "y": 3}}')
    assert [(problem.place, found.line(problem.place)) for problem in found.problems] == [(("a",), 2)]
