"""Completion in shells: the scripts, and the names of stored jobs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

import stepsched as ss
from stepsched.cli.app import app
from stepsched.cli.input import completing
from stepsched.cli.input.bash import Bash
from stepsched.cli.input.completing import names_in_file, names_of_jobs
from stepsched.cli.input.parameters import JOB_NAME
from stepsched.cli.session import Session
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0
"""A machine that is busy needs more time than a person has."""
PROGRAM = """\
#!{python}
import sys

sys.path[:0] = [{root!r}]
from stepsched.cli.app import run
from stepsched.cli.input import completing

completing._PATIENCE = {patience}
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stored jobs, and ``stepsched`` first on the path."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "stepsched"
    program.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT), patience=PATIENCE))
    monkeypatch.setattr(completing, "_PATIENCE", PATIENCE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("STEPSCHED_BACKEND", raising=False)
    monkeypatch.chdir(tmp_path)
    for path, names in (
        ("jobs.db", ["nightly-report", "night shift", "cleanup"]),
        ("b.db", ["b:one", "b:two"]),
    ):
        with closing(ss.LocalBackend(path, clock=FakeClock(NOW))) as backend:
            ss.SchedulerClient(backend).create_many(job(name) for name in names)
    return tmp_path


def job(name: str) -> ss.Job:
    group = "nights" if name.startswith("night") else "default"
    return ss.Job(name=name, group=group, schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]))


def names(prefix: str, *, group: str | None = None, backend: str | None = "local:jobs.db") -> list[str]:
    session = Session(FakeClock(NOW))
    session.backend = backend
    return names_of_jobs(session, prefix, group=group)


# -- names of jobs -------------------------------------------------------------------------------------


def test_names_with_the_prefix_are_sorted(folder: Path) -> None:
    assert names("") == ["cleanup", "night shift", "nightly-report"]
    assert names("night") == ["night shift", "nightly-report"]
    assert names("", group="default") == ["cleanup"]
    assert names("x") == []
    assert sorted(each.name for each in folder.iterdir()) == ["b.db", "bin", "jobs.db"]


@pytest.mark.parametrize(
    "backend",
    [None, "local:gone.db", "local:bin/stepsched", "local:empty.db", "nonsense", "stack:x"],
)
def test_any_failure_gives_no_name_no_word_and_no_file(
    backend: str | None, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (folder / "empty.db").touch()
    before = sorted((each.name, each.stat().st_size) for each in folder.rglob("*"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names("", backend=backend) == []
    assert capfd.readouterr() == ("", "")
    assert sorted((each.name, each.stat().st_size) for each in folder.rglob("*")) == before


def test_a_place_that_does_not_answer_in_time_gives_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def read(*_: object) -> list[str]:
        answers.wait(PATIENCE)
        return ["nightly-report"]

    monkeypatch.setattr(completing, "_read", read)
    monkeypatch.setattr(completing, "_PATIENCE", 0.01)
    assert names("n") == []
    answers.set()


def test_names_in_a_file_are_read_from_documents_and_from_no_program(folder: Path) -> None:
    for path in ("jobs.json", "jobs.txt"):
        Path(path).write_text(ss.jobs.write_jobs([job("night"), job("day"), job("noon")]))
    Path("jobs.py").write_text("from pathlib import Path\nPath('executed').touch()\n")
    assert names_in_file("jobs.json", "n") == ["night", "noon"]
    assert [names_in_file(each, "") for each in ("jobs.py", "jobs.txt", "gone.json", "jobs.db", "-", "")] == [
        []
    ] * 6
    assert not (folder / "executed").exists()


def test_every_argument_for_the_name_of_a_job_completes_it() -> None:
    def arguments(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
        for name, each in group.commands.items():
            if isinstance(each, click.Group):
                yield from arguments(each, f"{path}{name} ")
            else:
                yield from ((f"{path}{name}", parameter) for parameter in each.params)

    found = [
        (command, parameter)
        for command, parameter in arguments(app)
        if isinstance(parameter, click.Argument) and parameter.name in ("name", "names")
    ]
    assert len(found) > 10
    others = {
        "create",
        "deploy",
        "destroy",
        "workflow start",
        "workflow runs",
    }  # a new job, stacks, workflows
    assert {command for command, each in found if each.type is not JOB_NAME} == others


@pytest.mark.parametrize(
    ("line", "words", "incomplete"),
    [
        ("stepsched ", [], ""),
        ("stepsched ge", [], "ge"),
        ("stepsched --backend local:jobs.db get n", ["--backend", "local:jobs.db", "get"], "n"),
        ("stepsched get night\\ s", ["get"], "night s"),
        ("stepsched get night\\ ", ["get"], "night "),
        ("stepsched get x ", ["get", "x"], ""),
    ],
)
def test_bash_gives_whole_words(
    line: str, words: list[str], incomplete: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCHED_LINE", line)
    assert Bash(app, {}, "stepsched", "_X").get_completion_args() == (words, incomplete)
    monkeypatch.delenv("STEPSCHED_LINE")
    monkeypatch.setenv("COMP_WORDS", "stepsched get n")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert Bash(app, {}, "stepsched", "_X").get_completion_args() == (["get"], "n")


def test_bash_is_given_what_follows_the_mark_at_which_it_splits(folder: Path) -> None:
    shell = Bash(app, {"obj": Session(FakeClock(NOW))}, "stepsched", "_X")
    arguments = ["--backend", "local:b.db", "get"]
    assert [each.value for each in shell.get_completions(arguments, "b:t")] == ["two"]
    assert shell.format_completion(CompletionItem("a b$")) == "plain,a\\ b\\$"
    assert shell.format_completion(CompletionItem("a b", type="file")) == "file,a b"
    assert (folder / "b.db").exists()


# -- shells --------------------------------------------------------------------------------------------


def asked(shell: str, *words: str) -> list[str]:
    settings = {
        "_STEPSCHED_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(("stepsched", *words)),
        "COMP_CWORD": words[-1] if shell == "fish" and words else str(len(words)),
    }
    done = subprocess.run(
        ["stepsched"], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


@pytest.mark.usefixtures("folder")
def test_a_shell_gets_names_from_the_backend_that_the_line_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("bash", "get", "n") == []
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    assert asked("bash", "get", "n") == ["plain,night\\ shift", "plain,nightly-report"]
    assert asked("zsh", "get", "--group", "nights", "n")[1::3] == ["night shift", "nightly-report"]
    assert [line.split(",")[1] for line in asked("fish", "--backend", "local:b.db", "get", "b")] == [
        "b:one",
        "b:two",
    ]


@pytest.mark.usefixtures("folder")
def test_a_shell_gets_commands_values_and_files() -> None:
    assert asked("bash", "asl", "re") == ["plain,render"]
    assert asked("bash", "play", "jobs", "-o", "ya") == ["plain,yaml"]
    assert asked("bash", "play", "jo") == ["file,jo"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_program(shell: str, stepsched: CommandLine) -> None:
    done = stepsched("completion", shell)
    assert done.code == 0
    assert f"_STEPSCHED_COMPLETE={shell}_complete" in done.out
    assert done.err == ""


def test_an_unknown_shell_is_a_wrong_use(stepsched: CommandLine) -> None:
    done = stepsched("completion", "cmd.exe")
    assert (done.code, done.out) == (2, "")
    assert "'bash', 'zsh', 'fish'" in done.err


def test_help_says_where_the_line_goes(stepsched: CommandLine) -> None:
    text = stepsched("completion", "--help").out
    assert 'bash, in ~/.bashrc:                    eval "$(stepsched completion bash)"' in text
    assert "fish, in ~/.config/fish/config.fish:   stepsched completion fish | source" in text


COMPLETE = """
eval "$(stepsched completion bash)"
complete -p stepsched > /dev/null
compopt() { :; }
for COMP_LINE; do
    COMP_POINT=${#COMP_LINE}
    COMPREPLY=()
    read -ra COMP_WORDS <<< "$COMP_LINE"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _stepsched_completion stepsched
    printf '%s|' "${COMPREPLY[@]}"
    echo
done
"""
LINES = {
    "stepsched get --backend local:jobs.db night": "night\\ shift|nightly-report|",
    "stepsched --backend=local:jobs.db get night\\ s": "night\\ shift|",
    "stepsched get --backend local:b.db b:t": "two|",
    "stepsched completion ": "bash|zsh|fish|",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.usefixtures("folder")
def test_a_real_bash_completes_whole_words_and_inserts_them_quoted() -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", *LINES], capture_output=True, text=True, check=True
    )
    assert (dict(zip(LINES, done.stdout.splitlines(), strict=True)), done.stderr) == (LINES, "")
