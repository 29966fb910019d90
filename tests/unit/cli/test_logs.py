"""``logs``: what happened to runs, and what happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.app import run
from stepsched.cli.commands.logs import followed
from stepsched.cli.session import Session
from stepsched.cli.watching.histories import History, RunEvent
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine
from tests.unit.cli.played import DAY, Played, job

MINUTE = timedelta(minutes=1)


@pytest.fixture
def file(stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    monkeypatch.setenv("NO_COLOR", "1")
    return Played(tmp_path / "jobs.db")


def pauses(*steps: Callable[[], object]) -> Callable[[float], object]:
    """Returns what happens in the pauses of a command, one after the other; then Ctrl-C."""
    left = iter(steps)

    def pause(seconds: float) -> object:
        assert seconds == 1
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        return step()

    return pause


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# -- the recorded history ------------------------------------------------------------------------------


def test_the_history_is_one_line_an_event_on_a_terminal(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW - 2 * DAY)
    done = stepsched("logs", terminal=True)
    assert (done.code, done.err) == (0, "")
    head, traceback = done.out.splitlines()[:4], done.out.splitlines()[4:]
    at = "2030-01-04 09:00:00 +01:00 Europe/Paris"
    assert head == [
        f"{at}  1  nightly-report  started",
        f"{at}  1  nightly-report  succeeded in 0 ms",
        f"{at}  2  cleanup  started",
        f"{at}  2  cleanup  failed after 0 ms: RuntimeError: no luck \\x1b[31m",
    ]
    assert traceback[0] == "    Traceback (most recent call last):"
    assert traceback[-1] == "    RuntimeError: no luck \\x1b[31m"


def test_json_is_one_object_a_line(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW - 2 * DAY)
    found = lines(stepsched("logs", "cleanup").out)
    assert [(each["at"], each["kind"], each["job"]) for each in found] == [
        ("2030-01-04T09:00:00+01:00", "started", "cleanup"),
        ("2030-01-04T09:00:00+01:00", "failed", "cleanup"),
    ]
    assert [found[0]["run"]] == stepsched("runs", "cleanup").document
    assert found == lines(stepsched("logs", "cleanup", "-o", "json", terminal=True).out)


def test_since_is_inclusive(stepsched: CommandLine, file: Played) -> None:
    file.play()
    assert len(lines(stepsched("logs").out)) == 12
    assert len(lines(stepsched("logs", "--since", "2030-01-05T08:00Z").out)) == 8
    assert len(lines(stepsched("logs", "--since", "2030-01-05T08:00:01Z").out)) == 4


def test_missed_and_skipped_runs_say_why(stepsched: CommandLine, file: Played) -> None:
    with file.open() as client:
        client.update(job("cleanup", catch_up=ss.CatchUp.SKIP))
        client.run_now("nightly-report")
        client.cancel("nightly-report")
    file.clock.move_to(NOW)
    file.play(NOW + MINUTE)
    text = stepsched("logs", terminal=True).out
    assert "nightly-report  skipped: the job was cancelled" in text
    assert "cleanup  missed: " in text


def test_logs_of_no_job_are_not_found(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("logs", "nope").code == 3
    assert stepsched("logs", "nope", "--follow").code == 3


def test_an_empty_history_is_nothing(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("logs")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("form", ["yaml", "name"])
def test_events_have_two_forms(stepsched: CommandLine, file: Played, form: str) -> None:
    assert stepsched("logs", "-o", form).code == 2


# -- following -----------------------------------------------------------------------------------------


def test_follow_shows_each_event_once_until_ctrl_c(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW - 2 * DAY)  # what has happened is not shown
    done = stepsched(
        "logs",
        "--follow",
        clock=file.clock,
        pause=pauses(
            lambda: None,
            lambda: file.play(NOW - DAY),
            lambda: None,
            lambda: file.play(NOW),
            lambda: None,
        ),
    )
    assert (done.code, done.err) == (130, "")
    assert [(each["run"]["id"], each["kind"]) for each in lines(done.out)] == [
        (3, "started"),
        (3, "succeeded"),
        (4, "started"),
        (4, "failed"),
        (5, "started"),
        (5, "succeeded"),
        (6, "started"),
        (6, "failed"),
    ]


def test_logs_tells_a_person_why_it_shows_nothing(stepsched: CommandLine, file: Played) -> None:
    nothing = stepsched("logs", terminal=True)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing has happened yet\n")
    file.play()
    since = stepsched("logs", "--since", "now", clock=file.clock, terminal=True)
    assert (since.out, since.err) == ("", "nothing has happened since then\n")
    assert stepsched("logs", "--since", "now", clock=file.clock).err == ""


def test_follow_tells_a_person_what_it_follows_and_whether_anything_runs(
    stepsched: CommandLine, file: Played
) -> None:
    done = stepsched("logs", "-f", "cleanup", clock=file.clock, pause=pauses(), terminal=True)
    warning, line, *_ = done.err.splitlines()
    assert "start one with `stepsched serve jobs.db`" in warning
    assert line == "following the runs of job 'cleanup'; Ctrl-C ends it"


@pytest.mark.parametrize(("tail", "count"), [("0", 0), ("3", 3), ("100", 12)])
def test_tail_shows_the_latest_events_only(
    tail: str, count: int, stepsched: CommandLine, file: Played
) -> None:
    file.play()
    events = lines(stepsched("logs").out)
    assert len(events) == 12
    assert lines(stepsched("logs", "--tail", tail).out) == events[len(events) - count :]


def test_follow_with_tail_begins_with_the_latest_events(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW - DAY)
    done = stepsched("logs", "-f", "-n", "1", clock=file.clock, pause=pauses(lambda: file.play(NOW)))
    assert [(each["run"]["id"], each["kind"]) for each in lines(done.out)] == [
        (4, "failed"),
        (5, "started"),
        (5, "succeeded"),
        (6, "started"),
        (6, "failed"),
    ]


def test_follow_with_since_begins_with_the_past(stepsched: CommandLine, file: Played) -> None:
    file.play()
    done = stepsched(
        "logs", "cleanup", "-f", "--since", "now-1d", clock=file.clock, pause=pauses(lambda: None)
    )
    assert (done.code, [each["kind"] for each in lines(done.out)]) == (130, ["started", "failed"])


def test_follow_shows_failed_attempts_and_the_next_ones(stepsched: CommandLine, file: Played) -> None:
    with file.open() as client:
        client.update(job("cleanup", "fail", retry=ss.Retry(max_attempts=2, interval=MINUTE)))
        client.run_now("cleanup")
    start = file.clock.now()
    done = stepsched(
        "logs",
        "-f",
        clock=file.clock,
        pause=pauses(
            lambda: file.play(start),
            lambda: None,
            lambda: file.play(start + MINUTE),
            lambda: file.play(start + 3 * MINUTE),
            lambda: None,
        ),
    )
    assert [(each["kind"], each["run"]["attempt"]) for each in lines(done.out)] == [
        ("started", 1),
        ("retried", 1),
        ("started", 2),
        ("retried", 2),
        ("started", 3),
        ("failed", 3),
    ]


def test_follow_shows_old_runs_that_are_run_again(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW - 2 * DAY)

    def redrive() -> None:
        with file.open() as client:
            client.redrive(client.dead_letters()[0])

    file.play()
    with file.open() as client:  # more recent runs than a poll reads
        client.backfill("nightly-report", since=NOW - 300 * DAY, until=NOW - 100 * DAY)
    file.play(NOW + MINUTE)
    done = stepsched(
        "logs",
        "-f",
        clock=file.clock,
        pause=pauses(redrive, lambda: file.play(NOW + 2 * MINUTE), lambda: None),
    )
    assert [(each["kind"], each["run"]["id"]) for each in lines(done.out)] == [("started", 2), ("failed", 2)]


def test_follow_misses_none_of_many_runs_at_once(stepsched: CommandLine, file: Played) -> None:
    def work() -> None:
        with file.open() as client:
            client.backfill("nightly-report", since=NOW - 2000 * DAY, until=NOW - 1500 * DAY)
        file.play(file.clock.now())

    done = stepsched("logs", "-f", clock=file.clock, pause=pauses(work, lambda: None))
    assert len({(each["run"]["id"], each["kind"]) for each in lines(done.out)}) == 1000
    assert len(lines(done.out)) == 1000


def test_what_a_history_holds_does_not_grow(file: Played) -> None:
    file.clock = FakeClock(NOW)
    with file.open() as client:
        history = History(client, None, since=None)
        sizes = list[int]()
        for minute in range(40):
            client.run_now("nightly-report")
            file.play(NOW + minute * MINUTE)
            assert len(history.poll()) >= 2
            sizes.append(len(history._told) + len(history._open))
    assert max(sizes[10:]) <= max(sizes[:10])


class Broken(History):
    """A history whose polls fail with the given errors, one after the other."""

    def __init__(self, *errors: ss.BackendError | None) -> None:
        self.errors = iter(errors)

    def poll(self) -> list[RunEvent]:
        error = next(self.errors)
        if error is not None:
            raise error
        return []


def test_an_outage_is_said_once_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    busy = ss.BackendError("sqlite", "list runs", "BUSY", retryable=True)
    damaged = ss.BackendError("sqlite", "list runs", "CORRUPT")
    history = Broken(None, busy, busy, busy, None, busy, damaged)
    found = followed(Session(pause=lambda _: None), history, 1)
    assert [next(found), next(found)] == [[], []]
    with pytest.raises(ss.BackendError, match="CORRUPT"):
        next(found)
    line = "warning: sqlite list runs failed with BUSY; the same call may succeed later; trying again\n"
    assert capsys.readouterr().err == 2 * line


def test_an_error_that_stays_ends_the_following(stepsched: CommandLine, file: Played, tmp_path: Path) -> None:
    def delete() -> None:
        for each in tmp_path.glob("jobs.db*"):
            each.unlink()

    done = stepsched("logs", "-f", clock=file.clock, pause=pauses(delete))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "there is no file jobs.db" in done.err


def test_colors_on_a_terminal(stepsched: CommandLine, file: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    with file.open() as client:
        client.update(job("cleanup", "fail", retry=ss.Retry(max_attempts=1, interval=MINUTE)))
        client.run_now("cleanup")
    start = file.clock.now()
    done = stepsched(
        "logs",
        "-f",
        terminal=True,
        clock=file.clock,
        pause=pauses(lambda: file.play(start), lambda: file.play(start + MINUTE)),
    )
    assert (
        "  \x1b[33mattempt 1 failed, the next one follows: RuntimeError: no luck \\x1b[31m\x1b[0m\n"
        in done.out
    )
    assert "  started, attempt 2\n" in done.out
    assert "  \x1b[31mfailed after 0 ms: " in done.out


@pytest.mark.skipif(os.name != "posix", reason="of POSIX pipes")
def test_a_reader_that_has_gone_is_seen_without_a_line_to_write(
    stepsched: CommandLine, file: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        steps = pauses(lambda: None, lambda: os.close(reader), lambda: None)
        assert run(["logs", "--follow"], clock=file.clock, pause=steps) == 141


def test_follow_goes_on_with_a_file_in_the_place_of_the_first(
    stepsched: CommandLine, file: Played, tmp_path: Path
) -> None:
    def replace() -> None:
        for each in tmp_path.glob("jobs.db*"):
            each.unlink()
        fresh = Played(tmp_path / "jobs.db")
        fresh.clock = file.clock
        with fresh.open() as client:  # more than a poll reads at least
            client.backfill("cleanup", since=NOW - 200 * DAY, until=NOW - 51 * DAY)
        fresh.play(file.clock.now())

    done = stepsched(
        "logs",
        "-f",
        clock=file.clock,
        pause=pauses(
            lambda: file.play(NOW - 2 * DAY), lambda: None, replace, lambda: None, lambda: None, lambda: None
        ),
    )
    assert (done.code, done.err) == (130, "")
    ids = [each["run"]["id"] for each in lines(done.out)]
    assert ids[:4] == [1, 1, 2, 2]
    assert len(ids[4:]) == 2 * len(set(ids[4:])) > 300


# -- a process -----------------------------------------------------------------------------------------


def follow(folder: Path, **options: Any) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "stepsched", "logs", "--follow", "--since", "2020-01-01T00:00Z"]
    return subprocess.Popen(line, cwd=folder, text=True, stdout=subprocess.PIPE, **options)


def test_ctrl_c_ends_a_process_at_once_and_quietly(file: Played, tmp_path: Path) -> None:
    file.play()
    with follow(tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["kind"] == "started"  # flushed, while it goes on
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of POSIX pipes")
def test_a_closed_pipe_ends_a_process_quietly(file: Played, tmp_path: Path) -> None:
    file.play()
    with follow(tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(12):
            process.stdout.readline()
        process.stdout.close()  # nothing more happens that it could write
        assert process.wait(timeout=20) == 141
        assert process.stderr.read() == ""
