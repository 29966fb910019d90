"""``stepsched plan``, ``apply`` and ``export``: files of jobs and what is stored."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.cli.input.job_files import jobs_in
from stepsched.jobs import Plan
from stepsched.schedules.stored import reading_stored
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine

JOBS = """\
- {name: a, schedule: rate(1 hour), target: ['true']}
- {name: b, schedule: 'cron(0 9 * * ? *)', timezone: Europe/Paris, target: ['true'], tags: {team: x}}
- {name: c, every: 1 month, start: 2030-01-31T09:00, target: ['true'], input: {password: hunter2}}
"""
FEWER = "".join(JOBS.splitlines(keepends=True)[:2])
LOCAL = ("--backend", "local:jobs.db")


@pytest.fixture(autouse=True)
def files(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of jobs in the working folder, and a backend there that does not exist yet."""
    Path("jobs.yaml").write_text(JOBS, encoding="utf-8")
    Path("fewer.yaml").write_text(FEWER, encoding="utf-8")
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")


def stored() -> dict[str, ss.JobRecord]:
    """Returns what is stored."""
    backend = ss.LocalBackend("jobs.db", clock=FakeClock(NOW))
    records = {record.name: record for record in ss.SchedulerClient(backend).list()}
    backend.close()
    return records


# -- plan --------------------------------------------------------------------------------------------


def test_a_plan_is_lines_on_a_terminal_and_changes_nothing(stepsched: CommandLine) -> None:
    done = stepsched("plan", "jobs.yaml", terminal=True)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "+ a  Every hour",
        "+ b  At 09:00, Europe/Paris",
        "+ c  Every month from 31 January 2030 at 09:00, UTC",
        "3 to create, 0 to update, 0 to cancel, 0 unchanged",
    ]
    assert not Path("jobs.db").exists()


def test_a_plan_is_json_on_a_pipe(stepsched: CommandLine) -> None:
    done = stepsched("plan", "jobs.yaml")
    assert Plan.model_validate(done.document) == Plan(create=tuple(ss.load_jobs("jobs.yaml")))
    assert stepsched("plan", "jobs.yaml", "-o", "name").out == "a\nb\nc\n"


def test_a_plan_says_what_is_paused_and_stays_so(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    with ss.LocalBackend("jobs.db", clock=FakeClock(NOW)) as backend:
        ss.SchedulerClient(backend).pause("a")
    done = stepsched("plan", "jobs.yaml", terminal=True)
    assert done.out.splitlines()[0] == "= a  paused, stays paused"
    assert stepsched("plan", "jobs.yaml").document["paused"] == ["a"]
    done = stepsched("apply", "jobs.yaml")
    assert done.err.splitlines()[0] == "= a  paused, stays paused"
    assert stored()["a"].status is ss.JobStatus.PAUSED


def test_a_plan_in_the_words_of_the_command_line(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    Path("one.yaml").write_text(JOBS.splitlines()[0].replace("{", "{group: g, "), encoding="utf-8")
    done = stepsched("plan", "one.yaml", "--prune-group", "g", terminal=True)
    assert done.out.splitlines()[1:] == [
        "! not searched for jobs to cancel: group default; use --prune-group NAME",
        "0 to create, 1 to update (1 to another group), 0 to cancel, 0 unchanged",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["jobs.yaml"], 0, id="nothing to do"),
        pytest.param(["fewer.yaml"], 0, id="nothing without prune"),
        pytest.param(["fewer.yaml", "--prune"], 2, id="a change"),
        pytest.param(["fewer.yaml", "--prune-group", "default"], 2, id="a change in a group"),
        pytest.param(["missing.yaml"], 1, id="no file"),
        pytest.param(["jobs.yaml", "--nonsense"], 1, id="no such option"),
        pytest.param(["jobs.yaml", "--backend", "nonsense"], 1, id="no backend"),
        pytest.param(["jobs.yaml", "fewer.yaml"], 1, id="names twice"),
        pytest.param([], 1, id="no argument"),
    ],
)
def test_the_detailed_exit_code_is_that_of_terraform(
    stepsched: CommandLine, arguments: list[str], code: int
) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("plan", "--detailed-exitcode", *arguments)
    assert done.code == code
    assert (done.err.startswith("error: ") and done.out == "") == (code == 1)
    assert done.err.count("\n") <= 1


def test_without_it_a_plan_with_changes_ends_with_0(stepsched: CommandLine) -> None:
    assert stepsched("plan", "jobs.yaml").code == 0
    assert stepsched("plan", "missing.yaml").code == 2


def test_an_offline_plan_compares_with_nothing_or_with_a_file(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepsched("apply", "jobs.yaml")
    Path("list.json").write_text(stepsched("list").out, encoding="utf-8")
    Path("export.yaml").write_text(stepsched("export", "-o", "yaml").out, encoding="utf-8")
    online = stepsched("plan", "fewer.yaml", "--prune").document
    monkeypatch.setenv("STEPSCHED_BACKEND", "stack:never-asked")
    assert len(stepsched("plan", "jobs.yaml", "--offline").document["create"]) == 3
    assert stepsched("plan", "fewer.yaml", "--prune", "--stored", "list.json").document == online
    for file in ("list.json", "export.yaml", "jobs.yaml"):
        done = stepsched("plan", "fewer.yaml", "--prune", "--stored", file, terminal=True)
        assert done.out.splitlines() == ["- c", "0 to create, 0 to update, 1 to cancel, 2 unchanged"]
    done = stepsched("plan", "jobs.yaml", "--stored", "-", stdin="[]")
    assert len(done.document["create"]) == 3


def test_what_is_stored_may_be_a_program_of_jobs(stepsched: CommandLine) -> None:
    Path("stored_jobs.py").write_text("import stepsched as ss\njobs = ss.load_jobs('jobs.yaml')\n")
    try:
        done = stepsched("plan", "fewer.yaml", "--prune", "--stored", "stored_jobs.py")
    finally:
        sys.modules.pop("stored_jobs", None)
    assert [record["job"]["name"] for record in done.document["cancel"]] == ["c"]


def test_a_standard_input_that_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    latin = TextIOWrapper(BytesIO(b"- \xe9\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", latin)
    with pytest.raises(ss.errors.JobFileError, match="standard input: it is not UTF-8"):
        jobs_in("-")


def test_an_offline_plan_refuses_what_a_backend_refuses(stepsched: CommandLine) -> None:
    over = "- {name: over, schedule: at(2020-01-01T09:00:00), target: ['true']}"
    done = stepsched("plan", "-", "--offline", stdin=over)
    assert done.code == 2
    assert "job 'over' would never run" in done.err
    done = stepsched("plan", "-", "--stored", "-", stdin=over)
    assert "expected one use of the standard input" in done.err
    records = json.dumps([{"job": {}, "status": "active", "version": 1}])
    done = stepsched("plan", "jobs.yaml", "--stored", "-", stdin=records)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "record 1 of standard input cannot be read: job.name: Field required" in done.err


# -- apply -------------------------------------------------------------------------------------------


def test_apply_shows_the_plan_first_and_stores_the_jobs(stepsched: CommandLine) -> None:
    done = stepsched("apply", "jobs.yaml", terminal=True)
    assert done.code == 0
    assert done.err.splitlines()[0] == "+ a  Every hour"
    assert done.out == "3 created, 0 updated, 0 cancelled, 0 unchanged\n"
    assert [record.job for record in stored().values()] == ss.load_jobs("jobs.yaml")
    again = stepsched("apply", "jobs.yaml")
    assert again.document["unchanged"] == ["a", "b", "c"]


def test_a_dry_run_of_apply_is_the_plan(stepsched: CommandLine) -> None:
    done = stepsched("apply", "jobs.yaml", "--dry-run")
    assert (done.code, done.err, done.out) == (0, "", stepsched("plan", "jobs.yaml").out)
    assert not Path("jobs.db").exists()


def test_quiet_says_nothing_beside_the_output_but_errors(stepsched: CommandLine) -> None:
    assert stepsched("apply", "jobs.yaml", "-q").err == ""
    assert stepsched("-q", "apply", "jobs.yaml").err == ""
    assert stepsched("-q", "get", "absent").err.startswith("error: ")


def test_apply_takes_several_files_and_the_standard_input(stepsched: CommandLine) -> None:
    third = JOBS.splitlines()[2]
    assert stepsched("apply", "fewer.yaml", "-", stdin=third).code == 0
    assert list(stored()) == ["a", "b", "c"]
    done = stepsched("apply", "fewer.yaml", "-", stdin=JOBS)
    assert done.err == "error: expected distinct job names, got 'a' in fewer.yaml and standard input\n"


def test_apply_tells_a_person_that_no_process_runs_the_jobs(stepsched: CommandLine) -> None:
    first = stepsched("apply", "jobs.yaml", terminal=True)
    assert "start one with `stepsched serve jobs.db`" in first.err
    assert "serve" not in stepsched("apply", "jobs.yaml", terminal=True).err  # it has changed nothing
    assert "serve" not in stepsched("apply", "fewer.yaml", "--prune", "--yes").err


def test_jobs_are_cancelled_only_with_yes_or_after_a_question(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("apply", "fewer.yaml", "--prune")
    assert (done.code, done.out) == (2, "")
    assert "Cancel 1 job? Nobody can be asked here; use --yes to do it." in done.err
    assert "- c" in done.err
    no = stepsched("apply", "fewer.yaml", "--prune", stdin="n\n", terminal=True)
    assert (no.code, list(stored())) == (130, ["a", "b", "c"])
    assert no.err.endswith("nothing was changed\n")
    yes = stepsched("apply", "fewer.yaml", "--prune", stdin="y\n", terminal=True)
    assert (yes.code, list(stored())) == (0, ["a", "b"])
    stepsched("apply", "jobs.yaml")
    assert stepsched("apply", "fewer.yaml", "--prune", "-y").code == 0
    assert list(stored()) == ["a", "b"]


@pytest.mark.parametrize("line", ["-y apply fewer.yaml --prune", "apply --yes --prune fewer.yaml"])
def test_yes_may_stand_anywhere(stepsched: CommandLine, line: str) -> None:
    stepsched("apply", "jobs.yaml")
    assert stepsched(*line.split()).code == 0
    assert sorted(stored()) == ["a", "b"]


def test_a_prune_of_other_groups_cancels_nothing_here(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    assert stepsched("apply", "fewer.yaml", "--prune-group", "other").code == 0
    assert list(stored()) == ["a", "b", "c"]


def test_a_plan_that_was_printed_is_applied_as_it_is(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    plan = stepsched("plan", "fewer.yaml", "--prune").out
    assert "expected no --prune with a plan" in stepsched("apply", "-", "--prune", stdin=plan).err
    assert "expected a plan alone" in stepsched("apply", "jobs.yaml", "-", stdin=plan).err
    assert stepsched("apply", "-", stdin=plan).code == 2
    assert stepsched("apply", "-", "-y", stdin=plan).code == 0
    assert list(stored()) == ["a", "b"]
    assert stepsched("apply", "-", "-y", stdin=plan).code == 0


def test_a_plan_of_what_has_changed_meanwhile_is_not_applied(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    changed = JOBS.replace("{name: a,", "{name: a, description: new,")
    Path("plan.json").write_text(stepsched("plan", "-", stdin=changed).out, encoding="utf-8")
    stepsched("apply", "-", stdin=changed.replace("new", "newer"))
    done = stepsched("apply", "plan.json")
    assert done.code == 7
    head, reason = done.err.splitlines()[-2:]
    assert head == "error: 1 of 1 failed; the others are done"
    assert reason.startswith("error: a: job 'a' was changed in the meantime; look at it with `stepsched get`")


def test_a_damaged_plan_is_refused_without_its_values(stepsched: CommandLine) -> None:
    plan = json.loads(stepsched("plan", "jobs.yaml").out)
    plan["create"][2]["enabled"] = "hunter2"
    done = stepsched("apply", "-", stdin=json.dumps(plan))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: the plan cannot be read: create.2.enabled: ")
    assert "hunter2" not in done.err


def test_a_secret_is_not_shown_in_a_plan(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("apply", "-", "-o", "name", stdin=JOBS.replace("hunter2", "hunter3"))
    assert 'input.password: "***"' in done.err
    assert "hunter" not in done.err


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param("- {name: a, schedule: rate(1 second), target: ['true']}", id="schedule"),
        pytest.param("- {name: a, schedule: rate(1 hour), target: 'no_such_module:f'}", id="handler"),
        pytest.param(f"{FEWER}- {{name: o, schedule: at(2020-01-01T00:00:00), target: ['true']}}", id="over"),
        pytest.param("[]", id="no job"),
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("{}", id="no list"),
    ],
)
def test_jobs_that_are_refused_change_nothing(stepsched: CommandLine, jobs: str) -> None:
    done = stepsched("apply", "-", stdin=jobs)
    assert done.code in (2, 5)
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert not Path("jobs.db").exists()


@pytest.mark.parametrize(
    "job",
    [
        pytest.param("{name: a, schedule: rate(1 hour), target: 'no_such_module:f'}", id="handler"),
        pytest.param("{name: a, schedule: at(2030-01-07T06:30:00), target: ['true']}", id="over"),
    ],
)
def test_a_plan_that_is_refused_changes_nothing(stepsched: CommandLine, job: str) -> None:
    plan = stepsched("plan", "-", "--offline", stdin=f"- {job}").out
    done = stepsched("apply", "-", stdin=plan, clock=FakeClock(NOW + timedelta(days=1)))
    assert done.code in (2, 5)
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert not Path("jobs.db").exists()


def test_each_mistake_of_a_file_is_a_line(stepsched: CommandLine) -> None:
    done = stepsched("apply", "-", stdin="- {name: a}\n")
    assert (done.code, done.out) == (2, "")
    assert [line.split(": ")[:3] for line in done.err.splitlines()] == [
        ["error", "standard input:1", "job 1 ('a')"],
        ["error", "standard input:1", "job 1 ('a')"],
    ]


# -- round trips -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["list", "export"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_is_printed_can_be_applied_and_changes_nothing(
    stepsched: CommandLine, command: str, form: str
) -> None:
    short = "- {name: d, every: 1 hour, start: 2030-01-07T06:00Z, end: 2030-01-07T07:00Z, target: ['true']}\n"
    crontab = "- {name: e, schedule: {crontab: '0 0 1-31/2 * 1'}, target: ['true'], enabled: false}\n"
    clock = FakeClock(NOW - timedelta(hours=1))
    stepsched("apply", "-", stdin=JOBS + short + crontab, clock=clock)
    with ss.LocalBackend("jobs.db", clock=FakeClock(NOW + timedelta(days=1))) as backend:
        client = ss.SchedulerClient(backend)
        client.pause("a")
        backend.run_until(backend.now())  # job d has ended
    before = stored()
    assert before["d"].status is ss.JobStatus.ENDED
    later = FakeClock(NOW + timedelta(days=1))
    printed = stepsched(command, "-o", form, clock=later).out
    for prune in ([], ["--prune"]):
        done = stepsched("apply", "-", *prune, stdin=printed, clock=later)
        assert (done.code, done.document["unchanged"]) == (0, ["a", "b", "c", "d", "e"])
        assert done.document["paused"] == ["a"]
    assert stored() == before


def test_the_json_of_a_single_record_can_be_applied(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    record = stored()["b"].model_dump_json()
    assert stepsched("apply", "-", stdin=record).document["unchanged"] == ["b"]


# -- export ------------------------------------------------------------------------------------------


def test_stored_jobs_are_printed_as_people_write_them(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("export", "--tag", "team=x", terminal=True)
    assert done.out.splitlines()[:3] == [
        "- name: b",
        "  schedule: cron(0 9 * * ? *)",
        "  timezone: Europe/Paris",
    ]
    assert [job["name"] for job in stepsched("export").document] == ["a", "b", "c"]
    assert stepsched("export", "--prefix", "c", "-o", "name").out == "c\n"


@pytest.mark.parametrize("name", ["stored.yaml", "stored.json"])
def test_stored_jobs_are_written_to_a_file(stepsched: CommandLine, name: str) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("export", name)
    assert (done.code, done.out, done.err) == (0, "", f"3 jobs written to {name}\n")
    assert ss.load_jobs(name) == ss.load_jobs("jobs.yaml")


def test_a_file_is_replaced_only_with_yes_or_after_a_question(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("export", "jobs.yaml")
    assert (done.code, Path("jobs.yaml").read_text(encoding="utf-8")) == (2, JOBS)
    assert stepsched("export", "jobs.yaml", "--yes").code == 0
    assert stepsched("export", "jobs.yaml", stdin="y\n", terminal=True).code == 0
    assert stepsched("export", "jobs.txt").code == 2
    assert not Path("jobs.txt").exists()


def test_an_export_without_jobs_is_refused(stepsched: CommandLine) -> None:
    stepsched("apply", "jobs.yaml")
    done = stepsched("export", "none.yaml", "--group", "none")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert not Path("none.yaml").exists()


def test_a_stored_job_that_a_file_cannot_hold_is_named(stepsched: CommandLine) -> None:
    """Its line of a crontab was accepted by an earlier version."""
    stepsched("apply", "jobs.yaml")
    with reading_stored():
        old = ss.Cron(crontab="0 0 */2 * 1")
    with ss.LocalBackend("jobs.db", clock=FakeClock(NOW)) as backend:
        ss.SchedulerClient(backend).create(ss.Job(name="old", schedule=old, target=ss.CommandTarget(["x"])))
    done = stepsched("export")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: cannot write jobs to standard output: job 4 ('old'): ")
    assert stepsched("apply", "-", stdin=stepsched("list").out).document["unchanged"][-1] == "old"
