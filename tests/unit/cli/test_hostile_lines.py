"""Bad input of every kind ends with its exit code and one line, soon, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

import stepsched as ss
from stepsched.aws.sdk import mapped
from stepsched.cli import places
from stepsched.cli.solutions.app import run
from stepsched.jobs.yaml_text import read_yaml
from tests.unit.cli.conftest import CommandLine, Done
from tests.unit.cli.solutions_fakes import FakeStack

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
    monkeypatch.setattr("stepsched.core.text_files._MOST_CHARACTERS", 1_000)  # to be soon
    assert "expected at most 1,000 characters, got more" in refused(stepsched(*command.split()))


# -- nothing is changed --------------------------------------------------------------------------------


def test_a_job_that_is_refused_makes_no_file(stepsched: CommandLine) -> None:
    line = ("create", "tidy", "--schedule", "rate(1 day)", "--target", "gone:away", "--backend")
    refused(stepsched(*line, "local:new.db"), 5)
    assert not Path("new.db").exists()
    assert stepsched(*line[:4], "--backend", "local:new.db", "--", "tidy").code == 0
    assert Path("new.db").exists()


def test_a_plan_that_contradicts_itself_is_refused_whole(stepsched: CommandLine, jobs: str) -> None:
    place = ("--backend", "local:jobs.db")
    assert stepsched("apply", jobs, *place).code == 0
    Path("new.yaml").write_text(JOBS.replace("1 minute", "2 minutes") + JOBS.replace("tidy", "other"))
    made = stepsched("plan", "new.yaml", "-o", "json", *place).document
    (job,), (change,) = made["create"], made["update"]
    renamed = {**change, "before": {**change["before"], "name": "another"}}
    before = stepsched("list", *place).out
    for words, tampered in {
        "changes job 'other' twice": {**made, "create": [job, job]},
        "changes job 'tidy' twice": {**made, "create": [change["after"]]},
        "renames job 'another'": {**made, "update": [renamed]},
    }.items():
        assert words in refused(stepsched("apply", "-", *place, stdin=json.dumps(tampered)))
    assert stepsched("list", *place).out == before


@pytest.mark.parametrize("words", [{}, {"COMP_WORDS": "stepsched", "COMP_CWORD": "x"}])
def test_a_completion_that_no_shell_asks_for_says_nothing_wrong(words: dict[str, str]) -> None:
    environment = os.environ | {"_STEPSCHED_COMPLETE": "bash_complete"} | words
    line = [sys.executable, "-m", "stepsched"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "plain,list" in done.stdout


# -- what is printed -----------------------------------------------------------------------------------

STEERING = "\x7f\x9b31m\u202e\u2028\u200b\U000e0001\x85\x00\x1b]0;x\x07 \u00e9\U0001f4a5 [red]{}%s"


@pytest.mark.parametrize("form", ["json", "yaml", "table"])
@pytest.mark.parametrize("command", ["list", "get tidy", "export"])
def test_no_form_of_the_output_steers_a_terminal_and_documents_are_read_exactly(
    stepsched: CommandLine, form: str, command: str
) -> None:
    place = ("--backend", "local:jobs.db")
    written = [{"name": "tidy", "schedule": "rate(1 day)", "target": ["tidy"], "description": STEERING}]
    Path("jobs.json").write_text(json.dumps(written))
    assert stepsched("apply", "jobs.json", *place).code == 0
    done = stepsched(*command.split(), "-o", form, "--no-color", *place, terminal=True)
    assert done.code == 0
    assert done.out.replace("\n", "").isprintable()
    if form != "table":
        document = done.document if form == "json" else read_yaml(done.out).document
        item = document[0] if isinstance(document, list) else document
        assert item.get("job", item)["description"] == STEERING


# -- documents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["- !!timestamp x", "- !!int ''", "- !!bool maybe", "- !!float x", r'- "\UFFFFFFFF"', "- !!binary 1"],
)
def test_yaml_whose_values_contradict_their_tags_is_refused(stepsched: CommandLine, text: str) -> None:
    for command in ("create --file -", "plan --offline -", "resume --from -"):
        line = refused(stepsched(*command.split(), "--backend", "local:jobs.db", stdin=text))
        assert "YAML" in line


def test_of_very_many_mistakes_the_first_are_shown(stepsched: CommandLine) -> None:
    Path("jobs.json").write_text(json.dumps([{"name": "a", "schedule": "rate(1 day)"}] * 1_000))
    lines = stepsched("plan", "jobs.json", "--offline").err.splitlines()
    assert len(lines) == 101
    assert lines[-1].endswith("more; `stepsched check` shows all")


# -- AWS -----------------------------------------------------------------------------------------------


def test_an_endpoint_that_nobody_listens_at_is_given_up_after_three_attempts() -> None:
    unreachable, slow = EndpointConnectionError(endpoint_url="x"), ConnectTimeoutError(endpoint_url="x")
    events = places.boto3_session("eu-west-1", None).events
    tried = "needs-retry.scheduler.ListSchedules"
    for error, most in ((unreachable, 3), (slow, 2)):
        events.emit(tried, attempts=most - 1, caught_exception=error)
        with pytest.raises(type(error)):
            events.emit(tried, attempts=most, caught_exception=error)
    events.emit(tried, attempts=9, caught_exception=None)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://a:99999",
        "http://a b",
        " ",
        "http://me:hush@a:1",
    ],
)
def test_an_endpoint_that_is_none_is_refused_before_anybody_is_asked(
    stepsched: CommandLine, url: str
) -> None:
    for place in ("eventbridge:arn:aws:iam::123456789012:role/x", "stack:a"):
        line = refused(stepsched("list", "--region", "eu-west-1", "--backend", place, "--endpoint-url", url))
        assert "expected --endpoint-url to be such as 'http://127.0.0.1:4566', got " in line
        assert "hush" not in line


def test_the_password_in_an_address_is_not_shown_when_nobody_listens() -> None:
    with pytest.raises(ss.BackendError) as caught, mapped("states", "connect"):
        raise EndpointConnectionError(endpoint_url="http://me:hush@127.0.0.1:1/path")
    assert "http://me:***@127.0.0.1:1/path" in str(caught.value)


# -- places --------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="a working folder cannot be removed there")
def test_a_working_folder_that_is_gone_is_named_and_matters_only_where_it_is_read(
    stepsched: CommandLine, jobs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("--backend", f"local:{tmp_path / 'jobs.db'}")
    assert stepsched("apply", jobs, *place).code == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert stepsched("list", "-o", "name", *place).out == "tidy\n"
    assert "the working folder is gone" in refused(stepsched("list"))


@pytest.mark.parametrize("region", ["../../x", "\x1b[31m", "eu\nwest"])
def test_a_region_that_is_none_is_refused(stepsched: CommandLine, region: str) -> None:
    line = refused(stepsched("list", "--backend", "stack:a", "--region", region))
    assert "use the name of a Region, such as eu-west-1" in line


def test_what_the_known_scheduler_refuses_cannot_steer_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["-s", "st", "-r", "eu-west-1", "list", "\x07\x9b"], session=FakeStack()) == 2
    shown = capsys.readouterr().err
    assert shown.replace("\n", "").isprintable()
    assert r"\x07\x9b" in shown
