"""``stepsched check``: all mistakes of files of jobs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import CommandLine

GOOD = "- {name: tidy, schedule: rate(1 hour), target: ['true']}\n"
BAD = """\
- name: a
  schedule: cron(0 25 * * ? *)
  target: ['true']
- name: b
  schedule: rate(1 hour)
  target: ['true']
  colour: red
  enabled: maybe
"""
OVER = """\
- {name: fine, schedule: rate(1 hour), target: ['true']}
- name: over
  schedule: at(2020-01-01T09:00:00)
  target: ['true']
"""


def write(name: str, text: str | bytes) -> None:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_file_without_mistakes_is_said_to_have_none(stepsched: CommandLine) -> None:
    write("jobs.yaml", GOOD)
    done = stepsched("check", "jobs.yaml", terminal=True)
    assert (done.code, done.out, done.err) == (0, "jobs.yaml: 1 job, no mistake\n", "")
    assert stepsched("check", "jobs.yaml").document == [{"file": "jobs.yaml", "jobs": 1, "problems": []}]


def test_every_mistake_of_every_file_is_a_line(stepsched: CommandLine) -> None:
    write("good.yaml", GOOD)
    write("bad.yaml", BAD)
    write("over.yaml", OVER)
    done = stepsched("check", "good.yaml", "bad.yaml", "over.yaml", terminal=True)
    assert (done.code, done.err) == (2, "")
    lines = done.out.splitlines()
    assert lines[0] == "good.yaml: 1 job, no mistake"
    assert [line.split(": ")[:3] for line in lines[1:]] == [
        ["bad.yaml:2", "job 1 ('a')", "schedule"],
        ["bad.yaml:7", "job 2 ('b')", "colour"],
        ["bad.yaml:8", "job 2 ('b')", "enabled"],
        ["over.yaml:2", "job 2 ('over')", "it would never run"],
    ]


def test_the_mistakes_are_json_on_a_pipe(stepsched: CommandLine) -> None:
    write("jobs.json", json.dumps([{"name": "a", "schedule": "x", "target": ["true"]}], indent=1))
    done = stepsched("check", "jobs.json")
    assert (done.code, done.err) == (2, "")
    (found,) = done.document
    assert (found["file"], found["jobs"]) == ("jobs.json", 0)
    ((line, text),) = (problem.values() for problem in found["problems"])
    assert line == 4
    assert text.startswith("job 1 ('a'): schedule: 'x' cannot be read")
    assert stepsched("check", "jobs.json", "-o", "name").out == "jobs.json\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("missing.yaml", "missing.yaml: No such file or directory", id="missing"),
        pytest.param("missing", "missing: No module named 'missing'", id="module"),
        pytest.param("./missing", "./missing: no such file", id="no module"),
        pytest.param("folder", "folder: it is a folder; name its files", id="folder"),
        pytest.param("folder.yaml", "folder.yaml: Is a directory", id="folder of that name"),
        pytest.param("latin.yaml", "latin.yaml: it is not UTF-8", id="not UTF-8"),
        pytest.param("crontab.txt", "crontab.txt: its name does not tell its format", id="other suffix"),
        pytest.param("tab.yaml", "tab.yaml:2: it is not YAML: YAML is indented with blanks", id="no YAML"),
        pytest.param(
            "broken.json", "broken.json:2: it is not JSON: Expecting value, at column 1", id="no JSON"
        ),
        pytest.param("empty.yaml", "empty.yaml: expected a list of jobs", id="empty"),
        pytest.param("broken.py", "broken.py: the import failed: ZeroDivisionError", id="a program"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(stepsched: CommandLine, name: str, words: str) -> None:
    for folder in ("folder", "folder.yaml"):
        Path(folder).mkdir()
    write("latin.yaml", b"- \xe9\n")
    write("crontab.txt", "0 9 * * * x\n")
    write("tab.yaml", "- a: 1\n\tb: 2\n")
    write("broken.json", "[\n")
    write("empty.yaml", "")
    write("broken.py", "1 / 0\n")
    write("good.yaml", GOOD)
    done = stepsched("check", name, "good.yaml", terminal=True)
    assert (done.code, done.err) == (2, "")
    first, second = done.out.splitlines()
    assert first.startswith(words)
    assert second == "good.yaml: 1 job, no mistake"


def test_yaml_without_its_extra_is_a_line(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)  # as on a machine without it
    write("jobs.yaml", GOOD)
    done = stepsched("check", "jobs.yaml", terminal=True)
    assert done.code == 2
    assert "pip install 'stepsched[yaml]'" in done.out


def test_the_standard_input_and_programs_of_the_folder_are_checked_too(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    write("checked_jobs.py", "import stepsched as ss\n@ss.job('rate(1 hour)')\ndef tidy(): ...\n")
    try:
        done = stepsched("check", "-", "checked_jobs", stdin=BAD, terminal=True)
    finally:
        sys.modules.pop("checked_jobs", None)
    assert done.out.splitlines()[-1] == "checked_jobs: 1 job, no mistake"
    assert done.out.startswith("standard input:2: job 1 ('a'): schedule: ")
    assert done.code == 2


def test_a_name_in_two_files_is_a_mistake(stepsched: CommandLine) -> None:
    write("one.yaml", GOOD)
    write("two.yaml", "\n" + GOOD)
    done = stepsched("check", "one.yaml", "two.yaml", terminal=True)
    assert done.code == 2
    assert done.out.endswith("two.yaml:2: job 1 ('tidy'): the name also occurs in one.yaml\n")


def test_text_of_a_file_cannot_steer_the_terminal(stepsched: CommandLine) -> None:
    write("jobs.yaml", '- {name: a, schedule: rate(1 hour), target: ["true"], "\\e[2J": 1}')
    done = stepsched("check", "jobs.yaml", terminal=True)
    assert "job 1 ('a'): \\x1b[2J: unknown field" in done.out
    assert "\x1b" not in done.out


AWS = "- {name: a b, schedule: rate(1 hour), target: 'arn:aws:sns:eu-west-1:123456789012:t'}\n"
ROLE = "eventbridge:arn:aws:iam::123456789012:role/r"


def test_a_backend_that_is_named_on_the_command_line_checks_each_job(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("jobs.yaml", GOOD.replace("tidy", "fine") + AWS)
    done = stepsched("check", "jobs.yaml", "--backend", ROLE, "--region", "eu-west-1", terminal=True)
    assert done.code == 2
    assert [line.split(": ")[:3] for line in done.out.splitlines()] == [
        ["jobs.yaml:1", "job 1 ('fine')", "the eventbridge backend refuses it"],
        ["jobs.yaml:2", "job 2 ('a b')", "the eventbridge backend refuses it"],
    ]
    monkeypatch.setenv("STEPSCHED_BACKEND", ROLE)
    assert stepsched("check", "jobs.yaml").code == 0


def test_a_check_with_a_file_of_jobs_creates_none(stepsched: CommandLine) -> None:
    write("jobs.yaml", GOOD)
    assert stepsched("check", "jobs.yaml", "--backend", "local:jobs.db").code == 0
    assert not Path("jobs.db").exists()
