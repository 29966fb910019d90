"""The command line as a process: closed streams, full disks, narrow encodings, terminals, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from tests.docs import cli_folder

pytestmark = [
    pytest.mark.one_in(2),
    pytest.mark.skipif(os.name != "posix", reason="shells, terminals and signals of POSIX"),
]
PROGRAM = [sys.executable, "-m", "stepsched"]
MANY = ["next", "rate(1 minute)", "-n", "4000", "-o", "json"]
CLOSED = "error: cannot write the output: Bad file descriptor\n"
FULL = "error: cannot write the output: No space left on device\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("processes") / "folder"
    cli_folder.make(made)
    return made


def settings(**more: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONTZPATH") if name in os.environ}
    return {**inherited, "PYTHONPATH": str(cli_folder.ROOT), "STEPSCHED_BACKEND": "local:jobs.db", **more}


def shell(
    script: str, *arguments: str, folder: Path, program: Sequence[str] = PROGRAM, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs a script in which ``"$@"`` is the command line."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *program, *arguments],
        cwd=folder,
        env=settings(**more),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("redirection", "arguments", "code", "err"),
    [
        pytest.param(">&-", ["list", "-o", "json"], 1, CLOSED, id="stdout-closed"),
        pytest.param(">&-", ["--help"], 1, "error: Bad file descriptor\n", id="stdout-closed-help"),
        pytest.param(">/dev/full", ["list", "-o", "json"], 1, FULL, id="stdout-full"),
        pytest.param(">/dev/full", ["--help"], 1, "error: No space left on device\n", id="stdout-full-help"),
        pytest.param("2>&-", ["nothing"], 2, "", id="stderr-closed"),
        pytest.param("2>/dev/full", ["nothing"], 2, "", id="stderr-full"),
        pytest.param(">&- 2>&- <&-", ["list"], 1, "", id="all-closed"),
    ],
)
def test_a_stream_that_cannot_be_written_is_one_line_or_nothing(
    redirection: str, arguments: list[str], code: int, err: str, unbuffered: str, folder: Path
) -> None:
    done = shell(f'"$@" {redirection}', *arguments, folder=folder, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", err)


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "2>/dev/full"])
def test_a_stream_that_is_not_needed_may_be_closed(redirection: str, folder: Path) -> None:
    done = shell(f'"$@" {redirection}', "list", "-o", "name", folder=folder)
    assert (done.returncode, done.stdout) == (0, "cleanup\nclosing-books\nnightly-report\n")


@pytest.mark.parametrize(("form", "unbuffered"), [("json", ""), ("json", "1"), ("table", ""), ("name", "1")])
def test_a_reader_that_has_gone_ends_the_writer_quietly(form: str, unbuffered: str, folder: Path) -> None:
    script = '"$@" | head -1 >/dev/null; echo "${PIPESTATUS[0]}"'
    done = shell(script, *MANY[:-1], form, folder=folder, PYTHONUNBUFFERED=unbuffered)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_reader_of_the_help_that_has_gone_ends_it_quietly(folder: Path) -> None:
    script = '{ sleep 0.01; "$@" --help; echo "$?" >&2; } | true'
    assert shell(script, folder=folder).stderr == "141\n"


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_slow_reader_gets_everything(unbuffered: str, folder: Path) -> None:
    done = shell('"$@" | { sleep 0.1; cat; }', *MANY, folder=folder, PYTHONUNBUFFERED=unbuffered)
    assert len(json.loads(done.stdout)) == 4_000


# -- encodings -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job whose tag is not ASCII."""
    made = tmp_path_factory.mktemp("foreign")
    backend = ss.LocalBackend(made / "jobs.db")
    target = ss.CommandTarget(["true"])
    job = ss.Job(name="a", schedule=ss.Rate("PT1H"), target=target, tags={"team": "Żółć 😀 é"})
    ss.SchedulerClient(backend).create(job)
    backend.close()
    return made


NARROW: list[dict[str, Any]] = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("narrow", NARROW, ids=lambda each: next(iter(each.values())))
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_narrow_encoding_loses_no_character_of_a_document(
    form: str, narrow: dict[str, Any], foreign: Path
) -> None:
    done = shell('"$@"', "list", "-o", form, folder=foreign, **narrow)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    if form == "yaml":
        import yaml

        (record,) = yaml.safe_load(done.stdout)
    else:
        (record,) = json.loads(done.stdout)
    assert record["job"]["tags"] == {"team": "Żółć 😀 é"}


@pytest.mark.parametrize("narrow", NARROW, ids=lambda each: next(iter(each.values())))
def test_a_narrow_encoding_breaks_no_table_and_no_error(narrow: dict[str, Any], foreign: Path) -> None:
    done = shell('"$@"', "list", "-o", "table", folder=foreign, COLUMNS="60", **narrow)
    assert (done.returncode, done.stderr) == (0, "")
    done = shell('"$@"', "next", "Żółć", folder=foreign, **narrow)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


# -- interpreters and terminals ------------------------------------------------------------------------

ISOLATED = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('stepsched', None, '__main__')"
)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, "-W", "error", "-m", "stepsched"], id="warnings-are-errors"),
        pytest.param([sys.executable, "-O", "-m", "stepsched"], id="optimized"),
        pytest.param([sys.executable, "-I", "-c", ISOLATED, str(cli_folder.ROOT)], id="isolated"),
    ],
)
def test_the_interpreter_may_be_started_otherwise(program: list[str], folder: Path) -> None:
    done = shell('"$@"', "list", "-o", "name", folder=folder, program=program)
    assert done.stderr == ""
    assert done.stdout.split() == ["cleanup", "closing-books", "nightly-report"]


def on_a_terminal(*arguments: str, folder: Path, columns: int, **more: str) -> str:
    ours, theirs = os.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            env=settings(**more),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,  # which gets no bar of progress where the machine is slow
        ) as child:
            os.close(theirs)
            text = b"".join(cli_folder.read(ours)).decode()
            assert child.stderr is not None
            assert child.stderr.read() == b""
        assert child.returncode == 0
        return text.replace("\r\n", "\n")
    finally:
        os.close(ours)


@pytest.mark.parametrize(
    ("columns", "terminal"),
    [(0, "xterm-256color"), (20, "dumb"), (20, "xterm"), (80, "dumb"), (300, "xterm")],
)
def test_a_table_fits_any_terminal_and_names_are_whole(columns: int, terminal: str, folder: Path) -> None:
    text = on_a_terminal("list", folder=folder, columns=columns, TERM=terminal)
    head, *rows = text.splitlines()
    assert "NAME" in head
    for name, row in zip(("cleanup", "closing-books", "nightly-report"), rows, strict=True):
        assert row.startswith(name)
    assert ("\x1b[" in text) is (terminal != "dumb")


def test_a_terminal_without_colors_gets_none(folder: Path) -> None:
    assert "\x1b" not in on_a_terminal("list", folder=folder, columns=80, TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("list", "--no-color", folder=folder, columns=80, TERM="xterm")


# -- without the extra ---------------------------------------------------------------------------------

MISSING = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name in {missing!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)

sys.meta_path.insert(0, Nothing())
from stepsched.cli import main
main()
"""


@pytest.mark.parametrize(
    ("missing", "arguments", "err"),
    [
        pytest.param(["click"], ["list"], "the command line needs the extra", id="click"),
        pytest.param(["rich"], ["list", "-o", "table"], "rich is not installed", id="rich"),
        pytest.param(["yaml"], ["list", "-o", "yaml"], "YAML needs the extra", id="yaml"),
    ],
)
def test_what_is_not_installed_is_named(
    missing: list[str], arguments: list[str], err: str, folder: Path
) -> None:
    program = [sys.executable, "-c", MISSING.format(missing=missing)]
    done = shell('"$@"', *arguments, folder=folder, program=program)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {err}")
    assert "pip install 'stepsched[" in done.stderr
    assert done.stderr.count("\n") == 1


# -- Ctrl-C --------------------------------------------------------------------------------------------


def test_ctrl_c_is_quiet(folder: Path) -> None:
    """Sent once the command has begun to write, which it cannot finish before it is read."""
    arguments = ["next", "rate(1 minute)", "-n", "4000", "-o", "name"]
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=settings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.read(10)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.strip() == ""
