"""Jobs whose target is a workflow, on the embedded backend."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.jobs.names import distinct
from stepsched.testing import FakeClock
from stepsched.workflows import WorkflowRun, input_of

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURLY = ss.Cron("0 * * * ? *")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
ONCE = ss.Retry(max_attempts=0)
AGAIN = ss.Retry(max_attempts=1, interval=MINUTE)


class Bench:
    """A workflow of two steps on played time; ``load`` fails as often as ``failures`` says."""

    def __init__(self, path: Path | None = None, *, failures: int = 0) -> None:
        self.clock = FakeClock(T0)
        self.calls = list[str]()
        self.failures = failures
        self.inputs = list[object]()
        self.letters = list[object]()
        self.events = list[ss.jobs.Event]()
        self.backend = self.open(path)
        self.flows = ss.WorkflowClient(self.backend)
        self.jobs = ss.SchedulerClient(self.backend)
        self.flow = ss.Workflow(
            "nightly",
            steps=[
                ss.Step("extract", target=_queue("extract"), input=input_of()),
                ss.Step("load", target=_queue("load"), needs=["extract"]),
            ],
            input={"from": "definition"},
        )
        self.flows.put(self.flow)

    def open(self, path: Path | None) -> ss.LocalBackend:
        backend = ss.LocalBackend(path, clock=self.clock)
        backend.register(ss.QueueTarget, self._call)
        backend.register(QUEUE, lambda _target, payload: self.letters.append(payload))
        backend.listen(self.events.append)
        return backend

    def _call(self, target: ss.QueueTarget, payload: object) -> None:
        name = target.queue_arn.rpartition(":")[2]
        self.calls.append(name)
        if name == "extract":
            self.inputs.append(payload)
        if name == "load" and self.failures:
            self.failures -= 1
            raise RuntimeError("no luck")

    def job(self, **changes: object) -> ss.Job:
        target = ss.WorkflowTarget("nightly")
        job = ss.Job(name="every night", schedule=HOURLY, target=target, retry=ONCE, **changes)  # type: ignore[arg-type]
        self.jobs.create(job)
        return job

    def until(self, moment: datetime) -> list[ss.Run]:
        self.backend.run_until(moment)
        return self.jobs.runs("every night")

    def run(self) -> WorkflowRun:
        (run,) = self.flows.runs("nightly")
        return run


def _queue(name: str) -> ss.QueueTarget:
    return ss.QueueTarget(f"arn:aws:sqs:eu-west-1:123456789012:{name}")


def test_each_scheduled_instant_runs_the_workflow_once_and_the_run_ends_with_it() -> None:
    bench = Bench()
    bench.job()
    runs = bench.until(T0 + 2 * HOUR)
    assert [(run.status, run.output) for run in runs] == [
        (ss.RunStatus.SUCCEEDED, f"nightly/20300107T0{hour}0000Z-every-night-{_digest()}") for hour in (1, 2)
    ]
    assert bench.calls == ["extract", "load"] * 2
    found = bench.flows.runs("nightly")
    assert [(run.scheduled_for, run.trigger, run.status.value) for run in found] == [
        (T0 + HOUR, "schedule", "succeeded"),
        (T0 + 2 * HOUR, "schedule", "succeeded"),
    ]


def _digest() -> str:
    return distinct("every night", 40).rpartition("-")[2]


def test_the_input_of_the_job_is_that_of_the_run_and_none_means_that_of_the_definition() -> None:
    bench = Bench()
    job = bench.job()
    bench.until(T0 + HOUR)
    bench.jobs.update(job.replace(input={"due": ss.context.SCHEDULED_TIME}))
    bench.until(T0 + 2 * HOUR)
    assert bench.inputs == [{"from": "definition"}, {"due": "2030-01-07T02:00:00Z"}]


def test_a_failed_workflow_fails_the_run_by_name_and_its_letter_is_sent_once() -> None:
    bench = Bench(failures=1)
    bench.job(dead_letter=QUEUE)
    (run,) = bench.until(T0 + HOUR)
    assert run.status is ss.RunStatus.FAILED
    assert run.error is not None
    assert run.error.endswith("failed: step 'load'")
    assert bench.letters == [{}]
    kinds = [event.kind for event in bench.events if event.run is not None]
    assert [kind.value for kind in kinds] == ["due", "started", "failed", "dead_lettered"]


def test_a_further_attempt_restarts_the_workflow_where_it_failed() -> None:
    bench = Bench(failures=1)
    bench.jobs.update(bench.job().replace(retry=AGAIN))
    (run,) = bench.until(T0 + HOUR + 2 * MINUTE)
    assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 2)
    assert bench.calls == ["extract", "load", "load"]
    assert (bench.run().restarts, bench.run().status.value) == (1, "succeeded")


def test_a_redrive_restarts_the_workflow_where_it_failed() -> None:
    bench = Bench(failures=1)
    bench.job()
    (run,) = bench.until(T0 + HOUR)
    bench.jobs.redrive(run)
    (run,) = bench.until(T0 + HOUR + MINUTE)
    assert run.status is ss.RunStatus.SUCCEEDED
    assert bench.calls == ["extract", "load", "load"]


def test_run_now_and_backfill_start_runs_of_their_own() -> None:
    bench = Bench()
    bench.job()
    bench.clock.move_to(T0 + 10 * MINUTE)
    bench.jobs.run_now("every night")
    bench.jobs.run_now("every night")
    bench.jobs.backfill("every night", since=T0 - 2 * HOUR, until=T0)
    runs = bench.until(T0 + 20 * MINUTE)
    assert [run.status.value for run in runs] == ["succeeded"] * 5
    assert len({run.output for run in runs}) == 5
    assert len(bench.flows.runs("nightly")) == 5


def test_a_job_of_the_same_name_created_anew_runs_past_instants_anew() -> None:
    bench = Bench()
    job = bench.job()
    bench.until(T0 + HOUR)
    bench.jobs.cancel(job.name)
    bench.jobs.create(job)
    bench.jobs.backfill(job.name, since=T0 + HOUR, until=T0 + HOUR)
    runs = bench.until(T0 + HOUR + MINUTE)
    assert [run.status.value for run in runs] == ["succeeded"] * 2
    assert bench.calls == ["extract", "load"] * 2


def test_overlap_counts_the_run_as_running_while_its_workflow_does() -> None:
    bench = Bench(failures=1)
    slow = bench.flow.steps[1].replace(retry=ss.Retry(max_attempts=1, interval=90 * MINUTE, max_age=3 * HOUR))
    bench.flows.put(bench.flow.replace(steps=[bench.flow.steps[0], slow]))
    bench.job(overlap=ss.Overlap.SKIP)
    runs = bench.until(T0 + 2 * HOUR)
    assert [run.status.value for run in runs] == ["running", "skipped"]
    runs = bench.until(T0 + 3 * HOUR)
    assert [run.status.value for run in runs] == ["succeeded", "skipped", "succeeded"]


def test_a_cancelled_workflow_fails_the_run_for_good() -> None:
    bench = Bench(failures=1)
    slow = bench.flow.steps[1].replace(retry=ss.Retry(max_attempts=1, interval=HOUR))
    bench.flows.put(bench.flow.replace(steps=[bench.flow.steps[0], slow]))
    bench.jobs.update(bench.job().replace(retry=AGAIN))
    bench.until(T0 + HOUR + MINUTE)
    bench.flows.cancel(bench.run())
    run = bench.until(T0 + HOUR + 10 * MINUTE)[0]
    assert (run.status, run.attempt) == (ss.RunStatus.FAILED, 1)
    assert run.error is not None
    assert run.error.endswith("was cancelled")


def test_a_cancelled_job_lets_its_workflow_end_and_does_not_repeat_it() -> None:
    bench = Bench(failures=2)
    slow = bench.flow.steps[1].replace(retry=ss.Retry(max_attempts=1, interval=HOUR))
    bench.flows.put(bench.flow.replace(steps=[bench.flow.steps[0], slow]))
    bench.jobs.update(bench.job().replace(retry=AGAIN))
    bench.until(T0 + HOUR + MINUTE)
    bench.jobs.cancel("every night")
    (run,) = bench.until(T0 + 4 * HOUR)
    assert (run.status, bench.run().status.value) == (ss.RunStatus.FAILED, "failed")
    assert bench.run().restarts == 0


def test_a_process_that_ends_leaves_the_run_to_its_workflow(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "jobs.db", failures=1)
    slow = bench.flow.steps[1].replace(retry=ss.Retry(max_attempts=1, interval=HOUR))
    bench.flows.put(bench.flow.replace(steps=[bench.flow.steps[0], slow]))
    bench.job()
    bench.until(T0 + HOUR + MINUTE)
    bench.backend.close()
    bench.backend = bench.open(tmp_path / "jobs.db")
    bench.jobs, bench.flows = ss.SchedulerClient(bench.backend), ss.WorkflowClient(bench.backend)
    first = bench.until(T0 + HOUR + 2 * MINUTE)[0]
    assert (first.status, first.restarted) == (ss.RunStatus.RUNNING, False)
    first = bench.until(T0 + 2 * HOUR + MINUTE)[0]
    assert (first.status, first.attempt) == (ss.RunStatus.SUCCEEDED, 1)


def test_an_unknown_workflow_is_refused_before_anything_is_stored() -> None:
    bench = Bench()
    with pytest.raises(ss.errors.WorkflowNotFoundError, match="there is no workflow 'nihgtly'"):
        bench.jobs.create(ss.Job(name="j", schedule=HOURLY, target=ss.WorkflowTarget("nihgtly")))
    assert list(bench.jobs.list()) == []


def test_a_time_limit_of_the_job_is_refused_by_name() -> None:
    bench = Bench()
    with pytest.raises(ss.UnsupportedError, match="max_run_time does not end a workflow"):
        bench.job(max_run_time=HOUR)
