"""The runner runs the jobs of a table, on an emulator that executes it, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.backends.stepfunctions import rows
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.backends.stepfunctions.rows import Row, run_key, write_run
from stepsched.backends.stepfunctions.service import execution_name
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.payloads import to_json
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import CALLS, TITLE, events, runner
from stepsched.machines.shared.table_schema import CURRENT
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import TABLE, Stack
from tests.contract.test_rendered_machines import PAYLOADS, due, written
from tests.parts.asl_validators import asl_validator, cfn_lint
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TOKEN, OTHER_TOKEN = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
"""The token of the job's row, and another one."""
UNSCHEDULED_TOKEN = "cccccccccccc"
"""The token of unscheduled runs."""
SMALL_LIMIT = 40
"""A limit of events that is exceeded by one run, so that the execution hands over."""
FOREVER = datetime(2099, 1, 1, tzinfo=timezone.utc)


class Shared(Stack):
    """A stack for which the test writes the rows and starts the executions."""

    @property
    def jobs(self) -> Table:
        return Table(self.dynamodb, TABLE)

    def put_job(self, job: ss.Job, token: str = TOKEN, **changes: Any) -> None:
        """Writes the row of a job that is created now. ``changes`` replaces members of its instructions."""
        now = self.clock.now()
        instructions = instructions_of(job, anchor=now, version=1, retention=30 * DAY, calls=CALLS) | changes
        row = Row(job, ss.JobStatus.ACTIVE, 1, now, now, now, now, token=token, plan=to_json(instructions))
        self.jobs.create(row)

    def start(self, name: str = "job", token: str = TOKEN, *, title: str = "", **more: Any) -> str:
        input_data = {"name": name, "token": token, **more}
        started = self.states.start_execution(
            stateMachineArn=self.machine_arn,
            name=title or execution_name(name, token),
            input=json.dumps(input_data),
        )
        arn: str = started["executionArn"]
        self.server.settled(self.account)
        return arn

    def play_until(self, instant: datetime) -> None:
        self.play(instant)

    def put_pending(
        self, instants: Iterable[datetime], token: str = UNSCHEDULED_TOKEN, *, is_manual: bool = False
    ) -> list[str]:
        """Writes the pending rows of unscheduled runs, and returns their keys."""
        keys = [run_key(instant, token if is_manual else "") for instant in instants]
        for key, instant in zip(keys, instants, strict=True):
            run = ss.Run(
                id=1,
                job="job",
                scheduled_for=instant,
                status=ss.RunStatus.PENDING,
                trigger=ss.jobs.Trigger.BACKFILL,
            )
            assert self.jobs.put_new(write_run(run, token=token, recorded_at=START, version=key))
        return keys

    def row(self, name: str = "job") -> dict[str, Any]:
        """The attributes of the job's row as plain values; empty if there is none."""
        return plain(self.item(name) or {})

    def runs(self, name: str = "job") -> list[dict[str, Any]]:
        """The attributes of the rows of runs as plain values, in order."""
        return [plain(item) for item in self.jobs.query(name)]

    def outcomes(self, name: str = "job") -> list[tuple[str, str]]:
        """The scheduled instant and the status of each run, in order."""
        return [(run["version"][4:24], run["status"]) for run in self.runs(name)]

    def events(self, arn: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in self.states.get_paginator("get_execution_history").paginate(executionArn=arn):
            found += page["events"]
        return found

    def entered(self, arn: str) -> list[str]:
        """The states that an execution has entered."""
        details = [event.get("stateEnteredEventDetails") for event in self.events(arn)]
        return [each["name"] for each in details if each is not None]

    def machine(self, name: str, *states: dict[str, Any]) -> ss.StateMachineTarget:
        """Another state machine, of the states in sequence."""
        names = [f"State {number}" for number in range(len(states))]
        following: list[dict[str, Any]] = [*({"Next": each} for each in names[1:]), {"End": True}]
        definition = {
            "StartAt": names[0],
            "States": {
                key: state | after for key, state, after in zip(names, states, following, strict=True)
            },
        }
        answer = self.states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return ss.StateMachineTarget(answer["stateMachineArn"])

    def slow(self, length: timedelta = 25 * MINUTE, name: str = "slow") -> ss.StateMachineTarget:
        return self.machine(name, {"Type": "Wait", "Seconds": length // timedelta(seconds=1)})

    def started(self, target: ss.StateMachineTarget) -> list[datetime]:
        """The starts of the executions of another state machine."""
        listed = self.states.list_executions(stateMachineArn=target.state_machine_arn)["executions"]
        return sorted(each["startDate"].astimezone(timezone.utc) for each in listed)

    def nowhere(self) -> ss.QueueTarget:
        return ss.QueueTarget(f"arn:aws:sqs:eu-west-1:{self.account}:nowhere")


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.fixture
def shared(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Shared:
    return Shared(ministack, account, aws, FakeClock(START))


def daily(shared: Shared, target: ss.Target | None = None, **changes: Any) -> ss.Job:
    """A job with four runs, daily at six."""
    job = ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=START + 4 * DAY),
        target=shared.inbox if target is None else target,
        input={"{% 1 %}": "{% $states %}", "a.$": "$.b", "quote": "'\"\\", "owl": "🦉"},
    )
    return job.replace(**changes)


def quarters(target: ss.Target, **changes: Any) -> ss.Job:
    """A job that runs every fifteen minutes in the first hour, including its end."""
    schedule = ss.Cron("0/15 * * * ? *", start=START + MINUTE, end=START + HOUR)
    return ss.Job(name="job", schedule=schedule, target=target).replace(**changes)


# -- The schedule ---------------------------------------------------------------------------------------


def test_the_machine_is_accepted_by_validators() -> None:
    definition = runner("jobs").to_dict()
    assert asl.check(definition) == []
    assert asl_validator([definition]) == [[]]
    # cfn-lint does not know that a timeout may be computed; the stack's template says so to it.
    # It names one of the states, whichever it finds first.
    ((finding,),) = cfn_lint([definition])
    assert finding.startswith("E3601: /States/")
    assert finding.endswith("/TimeoutSeconds: '{% $job.timeout %}' is not of type 'number'")
    assert definition["Comment"] == TITLE


SCHEDULES = [
    pytest.param(
        ss.Windowed(
            "2030-01-31T02:30",
            end="2031-01-31T02:30",
            every=ss.Frequency(months=1),
            timezone="America/New_York",
        ),
        id="monthly from the 31st in New York",
    ),
    pytest.param(
        ss.Cron("30 2 ? 3,11 SUN *", timezone="Europe/Paris", end="2031-12-31T00:00Z"), id="cron in Paris"
    ),
    pytest.param(ss.Rate(timedelta(hours=7), start="2030-01-01T07:00Z", end="2030-01-08T00:00Z"), id="rate"),
    pytest.param(ss.OneTime("2032-05-05T05:05:05", timezone="Asia/Kolkata"), id="once"),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_run_happens_once_and_is_recorded_over_many_executions(shared: Shared, schedule: Any) -> None:
    job = ss.Job(
        name="job",
        schedule=schedule,
        target=shared.inbox,
        input=ss.context.SCHEDULED_TIME,
        completion=ss.Completion.KEEP,
    )
    shared.put_job(job, limit=300)
    shared.start()
    shared.play_until(FOREVER)
    wanted = due(schedule, START)
    assert shared.messages() == wanted
    assert shared.outcomes() == [(instant, "succeeded") for instant in wanted]
    assert len(shared.executions("SUCCEEDED")) >= 2, "one execution would have been too few"
    for status in ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED"):
        assert shared.executions(status) == []
    row = shared.row()
    assert (row["status"], row["due"], row["cursor"]) == ("ended", "never", wanted[-1])
    assert row["last"] == f"run#{wanted[-1]}"
    assert row.keys().isdisjoint({"token", "claimed_by", "claimed", "started_at"})


def test_a_run_is_recorded_with_all_that_is_known_of_it(shared: Shared) -> None:
    shared.put_job(daily(shared))
    arn = shared.start()
    shared.play_until(START + DAY)
    (run,) = shared.runs()
    answer = json.loads(run.pop("output"))
    assert set(answer) >= {"MessageId"}
    assert run == {
        "name": "job",
        "version": "run#2030-01-01T06:00:00Z",
        "status": "succeeded",
        "due": "2030-01-01T06:00:00Z",
        "passed": "2030-01-01T06:00:00Z",
        "attempts": "1",
        "error": "",
        "cause": "",
        "started_at": "2030-01-01T06:00:00.000Z",
        "ended_at": "2030-01-01T06:00:00.000Z",
        "execution": arn,
        "job_version": "1",
        "expires_at": str(int((START + 6 * HOUR + 30 * DAY).timestamp())),
    }


def test_the_row_holds_the_next_run_after_each_run(shared: Shared) -> None:
    shared.put_job(daily(shared))
    assert shared.row()["due"] == "2030-01-01T06:00:00Z"
    shared.start()
    for day in range(3):
        shared.play_until(START + day * DAY + 6 * HOUR)
        assert shared.row()["due"] == written(START + (day + 1) * DAY + 6 * HOUR)
    shared.play_until(START + 4 * DAY)
    assert shared.row()["due"] == "never"


def counted_events(shared: Shared, arn: str) -> list[int]:
    """The number of events of an execution up to its first Plan, and then from each Plan to the next.
    TaskStarted is added, which the emulator does not write."""
    counts = [0]
    for event in shared.events(arn):
        if event.get("stateEnteredEventDetails", {}).get("name") == "Plan":
            counts.append(0)
        counts[-1] += {"TaskScheduled": 2, "TaskStarted": 0}.get(event["type"], 1)
    return counts


def test_the_counted_events_are_those_of_the_history(shared: Shared) -> None:
    shared.put_job(daily(shared, shared.machine("echo", {"Type": "Pass"}), overlap=ss.Overlap.SKIP))
    arn = shared.start()
    shared.play_until(START + 3 * DAY + HOUR)
    start, *turns = counted_events(shared, arn)
    assert start == events().start
    assert turns[:2] == [events().run - 1] * 2  # the emulator does not write TaskSubmitted


def test_the_counted_events_of_a_failed_run_are_at_least_those_of_the_history(shared: Shared) -> None:
    retry = ss.Retry(max_attempts=2, interval=MINUTE)
    shared.put_job(daily(shared, shared.nowhere(), retry=retry, dead_letter=shared.inbox))
    arn = shared.start()
    shared.play_until(START + 2 * DAY + HOUR)
    counted = events()
    most = counted.run + 3 * counted.retry + counted.notification
    _, first, *_ = counted_events(shared, arn)
    assert counted.run + 2 * counted.retry < first <= most


def test_a_full_history_hands_over(shared: Shared) -> None:
    shared.put_job(daily(shared), limit=SMALL_LIMIT)
    shared.start()
    shared.play_until(START + 4 * DAY)
    assert [outcome for _, outcome in shared.outcomes()] == ["succeeded"] * 4
    names = shared.executions("SUCCEEDED")
    assert names == [execution_name("job", TOKEN), *(f"job-{TOKEN}-{number}" for number in range(2, 5))]


def test_a_result_is_stored_as_json(shared: Shared) -> None:
    """The result may also be a list, text, or nothing."""
    answers: tuple[Any, ...] = ([1, 2], [1], [], "text", {"a": ['"']}, None, 1.5, True)
    for number, answer in enumerate(answers):
        name = f"job-{number}"
        target = shared.machine(name, {"Type": "Pass", "Result": answer})
        shared.put_job(daily(shared, target, name=name, input={}, overlap=ss.Overlap.QUEUE))
        shared.start(name)
    shared.play_until(START + DAY)
    for number, answer in enumerate(answers):
        (run,) = shared.runs(f"job-{number}")
        assert json.loads(run["output"]) == answer


# -- Data is never code ---------------------------------------------------------------------------------


def test_data_of_a_row_is_never_code(shared: Shared) -> None:
    job = daily(shared)
    shared.put_job(job)
    shared.start()
    shared.play_until(START + 4 * DAY)
    assert [json.loads(each) for each in shared.messages()] == [job.input] * 4


INPUTS = [
    *(each for each in PAYLOADS if each.id != "170 KB"),
    pytest.param({"big": "🦉" * 10_000 + "{% %}'" * 5_000}, id="70 KB"),
]


@pytest.mark.parametrize("payload", INPUTS)
def test_any_input_arrives(shared: Shared, payload: Any) -> None:
    shared.put_job(daily(shared, input=payload))
    shared.start()
    shared.play_until(START + DAY)
    (body,) = shared.messages()
    assert (body if isinstance(payload, str) else json.loads(body)) == payload


@pytest.mark.parametrize("payload", INPUTS)
def test_any_input_arrives_with_context_attributes(shared: Shared, payload: Any) -> None:
    given = json.loads(json.dumps(payload).replace("<aws.scheduler.x", "$1 $& $$"))
    filled = {
        "due": ss.context.SCHEDULED_TIME,
        "text": "no. " + ss.context.ATTEMPT_NUMBER + "!",
        "execution": ss.context.EXECUTION_ID,
        "machine": ss.context.SCHEDULE_ARN,
        "given": given,
    }
    shared.put_job(daily(shared, input=filled))
    shared.start()
    shared.play_until(START + DAY)
    (body,) = shared.messages()
    assert json.loads(body) == {
        "due": "2030-01-01T06:00:00Z",
        "text": "no. 1!",
        "execution": sha256(f"job-{TOKEN}/2030-01-01T06:00:00Z/1".encode()).hexdigest()[:20],
        "machine": shared.machine_arn,
        "given": given,
    }


NAMES = [
    "__proto__",
    "constructor",
    "v0",
    "run",
    "-",
    "...",
    "_.-",
    "0",
    "job-aaaaaaaaaaaa-2",
    "n" * 64,
    "-" * 64,
]


def test_any_name_is_a_name(shared: Shared) -> None:
    nowhere, once = shared.nowhere(), ss.Retry(max_attempts=0)
    for name in NAMES:
        job = daily(shared, nowhere, name=name, input={"name": name}, dead_letter=shared.inbox, retry=once)
        shared.put_job(job, limit=SMALL_LIMIT)
        shared.start(name)
    shared.play_until(START + 4 * DAY)
    assert sorted(json.loads(each)["name"] for each in shared.messages()) == sorted(NAMES * 4)
    for name in NAMES:
        assert [outcome for _, outcome in shared.outcomes(name)] == ["failed"] * 4
        assert shared.row(name)["status"] == "ended"
    assert len(shared.executions("SUCCEEDED")) == 4 * len(NAMES)


# -- The current execution ------------------------------------------------------------------------------


def test_an_execution_with_another_token_runs_nothing(shared: Shared) -> None:
    shared.put_job(daily(shared), token=OTHER_TOKEN)
    shared.start(token=TOKEN)
    assert len(shared.executions("SUCCEEDED")) == 1
    shared.play_until(START + 4 * DAY)
    assert (shared.messages(), shared.runs()) == ([], [])
    assert "execution" not in shared.row()


def test_an_execution_of_no_job_runs_nothing(shared: Shared) -> None:
    shared.start()
    shared.start(token=OTHER_TOKEN, left=["run#2030-01-01T06:00:00Z"])
    assert len(shared.executions("SUCCEEDED")) == 2
    assert list(shared.jobs.scan()) == []


def test_of_eight_executions_of_a_job_one_runs_it(shared: Shared) -> None:
    shared.put_job(daily(shared))
    for number in range(8):
        shared.start(title=f"copy-{number}")
    shared.play_until(START + 4 * DAY)
    assert len(shared.messages()) == 4
    assert [outcome for _, outcome in shared.outcomes()] == ["succeeded"] * 4
    assert len(shared.executions("SUCCEEDED")) == 8
    assert {run["execution"].rsplit(":", 1)[1] for run in shared.runs()} == {"copy-7"}, "the latest"


@pytest.mark.parametrize("token", [None, OTHER_TOKEN])
def test_a_job_changed_during_a_run(shared: Shared, token: str | None) -> None:
    """The run is recorded and the execution ends: the job is paused, or has another execution."""
    shared.put_job(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    arn = shared.start()
    shared.play_until(START + 20 * MINUTE)
    before = shared.jobs.read("job")
    assert before.claim is not None
    assert before.claim.execution == arn
    after = before._replace(token=token, status=ss.JobStatus.PAUSED if token is None else before.status)
    assert shared.jobs.change(before, after)
    shared.play_until(START + 2 * HOUR)
    assert shared.outcomes() == [("2030-01-01T00:15:00Z", "succeeded")]
    assert shared.executions("SUCCEEDED") == [execution_name("job", TOKEN)]
    row = shared.row()
    assert row.keys().isdisjoint({"claimed_by", "claimed", "started_at"})
    assert row["last"] == "run#2030-01-01T00:15:00Z"
    assert (row.get("token"), row["status"]) == (token, "paused" if token is None else "active")


def test_a_token_removed_and_restored_during_a_run(shared: Shared) -> None:
    """No run is lost, and none happens twice."""
    shared.put_job(quarters(shared.slow(5 * MINUTE), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.play_until(START + 16 * MINUTE)
    before = shared.jobs.read("job")
    shared.jobs.change(before, before._replace(token=None, status=ss.JobStatus.PAUSED))
    shared.play_until(START + 18 * MINUTE)
    paused = shared.jobs.read("job")
    assert shared.jobs.change(paused, before)
    shared.play_until(START + 2 * HOUR)
    wanted = [written(START + number * 15 * MINUTE) for number in (1, 2, 3, 4)]
    assert shared.outcomes() == [(instant, "succeeded") for instant in wanted]


def test_a_job_deleted_during_a_run(shared: Shared) -> None:
    """Only the run is recorded: the job's row is not created again."""
    shared.put_job(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.play_until(START + 20 * MINUTE)
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.play_until(START + 2 * HOUR)
    assert shared.outcomes() == [("2030-01-01T00:15:00Z", "succeeded")]
    found = shared.dynamodb.scan(TableName=TABLE)["Items"]
    assert [item["version"]["S"] for item in found] == ["run#2030-01-01T00:15:00Z"]
    assert shared.executions("SUCCEEDED") == [execution_name("job", TOKEN)]
    assert shared.executions() == []


def test_a_job_deleted_while_it_sleeps_leaves_nothing(shared: Shared) -> None:
    shared.put_job(daily(shared))
    shared.start()
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.play_until(START + 4 * DAY)
    assert shared.messages() == []
    assert shared.dynamodb.scan(TableName=TABLE)["Items"] == []
    assert len(shared.executions("SUCCEEDED")) == 1


# -- Failure --------------------------------------------------------------------------------------------


def test_a_failed_run_is_recorded_and_the_next_one_comes(shared: Shared) -> None:
    retry = ss.Retry(max_attempts=2, interval=timedelta(seconds=10))
    shared.put_job(daily(shared, shared.nowhere(), retry=retry))
    arn = shared.start()
    shared.play_until(START + 4 * DAY)
    assert [outcome for _, outcome in shared.outcomes()] == ["failed"] * 4
    for run in shared.runs():
        assert run["attempts"] == "3"
        assert run["error"]
        assert run["output"] == ""
    failed = [event for event in shared.events(arn) if event["type"] == "TaskFailed"]
    assert len(failed) == 12, "three attempts each"
    first = [event["timestamp"] - START for event in failed[:3]]
    assert first == [6 * HOUR, 6 * HOUR + timedelta(seconds=10), 6 * HOUR + timedelta(seconds=30)]


def test_no_attempt_starts_later_than_allowed(shared: Shared) -> None:
    pause, age = timedelta(seconds=40), timedelta(seconds=100)
    retry = ss.Retry(max_attempts=5, interval=pause, backoff_rate=1, max_age=age)
    shared.put_job(daily(shared, shared.nowhere(), retry=retry))
    shared.start()
    shared.play_until(START + DAY)
    assert [run["attempts"] for run in shared.runs()] == ["3"], "after 0, 40 and 80 seconds"


def test_a_job_that_stops_is_paused_after_its_first_failure(shared: Shared) -> None:
    once = {"retry": ss.Retry(max_attempts=0), "on_failure": ss.OnFailure.STOP}
    shared.put_job(daily(shared, shared.nowhere(), **once))
    shared.start()
    shared.play_until(START + 4 * DAY)
    assert [outcome for _, outcome in shared.outcomes()] == ["failed"]
    row = shared.row()
    assert (row["status"], row["due"]) == ("paused", "never")
    assert "token" not in row, "no execution of the old plan goes on"
    assert len(shared.executions("SUCCEEDED")) == 1


def test_topic_and_queue_are_notified_of_a_run_that_failed_for_good(shared: Shared) -> None:
    sns = shared.aws("sns")
    topic = sns.create_topic(Name="failures")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=shared.queue("told").queue_arn)
    dead = shared.queue("dead")
    job = daily(
        shared,
        shared.nowhere(),
        input={"due": ss.context.SCHEDULED_TIME, "attempt": ss.context.ATTEMPT_NUMBER, "text": "{% 1 %}"},
        retry=ss.Retry(max_attempts=1),
        notify=ss.TopicTarget(topic),
        dead_letter=dead,
    )
    shared.put_job(job)
    arn = shared.start()
    shared.play_until(START + DAY)
    (run,) = shared.runs()
    (envelope,) = map(json.loads, shared.messages("told"))
    assert envelope["Subject"] == "Job job failed"
    assert json.loads(envelope["Message"]) == {
        "job": "job",
        "scheduled_for": "2030-01-01T06:00:00Z",
        "attempts": 2,
        "error": run["error"],
        "cause": run["cause"],
    }
    url = shared.sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    (letter,) = shared.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    body = json.loads(letter["Body"])
    assert (body["due"], body["text"]) == ("2030-01-01T06:00:00Z", "{% 1 %}")
    attributes = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    message = attributes.pop("ERROR_MESSAGE")
    assert message.strip()
    assert attributes == {
        "ERROR_CODE": run["error"],
        "EXECUTION_ID": arn,
        "RETRY_ATTEMPTS": "1",
        "SCHEDULE_ARN": shared.machine_arn,
        "SCHEDULED_TIME": "2030-01-01T06:00:00Z",
    }


def test_a_failed_notification_does_not_end_the_schedule(shared: Shared) -> None:
    job = daily(
        shared,
        shared.nowhere(),
        retry=ss.Retry(max_attempts=0),
        notify=ss.TopicTarget(f"arn:aws:sns:eu-west-1:{shared.account}:nothing"),
        dead_letter=shared.nowhere(),
    )
    shared.put_job(job)
    shared.start()
    shared.play_until(START + 5 * DAY)
    assert [outcome for _, outcome in shared.outcomes()] == ["failed"] * 4
    assert shared.row()["status"] == "ended"


def test_a_run_that_takes_too_long_has_failed(shared: Shared) -> None:
    job = quarters(
        shared.slow(),
        overlap=ss.Overlap.QUEUE,
        max_run_time=5 * MINUTE,
        retry=ss.Retry(max_attempts=1, interval=MINUTE),
    )
    shared.put_job(job)
    shared.start()
    shared.play_until(START + 15 * MINUTE + 12 * MINUTE)
    (run,) = shared.runs()
    assert (run["status"], run["error"], run["attempts"]) == ("failed", "States.Timeout", "2")
    assert run["ended_at"] == "2030-01-01T00:26:00.000Z", "five minutes, a minute's pause, five minutes"


def test_a_call_without_a_state_fails_the_run(shared: Shared) -> None:
    """The job may have been written for a newer runner."""
    shared.put_job(daily(shared, dead_letter=shared.queue("dead")), call="aws-sdk:s3:putObject")
    shared.start()
    shared.play_until(START + DAY)
    (run,) = shared.runs()
    assert (run["status"], run["error"]) == ("failed", "Stepsched.UnknownCall")
    assert run["cause"] == "the runner has no state for aws-sdk:s3:putObject"
    assert len(shared.messages("dead")) == 1


# -- One run --------------------------------------------------------------------------------------------


def once(shared: Shared, **changes: Any) -> ss.Job:
    return daily(shared).replace(**{"schedule": ss.OneTime("2030-01-02T00:00"), "input": {}} | changes)


def versions(shared: Shared) -> list[str]:
    return sorted(item["version"]["S"] for item in shared.dynamodb.scan(TableName=TABLE)["Items"])


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_one_time_job_goes_with_its_versions(shared: Shared, number: int) -> None:
    shared.put_job(once(shared))
    for version in range(2, number + 1):
        before = shared.jobs.read("job")
        plan = to_json(json.loads(before.plan) | {"version": version})
        assert shared.jobs.change(before, before._replace(version=version, plan=plan))
    shared.start()
    shared.play_until(START + 2 * DAY)
    assert len(shared.messages()) == 1
    assert versions(shared) == ["run#2030-01-02T00:00:00Z"]
    assert len(shared.executions("SUCCEEDED")) == 1


def test_a_one_time_job_that_is_kept_has_ended(shared: Shared) -> None:
    shared.put_job(once(shared, completion=ss.Completion.KEEP))
    shared.start()
    shared.play_until(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["status"] == "ended"


def test_a_one_time_job_that_failed_stays(shared: Shared) -> None:
    shared.put_job(once(shared, target=shared.nowhere(), retry=ss.Retry(max_attempts=0)))
    shared.start()
    shared.play_until(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["status"] == "ended"
    assert shared.outcomes() == [("2030-01-02T00:00:00Z", "failed")]


def test_a_one_time_job_changed_before_it_goes_is_left_alone(shared: Shared) -> None:
    shared.put_job(once(shared, target=shared.slow(), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.play_until(START + DAY + MINUTE)
    before = shared.jobs.read("job")
    assert shared.jobs.change(before, before._replace(token=OTHER_TOKEN))
    shared.play_until(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["token"] == OTHER_TOKEN


# -- Unscheduled runs -----------------------------------------------------------------------------------

PAST = [START - number * DAY for number in range(1, 6)]


def rewrite(shared: Shared, version: str, **texts: str) -> None:
    """Changes attributes of a run's row, as another writer would."""
    sets = {name: {"S": text} for name, text in texts.items()}
    assert shared.jobs.update({"Key": rows.key("job", version), **table_schema.write(sets=sets)})


def start_unscheduled(shared: Shared, keys: list[str], token: str = UNSCHEDULED_TOKEN, **more: Any) -> str:
    return shared.start(token=token, left=keys, **more)


def test_unscheduled_runs_run_one_after_another(shared: Shared) -> None:
    shared.put_job(daily(shared, input=ss.context.SCHEDULED_TIME))
    keys = shared.put_pending(PAST)
    arn = start_unscheduled(shared, keys)
    assert shared.messages() == [written(instant) for instant in PAST]
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert {run["execution"] for run in shared.runs()} == {arn}
    assert {run["trigger"] for run in shared.runs()} == {"backfill"}, "what was known of it stays"
    assert shared.executions("SUCCEEDED") == [execution_name("job", UNSCHEDULED_TOKEN)]
    row = shared.row()
    assert row["last"] == keys[-1]
    assert (row["token"], row["due"]) == (TOKEN, "2030-01-01T06:00:00Z")
    assert row["cursor"] == written(START), "the schedule does not move"
    assert "claimed_by" not in row


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_two_executions_of_the_same_list_run_each_once(shared: Shared, overlap: ss.Overlap) -> None:
    target = shared.slow(2 * MINUTE)
    shared.put_job(daily(shared, target, overlap=overlap))
    keys = shared.put_pending(PAST)
    start_unscheduled(shared, keys)
    start_unscheduled(shared, keys, title="copy")
    shared.play_until(START + 2 * HOUR)
    assert len(shared.started(target)) == 5
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert len(shared.executions("SUCCEEDED")) >= 2
    assert shared.executions() == []


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_a_full_history_hands_over_the_remaining_runs(shared: Shared, overlap: ss.Overlap) -> None:
    job = daily(shared, input=ss.context.SCHEDULED_TIME)
    target = shared.machine("echo", {"Type": "Pass"})
    shared.put_job(
        job if overlap is ss.Overlap.ALLOW else job.replace(target=target, overlap=overlap), limit=SMALL_LIMIT
    )
    keys = shared.put_pending(PAST)
    start_unscheduled(shared, keys)
    shared.play_until(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert len(shared.executions("SUCCEEDED")) >= 4
    assert shared.executions() == []


def test_the_remaining_runs_continue_after_a_claim_was_removed(shared: Shared) -> None:
    """A client removed the claim because it took the execution for ended. It records the run and continues
    with the next one."""
    target = shared.slow(2 * MINUTE)
    shared.put_job(daily(shared, target, overlap=ss.Overlap.QUEUE))
    keys = shared.put_pending(PAST[:3])
    arn = start_unscheduled(shared, keys)
    released = table_schema.write(
        table_schema.IS_CLAIMED, values={"me": {"S": arn}}, removes=table_schema.CLAIM
    )
    assert shared.jobs.update({"Key": rows.key("job"), **released})
    shared.play_until(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 3
    assert len(shared.started(target)) == 3
    assert len(shared.executions("SUCCEEDED")) == 1
    assert "claimed_by" not in shared.row()


def test_a_failed_unscheduled_run_does_not_stop_the_job(shared: Shared) -> None:
    once = {"retry": ss.Retry(max_attempts=0), "on_failure": ss.OnFailure.STOP}
    shared.put_job(daily(shared, shared.nowhere(), **once))
    keys = shared.put_pending(PAST[:2])
    start_unscheduled(shared, keys)
    assert [run["status"] for run in shared.runs()] == ["failed"] * 2
    assert shared.row()["status"] == "active"


def test_a_run_that_is_not_pending_any_more_is_skipped(shared: Shared) -> None:
    shared.put_job(daily(shared, input=ss.context.SCHEDULED_TIME))
    keys = shared.put_pending(PAST)
    for version in (keys[0], keys[2]):
        rewrite(shared, version, status="skipped")
    start_unscheduled(shared, keys)
    shared.play_until(START + MINUTE)
    assert shared.messages() == [written(PAST[number]) for number in (1, 3, 4)]


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_a_run_that_another_execution_has_begun_is_not_begun_again(
    shared: Shared, overlap: ss.Overlap
) -> None:
    target = shared.machine("echo", {"Type": "Pass"})
    shared.put_job(daily(shared, target, overlap=overlap))
    keys = shared.put_pending(PAST[:2])
    rewrite(shared, keys[0], status="running", execution="another", started_at=written(START))
    start_unscheduled(shared, keys)
    shared.play_until(START + HOUR)
    found = {run["version"]: (run["status"], run["execution"] == "another") for run in shared.runs()}
    assert found == {keys[0]: ("running", True), keys[1]: ("succeeded", False)}
    assert len(shared.started(target)) == 1


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_a_one_time_job_ends_with_its_unscheduled_run(shared: Shared, status: str) -> None:
    """A redriven run: the row of the job has the token of the execution."""
    single = {"schedule": ss.OneTime("2029-01-02T00:00"), "completion": ss.Completion.KEEP}
    shared.put_job(daily(shared).replace(**single), token=UNSCHEDULED_TOKEN)
    (version,) = shared.put_pending(PAST[:1])
    rewrite(shared, version, status=status)
    start_unscheduled(shared, [version])
    shared.play_until(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"]
    assert shared.executions("FAILED") == []
    assert (shared.row()["status"], shared.row()["due"]) == ("ended", "never")


def test_a_paused_job_has_unscheduled_runs(shared: Shared) -> None:
    shared.put_job(daily(shared))
    before = shared.jobs.read("job")
    assert shared.jobs.change(before, before._replace(status=ss.JobStatus.PAUSED, token=None))
    keys = shared.put_pending(PAST[:2])
    start_unscheduled(shared, keys)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 2
    assert shared.row()["status"] == "paused"


def test_a_job_deleted_during_an_unscheduled_run(shared: Shared) -> None:
    shared.put_job(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    keys = shared.put_pending(PAST[:2])
    start_unscheduled(shared, keys)
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.play_until(START + 2 * HOUR)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == {keys[0]: "succeeded", keys[1]: "pending"}
    assert versions(shared) == sorted(keys)
    assert shared.executions() == []


# -- Overlap --------------------------------------------------------------------------------------------


def test_runs_skipped_because_of_a_longer_run_are_recorded(shared: Shared) -> None:
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.play_until(START + 2 * HOUR)
    runs = [(run["due"], run["passed"], run["status"]) for run in shared.runs()]
    assert runs == [
        ("2030-01-01T00:15:00Z", "2030-01-01T00:39:59Z", "succeeded"),
        ("2030-01-01T00:45:00Z", "2030-01-01T01:09:59Z", "succeeded"),
    ]
    assert shared.started(target) == [START + 15 * MINUTE, START + 45 * MINUTE]


def test_a_longer_run_moves_the_cursor_past_the_skipped_runs(shared: Shared) -> None:
    """Otherwise an execution that continues from the row, such as after an update, would run it late."""
    shared.put_job(quarters(shared.slow(), overlap=ss.Overlap.SKIP))
    shared.start()
    shared.play_until(START + 41 * MINUTE)
    row = shared.jobs.read("job")
    assert row.next_run == START + 45 * MINUTE
    assert shared.row()["due"] == written(START + 45 * MINUTE)


def test_what_came_due_during_a_longer_run_runs_after_it(shared: Shared) -> None:
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.play_until(START + 3 * HOUR)
    assert [outcome for _, outcome in shared.outcomes()] == ["succeeded"] * 4
    assert shared.started(target) == [START + 15 * MINUTE + number * 25 * MINUTE for number in range(4)]


def test_runs_overlap_where_they_may(shared: Shared) -> None:
    """The machine only starts the target, and does not wait for it."""
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.ALLOW))
    shared.start()
    shared.play_until(START + 2 * HOUR)
    assert shared.started(target) == [START + number * 15 * MINUTE for number in (1, 2, 3, 4)]


def test_an_unscheduled_run_waits_for_a_scheduled_one(shared: Shared) -> None:
    target = shared.slow()
    single = {"schedule": ss.OneTime("2030-01-01T00:15"), "completion": ss.Completion.KEEP}
    shared.put_job(quarters(target, overlap=ss.Overlap.QUEUE, **single))
    shared.start()
    shared.play_until(START + 20 * MINUTE)
    keys = shared.put_pending(PAST[:2])
    start_unscheduled(shared, keys)
    assert len(shared.started(target)) == 1
    shared.play_until(START + 3 * HOUR)
    begun = shared.started(target)
    assert len(begun) == 3
    assert all(later - earlier >= 25 * MINUTE for earlier, later in pairwise(begun))
    assert [run["status"] for run in shared.runs()][:2] == ["succeeded"] * 2


def test_an_unscheduled_run_is_skipped_because_of_a_scheduled_one(shared: Shared) -> None:
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.play_until(START + 20 * MINUTE)
    keys = shared.put_pending(PAST[:3], is_manual=True)
    start_unscheduled(shared, keys)
    shared.play_until(START + 30 * MINUTE)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == dict.fromkeys(keys, "skipped")
    assert len(shared.started(target)) == 1
    assert shared.jobs.read("job").claim is not None, "the running run keeps its claim"
    shared.play_until(START + 2 * HOUR)
    assert len(shared.started(target)) == 2


def test_a_scheduled_run_waits_for_an_unscheduled_one(shared: Shared) -> None:
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.play_until(START + 10 * MINUTE)
    start_unscheduled(shared, shared.put_pending(PAST[:1]))
    shared.play_until(START + 3 * HOUR)
    begun = shared.started(target)
    assert len(begun) == 5
    assert begun[0] == START + 10 * MINUTE
    assert all(later - earlier >= 25 * MINUTE for earlier, later in pairwise(begun))
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5


def test_a_scheduled_run_is_skipped_because_of_an_unscheduled_one(shared: Shared) -> None:
    target = shared.slow()
    shared.put_job(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.play_until(START + 10 * MINUTE)
    (key,) = shared.put_pending(PAST[:1])
    start_unscheduled(shared, [key])
    shared.play_until(START + 25 * MINUTE)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == {key: "running", "run#2030-01-01T00:15:00Z": "skipped"}
    claim = shared.jobs.read("job").claim
    assert claim is not None
    assert claim.key == key
    assert shared.jobs.read("job").next_run == START + 30 * MINUTE
    shared.play_until(START + 3 * HOUR)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == {
        key: "succeeded",
        "run#2030-01-01T00:15:00Z": "skipped",
        "run#2030-01-01T00:30:00Z": "skipped",
        "run#2030-01-01T00:45:00Z": "succeeded",
    }
    assert shared.row()["status"] == "ended"


def test_a_current_row_has_a_version_that_no_run_has() -> None:
    assert not run_key(START).startswith(CURRENT)
