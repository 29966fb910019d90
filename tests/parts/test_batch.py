"""AWS Batch as a part: jobs are processes, wait for each other, fail, are taken away, stopped and listed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.gate import ROOT
from tests.parts import batch as part
from tests.parts.batch import (
    EXITED,
    NOT_TRIED,
    SPOT,
    TIMED_OUT,
    Attempt,
    Batch,
    Place,
    Run,
    overrides,
    running,
    shell,
    when,
)
from tests.parts.environments import PartFailedError, PartMissingError

HOUR_AGO = 3_600_000


class Jobs:
    """Submits jobs of an account of its own, by name."""

    def __init__(self, server: Batch) -> None:
        self.server, self.account = server, server.new_account()
        self.place: Place = server.make_place(self.account)
        self.client = server.client("batch", self.account)
        self.ids = dict[str, str]()

    def submit(self, name: str, command: list[str] | None = None, needs: str = "", **more: Any) -> str:
        """Submits a job that depends on the others that are named; its id."""
        asked: dict[str, Any] = {
            "jobQueue": self.place.queue,
            "jobDefinition": self.place.definition,
            "dependsOn": [{"jobId": self.ids[each]} for each in needs.split()],
        }
        if command is not None:
            asked["containerOverrides"] = overrides(command)
        submitted = self.client.submit_job(jobName=name, **{**asked, **more})
        self.ids[name] = submitted["jobId"]
        return str(submitted["jobId"])

    def ended(self) -> dict[str, Run]:
        """The latest run of each name, when all have ended."""
        self.server.settle(self.account)
        return {run.name: run for run in self.server.runs_of(self.account)}

    def end_of(self, name: str, command: list[str] | None = None, **more: Any) -> Run:
        self.submit(name, command, **more)
        return self.ended()[name]

    def described(self, name: str) -> Any:
        (job,) = self.client.describe_jobs(jobs=[self.ids[name]])["jobs"]
        return job

    def wait_for(self, name: str, status: str) -> None:
        deadline = time.monotonic() + 60
        while self.described(name)["status"] != status:
            assert time.monotonic() < deadline, self.described(name)
            threading.Event().wait(0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[Batch]:
    with running() as started:
        yield started


@pytest.fixture
def jobs(server: Batch) -> Iterator[Jobs]:
    made = Jobs(server)
    yield made
    made.client.close()


def test_a_job_below_one_that_fails_is_not_tried(jobs: Jobs) -> None:
    jobs.submit("A1")
    jobs.submit("B1", needs="A1")
    jobs.submit("C1", shell("exit 3"), needs="A1")
    jobs.submit("D1", needs="B1 C1")
    ended = jobs.ended()
    assert {name: (run.status, run.exit_code, run.reason) for name, run in ended.items()} == {
        "A1": ("SUCCEEDED", 0, EXITED),
        "B1": ("SUCCEEDED", 0, EXITED),
        "C1": ("FAILED", 3, EXITED),
        "D1": ("FAILED", None, NOT_TRIED),
    }
    assert ended["D1"].depends_on == (jobs.ids["B1"], jobs.ids["C1"])
    assert jobs.server.ran(jobs.account) == {"A1": 1, "B1": 1, "C1": 1}
    assert "startedAt" not in jobs.described("D1")


def test_a_graph_goes_on_where_it_failed(jobs: Jobs, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    jobs.submit("A1")
    jobs.submit("C1", shell(f"test -e {mended}"), needs="A1")
    jobs.submit("D1", needs="C1")
    assert jobs.ended()["D1"].status == "FAILED"
    mended.touch()
    jobs.submit("C1", shell(f"test -e {mended}"), needs="A1")  # on one that has ended
    jobs.submit("D1", needs="C1")
    assert jobs.ended()["D1"].status == "SUCCEEDED"
    assert jobs.server.submitted(jobs.account) == {"A1": 1, "C1": 2, "D1": 2}
    assert jobs.server.ran(jobs.account) == {"A1": 1, "C1": 2, "D1": 1}


def test_a_job_waits_for_the_one_it_needs(jobs: Jobs, tmp_path: Path) -> None:
    go = tmp_path / "go"
    jobs.submit("first", when(go))
    jobs.submit("second", needs="first")
    jobs.wait_for("first", "RUNNING")
    jobs.wait_for("second", "PENDING")
    go.touch()
    assert jobs.ended()["second"].status == "SUCCEEDED"


def test_a_dependency_on_what_has_failed_fails_at_once(jobs: Jobs) -> None:
    jobs.end_of("first", shell("exit 1"))
    assert jobs.end_of("second", needs="first").reason == NOT_TRIED


@pytest.mark.parametrize("verb", ["terminate_job", "cancel_job"])
def test_a_job_that_waits_is_stopped(jobs: Jobs, tmp_path: Path, verb: str) -> None:
    jobs.submit("first", when(tmp_path / "go"))
    jobs.submit("second", needs="first")
    getattr(jobs.client, verb)(jobId=jobs.ids["second"], reason="not today")
    jobs.wait_for("second", "FAILED")
    jobs.client.terminate_job(jobId=jobs.ids["first"], reason="nor this")
    ended = jobs.ended()
    assert (ended["second"].reason, ended["second"].attempts) == ("not today", ())
    assert ended["first"].reason == "nor this"
    told = jobs.described("second")
    assert (told["isCancelled"], told["isTerminated"]) == (True, False)


def test_a_stop_ends_the_processes_of_a_job(jobs: Jobs, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    jobs.submit("long", shell(f"sleep 1000 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"))
    wait_until(pid.exists)
    jobs.client.cancel_job(jobId=jobs.ids["long"], reason="runs already, so this does nothing")
    jobs.client.terminate_job(jobId=jobs.ids["long"], reason="enough")
    run = jobs.ended()["long"]
    assert (run.status, run.exit_code, run.reason) == ("FAILED", 137, "enough")
    wait_until(lambda: not is_alive(int(pid.read_text())))
    jobs.client.terminate_job(jobId=jobs.ids["long"], reason="again")
    told = jobs.described("long")
    assert told["statusReason"] == "enough"
    assert (told["isCancelled"], told["isTerminated"]) == (False, True)


def test_a_job_that_is_late_is_stopped_and_not_tried_again(jobs: Jobs) -> None:
    jobs.server.scale_timeouts(0.001)
    try:
        late = {"timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {"attempts": 3}}
        run = jobs.end_of("late", shell("sleep 1000"), **late)
    finally:
        jobs.server.scale_timeouts(1)
    assert (run.status, run.attempts) == ("FAILED", (Attempt(137, TIMED_OUT, ran=True),))


def test_a_job_that_is_in_time_ends_by_itself(jobs: Jobs) -> None:
    assert jobs.end_of("quick", timeout={"attemptDurationSeconds": 60}).status == "SUCCEEDED"


def test_a_job_that_fails_is_tried_as_often_as_it_says(jobs: Jobs) -> None:
    command = shell("test $AWS_BATCH_JOB_ATTEMPT = 3 || exit 5")
    assert jobs.end_of("twice", command, retryStrategy={"attempts": 2}).attempts == (
        (Attempt(5, EXITED, ran=True),) * 2
    )
    run = jobs.end_of("thrice", command, retryStrategy={"attempts": 3})
    assert (run.status, [tried.exit_code for tried in run.attempts]) == ("SUCCEEDED", [5, 5, 0])


@pytest.mark.parametrize(
    ("rule", "tries"),
    [
        pytest.param({"onExitCode": "5", "action": "EXIT"}, 1, id="exit"),
        pytest.param({"onExitCode": "6", "action": "EXIT"}, 2, id="no rule: tried again"),
        pytest.param({"onStatusReason": "Essential*", "action": "retry"}, 2, id="retry"),
    ],
)
def test_rules_decide_what_is_tried_again(jobs: Jobs, rule: dict[str, str], tries: int) -> None:
    strategy = {"attempts": 2, "evaluateOnExit": [rule]}
    assert len(jobs.end_of("ruled", shell("exit 5"), retryStrategy=strategy).attempts) == tries


def test_the_strategy_of_the_definition_holds_unless_the_submission_has_one(
    server: Batch, jobs: Jobs
) -> None:
    account = server.new_account()
    jobs.account, jobs.place = account, server.make_place(account, retryStrategy={"attempts": 2})
    jobs.client.close()
    jobs.client = server.client("batch", account)
    assert len(jobs.end_of("two", shell("exit 1")).attempts) == 2
    assert len(jobs.end_of("one", shell("exit 1"), retryStrategy={"attempts": 1}).attempts) == 1


def test_the_platform_takes_a_job_away_before_it_starts(jobs: Jobs) -> None:
    jobs.server.take_away(jobs.account, "spot")
    run = jobs.end_of("spot")
    assert run[2:5] == ("FAILED", None, SPOT)
    assert run.attempts == (Attempt(None, SPOT, ran=False),)
    assert jobs.end_of("spot").status == "SUCCEEDED"
    assert jobs.server.ran(jobs.account) == {"spot": 1}


def test_the_platform_takes_a_job_away_while_it_runs(jobs: Jobs) -> None:
    strategy = {
        "attempts": 2,
        "evaluateOnExit": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }
    jobs.submit("spot", shell("test $AWS_BATCH_JOB_ATTEMPT = 2 || sleep 1000"), retryStrategy=strategy)
    wait_until(lambda: lost(jobs))
    run = jobs.ended()["spot"]
    assert run.attempts == (Attempt(None, SPOT, ran=True), Attempt(0, EXITED, ran=True))


def test_a_job_says_itself_how_the_platform_fails_it(jobs: Jobs) -> None:
    told = overrides(
        ["true"],
        STEPSCHED_TEST_REASON="Task failed to start",
        STEPSCHED_TEST_CONTAINER_REASON="CannotPullContainerError: no such image",
    )
    run = jobs.end_of("pull", containerOverrides=told)
    assert run[2:5] == ("FAILED", None, "Task failed to start")
    container = jobs.described("pull")["container"]
    assert container["reason"] == "CannotPullContainerError: no such image"
    assert "exitCode" not in container


def test_a_program_that_is_not_there_fails_the_job(jobs: Jobs) -> None:
    run = jobs.end_of("missing", ["no-such-program"])
    assert run[2:5] == ("FAILED", 127, "Task failed to start")


def test_a_job_has_its_own_variables_and_no_others(jobs: Jobs) -> None:
    jobs.submit("env", containerOverrides=overrides(["env"], COLOUR="blue"))
    jobs.ended()
    told = dict(line.split("=", 1) for line in log_of(jobs, "env"))
    told.pop("PATH")
    emulated = {name for name in told if name.startswith("MOTO_")}
    assert {name: value for name, value in told.items() if name not in emulated} == {
        "COLOUR": "blue",
        "AWS_BATCH_JOB_ID": jobs.ids["env"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "jobs",
    }
    assert jobs.described("env")["container"]["environment"] == [{"name": "COLOUR", "value": "blue"}]


def test_an_array_ends_with_its_children(jobs: Jobs) -> None:
    jobs.submit("many", shell("test $AWS_BATCH_JOB_ARRAY_INDEX != 1"), arrayProperties={"size": 3})
    jobs.submit("below", needs="many")
    jobs.server.settle(jobs.account)
    parent, *children, below = jobs.server.runs_of(jobs.account)
    assert [child.status for child in children] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert (parent.status, below.reason) == ("FAILED", NOT_TRIED)
    assert jobs.described("many")["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 2


def test_the_children_of_an_array_depend_on_those_of_another(jobs: Jobs) -> None:
    size: Any = {"arrayProperties": {"size": 2}}
    jobs.submit("upper", shell("test $AWS_BATCH_JOB_ARRAY_INDEX = 1"), **size)
    depends = [{"jobId": jobs.ids["upper"], "type": "N_TO_N"}]
    jobs.submit("lower", dependsOn=depends, **size)
    jobs.server.settle(jobs.account)
    lower = [run.status for run in jobs.server.runs_of(jobs.account) if run.name == "lower"]
    assert lower == ["FAILED", "FAILED", "SUCCEEDED"]


def test_jobs_are_listed_by_name_time_and_status(jobs: Jobs) -> None:
    for name in ("nightly-A", "nightly-B", "hourly"):
        jobs.end_of(name)
    created = jobs.described("nightly-B")["createdAt"]

    def names(name: str, value: str) -> list[str]:
        found = jobs.client.list_jobs(jobQueue="jobs", filters=[{"name": name, "values": [value]}])
        return [job["jobName"] for job in found["jobSummaryList"]]

    assert names("JOB_NAME", "NIGHTLY-a") == ["nightly-A"]
    assert names("JOB_NAME", "nightly-*") == ["nightly-B", "nightly-A"]
    assert names("JOB_NAME", "night") == []
    assert names("AFTER_CREATED_AT", str(created)) == ["hourly"]
    assert names("BEFORE_CREATED_AT", str(created)) == ["nightly-A"]
    assert names("AFTER_CREATED_AT", str(created - HOUR_AGO)) == ["hourly", "nightly-B", "nightly-A"]
    assert jobs.client.list_jobs(jobQueue="jobs")["jobSummaryList"] == []
    assert len(jobs.client.list_jobs(jobQueue="jobs", jobStatus="SUCCEEDED")["jobSummaryList"]) == 3


def test_lists_have_pages(jobs: Jobs) -> None:
    for number in range(5):
        jobs.submit(f"job{number}")
    jobs.ended()
    pages = jobs.client.get_paginator("list_jobs").paginate(
        jobQueue="jobs", jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    found = [[job["jobName"] for job in page["jobSummaryList"]] for page in pages]
    assert found == [["job4", "job3"], ["job2", "job1"], ["job0"]]


def test_what_aws_refuses_is_refused(jobs: Jobs) -> None:
    jobs.end_of("first")
    many = [{"jobId": jobs.ids["first"]}] * 21
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: jobs.submit("job", dependsOn=[{"jobId": "unknown"}]), "dependency"),
        (lambda: jobs.submit("job", dependsOn=[{"jobId": " "}]), "dependency"),
        (lambda: jobs.submit("job", dependsOn=many), "20"),
        (lambda: jobs.submit("job", timeout={"attemptDurationSeconds": 59}), "60 seconds"),
        (lambda: jobs.submit("job", retryStrategy={"attempts": 11}), "1 to 10"),
        (lambda: jobs.submit("job", jobQueue="unknown"), "queue"),
        (lambda: jobs.client.describe_jobs(jobs=["x"] * 101), "100"),
        (lambda: jobs.client.list_jobs(jobQueue="jobs", jobStatus="DONE"), "status"),
    ]
    for call, said in refused:
        with pytest.raises(ClientError, match=rf"ClientException.*{said}"):
            call()
    assert jobs.server.submitted(jobs.account) == {"first": 1}


def test_a_call_is_refused_as_the_test_wants(jobs: Jobs) -> None:
    jobs.server.refuse(jobs.account, "SubmitJob", "TooManyRequestsException")
    jobs.server.refuse(jobs.account, "SubmitJob", done=True)
    for code in ("TooManyRequestsException", "ServerException"):
        with pytest.raises(ClientError, match=code):
            jobs.submit("job")
    jobs.submit("job")
    assert jobs.server.submitted(jobs.account) == {"job": 2}  # the second was done, its answer was lost
    calls = jobs.server.calls_of(jobs.account, "SubmitJob")
    assert [call.refused for call in calls] == [True, True, False]
    assert calls[0].given["jobName"] == "job"


def test_a_job_is_forgotten(jobs: Jobs) -> None:
    jobs.end_of("old")
    jobs.server.forget(jobs.account, jobs.ids["old"])
    assert jobs.client.describe_jobs(jobs=[jobs.ids["old"]])["jobs"] == []


def test_accounts_do_not_see_each_other(server: Batch, jobs: Jobs) -> None:
    other = Jobs(server)
    jobs.end_of("mine")
    assert server.runs_of(other.account) == []
    assert other.client.describe_jobs(jobs=[jobs.ids["mine"]])["jobs"] == []
    other.client.close()


def test_a_hundred_jobs_wait_for_each_other(jobs: Jobs) -> None:
    jobs.submit("job0")
    for number in range(1, 100):
        jobs.submit(f"job{number}", needs=f"job{number - 1}")
    assert {run.status for run in jobs.ended().values()} == {"SUCCEEDED"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_listens_on_loopback_only(server: Batch) -> None:
    assert server.listening() == [("127.0.0.1", int(server.endpoint_url.rpartition(":")[2]))]


def test_missing_environment_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(part, "PYTHON", tmp_path / "python")
    with pytest.raises(PartMissingError, match=r"moto\[batch\]==.* python3 tests/gate.py"):
        Batch()


def test_what_does_not_end_is_named(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.submit("endless", when(tmp_path / "go"))
    with monkeypatch.context() as patched:
        patched.setattr("tests.parts.server_part.PATIENCE", 0.1)
        with pytest.raises(PartFailedError, match=r"still there after 0\.1 s: endless"):
            jobs.server.settle(jobs.account)
    (tmp_path / "go").touch()
    jobs.ended()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_and_jobs_end_with_the_starter(server: Batch) -> None:
    """Also if the starter is killed, as a worker is that hangs."""
    program = (
        "import time; from tests.parts.batch import *; from tests.parts.batch import Batch\n"
        "with Batch() as server:\n"
        "    place = server.make_place('000000000001')\n"
        "    client = server.client('batch', '000000000001')\n"
        "    pid = server._folder / 'pid'\n"
        "    command = shell(f'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 1000')\n"
        "    client.submit_job(jobName='job', jobQueue=place.queue, jobDefinition=place.definition,\n"
        "        containerOverrides=overrides(command))\n"
        "    while not pid.exists(): time.sleep(0.02)\n"
        "    print(server._running.pid, pid.read_text().strip(), server._folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        served, job, folder = starter.stdout.readline().split()
        starter.kill()
    wait_until(lambda: not is_alive(int(served)) and not is_alive(int(job)))
    for path in Path(folder).iterdir():
        path.unlink()
    Path(folder).rmdir()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def lost(jobs: Jobs) -> bool:
    """Takes the job away once it runs."""
    try:
        jobs.server.lose(jobs.account, jobs.ids["spot"])
    except PartFailedError:  # it does not run yet
        return False
    return True


def log_of(jobs: Jobs, name: str) -> list[str]:
    stream = jobs.described(name)["container"]["logStreamName"]
    logs = jobs.server.client("logs", jobs.account)
    try:
        events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
    finally:
        logs.close()
    return [event["message"] for event in events]
