"""Commands about runs, over a file of jobs whose time is played."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import click
import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.jobs import RunStatus
from tests.unit.cli.conftest import NOW, CommandLine
from tests.unit.cli.played import DAY, Played, job


@pytest.fixture
def file(stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    monkeypatch.setenv("NO_COLOR", "1")
    return Played(tmp_path / "jobs.db")


# -- run-now and wait ----------------------------------------------------------------------------------


def test_run_now_records_a_run_and_says_where_it_will_run(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("run-now", "nightly-report")
    assert (done.code, done.document["job"], done.document["status"]) == (0, "nightly-report", "pending")
    assert done.err == (
        "warning: no process runs the jobs of this file at present; "
        "start one with `stepsched serve jobs.db`\n"
    )
    assert stepsched("runs", "-o", "name").out == f"{done.document['id']}\n"


def test_run_now_of_no_job_is_not_found(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("run-now", "nope")
    assert (done.code, done.out) == (3, "")
    assert done.err == "error: no job is named 'nope'; `stepsched list` shows the jobs\n"


def test_a_timeout_without_a_wait_is_refused_before_anything_runs(
    stepsched: CommandLine, file: Played
) -> None:
    assert stepsched("run-now", "cleanup", "--timeout", "1m").code == 2
    assert stepsched("runs").document == []


def test_a_wait_that_could_never_end_is_refused_before_anything_runs(
    stepsched: CommandLine, file: Played
) -> None:
    done = stepsched("run-now", "cleanup", "--wait")  # on the fake clock
    assert (done.code, done.out) == (5, "")
    assert stepsched("runs").document == []


def test_a_wait_ends_after_its_timeout(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("run-now", "nightly-report", "--wait", "--timeout", "0s", clock=SystemClock())
    assert (done.code, done.out) == (124, "")
    assert done.err.endswith("error: run 1 of job 'nightly-report' is still pending after 0 s; it goes on\n")


def test_wait_is_over_when_the_latest_run_has_succeeded(stepsched: CommandLine, file: Played) -> None:
    file.play()
    done = stepsched("wait", "nightly-report")
    assert (done.code, done.err) == (0, "")
    assert (done.document["job"], done.document["status"]) == ("nightly-report", "succeeded")


def test_wait_ends_with_8_and_the_reason_if_the_run_failed(stepsched: CommandLine, file: Played) -> None:
    file.play()
    (first, *_) = stepsched("runs", "cleanup", "-o", "name").out.split()
    done = stepsched("wait", "cleanup", "--run", first)
    assert (done.code, done.document["status"]) == (8, "failed")
    assert done.err == f"error: run {first} of job 'cleanup' failed: RuntimeError: no luck \\x1b[31m\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("nope",), "no job is named 'nope'", id="no job"),
        pytest.param(("cleanup",), "has no run yet; `stepsched run-now` starts one", id="no run"),
        pytest.param(("cleanup", "--run", "99"), "there is no run 99 of job 'cleanup'", id="another run"),
    ],
)
def test_wait_for_what_is_not_there(
    stepsched: CommandLine, file: Played, arguments: tuple[str, ...], words: str
) -> None:
    done = stepsched("wait", *arguments)
    assert (done.code, done.out) == (3, "")
    assert words in done.err


def test_on_a_terminal_a_wait_shows_its_progress_in_one_line(stepsched: CommandLine, file: Played) -> None:
    done = stepsched(
        "run-now", "cleanup", "--wait", "--timeout", "0.4 seconds", terminal=True, clock=SystemClock()
    )
    assert done.code == 124
    assert "\r\x1b[2Krun 1 of cleanup is pending, 0 s\r\x1b[2K" in done.err


def test_no_warning_if_a_process_runs_the_jobs(stepsched: CommandLine, file: Played) -> None:
    with ss.SchedulerClient(ss.LocalBackend(file.path)) as client:
        client.wait(client.run_now("nightly-report"), timeout=20)  # now it runs
        done = stepsched("run-now", "nightly-report", "--wait", "--timeout", "20s", clock=SystemClock())
        failed = stepsched("run-now", "cleanup", "--wait", "--timeout", "20s", clock=SystemClock())
    assert (done.code, done.document["status"]) == (0, "succeeded")
    assert "warning" not in done.err
    assert (failed.code, failed.document["status"]) == (8, "failed")
    assert failed.err.splitlines()[-1].endswith("of job 'cleanup' failed: RuntimeError: no luck \\x1b[31m")


def test_a_wait_says_why_the_run_does_not_start(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("run-now", "cleanup", clock=SystemClock()).code == 0
    with ss.SchedulerClient(ss.LocalBackend(file.path, handlers_from=["other"])) as client:
        for _ in range(1_000):
            if client.runs()[0].pending_reason is not None:
                break
            threading.Event().wait(0.01)
        done = stepsched("wait", "cleanup", "--timeout", "0s", clock=SystemClock())
    assert done.code == 124
    assert "warning: run 1 of job cleanup does not start: " in done.err
    assert "--handlers-from" in done.err
    assert "LocalBackend" not in done.err


# -- runs ----------------------------------------------------------------------------------------------


def test_runs_are_a_table_with_whole_ids_and_names_on_a_terminal(
    stepsched: CommandLine, file: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.play()
    monkeypatch.setenv("COLUMNS", "110")
    head, first, *_ = stepsched("runs", terminal=True).out.splitlines()
    assert head.split() == "ID JOB STATUS SCHEDULED STARTED TOOK ATTEMPT TRIGGER ERROR".split()  # noqa: SIM905
    assert first.startswith("1   nightly-report  succeeded  2030-01-04 09:00 +01:00 Eu…  on time")


def test_narrow_tables_leave_out_the_columns_of_least_use_rather_than_break_their_lines(
    stepsched: CommandLine, file: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.play()
    stepsched("pause", "nightly-report", "--reason", "maintenance of the database")

    def titles(command: str, width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        head, *lines = stepsched(command, terminal=True).out.splitlines()
        assert max(len(click.unstyle(line)) for line in (head, *lines)) <= width, (command, width, lines)
        return " ".join(click.unstyle(head).split())

    assert titles("list", 140) == "NAME STATUS SCHEDULE NEXT IN LAST OUTCOME REASON"
    assert titles("list", 90) == "NAME STATUS SCHEDULE NEXT IN LAST OUTCOME"
    assert titles("list", 80) == "NAME STATUS NEXT IN LAST OUTCOME"
    assert titles("runs", 100) == "ID JOB STATUS SCHEDULED STARTED TOOK ATTEMPT ERROR"
    assert titles("runs", 80) == "ID JOB STATUS SCHEDULED TOOK ERROR"


def test_a_table_on_a_pipe_is_not_cut(
    stepsched: CommandLine, file: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs of pipelines and mails of cron have no width."""
    file.play()
    monkeypatch.delenv("COLUMNS")
    head, first, *_ = stepsched("runs", "-o", "table").out.splitlines()
    assert head.split() == "ID JOB STATUS SCHEDULED STARTED TOOK ATTEMPT TRIGGER ERROR".split()  # noqa: SIM905
    assert "2030-01-04 09:00 +01:00 Europe/Paris  on time" in first
    assert "\u2026" not in first


def test_json_of_runs_is_what_the_library_has(stepsched: CommandLine, file: Played) -> None:
    file.play()
    with file.open() as client:
        assert stepsched("runs").document == [run.model_dump(mode="json") for run in client.runs()]


def test_runs_are_selected(stepsched: CommandLine, file: Played) -> None:
    file.play()
    assert len(stepsched("runs").document) == 6
    assert stepsched("runs", "cleanup", "--status", "succeeded").document == []
    assert len(stepsched("runs", "--status", "failed", "--limit", "2").document) == 2
    recent = stepsched("runs", "--since", "2030-01-06T00:00Z", "--until", "now", "nightly-report").document
    assert [run["scheduled_for"] for run in recent] == ["2030-01-06T09:00:00+01:00"]


def test_a_wrong_status_lists_the_right_ones(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("runs", "--status", "done")
    assert (done.code, done.out) == (2, "")
    words = ", ".join(status.value for status in RunStatus)
    assert done.err == f"error: expected one of {words}, got 'done'\n"


def test_the_help_lists_every_status(stepsched: CommandLine) -> None:
    text = " ".join(stepsched("runs", "--help").out.split())
    *others, last = [status.value for status in RunStatus]
    assert f"{', '.join(others)} or {last}." in text


def test_a_terminal_shows_the_latest_50_runs_and_says_so(stepsched: CommandLine, file: Played) -> None:
    file.play(NOW + 30 * DAY)
    done = stepsched("runs", terminal=True)
    assert len(done.out.splitlines()) == 51
    assert done.err == "these are the latest 50 runs; use --limit or --since to see more\n"
    assert len(stepsched("runs").document) > 60
    assert stepsched("runs", "--limit", "60", terminal=True).err == ""
    assert stepsched("runs", "nightly-report", terminal=True).err == ""


def test_runs_of_no_job_are_not_found(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("runs", "nope").code == 3


# -- upcoming ------------------------------------------------------------------------------------------


def test_upcoming_shows_the_next_20_runs(stepsched: CommandLine, file: Played) -> None:
    file.play()
    document = stepsched("upcoming").document
    assert len(document) == 20
    assert document[0] == {"at": "2030-01-07T09:00:00+01:00", "job": "cleanup", "group": "default"}
    assert stepsched("upcoming", "-o", "name", "--limit", "2").out == "cleanup\nnightly-report\n"


def test_upcoming_says_when_with_the_zone_and_in_how_long(stepsched: CommandLine, file: Played) -> None:
    file.play()
    lines = stepsched("upcoming", "--until", "now+1d", "--prefix", "nightly", terminal=True).out.splitlines()
    assert [line.split("  ") for line in lines[1:]] == [
        ["Mon 2030-01-07 09:00 +01:00 Europe/Paris", "in 2 h", "nightly-report"]
    ]


def test_upcoming_of_one_job_is_of_exactly_that_job(stepsched: CommandLine, file: Played) -> None:
    with file.open() as client:
        client.create(job("cleanup-2"))
    found = stepsched("upcoming", "cleanup", "--until", "now+2d").document
    assert [run["job"] for run in found] == ["cleanup", "cleanup"]
    assert stepsched("upcoming", "clean").code == 3
    assert stepsched("upcoming", "cleanup", "--prefix", "c").code == 2


def test_upcoming_says_why_a_job_has_no_run(stepsched: CommandLine, file: Played) -> None:
    with file.open() as client:
        client.pause("cleanup")
    assert stepsched("upcoming", "cleanup", terminal=True).out == "job cleanup is paused\n"
    assert stepsched("upcoming", "cleanup").document == []


# -- versions and backfill -----------------------------------------------------------------------------


def test_versions_say_what_was_changed_without_secrets(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("versions", "cleanup", terminal=True).out == (
        "job cleanup was never changed: it is at version 1\n"
    )
    with file.open() as client:
        client.update(job("cleanup", "fail", input={"password": "old"}))
        client.update(job("cleanup", "fail", input={"password": "new"}, description="Tidies up"))
    lines = stepsched("versions", "cleanup", terminal=True).out.splitlines()
    assert lines[0].split() == "VERSION REPLACED AT CHANGE TO THE NEXT VERSION".split()  # noqa: SIM905
    assert "2030-01-04 06:00 +00:00 UTC" in lines[1]
    assert "input" in lines[1]
    assert "description" in lines[2]
    assert "old" not in "".join(lines)
    assert [each["version"] for each in stepsched("versions", "cleanup").document] == [1, 2]
    assert stepsched("versions", "nope").code == 3


def test_backfill_records_each_instant_once(stepsched: CommandLine, file: Played) -> None:
    range_ = ("--since", "2029-12-01T00:00Z", "--until", "2029-12-03T23:00Z")
    found = stepsched("backfill", "nightly-report", *range_).document
    assert [run["scheduled_for"][:10] for run in found] == ["2029-12-01", "2029-12-02", "2029-12-03"]
    again = stepsched("backfill", "nightly-report", *range_, terminal=True)
    assert (again.code, again.out) == (0, "no instant of the range is without a run\n")


def test_a_backfill_that_ends_before_it_begins_is_refused(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("backfill", "nightly-report", "--since", "now", "--until", "now-1d")
    assert (done.code, done.out) == (2, "")


# -- what has failed -----------------------------------------------------------------------------------


def test_dead_letters_are_the_failed_runs(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("dead-letters", terminal=True).out == "no run has failed for good\n"
    file.play()
    assert {run["job"] for run in stepsched("dead-letters").document} == {"cleanup"}
    assert len(stepsched("dead-letters", "cleanup", "-o", "name").out.split()) == 3
    table = stepsched("dead-letters", terminal=True).out
    assert "no luck" in table
    assert "22 h ago" in table
    assert stepsched("dead-letters", "nope").code == 3


def test_redrive_makes_failed_runs_pending_again(stepsched: CommandLine, file: Played) -> None:
    file.play()
    first, second, third = stepsched("dead-letters", "-o", "name").out.split()
    done = stepsched("redrive", "cleanup", "--run", first, "--run", first)
    assert done.code == 0
    assert [(run["id"], run["status"]) for run in done.document] == [(int(first), "pending")]
    assert stepsched("redrive", "cleanup", "--all", "-o", "name").out == f"{second}\n{third}\n"
    empty = stepsched("redrive", "cleanup", "--all", terminal=True)
    assert (empty.code, empty.out) == (0, "no run of job cleanup has failed for good\n")


def test_redrive_refuses_before_anything_is_changed(stepsched: CommandLine, file: Played) -> None:
    file.play()
    good, *_ = stepsched("runs", "nightly-report", "-o", "name").out.split()
    failed, *_ = stepsched("dead-letters", "-o", "name").out.split()
    assert stepsched("redrive", "cleanup").code == 2
    assert stepsched("redrive", "cleanup", "--all", "--run", failed).code == 2
    assert stepsched("redrive", "cleanup", "--run", failed, "--run", "999").code == 3
    assert stepsched("redrive", "nope", "--all").code == 3
    done = stepsched("redrive", "nightly-report", "--run", good)
    assert done.code == 4
    assert done.err == (
        "error: cannot redrive a run of job 'nightly-report': it is a run that is succeeded\n"
    )
    assert len(stepsched("dead-letters").document) == 3


def test_redrive_of_a_deleted_job_fails_for_each_run(stepsched: CommandLine, file: Played) -> None:
    file.play()
    with file.open() as client:
        client.cancel("cleanup")
    done = stepsched("redrive", "cleanup", "--all")
    assert (done.code, done.document) == (7, [])
    assert done.err.startswith("error: 3 of 3 failed")
    assert done.err.count("\n") == 4
    first, *_ = stepsched("dead-letters", "-o", "name").out.split()
    assert stepsched("redrive", "cleanup", "--run", first).code == 4


def test_repair_says_that_there_is_no_problem(stepsched: CommandLine, file: Played) -> None:
    assert stepsched("repair", terminal=True).out == "no problem found\n"
    assert stepsched("repair").document == []


# -- what the library logs -----------------------------------------------------------------------------


def test_what_the_library_logs_is_one_line(stepsched: CommandLine, file: Played) -> None:
    file.play()
    with ss.LocalBackend(file.path, clock=file.clock) as backend:
        backend._store._db.execute("UPDATE runs SET status = 'odd\x1b' WHERE id = 1")
    done = stepsched("runs", "--limit", "20")
    assert done.code == 0
    assert len(done.document) == 5
    assert done.err.startswith("warning: run 1 of job nightly-report is left out")
    assert (done.err.count("\n"), "\x1b" in done.err) == (1, False)
    assert not logging.getLogger("stepsched").handlers


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "", "1_0", "٣"])
def test_a_limit_is_a_whole_number(stepsched: CommandLine, file: Played, text: str) -> None:
    done = stepsched("runs", f"--limit={text}")
    assert (done.code, done.out) == (2, "")
    assert f"expected a whole number of at least 0, got {text!r}" in done.err


def test_a_timeout_is_a_length_of_time(stepsched: CommandLine, file: Played) -> None:
    done = stepsched("wait", "cleanup", "--timeout", "soon")
    assert done.code == 2
    assert "expected a length of time such as 90s, 1h30m or 2d, got 'soon'" in done.err
