"""``stepsched list``, ``get``, ``pause``, ``resume`` and ``cancel``: stored jobs, one and many."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.cli.output.views import jobs_view
from stepsched.display import live
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine, Done

ALL = ("a-1", "a-2", "b-1")


@pytest.fixture(scope="module")
def three_jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with three jobs, the last one in another group. It is copied, never changed."""
    path = tmp_path_factory.mktemp("jobs") / "jobs.db"
    backend = ss.LocalBackend(path, clock=FakeClock(NOW))
    for name in ALL:
        job = ss.Job(
            name=name,
            schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
            target=ss.CommandTarget(["true"]),
            group="reports" if name == "b-1" else "default",
            tags={"team": name[0]},
        )
        ss.SchedulerClient(backend).create(job)
    backend.close()
    return path


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch, stepsched: CommandLine, tmp_path: Path, three_jobs: Path) -> None:
    """The three jobs, in the working folder of ``stepsched``."""
    shutil.copy(three_jobs, tmp_path / "jobs.db")
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")


def statuses(stepsched: CommandLine) -> dict[str, str]:
    """Returns the status of each stored job."""
    return {each["job"]["name"]: each["status"] for each in stepsched("list").document}


def names(done: Done) -> list[str]:
    """Returns the names of the jobs that a command has printed as JSON."""
    return [each["job"]["name"] for each in done.document]


def of_status(stepsched: CommandLine, status: str) -> list[str]:
    """Returns the names of the jobs with a status."""
    return [name for name, each in statuses(stepsched).items() if each == status]


# -- list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param((), ["a-1", "a-2", "b-1"], id="all"),
        pytest.param(("--prefix", "a-"), ["a-1", "a-2"], id="a prefix"),
        pytest.param(("--group", "reports"), ["b-1"], id="a group"),
        pytest.param(("--tag", "team=a", "--prefix", "a-2"), ["a-2"], id="two conditions"),
        pytest.param(("--status", "paused"), [], id="a status"),
    ],
)
def test_list_selects(stepsched: CommandLine, arguments: tuple[str, ...], found: list[str]) -> None:
    assert names(stepsched("list", *arguments)) == found
    assert stepsched("ls", *arguments, "-o", "name").out.split() == found


def test_a_list_without_jobs_says_whether_there_are_others(stepsched: CommandLine) -> None:
    assert stepsched("list", "--prefix", "c-", terminal=True).out == "no job matches\n"
    stepsched("cancel", "--all", "--yes")
    assert stepsched("list", terminal=True).out == "no job is stored here\n"


def test_a_table_has_names_offsets_and_distances_uncut_at_80_columns(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = "a-job-with-a-long-name-of-a-report"
    stepsched("create", long, "--schedule", "cron(0 9 * * ? *)", "--timezone", "Europe/Paris", "--", "true")
    lines = stepsched("list", terminal=True).out.splitlines()
    for line, name in zip(lines[1:], ["a-1", "a-2", long, "b-1"], strict=True):
        assert line.startswith(f"{name} ")
        assert "2030-01-07 09:00 +01:00" in line
        assert "in 2 h" in line


def test_a_narrow_table_leaves_out_columns_that_say_nothing(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"closing-books-{number}" for number in range(3)]
    documents = [{"name": name, "schedule": "cron(0 9 * * ? *)", "target": ["true"]} for name in names]
    stepsched("apply", "-", stdin=json.dumps(documents))
    lines = stepsched("list", "--no-color", terminal=True).out.splitlines()
    assert lines[0].split() == ["NAME", "GROUP", "STATUS", "SCHEDULE", "NEXT", "IN"]
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines[1:]] == ["a-1", "a-2", "b-1", *names]


def test_no_line_of_a_colored_table_ends_with_blanks(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last column of a terminal, they would begin another line."""
    monkeypatch.setenv("COLUMNS", "160")
    stepsched("pause", "a-1", "--reason", "a text that is longer than its title")
    plain = stepsched("list", "--no-color", terminal=True).out.splitlines()
    colored = stepsched("list", terminal=True).out.splitlines()
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in colored] == plain
    assert all(line == line.rstrip() for line in plain)


def test_list_tells_a_person_why_a_job_that_is_due_does_not_run(stepsched: CommandLine) -> None:
    assert stepsched("list", terminal=True).err == ""
    later = FakeClock(NOW + timedelta(days=2))
    assert "start one with `stepsched serve jobs.db`" in stepsched("list", terminal=True, clock=later).err
    assert stepsched("list", clock=later).err == ""


def test_a_wide_table_has_the_zone(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert "2030-01-07 09:00 +01:00 Europe/Paris  in 2 h" in stepsched("list", terminal=True).out


@pytest.mark.parametrize(("terminal", "bar"), [(True, "\r3 so far\n"), (False, "")])
def test_where_a_list_takes_long_a_bar_is_seen_on_a_terminal_and_the_list_is_the_same(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch, *, terminal: bool, bar: str
) -> None:
    soon = stepsched("list", terminal=terminal)
    assert (soon.code, soon.err) == (0, "")
    monkeypatch.setattr(live, "PATIENCE", 0)
    assert stepsched("list", terminal=terminal) == Done(0, soon.out, bar)


def test_an_unknown_status_names_the_known_ones(stepsched: CommandLine) -> None:
    done = stepsched("list", "--status", "stopped")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert all(f"'{each}'" in done.err for each in ("active", "paused", "ended"))
    assert {"active", "paused", "ended", "cancelled"} == {each.value for each in ss.JobStatus}


# -- get -----------------------------------------------------------------------------------------------


def test_get_prints_the_record_as_json_on_a_pipe(stepsched: CommandLine) -> None:
    record = ss.JobRecord.model_validate_json(stepsched("describe", "a-1").out)
    assert (record.name, record.version, record.job.tags) == ("a-1", 1, {"team": "a"})


def test_get_prints_a_block_on_a_terminal(stepsched: CommandLine, tmp_path: Path) -> None:
    job = ss.Job(
        name="report",
        schedule=ss.Cron("0 2 * * ? *", timezone="America/New_York"),
        target=ss.CommandTarget(["report", "--token", "hush", "two words"]),
        input={"format": "pdf", "db": {"password": "hush"}},
        description="The report\x1b[31m of the night",
        retry=ss.Retry(max_attempts=5, interval=timedelta(seconds=30)),
        overlap=ss.Overlap.SKIP,
        max_run_time=timedelta(minutes=90),
        dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:letters"),
        tags={"team": "a"},
    )
    (tmp_path / "job.json").write_text(json.dumps(job.model_dump(mode="json")))
    stepsched("create", "--file", "job.json")
    assert stepsched("get", "report", terminal=True).out == (
        "name          report\n"
        "status        active\n"
        "schedule      At 02:00, America/New_York\n"
        "              cron(0 2 * * ? *)\n"
        "zone          America/New_York\n"
        "next runs     2030-01-07 02:00 -05:00 America/New_York  (in 1 h)\n"
        "              2030-01-08 02:00 -05:00 America/New_York  (in 1 d 1 h)\n"
        "              2030-01-09 02:00 -05:00 America/New_York  (in 2 d 1 h)\n"
        "target        command  report --token '***' 'two words'\n"
        'input         {"format": "pdf", "db": {"password": "***"}}\n'
        "retry         max attempts 5, interval 30 s\n"
        "dead letter   queue  arn:aws:sqs:eu-west-1:123456789012:letters\n"
        "overlap       skip\n"
        "max run time  1 h 30 min\n"
        "description   The report\\x1b[31m of the night\n"
        "group         default\n"
        "tags          team=a\n"
        "version       1\n"
        "created       2030-01-07 06:00 +00:00 UTC  (now)\n"
        "updated       2030-01-07 06:00 +00:00 UTC  (now)\n"
    )


def test_get_shows_how_the_last_run_has_ended(stepsched: CommandLine) -> None:
    clock = FakeClock(NOW)
    with ss.SchedulerClient(ss.LocalBackend("jobs.db", clock=clock)) as client:
        client.create(
            ss.Job(
                name="failing",
                schedule=ss.Cron("0 7 * * ? *"),
                target=ss.CommandTarget(["false"]),
                retry=ss.Retry(max_attempts=0),
            )
        )
        client.backend.run_until(NOW + timedelta(hours=2))  # type: ignore[attr-defined]
        client.backend.close()
    lines = stepsched("get", "failing", terminal=True, clock=clock).out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("last run"))
    assert lines[at] == "last run     failed  2030-01-07 07:00 +00:00 UTC  (1 h ago)"
    assert "exit" in lines[at + 1] or "status 1" in lines[at + 1]


def test_a_job_that_is_not_there_is_exit_code_3(stepsched: CommandLine) -> None:
    for command in (("get",), ("pause",), ("resume",), ("cancel", "--yes")):
        done = stepsched(*command, "none")
        assert (done.code, done.out) == (3, "")
        assert done.err == "error: no job is named 'none'; `stepsched list` shows the jobs\n"


# -- pause and resume ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        pytest.param(("a-1",), ["a-1"], id="a name"),
        pytest.param(("b-1", "a-1", "b-1"), ["b-1", "a-1"], id="names"),
        pytest.param(("--all",), ["a-1", "a-2", "b-1"], id="all"),
        pytest.param(("--prefix", "a-"), ["a-1", "a-2"], id="a prefix"),
        pytest.param(("--group", "reports"), ["b-1"], id="a group"),
        pytest.param(("--tag", "team=a", "--all"), ["a-1", "a-2"], id="all of a tag"),
        pytest.param(("b-1", "--group", "reports"), ["b-1"], id="a name of a group"),
    ],
)
def test_pause_and_resume_change_and_print_exactly_what_is_named(
    stepsched: CommandLine, arguments: tuple[str, ...], chosen: list[str]
) -> None:
    assert names(stepsched("pause", *arguments)) == chosen
    assert of_status(stepsched, "paused") == sorted(chosen)
    assert names(stepsched("unpause", *arguments)) == chosen
    assert of_status(stepsched, "active") == list(ALL)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((), "expected names of jobs, got none; use `stepsched ", id="nothing"),
        pytest.param(("a-1", "--all"), "got both", id="names and all"),
        pytest.param(("a-1", "--prefix", "a"), "got both", id="names and a prefix"),
        pytest.param(("a-1", "--tag", "a=b"), "got both", id="names and a tag"),
        pytest.param(("--prefix", ""), "expected names of jobs, got none", id="an empty prefix"),
    ],
)
def test_no_jobs_or_two_kinds_of_selection_are_a_wrong_use(
    stepsched: CommandLine, command: str, arguments: tuple[str, ...], words: str
) -> None:
    done = stepsched(command, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err
    assert of_status(stepsched, "active") == list(ALL)


def test_what_is_paused_or_active_already_is_told_and_not_printed(stepsched: CommandLine) -> None:
    stepsched("pause", "a-1")
    again = stepsched("pause", "a-1", "a-2")
    assert (again.code, names(again), again.err) == (0, ["a-2"], "job 'a-1' was paused already\n")
    active = stepsched("resume", "b-1", "a-1")
    assert (active.code, names(active), active.err) == (0, ["a-1"], "job 'b-1' is active already\n")


def test_a_part_that_fails_does_not_keep_the_others(stepsched: CommandLine) -> None:
    done = stepsched("pause", "a-1", "none", "b-1")
    assert (done.code, names(done)) == (7, ["a-1", "b-1"])
    assert done.err == (
        "error: 1 of 3 failed; the others are done\n"
        "error: none: no job is named 'none'; `stepsched list` shows the jobs\n"
    )
    assert of_status(stepsched, "paused") == ["a-1", "b-1"]


def test_if_all_fail_the_exit_code_is_that_of_the_failure(stepsched: CommandLine) -> None:
    done = stepsched("resume", "none", "nobody")
    assert (done.code, done.out, done.err.count("error: no job is named")) == (3, "", 2)


def test_an_ended_job_is_neither_paused_nor_resumed(stepsched: CommandLine) -> None:
    clock = FakeClock(NOW)
    once = ("--schedule", "at(2030-01-07T07:00:00)", "--completion", "keep")
    stepsched("create", "once", *once, "--", "true", clock=clock)
    with ss.SchedulerClient(ss.LocalBackend("jobs.db", clock=clock)) as client:
        client.backend.run_until(NOW + timedelta(hours=2))  # type: ignore[attr-defined]
        client.backend.close()
    for command in ("pause", "resume"):
        done = stepsched(command, "once", clock=clock)
        assert (done.code, done.err) == (4, f"error: cannot {command} job 'once': it is ended\n")
    assert "once" not in names(stepsched("pause", "--all", clock=clock))


def test_the_reason_of_a_pause_is_kept_and_shown(stepsched: CommandLine) -> None:
    record = stepsched("pause", "a-1", "--reason", "the database moves").document[0]
    assert record["pause_reason"] == "the database moves"
    assert "status       paused: the database moves\n" in stepsched("get", "a-1", terminal=True).out
    assert "the database" in stepsched("list", terminal=True).out
    again = stepsched("pause", "a-1", "--reason", "it still moves")
    assert (again.document, again.err) == ([], "job 'a-1' was paused already; its reason is replaced\n")
    assert stepsched("get", "a-1").document["pause_reason"] == "it still moves"
    assert stepsched("resume", "a-1").document[0]["pause_reason"] is None


@pytest.mark.parametrize("reason", [pytest.param("", id="empty"), pytest.param("a\nb", id="two lines")])
def test_a_reason_that_is_refused_pauses_nothing(stepsched: CommandLine, reason: str) -> None:
    for jobs in (("a-1",), ("--all",)):
        done = stepsched("pause", *jobs, "--reason", reason)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "expected 1 to 200 visible characters on one line for --reason" in done.err
    assert of_status(stepsched, "active") == list(ALL)


# -- a maintenance window ------------------------------------------------------------------------------


def test_a_window_resumes_exactly_what_it_has_paused(stepsched: CommandLine, tmp_path: Path) -> None:
    stepsched("pause", "a-2")
    (tmp_path / "window.json").write_text(stepsched("pause", "--all").out)
    done = stepsched("resume", "--from", "window.json")
    assert (done.code, names(done), done.err) == (0, ["a-1", "b-1"], "")
    assert of_status(stepsched, "paused") == ["a-2"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_window_may_stand_on_the_standard_input(stepsched: CommandLine, form: str) -> None:
    window = stepsched("pause", "--all", "-o", form).out
    assert names(stepsched("resume", "--from", "-", stdin=window)) == list(ALL)


def test_what_others_did_in_a_window_is_told_and_is_no_error(stepsched: CommandLine) -> None:
    window = stepsched("pause", "--all").out
    stepsched("cancel", "a-1", "--yes")
    stepsched("resume", "a-2")
    done = stepsched("resume", "--from", "-", stdin=window)
    assert (done.code, names(done)) == (0, ["b-1"])
    assert done.err == (
        "job 'a-1' was cancelled in the meantime\njob 'a-2' is active already; somebody has resumed it\n"
    )


def test_a_job_that_was_paused_again_for_another_reason_stays_paused(stepsched: CommandLine) -> None:
    window = stepsched("pause", "--all", "--reason", "maintenance").out
    stepsched("resume", "a-1")
    stepsched("pause", "a-1", "--reason", "it is broken")
    done = stepsched("resume", "--from", "-", stdin=window)
    assert (done.code, names(done)) == (0, ["a-2", "b-1"])
    assert done.err == "job 'a-1' stays paused: its pause has another reason now\n"
    assert stepsched("get", "a-1").document["pause_reason"] == "it is broken"


def test_an_empty_window_resumes_nothing(stepsched: CommandLine) -> None:
    stepsched("pause", "--all")
    empty = stepsched("pause", "--all")
    assert (empty.code, empty.document) == (0, [])
    assert stepsched("resume", "--from", "-", stdin=empty.out).document == []
    assert of_status(stepsched, "paused") == list(ALL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "expected the list that `stepsched pause -o json` prints", id="empty"),
        pytest.param("a-1\na-2\n", "expected the list", id="names"),
        pytest.param('{"job": {"name": "a-1", "group": "default"}}', "expected the list", id="no list"),
        pytest.param('[{"name": "a-1"}]', "expected the list", id="no records"),
        pytest.param('[{"job": {"name": "a-1", "group": 1}}]', "expected the list", id="no group"),
        pytest.param("[", "it is neither JSON nor YAML", id="no document"),
    ],
)
def test_a_file_that_is_no_window_is_refused(stepsched: CommandLine, text: str, words: str) -> None:
    stepsched("pause", "--all")
    done = stepsched("resume", "--from", "-", stdin=text)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err
    assert of_status(stepsched, "active") == []


def test_a_window_beside_names_or_without_its_file_is_refused(stepsched: CommandLine) -> None:
    assert "got both" in stepsched("resume", "a-1", "--from", "window.json").err
    missing = stepsched("resume", "--from", "window.json")
    assert (missing.code, missing.err) == (
        2,
        "error: --from: cannot read window.json: No such file or directory\n",
    )


# -- cancel --------------------------------------------------------------------------------------------


def test_cancel_asks_on_a_terminal_and_does_what_is_answered(stepsched: CommandLine) -> None:
    no = stepsched("cancel", "a-1", "a-2", terminal=True, stdin="n\n")
    assert no.code == 130
    assert "Cancel 2 jobs: a-1, a-2? [y/N]" in no.err
    assert len(statuses(stepsched)) == 3
    yes = stepsched("cancel", "a-1", terminal=True, stdin="y\n")
    assert (yes.code, "Cancel the job a-1? [y/N]" in yes.err) == (0, True)
    assert list(statuses(stepsched)) == ["a-2", "b-1"]


def test_cancel_without_an_answer_is_refused_on_a_pipe(stepsched: CommandLine) -> None:
    done = stepsched("delete", "--prefix", "a-")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: Cancel 2 jobs: a-1, a-2? Nobody can be asked here; use --yes to do it.\n")
    assert len(statuses(stepsched)) == 3


def test_cancel_prints_what_it_has_deleted(stepsched: CommandLine) -> None:
    done = stepsched("cancel", "--tag", "team=a", "-y")
    assert (done.code, names(done)) == (0, ["a-1", "a-2"])
    assert {each["status"] for each in done.document} == {"cancelled"}
    assert list(statuses(stepsched)) == ["b-1"]
    assert stepsched("cancel", "--all", "--yes").code == 0
    assert statuses(stepsched) == {}
    none = stepsched("cancel", "--all", "--yes", terminal=True)
    assert (none.code, none.out) == (0, "no job matches\n")


def test_cancel_does_not_ask_about_jobs_that_are_not_there(stepsched: CommandLine) -> None:
    for terminal in (False, True):
        assert stepsched("cancel", "none", terminal=terminal).code == 3
    done = stepsched("cancel", "none", "a-1", terminal=True, stdin="y\n")
    assert (done.code, "Cancel the job a-1? [y/N]" in done.err) == (7, True)


def test_a_question_lists_ten_names_and_counts_the_others(stepsched: CommandLine) -> None:
    names = [f"n-{number:02}" for number in range(12)]
    jobs = json.dumps([{"name": name, "schedule": "rate(1 day)", "target": ["true"]} for name in names])
    assert stepsched("apply", "-", "--yes", stdin=jobs).code == 0
    done = stepsched("cancel", *names)
    assert f"Cancel 12 jobs: {', '.join(names[:10])} and 2 more?" in done.err


def test_what_the_backend_cannot_stop_is_exit_code_5_in_words_of_the_command_line(
    stepsched: CommandLine,
) -> None:
    for command in (("cancel", "--yes"), ("pause",)):
        done = stepsched(*command, "a-1", "--stop-run")
        assert (done.code, done.err.count("\n")) == (5, 1)
        assert "leave --stop-run out; --backend stack:NAME" in done.err
    assert of_status(stepsched, "active") == list(ALL)


def test_what_is_late_says_so_however_narrow_the_terminal_is() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NOW)))
    hourly = ss.Rate("PT1H", start=NOW + timedelta(hours=1))
    client.create(ss.Job(name="late", schedule=hourly, target=ss.CommandTarget(["true"])))
    shown = jobs_view(client.list(), NOW + timedelta(hours=1, minutes=3, seconds=25))
    assert "3 min 25 s ago" in shown.to_table(width=60, is_colored=False)
