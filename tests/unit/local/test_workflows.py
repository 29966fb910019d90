"""Workflows on the embedded backend: what is its own beside the contract of all backends."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.rows import micros
from stepsched.testing import FakeClock
from stepsched.workflows import FailureKind, StepStatus, WorkflowRun, WorkflowRunStatus, input_of

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PATIENCE = 10.0
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:ends")


def work(payload: object) -> object:
    """The function of steps that other processes could call too."""
    return payload


def by_name(target: Callable[..., object] = work) -> ss.HandlerTarget:
    return ss.HandlerTarget(target)


class Bench:
    """A backend on played time."""

    def __init__(self, path: Path | None = None, **options: object) -> None:
        self.clock = FakeClock(T0)
        self.calls = list[object]()
        self.notices = list[object]()
        self.events = list[ss.jobs.Event]()
        self.backend = ss.LocalBackend(path, clock=self.clock, **options)  # type: ignore[arg-type] # as named
        self.backend.register(ss.TopicTarget, lambda _target, payload: self.notices.append(payload))
        self.backend.listen(self.events.append)
        self.flows = ss.WorkflowClient(self.backend)

    def note(self, payload: object) -> object:
        self.calls.append(payload)
        return payload

    def fail(self) -> None:
        self.calls.append("fail")
        raise RuntimeError("no luck")

    def play(self, flow: ss.Workflow, step: timedelta = MINUTE, **given: object) -> WorkflowRun:
        run = self.flows.start(flow, **given)  # type: ignore[arg-type] # as named
        self.backend.advance(step)
        return self.flows.status(run)


def rows(backend: ss.LocalBackend) -> list[object]:
    """What is left of hidden jobs and their runs."""
    return list(backend._store._rows("SELECT name FROM jobs UNION ALL SELECT job FROM runs"))


def until(condition: Callable[[], object]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not come to be in time"
        threading.Event().wait(0.01)


class TestHiddenJobs:
    def test_are_in_no_list_and_no_verb_finds_them(self) -> None:
        bench = Bench()
        seen = list[object]()
        jobs = ss.SchedulerClient(bench.backend)

        def look(_payload: object, run: ss.Run) -> None:
            seen.append(run.job)
            assert jobs.list() == []
            assert jobs.runs() == []
            assert list(bench.backend.runs(ss.backends.RunQuery(job="nightly/a"))) == []
            (hidden,) = bench.backend._store._rows("SELECT name FROM jobs")
            for verb in (jobs.get, jobs.pause, jobs.cancel, jobs.run_now):
                with pytest.raises(ss.JobNotFoundError):
                    verb(hidden[0])

        run = bench.play(ss.Workflow("nightly", steps=[ss.Step("a", target=by_name(look))]))
        assert run.status is WorkflowRunStatus.SUCCEEDED, run.steps[0].error
        assert seen == ["nightly/a"]
        assert rows(bench.backend) == []

    def test_listeners_are_told_nothing_of_steps(self) -> None:
        bench = Bench()
        retry = ss.Retry(max_attempts=1, interval=SECOND)
        bench.play(ss.Workflow("nightly", steps=[ss.Step("a", target=by_name(bench.fail), retry=retry)]))
        assert bench.calls == ["fail", "fail"]
        assert bench.events == []

    def test_a_job_may_have_the_name_that_a_step_shows(self) -> None:
        bench = Bench()
        jobs = ss.SchedulerClient(bench.backend)
        target = by_name(bench.note)
        jobs.create(
            ss.Job(name="nightly/a", schedule=ss.OneTime(T0 + SECOND), target=target, completion="keep")
        )
        bench.play(ss.Workflow("nightly", steps=[ss.Step("a", target=target, input="step")]))
        assert bench.calls == ["step", {}]
        assert [run.job for run in jobs.runs("nightly/a")] == ["nightly/a"]

    def test_the_log_tells_of_attempts_and_failures_with_their_tracebacks(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench = Bench()
        retry = ss.Retry(max_attempts=1, interval=SECOND)
        flow = ss.Workflow("nightly", steps=[ss.Step("a", target=by_name(bench.fail), retry=retry)])
        bench.play(flow, run_id="r1")
        again, failed, over = [each for each in caplog.records if each.name == "stepsched.local"]
        assert again.getMessage().startswith(
            "step nightly/a is tried again: RuntimeError: no luck\n  | Trace"
        )
        assert failed.getMessage().startswith(
            "step a of run nightly/r1 failed: RuntimeError: no luck\n  | Trace"
        )
        assert over.getMessage() == "run nightly/r1 failed: step 'a'"
        assert [failed.__dict__[key] for key in ("workflow", "workflow_run", "step")] == [
            "nightly",
            "r1",
            "a",
        ]


class TestPlayedTime:
    def test_retries_wait_as_long_as_the_step_says(self) -> None:
        bench = Bench()
        retry = ss.Retry(max_attempts=2, interval=HOUR, max_age=2 * HOUR)
        step = ss.Step("a", target=by_name(bench.fail), retry=retry)
        run = bench.play(ss.Workflow("nightly", steps=[step]))
        (waiting,) = run.steps
        assert (waiting.status, waiting.retry_at) == (StepStatus.PENDING, T0 + HOUR)
        assert (waiting.attempt, waiting.failures, waiting.failure) == (1, 1, FailureKind.JOB)
        bench.backend.advance(4 * HOUR)
        (step_run,) = bench.flows.status(run).steps
        assert (step_run.status, step_run.attempt, step_run.ended_at) == (StepStatus.FAILED, 3, T0 + 3 * HOUR)

    def test_the_pauses_are_those_of_the_steps_retry_although_its_age_does_not_count(self) -> None:
        bench = Bench()
        retry = ss.Retry(max_attempts=3, interval=MINUTE, max_age=MINUTE, backoff_rate=10)
        run = bench.play(ss.Workflow("f", steps=[ss.Step("a", target=by_name(bench.fail), retry=retry)]), DAY)
        assert (run.steps[0].attempt, run.ended_at) == (4, T0 + 3 * MINUTE)

    def test_the_running_time_of_a_step_does_not_end_its_retries(self) -> None:
        bench = Bench()

        def take_days() -> None:
            bench.clock.advance(2 * DAY)
            bench.fail()

        retry = ss.Retry(max_attempts=1, interval=SECOND)
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name(take_days), retry=retry)])
        run = bench.play(flow, 5 * DAY)
        assert (run.status, run.steps[0].attempt) == (WorkflowRunStatus.FAILED, 2)

    def test_a_step_that_takes_longer_than_its_timeout_has_failed(self) -> None:
        bench = Bench()
        slow = by_name(lambda: bench.clock.advance(HOUR))
        run = bench.play(ss.Workflow("f", steps=[ss.Step("a", target=slow, timeout=MINUTE)]), DAY)
        assert run.steps[0].status is StepStatus.FAILED
        assert "longer than" in str(run.steps[0].error)


class TestInputs:
    def test_hold_outputs_and_parts_of_the_input_of_the_run(self) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(bench.note), input={"rows": [1, 2], "day": input_of("day")})
        b = ss.Step("b", target=by_name(bench.note), needs=[a], input=[a.output("rows", 1), a.output("day")])
        bench.play(ss.Workflow("f", steps=[b, a]), input={"day": "monday"})
        assert bench.calls == [{"rows": [1, 2], "day": "monday"}, [2, "monday"]]

    def test_an_output_that_is_too_long_fails_the_step_that_uses_it_before_it_starts(self) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(lambda: "x" * 5_000))
        b = ss.Step("b", target=by_name(bench.note), needs=[a], input=a.output())
        c = ss.Step("c", target=by_name(bench.note), needs=[b])
        run = bench.play(ss.Workflow("f", steps=[a, b, c]))
        assert len(run.by_name["a"].output or "") == 4_000
        assert run.by_name["b"].error == (
            "step 'a': its output is longer than 4,000 characters; write it elsewhere and pass its location"
        )
        assert (run.by_name["b"].status, run.by_name["b"].attempt) == (StepStatus.FAILED, 0)
        assert run.by_name["c"].caused_by == "b"
        assert bench.calls == []

    def test_a_missing_part_fails_the_step_by_name(self) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(lambda: {"rows": 1}))
        b = ss.Step("b", target=by_name(bench.note), needs=[a], input=a.output("lines"))
        run = bench.play(ss.Workflow("f", steps=[a, b]))
        assert run.by_name["b"].error == "there is no [\"lines\"] of the output of step 'a'"

    @pytest.mark.parametrize(
        "text", ["<aws.scheduler.scheduled-time>", '{"$output": "b"}', "'); DROP TABLE runs; --"]
    )
    def test_outputs_are_data_whatever_they_look_like(self, text: str) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(lambda: {"text": text, "$output": "a", "path": []}))
        b = ss.Step("b", target=by_name(bench.note), needs=[a], input={"it": a.output()})
        run = bench.play(ss.Workflow("f", steps=[a, b]))
        assert run.status is WorkflowRunStatus.SUCCEEDED, run.by_name["b"].error
        assert bench.calls == [{"it": {"text": text, "$output": "a", "path": []}}]

    def test_an_output_in_the_form_of_a_context_attribute_is_refused_rather_than_filled(self) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(lambda: {"$context": "<aws.scheduler.execution-id>"}))
        b = ss.Step("b", target=by_name(bench.note), needs=[a], input={"it": a.output()})
        run = bench.play(ss.Workflow("f", steps=[a, b]))
        assert "context attribute" in str(run.by_name["b"].error)
        assert bench.calls == []


class TestStopping:
    def test_after_a_failure_steps_that_wait_for_another_attempt_are_left_out(self) -> None:
        bench = Bench()
        retry = ss.Retry(max_attempts=3, interval=HOUR)
        slow = ss.Step("slow", target=by_name(bench.fail), retry=retry)
        wait = ss.Step("wait", target=by_name(bench.note), input="wait")
        bad = ss.Step("bad", target=by_name(bench.fail), needs=[wait])
        clean = ss.Step("clean", target=by_name(bench.note), needs=[slow, bad], when="done", input="clean")
        after = ss.Step("after", target=by_name(bench.note), needs=[wait, slow])
        run = bench.play(ss.Workflow("f", steps=[slow, wait, bad, clean, after], on_failure="stop"))
        assert {step.name: step.status.value for step in run.steps} == {
            "slow": "upstream_failed",
            "wait": "succeeded",
            "bad": "failed",
            "clean": "succeeded",
            "after": "upstream_failed",
        }
        assert (run.by_name["slow"].caused_by, run.by_name["slow"].attempt) == ("bad", 1)
        assert run.status is WorkflowRunStatus.FAILED
        assert rows(bench.backend) == []

    def test_a_run_stops_also_if_several_steps_fail_at_once(self) -> None:
        bench = Bench()
        a = ss.Step("a", target=by_name(lambda: "x" * 5_000))
        bad = [ss.Step(name, target=by_name(bench.note), needs=[a], input=a.output()) for name in "bc"]
        slow = ss.Step("slow", target=by_name(bench.note), needs=[a], input="slow")
        later = ss.Step("later", target=by_name(bench.note), needs=[slow], input="later")
        run = bench.play(ss.Workflow("f", steps=[a, *bad, slow, later], on_failure="stop"))
        assert bench.calls == ["slow"]
        assert (run.by_name["later"].status, run.by_name["later"].caused_by) == (
            StepStatus.UPSTREAM_FAILED,
            "b",
        )


class TestFunctionsOfThisProcess:
    def test_are_refused_on_a_file_with_the_step(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path / "jobs.db")
        with pytest.raises(ss.UnsupportedError, match=r"step 'a': .*has no importable name"):
            bench.flows.put(ss.Workflow("f", steps=[ss.Step("a", target=ss.HandlerTarget(lambda: 1))]))
        assert bench.flows.list() == []

    def test_another_function_of_the_same_name_is_another_definition(self) -> None:
        bench = Bench()
        versions = list[int]()
        for function in ((lambda: 1), (lambda: 2)):
            flow = ss.Workflow("f", steps=[ss.Step("a", target=ss.HandlerTarget(function))])
            versions += [bench.flows.put(flow).version for _ in range(2)]
        assert versions == [1, 1, 2, 2]

    def test_modules_that_are_not_allowed_are_refused(self) -> None:
        bench = Bench(handlers_from=["elsewhere"])
        with pytest.raises(ss.UnsupportedError, match=r"step 'a': .*handlers_from"):
            bench.flows.put(ss.Workflow("f", steps=[ss.Step("a", target=ss.HandlerTarget("json:dumps"))]))


class TestNotices:
    def test_the_topic_is_told_each_end_once(self) -> None:
        bench = Bench()
        failing = ss.Step("a", target=by_name(bench.fail))
        run = bench.play(ss.Workflow("f", steps=[failing], notify=TOPIC), run_id="r1")
        assert bench.notices == [
            {
                "workflow": "f",
                "run": "r1",
                "status": "failed",
                "started_at": "2030-01-07T00:00:00Z",
                "ended_at": "2030-01-07T00:00:00Z",
                "failed": ["a"],
            }
        ]
        bench.flows.restart(run, skip=["a"])
        bench.backend.advance(MINUTE)
        assert [notice["status"] for notice in bench.notices] == ["failed", "succeeded"]  # type: ignore[index]
        assert rows(bench.backend) == []

    def test_the_known_texts_are_an_option(self) -> None:
        bench = Bench()
        step = ss.Step("a", target=by_name(), input=1)
        flow = ss.Workflow("f", steps=[step], notify=TOPIC, notification="batch-scheduler", title="Nightly")
        bench.play(flow, run_id="r1")
        which = "[ Schedule ID: f  Name: Nightly which started: r1"
        text = f"Hey, your batch schedule: {which}  just finished.  Status: SUCCEEDED"
        sms = f"Job: {which}  complete. Status: SUCCEEDED"
        assert bench.notices == [{"default": text, "sms": sms, "email": text}]

    def test_a_topic_that_could_not_be_told_is_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        bench = Bench()

        def refuse(_target: object, _payload: object) -> None:
            raise RuntimeError("no such topic")

        bench.backend.register(ss.TopicTarget, refuse)
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name())], notify=TOPIC)
        bench.play(flow, 2 * DAY)
        assert rows(bench.backend) == []
        assert caplog.messages[-1].startswith("the topic of run 1 of a workflow could not be told of its end")
        assert "no such topic" in caplog.messages[-1]

    def test_a_topic_that_nothing_handles_is_refused(self) -> None:
        backend = ss.LocalBackend()
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name())], notify=TOPIC)
        with pytest.raises(ss.UnsupportedError, match="no handler is registered for its TopicTarget"):
            ss.WorkflowClient(backend).put(flow)


class TestHistory:
    def test_old_runs_are_deleted_with_their_steps_by_age(self) -> None:
        bench = Bench(retention=DAY)
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name(), input=1)])
        bench.play(flow, run_id="old")
        bench.backend.advance(DAY)
        bench.play(flow, run_id="new")
        assert [run.id for run in bench.flows.runs("f")] == ["new"]
        assert len(bench.backend._store._rows("SELECT * FROM workflow_steps")) == 1

    def test_and_by_number(self) -> None:
        bench = Bench(retention_limit=2)
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name(), input=1)])
        for number in range(4):
            bench.play(flow, run_id=f"r{number}")
        assert [run.id for run in bench.flows.runs("f")] == ["r2", "r3"]


class TestRecovery:
    def test_a_step_whose_hidden_run_is_gone_fails_and_the_run_goes_on(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path / "jobs.db")
        flow = ss.Workflow(
            "f", steps=[ss.Step("a", target=by_name()), ss.Step("b", target=by_name(), needs=["a"])]
        )
        run = bench.flows.start(flow)
        with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as db:
            db.execute("DELETE FROM runs")
        bench.backend.advance(MINUTE)
        run = bench.flows.status(run)
        assert (run.status, run.by_name["a"].failure) == (WorkflowRunStatus.FAILED, FailureKind.PLATFORM)
        assert run.by_name["b"].status is StepStatus.UPSTREAM_FAILED

    def test_a_step_that_an_earlier_stepsched_has_ended_counts_as_it_ended(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path / "jobs.db")
        a = ss.Step("a", target=by_name())
        b = ss.Step("b", target=by_name(), needs=[a], input=a.output())
        run = bench.flows.start(ss.Workflow("f", steps=[a, b]))
        with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as db:
            changes = "status = 'succeeded', attempt = 1, output = '7', ended_at = ?"
            db.execute(f"UPDATE runs SET {changes}", (micros(T0),))
        bench.backend.advance(MINUTE)
        run = bench.flows.status(run)
        assert [step.output for step in run.steps] == ["7", "7"]
        assert rows(bench.backend) == []

    def test_a_step_is_given_up_after_so_many_ends_of_its_process(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path / "jobs.db", max_restarts=2)
        flow = ss.Workflow("f", steps=[ss.Step("a", target=by_name())])
        run = bench.flows.start(flow)
        with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as db:
            db.execute("UPDATE runs SET status = 'running', attempt = 3, crashes = 2, worker = 'dead'")
        bench.backend.advance(MINUTE)
        (step,) = bench.flows.status(run).steps
        assert (step.status, step.failure, step.losses) == (StepStatus.FAILED, FailureKind.PLATFORM, 3)
        assert step.error == "its process ended 3 times while it was running"


class TestCommands:
    @pytest.fixture
    def running(self, tmp_path: Path) -> tuple[ss.LocalBackend, WorkflowRun, int]:
        """A started backend with a command that runs in it, and the ID of its process."""
        script = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
        command = ss.CommandTarget([sys.executable, "-c", script], cwd=tmp_path)
        backend = ss.LocalBackend(tmp_path / "jobs.db")
        backend.start()
        b = ss.Step("b", target=by_name(), needs=["a"], input=1)
        run = ss.WorkflowClient(backend).start(ss.Workflow("f", steps=[ss.Step("a", target=command), b]))
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        return backend, run, int((tmp_path / "pid").read_text())

    def test_are_ended_when_the_run_is_cancelled(
        self, running: tuple[ss.LocalBackend, WorkflowRun, int]
    ) -> None:
        backend, run, pid = running
        with backend:
            run = ss.WorkflowClient(backend).cancel(run)
            assert [step.status.value for step in run.steps] == ["cancelled", "cancelled"]
            until(lambda: not _lives(pid))
            assert rows(backend) == []

    def test_are_ended_when_their_step_is_skipped_and_the_run_goes_on(
        self, running: tuple[ss.LocalBackend, WorkflowRun, int]
    ) -> None:
        backend, run, pid = running
        with backend:
            flows = ss.WorkflowClient(backend)
            flows.skip(run, "a", reason="by hand")
            until(lambda: not _lives(pid))
            run = flows.wait(run, timeout=PATIENCE)
            assert [step.status.value for step in run.steps] == ["skipped", "succeeded"]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds the commands of other processes")
    def test_are_ended_by_another_process_too(
        self, running: tuple[ss.LocalBackend, WorkflowRun, int], tmp_path: Path
    ) -> None:
        backend, run, pid = running
        with backend:
            cancel = "ss.WorkflowClient(ss.LocalBackend(sys.argv[1])).cancel(sys.argv[2])"
            code = f"import sys, stepsched as ss; {cancel}"
            subprocess.run([sys.executable, "-c", code, str(tmp_path / "jobs.db"), run.key], check=True)
            until(lambda: not _lives(pid))
            assert ss.WorkflowClient(backend).status(run).status is WorkflowRunStatus.CANCELLED


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_definition_of_a_later_stepsched_is_reported_and_not_called_damaged(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "jobs.db")
    bench.flows.put(ss.Workflow("f", steps=[ss.Step("a", target=by_name())]))
    with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as db:
        ((document,),) = db.execute("SELECT document FROM workflows")
        later = json.dumps({**json.loads(document), "colour": "red"})
        db.execute("UPDATE workflows SET document = ?", (later,))
    other = ss.WorkflowClient(ss.LocalBackend(tmp_path / "jobs.db"))
    with pytest.raises(ss.BackendError, match="version 1 of workflow 'f' cannot be read") as caught:
        other.get("f")
    assert caught.value.code == "UNREADABLE"


def test_threads_and_processes_share_the_steps_of_a_run() -> None:
    backend = ss.LocalBackend(workers=4)
    together = threading.Barrier(4, timeout=PATIENCE)
    steps = [ss.Step(f"s{number}", target=ss.HandlerTarget(lambda: together.wait())) for number in range(4)]
    with backend:
        flows = ss.WorkflowClient(backend)
        run = flows.wait(flows.start(ss.Workflow("f", steps=steps)), timeout=PATIENCE)
    assert run.status is WorkflowRunStatus.SUCCEEDED


def test_a_wait_where_no_process_runs_anything_says_so(caplog: pytest.LogCaptureFixture) -> None:
    backend = ss.LocalBackend()
    flows = ss.WorkflowClient(backend)
    run = flows.start(ss.Workflow("f", steps=[ss.Step("a", target=ss.HandlerTarget(str))]))
    with pytest.raises(ss.errors.WaitTimeoutError, match=r"the backend is not started; use start\(\)"):
        flows.wait(run, timeout=0)
    with caplog.at_level(logging.WARNING, "stepsched"):
        threading.Timer(0.05, backend.start).start()
        assert flows.wait(run).status is WorkflowRunStatus.SUCCEEDED
    assert caplog.messages == [
        f"waiting without timeout for run {run.key}: the backend is not started; use start() or a with block"
    ]
    backend.close()
