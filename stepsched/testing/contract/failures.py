"""Tests runs that fail for good: ``on_failure``, ``notify`` and ``dead_letter``. Tests runs of several
targets.

For a backend that is played in the process of the tests and has ``register`` and ``listen``.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play
from stepsched.testing.contract.handlers import TOPIC

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def handler(name: str) -> ss.HandlerTarget:
    return ss.HandlerTarget(f"stepsched.testing.contract.handlers:{name}")


FAIL = handler("fail")


class TestOnFailure:
    def test_stop_pauses_a_recurring_job(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        heard = list[ss.jobs.Event]()
        backend.listen(heard.append, ["failed", "paused"])
        client.create(job(target=FAIL, on_failure=ss.OnFailure.STOP, retry=ss.Retry(max_attempts=1)))
        play(MONDAY + 3 * DAY)
        assert calls == [("job", NINE)] * 2
        record = client.get("job")
        assert (record.status, record.next_run, record.version) == (ss.JobStatus.PAUSED, None, 1)
        assert [(event.kind.value, event.run is None) for event in heard] == [
            ("failed", False),
            ("paused", True),
        ]

    def test_it_goes_on_from_the_present_when_it_is_resumed(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(target=FAIL, on_failure=ss.OnFailure.STOP))
        play(MONDAY + 3 * DAY)
        assert client.resume("job").next_run == NINE + 3 * DAY
        play(MONDAY + 9 * DAY)
        assert calls == [("job", NINE), ("job", NINE + 3 * DAY)]
        assert client.get("job").status is ss.JobStatus.PAUSED

    def test_a_job_that_succeeds_or_continues_is_not_paused(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job("good", on_failure=ss.OnFailure.STOP))
        client.create(job("bad", target=FAIL))
        play(MONDAY + 2 * DAY)
        assert {record.status for record in client.list()} == {ss.JobStatus.ACTIVE}
        assert len(calls) == 4

    def test_only_scheduled_runs_stop_it(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(target=FAIL, on_failure=ss.OnFailure.STOP))
        client.run_now("job")
        client.backfill("job", since=NINE - DAY, until=NINE - DAY)
        play(MONDAY)
        assert len(client.dead_letters("job")) == 2
        assert client.get("job").status is ss.JobStatus.ACTIVE

    def test_a_one_time_job_ends_as_ever(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(target=FAIL, schedule=ss.OneTime(NINE), on_failure=ss.OnFailure.STOP))
        play(NINE)
        assert client.get("job").status is ss.JobStatus.ENDED

    def test_a_job_whose_last_run_failed_has_ended(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        last = ss.Cron("0 9 * * ? *", end=NINE)
        client.create(job(target=FAIL, schedule=last, on_failure=ss.OnFailure.STOP))
        play(MONDAY + DAY)
        assert client.get("job").status is ss.JobStatus.ENDED


class TestNotify:
    def test_the_topic_is_notified_of_a_run_that_failed_for_good(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        with pytest.raises(ss.UnsupportedError, match="TopicTarget"):
            client.create(job(notify=TOPIC))
        notices = list[tuple[object, object]]()
        events = list[ss.jobs.Event]()
        backend.register(ss.TopicTarget, lambda target, notice: notices.append((target, notice)))
        backend.listen(events.append, ["failed", "notified"])
        client.create(job("bad", target=FAIL, notify=TOPIC, retry=ss.Retry(max_attempts=2), input={"n": 1}))
        client.create(job("good", notify=TOPIC))
        play(MONDAY + DAY)
        notice = {
            "job": "bad",
            "scheduled_for": "2030-01-07T09:00:00Z",
            "attempts": 3,
            "error": "RuntimeError",
            "cause": "no luck",
        }
        assert notices == [(TOPIC, notice)]
        assert [(event.kind.value, event.job) for event in events] == [("failed", "bad"), ("notified", "bad")]
        assert events[1].run == client.dead_letters("bad")[0]

    def test_queue_and_topic_do_not_depend_on_each_other(
        self,
        client: ss.SchedulerClient,
        backend: ss.LocalBackend,
        job: MakeJob,
        play: Play,
        calls: Calls,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        notices = list[object]()

        def broken() -> None:
            raise ConnectionError

        backend.register(ss.QueueTarget, broken)
        backend.register(ss.TopicTarget, lambda _target, notice: notices.append(notice))
        dead = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
        client.create(job(target=FAIL, dead_letter=dead, notify=TOPIC))
        play(NINE)
        assert len(notices) == 1
        backend.register(ss.TopicTarget, broken)
        play(NINE + DAY)
        assert "the dead letter of job job could not be delivered" in caplog.text
        assert "the notification of job job could not be delivered" in caplog.text


class TestParallel:
    def test_every_part_gets_the_input_and_the_run_succeeds(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        both = ss.ParallelTarget(
            [TOPIC, ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:inbox"), handler("note")]
        )
        with pytest.raises(ss.UnsupportedError, match="TopicTarget"):
            client.create(job(target=both))
        backend.register(ss.TopicTarget, lambda target, given: {"topic": given})
        with pytest.raises(ss.UnsupportedError, match="QueueTarget"):
            client.create(job(target=both))
        backend.register(ss.QueueTarget, lambda target, given, run: ["queue", given, run.id])
        client.create(job(target=both, input=5))
        play(NINE)
        (run,) = client.runs("job")
        assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 1)
        assert run.output == f'[{{"topic": 5}}, ["queue", 5, {run.id}], null]'
        assert calls == [("job", NINE)]

    def test_a_retry_calls_only_the_parts_that_have_not_succeeded(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        topic = list[int]()

        def heard(_target: object, _given: object, run: ss.Run) -> str:
            topic.append(run.attempt)
            return "heard"

        backend.register(ss.TopicTarget, heard)
        target = ss.ParallelTarget([handler("fail_twice"), TOPIC])
        client.create(job(target=target, retry=ss.Retry(max_attempts=2)))
        play(NINE + HOUR)
        (run,) = client.runs("job")
        assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 3)
        assert run.output == '["third time lucky", "heard"]'
        assert (len(calls), topic) == (3, [1])
        play(NINE + DAY)  # another run
        assert topic == [1, 1]

    def test_the_run_fails_when_a_part_fails_and_says_which(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        backend.register(ss.TopicTarget, lambda: None)
        client.create(job(target=ss.ParallelTarget([handler("note"), FAIL, TOPIC])))
        play(NINE)
        (run,) = client.runs("job")
        assert run.status is ss.RunStatus.FAILED
        assert run.error == (
            "PartsFailedError: 1 of 3 parts failed: part 2 (HandlerTarget "
            "stepsched.testing.contract.handlers:fail): RuntimeError: no luck"
        )
        assert calls == [("job", NINE)] * 2

    def test_a_run_that_is_redriven_calls_all_parts(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(target=ss.ParallelTarget([handler("note"), FAIL])))
        play(NINE)
        client.redrive(client.dead_letters("job")[0])
        play(NINE)
        assert len(calls) == 4


class TestDeadLettersOnTheirWay:
    def test_go_to_the_function_that_stands_for_their_queue(
        self, client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        queue = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
        with pytest.raises(ss.UnsupportedError, match="QueueTarget"):
            client.create(job(dead_letter=queue))
        sent = list[tuple[object, object, str | None]]()
        backend.register(
            ss.QueueTarget, lambda target, payload, run: sent.append((target, payload, run.error))
        )
        client.create(job(target=FAIL, dead_letter=queue, input={"n": 1}))
        play(NINE)
        assert sent == [(queue, {"n": 1}, "RuntimeError: no luck")]
