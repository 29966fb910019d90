"""Every exit code, and what produces it. Ctrl-C and lost readers as processes: test_processes.py."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stepsched.cli import failures
from stepsched.core.clock import SystemClock
from tests.docs import cli_folder
from tests.unit.cli.conftest import CommandLine

EVENTBRIDGE = ["--backend", "eventbridge:arn:aws:iam::123456789012:role/scheduler", "--region", "eu-west-1"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("codes") / "folder"
    cli_folder.make(made)
    return made


@pytest.fixture(autouse=True)
def folder(stepsched: CommandLine, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the examples is the working folder of ``stepsched``."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    return tmp_path


class Denying(BaseHTTPRequestHandler):
    """Answers every request as AWS does if a permission is missing."""

    def do_GET(self) -> None:
        body = b'{"Message": "User: ada is not authorized to perform: scheduler:ListSchedules"}'
        self.send_response(403)
        self.send_header("x-amzn-ErrorType", "AccessDeniedException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def denying(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of an account in which nothing is allowed."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with HTTPServer(("127.0.0.1", 0), Denying) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


CASES = [
    pytest.param("list -o name", 0, None, id="done"),
    pytest.param("plan jobs.yaml --detailed-exitcode", 0, None, id="no change"),
    pytest.param("list --backend local:jobs.yaml", 1, "is not an SQLite database", id="no database"),
    pytest.param("plan nothing.yaml --detailed-exitcode", 1, "nothing.yaml", id="plan that fails"),
    pytest.param("nothing", 2, "nothing", id="no command"),
    pytest.param("list --colour", 2, "--colour", id="no option"),
    pytest.param("get", 2, "NAME", id="no argument"),
    pytest.param("next rate(0)", 2, "rate(0)", id="refused value"),
    pytest.param("get nightly-report --backend local:nothing.db", 2, "there is no file", id="no file"),
    pytest.param("cancel cleanup", 2, "use --yes", id="nobody to ask"),
    pytest.param("check machine.json", 2, None, id="mistakes"),
    pytest.param("plan aws.yaml --prune --detailed-exitcode", 2, None, id="changes"),
    pytest.param("get nothing", 3, "no job is named 'nothing'", id="no job"),
    pytest.param("wait cleanup --run 99", 3, "99", id="no run"),
    pytest.param(
        "create cleanup --schedule rate(1h) -- true", 2, "rate(1h)", id="refused before it is asked"
    ),
    pytest.param("create cleanup --schedule every/hour -- true", 2, "every/hour", id="no expression"),
    pytest.param("create cleanup -f aws-job.yaml", 4, "already named 'cleanup'", id="exists"),
    pytest.param("redrive cleanup --run 3", 4, "succeeded", id="wrong status"),
    pytest.param(" ".join(["runs", "x", *EVENTBRIDGE]), 5, "keeps no record", id="cannot"),
    pytest.param("pause cleanup nothing", 7, "1 of 2 failed", id="a part failed"),
    pytest.param("wait closing-books", 8, "the ledger is locked", id="failed run"),
]


@pytest.mark.parametrize(("line", "code", "words"), CASES)
def test_a_command_line_ends_with_its_exit_code(
    line: str, code: int, words: str | None, stepsched: CommandLine, folder: Path
) -> None:
    (folder / "aws-job.yaml").write_text("name: cleanup\nevery: 1 hour\ntarget: ['true']\n")
    done = stepsched(*line.split())
    assert done.code == code, done.err
    errors = [each for each in done.err.splitlines() if each.startswith("error: ")]
    if words is None:
        assert errors == []
    else:
        assert errors
        assert any(words in each for each in errors)
    assert "Traceback" not in done.err


def test_a_missing_permission_ends_with_6(stepsched: CommandLine, denying: str) -> None:
    done = stepsched("list", *EVENTBRIDGE, "--endpoint-url", denying)
    assert done.code == failures.NO_ACCESS, done.err
    assert done.out == ""
    assert "scheduler:ListSchedules" in done.err
    assert done.err.count("\n") == 1


def test_a_run_that_has_not_ended_in_time_ends_with_124(stepsched: CommandLine) -> None:
    """By the clock of this computer, for nobody plays the runs here."""
    done = stepsched("run-now", "cleanup", "--wait", "--timeout", "0s", clock=SystemClock())
    assert done.code == failures.TIMED_OUT
    assert "is still pending" in done.err


def test_an_answer_of_no_ends_with_130_and_changes_nothing(stepsched: CommandLine) -> None:
    done = stepsched("cancel", "cleanup", terminal=True, stdin="n\n")
    assert done.code == failures.INTERRUPTED
    assert "cleanup" in stepsched("list", "-o", "name").out


def test_every_code_of_the_table_is_produced_by_a_test() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", failures.__doc__ or "", re.MULTILINE)}
    produced = {case.values[1] for case in CASES} | {failures.NO_ACCESS, failures.TIMED_OUT}
    assert told == produced | {failures.INTERRUPTED, failures.READER_GONE}


def test_a_defect_shows_its_traceback(stepsched: CommandLine) -> None:
    """One line would hide where it is."""

    class Defective:
        def now(self) -> None:
            raise KeyError("a defect")

    with pytest.raises(KeyError, match="a defect"):
        stepsched("next", "rate(1 hour)", clock=Defective())
