"""The shared machine runs jobs of a table, on an emulator that really runs it, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
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
OURS, THEIRS = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
"""Tokens of the job's row."""
BESIDE = "cccccccccccc"
"""The token of runs beside the schedule."""
TIGHT = 40
"""Events after one run of which an execution hands over."""
FOREVER = datetime(2099, 1, 1, tzinfo=timezone.utc)


class Shared(Stack):
    """A stack whose rows and executions are written by the test itself."""

    @property
    def jobs(self) -> Table:
        return Table(self.dynamodb, TABLE)

    def order(self, job: ss.Job, token: str = OURS, **changes: Any) -> None:
        """Writes the row of a job that begins now."""
        now = self.clock.now()
        order = instructions_of(job, anchor=now, version=1, retention=30 * DAY, calls=CALLS) | changes
        row = Row(job, ss.JobStatus.ACTIVE, 1, now, now, now, now, token=token, plan=to_json(order))
        self.jobs.create(row)

    def start(self, name: str = "job", token: str = OURS, *, title: str = "", **more: Any) -> str:
        given = {"name": name, "token": token, **more}
        started = self.states.start_execution(
            stateMachineArn=self.machine_arn,
            name=title or execution_name(name, token),
            input=json.dumps(given),
        )
        arn: str = started["executionArn"]
        self.server.settled(self.account)
        return arn

    def to(self, instant: datetime) -> None:
        self.play(instant)

    def wait(
        self, instants: Iterable[datetime], token: str = BESIDE, *, is_manual: bool = False
    ) -> list[str]:
        """Writes the rows of runs beside the schedule, which wait; answers their keys."""
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
        """The attributes of the job's row as plain values; empty where there is none."""
        return plain(self.item(name) or {})

    def runs(self, name: str = "job") -> list[dict[str, Any]]:
        """The attributes of the rows of runs as plain values, in order."""
        return [plain(item) for item in self.jobs.query(name)]

    def told(self, name: str = "job") -> list[tuple[str, str]]:
        """The outcome of each run, in order."""
        return [(run["version"][4:24], run["status"]) for run in self.runs(name)]

    def events(self, arn: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in self.states.get_paginator("get_execution_history").paginate(executionArn=arn):
            found += page["events"]
        return found

    def entered(self, arn: str) -> list[str]:
        """The states that an execution has been in."""
        details = [event.get("stateEnteredEventDetails") for event in self.events(arn)]
        return [each["name"] for each in details if each is not None]

    def machine(self, name: str, *states: dict[str, Any]) -> ss.StateMachineTarget:
        """Another machine, of one state after the other."""
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

    def slow(self, length: timedelta = 25 * MINUTE) -> ss.StateMachineTarget:
        return self.machine("slow", {"Type": "Wait", "Seconds": length // timedelta(seconds=1)})

    def started(self, target: ss.StateMachineTarget) -> list[datetime]:
        """When the executions of another machine were started."""
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
    """Four runs, at six o'clock."""
    job = ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=START + 4 * DAY),
        target=shared.inbox if target is None else target,
        input={"{% 1 %}": "{% $states %}", "a.$": "$.b", "quote": "'\"\\", "owl": "🦉"},
    )
    return job.replace(**changes)


def quarters(target: ss.Target, **changes: Any) -> ss.Job:
    """Every quarter of the first hour after the start, and at its end."""
    schedule = ss.Cron("0/15 * * * ? *", start=START + MINUTE, end=START + HOUR)
    return ss.Job(name="job", schedule=schedule, target=target).replace(**changes)


# -- The schedule ---------------------------------------------------------------------------------------


def test_the_machine_is_accepted_by_every_validator() -> None:
    definition = runner("jobs").to_dict()
    assert asl.check(definition) == []
    assert asl_validator([definition]) == [[]]
    assert cfn_lint([definition]) == [[]]
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
    shared.order(job, limit=300)
    shared.start()
    shared.to(FOREVER)
    wanted = due(schedule, START)
    assert shared.messages() == wanted
    assert shared.told() == [(instant, "succeeded") for instant in wanted]
    assert len(shared.executions("SUCCEEDED")) >= 2, "one execution would have been too few"
    for status in ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED"):
        assert shared.executions(status) == []
    row = shared.row()
    assert (row["status"], row["due"], row["cursor"]) == ("ended", "never", wanted[-1])
    assert row["last"] == f"run#{wanted[-1]}"
    assert row.keys().isdisjoint({"token", "claimed_by", "claimed", "started_at"})


def test_a_run_is_recorded_with_all_that_is_known_of_it(shared: Shared) -> None:
    shared.order(daily(shared))
    arn = shared.start()
    shared.to(START + DAY)
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


def test_what_is_due_stands_in_the_row_after_each_run(shared: Shared) -> None:
    shared.order(daily(shared))
    assert shared.row()["due"] == "2030-01-01T06:00:00Z"
    shared.start()
    for day in range(3):
        shared.to(START + day * DAY + 6 * HOUR)
        assert shared.row()["due"] == written(START + (day + 1) * DAY + 6 * HOUR)
    shared.to(START + 4 * DAY)
    assert shared.row()["due"] == "never"


def counted_events(shared: Shared, arn: str) -> list[int]:
    """How many events an execution has written up to its first Plan, and then from each Plan to the next. The
    emulator leaves out that a task has started."""
    counts = [0]
    for event in shared.events(arn):
        if event.get("stateEnteredEventDetails", {}).get("name") == "Plan":
            counts.append(0)
        counts[-1] += {"TaskScheduled": 2, "TaskStarted": 0}.get(event["type"], 1)
    return counts


def test_what_a_runner_counts_is_what_its_history_holds(shared: Shared) -> None:
    shared.order(daily(shared, shared.machine("echo", {"Type": "Pass"}), overlap=ss.Overlap.SKIP))
    arn = shared.start()
    shared.to(START + 3 * DAY + HOUR)
    start, *turns = counted_events(shared, arn)
    assert start == events().start
    assert turns[:2] == [events().run - 1] * 2  # the emulator leaves out that the call was submitted


def test_what_it_counts_of_a_run_that_fails_is_no_less_than_its_history_holds(shared: Shared) -> None:
    retry = ss.Retry(max_attempts=2, interval=MINUTE)
    shared.order(daily(shared, shared.nowhere(), retry=retry, dead_letter=shared.inbox))
    arn = shared.start()
    shared.to(START + 2 * DAY + HOUR)
    counted = events()
    most = counted.run + 3 * counted.retry + counted.notification
    _, first, *_ = counted_events(shared, arn)
    assert counted.run + 2 * counted.retry < first <= most


def test_a_full_history_hands_over(shared: Shared) -> None:
    shared.order(daily(shared), limit=TIGHT)
    shared.start()
    shared.to(START + 4 * DAY)
    assert [outcome for _, outcome in shared.told()] == ["succeeded"] * 4
    names = shared.executions("SUCCEEDED")
    assert names == [execution_name("job", OURS), *(f"job-{OURS}-{number}" for number in range(2, 5))]


def test_an_answer_is_kept_as_json(shared: Shared) -> None:
    """Also one that is a list, or text, or nothing."""
    answers: tuple[Any, ...] = ([1, 2], [1], [], "text", {"a": ['"']}, None, 1.5, True)
    for number, answer in enumerate(answers):
        name = f"job-{number}"
        target = shared.machine(name, {"Type": "Pass", "Result": answer})
        shared.order(daily(shared, target, name=name, input={}, overlap=ss.Overlap.QUEUE))
        shared.start(name)
    shared.to(START + DAY)
    for number, answer in enumerate(answers):
        (run,) = shared.runs(f"job-{number}")
        assert json.loads(run["output"]) == answer


# -- Data that is no code -------------------------------------------------------------------------------


def test_data_of_a_row_is_never_code(shared: Shared) -> None:
    job = daily(shared)
    shared.order(job)
    shared.start()
    shared.to(START + 4 * DAY)
    assert [json.loads(each) for each in shared.messages()] == [job.input] * 4


INPUTS = [
    *(each for each in PAYLOADS if each.id != "170 KB"),
    pytest.param({"big": "🦉" * 10_000 + "{% %}'" * 5_000}, id="70 KB"),
]


@pytest.mark.parametrize("payload", INPUTS)
def test_any_input_arrives(shared: Shared, payload: Any) -> None:
    shared.order(daily(shared, input=payload))
    shared.start()
    shared.to(START + DAY)
    (body,) = shared.messages()
    assert (body if isinstance(payload, str) else json.loads(body)) == payload


@pytest.mark.parametrize("payload", INPUTS)
def test_any_input_arrives_beside_context_attributes(shared: Shared, payload: Any) -> None:
    given = json.loads(json.dumps(payload).replace("<aws.scheduler.x", "$1 $& $$"))
    filled = {
        "due": ss.context.SCHEDULED_TIME,
        "text": "no. " + ss.context.ATTEMPT_NUMBER + "!",
        "execution": ss.context.EXECUTION_ID,
        "machine": ss.context.SCHEDULE_ARN,
        "given": given,
    }
    shared.order(daily(shared, input=filled))
    shared.start()
    shared.to(START + DAY)
    (body,) = shared.messages()
    assert json.loads(body) == {
        "due": "2030-01-01T06:00:00Z",
        "text": "no. 1!",
        "execution": f"job-{OURS}/2030-01-01T06:00:00Z/1",
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
        shared.order(job, limit=TIGHT)
        shared.start(name)
    shared.to(START + 4 * DAY)
    assert sorted(json.loads(each)["name"] for each in shared.messages()) == sorted(NAMES * 4)
    for name in NAMES:
        assert [outcome for _, outcome in shared.told(name)] == ["failed"] * 4
        assert shared.row(name)["status"] == "ended"
    assert len(shared.executions("SUCCEEDED")) == 4 * len(NAMES)


# -- Whose execution ------------------------------------------------------------------------------------


def test_an_execution_with_another_token_runs_nothing(shared: Shared) -> None:
    shared.order(daily(shared), token=THEIRS)
    shared.start(token=OURS)
    assert len(shared.executions("SUCCEEDED")) == 1
    shared.to(START + 4 * DAY)
    assert (shared.messages(), shared.runs()) == ([], [])
    assert "execution" not in shared.row()


def test_an_execution_of_no_job_runs_nothing(shared: Shared) -> None:
    shared.start()
    shared.start(token=THEIRS, left=["run#2030-01-01T06:00:00Z"])
    assert len(shared.executions("SUCCEEDED")) == 2
    assert list(shared.jobs.scan()) == []


def test_of_eight_executions_of_a_plan_one_runs_it(shared: Shared) -> None:
    shared.order(daily(shared))
    for number in range(8):
        shared.start(title=f"copy-{number}")
    shared.to(START + 4 * DAY)
    assert len(shared.messages()) == 4
    assert [outcome for _, outcome in shared.told()] == ["succeeded"] * 4
    assert len(shared.executions("SUCCEEDED")) == 8
    assert {run["execution"].rsplit(":", 1)[1] for run in shared.runs()} == {"copy-7"}, "the latest"


@pytest.mark.parametrize("token", [None, THEIRS])
def test_a_job_changed_in_the_middle_of_a_run(shared: Shared, token: str | None) -> None:
    """The run is recorded, and its execution ends: the job is paused, or belongs to another one."""
    shared.order(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    arn = shared.start()
    shared.to(START + 20 * MINUTE)
    before = shared.jobs.read("job")
    assert before.claim is not None
    assert before.claim.execution == arn
    after = before._replace(token=token, status=ss.JobStatus.PAUSED if token is None else before.status)
    assert shared.jobs.change(before, after)
    shared.to(START + 2 * HOUR)
    assert shared.told() == [("2030-01-01T00:15:00Z", "succeeded")]
    assert shared.executions("SUCCEEDED") == [execution_name("job", OURS)]
    row = shared.row()
    assert row.keys().isdisjoint({"claimed_by", "claimed", "started_at"})
    assert row["last"] == "run#2030-01-01T00:15:00Z"
    assert (row.get("token"), row["status"]) == (token, "paused" if token is None else "active")


def test_a_token_that_goes_and_comes_back_in_the_middle_of_a_run(shared: Shared) -> None:
    """Nothing is lost, and nothing done twice."""
    shared.order(quarters(shared.slow(5 * MINUTE), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.to(START + 16 * MINUTE)
    before = shared.jobs.read("job")
    shared.jobs.change(before, before._replace(token=None, status=ss.JobStatus.PAUSED))
    shared.to(START + 18 * MINUTE)
    paused = shared.jobs.read("job")
    assert shared.jobs.change(paused, before)
    shared.to(START + 2 * HOUR)
    wanted = [written(START + number * 15 * MINUTE) for number in (1, 2, 3, 4)]
    assert shared.told() == [(instant, "succeeded") for instant in wanted]


def test_a_job_deleted_in_the_middle_of_a_run(shared: Shared) -> None:
    """The run is recorded, and nothing else: no half of a row comes into being."""
    shared.order(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.to(START + 20 * MINUTE)
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.to(START + 2 * HOUR)
    assert shared.told() == [("2030-01-01T00:15:00Z", "succeeded")]
    found = shared.dynamodb.scan(TableName=TABLE)["Items"]
    assert [item["version"]["S"] for item in found] == ["run#2030-01-01T00:15:00Z"]
    assert shared.executions("SUCCEEDED") == [execution_name("job", OURS)]
    assert shared.executions() == []


def test_a_job_deleted_while_it_sleeps_leaves_nothing(shared: Shared) -> None:
    shared.order(daily(shared))
    shared.start()
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.to(START + 4 * DAY)
    assert shared.messages() == []
    assert shared.dynamodb.scan(TableName=TABLE)["Items"] == []
    assert len(shared.executions("SUCCEEDED")) == 1


# -- Failure --------------------------------------------------------------------------------------------


def test_a_failed_run_is_recorded_and_the_next_one_comes(shared: Shared) -> None:
    retry = ss.Retry(max_attempts=2, interval=timedelta(seconds=10))
    shared.order(daily(shared, shared.nowhere(), retry=retry))
    arn = shared.start()
    shared.to(START + 4 * DAY)
    assert [outcome for _, outcome in shared.told()] == ["failed"] * 4
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
    shared.order(daily(shared, shared.nowhere(), retry=retry))
    shared.start()
    shared.to(START + DAY)
    assert [run["attempts"] for run in shared.runs()] == ["3"], "after 0, 40 and 80 seconds"


def test_a_job_that_stops_is_paused_after_its_first_failure(shared: Shared) -> None:
    once = {"retry": ss.Retry(max_attempts=0), "on_failure": ss.OnFailure.STOP}
    shared.order(daily(shared, shared.nowhere(), **once))
    shared.start()
    shared.to(START + 4 * DAY)
    assert [outcome for _, outcome in shared.told()] == ["failed"]
    row = shared.row()
    assert (row["status"], row["due"]) == ("paused", "never")
    assert "token" not in row, "no execution of the old plan goes on"
    assert len(shared.executions("SUCCEEDED")) == 1


def test_topic_and_queue_are_told_of_what_failed_for_good(shared: Shared) -> None:
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
    shared.order(job)
    arn = shared.start()
    shared.to(START + DAY)
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


def test_that_nobody_can_be_told_does_not_end_the_schedule(shared: Shared) -> None:
    job = daily(
        shared,
        shared.nowhere(),
        retry=ss.Retry(max_attempts=0),
        notify=ss.TopicTarget(f"arn:aws:sns:eu-west-1:{shared.account}:nothing"),
        dead_letter=shared.nowhere(),
    )
    shared.order(job)
    shared.start()
    shared.to(START + 5 * DAY)
    assert [outcome for _, outcome in shared.told()] == ["failed"] * 4
    assert shared.row()["status"] == "ended"


def test_a_run_that_takes_too_long_has_failed(shared: Shared) -> None:
    job = quarters(
        shared.slow(),
        overlap=ss.Overlap.QUEUE,
        max_run_time=5 * MINUTE,
        retry=ss.Retry(max_attempts=1, interval=MINUTE),
    )
    shared.order(job)
    shared.start()
    shared.to(START + 15 * MINUTE + 12 * MINUTE)
    (run,) = shared.runs()
    assert (run["status"], run["error"], run["attempts"]) == ("failed", "States.Timeout", "2")
    assert run["ended_at"] == "2030-01-01T00:26:00.000Z", "five minutes, a minute's pause, five minutes"


def test_a_call_without_a_state_fails_the_run(shared: Shared) -> None:
    """As for a job that was written for a newer machine."""
    shared.order(daily(shared, dead_letter=shared.queue("dead")), call="aws-sdk:s3:putObject")
    shared.start()
    shared.to(START + DAY)
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
    shared.order(once(shared))
    for version in range(2, number + 1):
        before = shared.jobs.read("job")
        plan = to_json(json.loads(before.plan) | {"version": version})
        assert shared.jobs.change(before, before._replace(version=version, plan=plan))
    shared.start()
    shared.to(START + 2 * DAY)
    assert len(shared.messages()) == 1
    assert versions(shared) == ["run#2030-01-02T00:00:00Z"]
    assert len(shared.executions("SUCCEEDED")) == 1


def test_a_one_time_job_that_is_kept_has_ended(shared: Shared) -> None:
    shared.order(once(shared, completion=ss.Completion.KEEP))
    shared.start()
    shared.to(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["status"] == "ended"


def test_a_one_time_job_that_failed_stays(shared: Shared) -> None:
    shared.order(once(shared, target=shared.nowhere(), retry=ss.Retry(max_attempts=0)))
    shared.start()
    shared.to(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["status"] == "ended"
    assert shared.told() == [("2030-01-02T00:00:00Z", "failed")]


def test_a_one_time_job_changed_before_it_goes_is_left_alone(shared: Shared) -> None:
    shared.order(once(shared, target=shared.slow(), overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.to(START + DAY + MINUTE)
    before = shared.jobs.read("job")
    assert shared.jobs.change(before, before._replace(token=THEIRS))
    shared.to(START + 2 * DAY)
    assert versions(shared) == ["run#2030-01-02T00:00:00Z", "v0", "v1"]
    assert shared.row()["token"] == THEIRS


# -- Runs beside the schedule ---------------------------------------------------------------------------

PAST = [START - number * DAY for number in range(1, 6)]


def rewrite(shared: Shared, version: str, **texts: str) -> None:
    """Changes attributes of a run's row, as somebody else would."""
    sets = {name: {"S": text} for name, text in texts.items()}
    assert shared.jobs.update({"Key": rows.key("job", version), **table_schema.write(sets=sets)})


def beside(shared: Shared, keys: list[str], token: str = BESIDE, **more: Any) -> str:
    return shared.start(token=token, left=keys, **more)


def test_runs_beside_the_schedule_run_in_turn(shared: Shared) -> None:
    shared.order(daily(shared, input=ss.context.SCHEDULED_TIME))
    keys = shared.wait(PAST)
    arn = beside(shared, keys)
    assert shared.messages() == [written(instant) for instant in PAST]
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert {run["execution"] for run in shared.runs()} == {arn}
    assert {run["trigger"] for run in shared.runs()} == {"backfill"}, "what was known of it stays"
    assert shared.executions("SUCCEEDED") == [execution_name("job", BESIDE)]
    row = shared.row()
    assert row["last"] == keys[-1]
    assert (row["token"], row["due"]) == (OURS, "2030-01-01T06:00:00Z")
    assert row["cursor"] == written(START), "the schedule does not move"
    assert "claimed_by" not in row


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_two_executions_of_the_same_list_run_each_once(shared: Shared, overlap: ss.Overlap) -> None:
    target = shared.slow(2 * MINUTE)
    shared.order(daily(shared, target, overlap=overlap))
    keys = shared.wait(PAST)
    beside(shared, keys)
    beside(shared, keys, title="copy")
    shared.to(START + 2 * HOUR)
    assert len(shared.started(target)) == 5
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert len(shared.executions("SUCCEEDED")) >= 2
    assert shared.executions() == []


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_a_full_history_hands_over_what_is_left(shared: Shared, overlap: ss.Overlap) -> None:
    job = daily(shared, input=ss.context.SCHEDULED_TIME)
    target = shared.machine("echo", {"Type": "Pass"})
    shared.order(
        job if overlap is ss.Overlap.ALLOW else job.replace(target=target, overlap=overlap), limit=TIGHT
    )
    keys = shared.wait(PAST)
    beside(shared, keys)
    shared.to(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5
    assert len(shared.executions("SUCCEEDED")) >= 4
    assert shared.executions() == []


def test_what_is_left_goes_on_after_a_claim_was_taken_away(shared: Shared) -> None:
    """As by somebody who held the execution for dead: it records the run, and goes on with the next."""
    target = shared.slow(2 * MINUTE)
    shared.order(daily(shared, target, overlap=ss.Overlap.QUEUE))
    keys = shared.wait(PAST[:3])
    arn = beside(shared, keys)
    released = table_schema.write(
        table_schema.IS_CLAIMED, values={"me": {"S": arn}}, removes=table_schema.CLAIM
    )
    assert shared.jobs.update({"Key": rows.key("job"), **released})
    shared.to(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 3
    assert len(shared.started(target)) == 3
    assert len(shared.executions("SUCCEEDED")) == 1
    assert "claimed_by" not in shared.row()


def test_a_failed_run_beside_the_schedule_does_not_stop_the_job(shared: Shared) -> None:
    once = {"retry": ss.Retry(max_attempts=0), "on_failure": ss.OnFailure.STOP}
    shared.order(daily(shared, shared.nowhere(), **once))
    keys = shared.wait(PAST[:2])
    beside(shared, keys)
    assert [run["status"] for run in shared.runs()] == ["failed"] * 2
    assert shared.row()["status"] == "active"


def test_a_run_that_waits_no_more_is_passed_over(shared: Shared) -> None:
    shared.order(daily(shared, input=ss.context.SCHEDULED_TIME))
    keys = shared.wait(PAST)
    for version in (keys[0], keys[2]):
        rewrite(shared, version, status="skipped")
    beside(shared, keys)
    shared.to(START + MINUTE)
    assert shared.messages() == [written(PAST[number]) for number in (1, 3, 4)]


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_a_run_that_another_execution_has_begun_is_not_begun_again(
    shared: Shared, overlap: ss.Overlap
) -> None:
    target = shared.machine("echo", {"Type": "Pass"})
    shared.order(daily(shared, target, overlap=overlap))
    keys = shared.wait(PAST[:2])
    rewrite(shared, keys[0], status="running", execution="another", started_at=written(START))
    beside(shared, keys)
    shared.to(START + HOUR)
    found = {run["version"]: (run["status"], run["execution"] == "another") for run in shared.runs()}
    assert found == {keys[0]: ("running", True), keys[1]: ("succeeded", False)}
    assert len(shared.started(target)) == 1


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_a_one_time_job_ends_with_its_run_beside_the_schedule(shared: Shared, status: str) -> None:
    """As one that is redriven: the row has the token of that execution."""
    single = {"schedule": ss.OneTime("2029-01-02T00:00"), "completion": ss.Completion.KEEP}
    shared.order(daily(shared).replace(**single), token=BESIDE)
    (version,) = shared.wait(PAST[:1])
    rewrite(shared, version, status=status)
    beside(shared, [version])
    shared.to(START + HOUR)
    assert [run["status"] for run in shared.runs()] == ["succeeded"]
    assert shared.executions("FAILED") == []
    assert (shared.row()["status"], shared.row()["due"]) == ("ended", "never")


def test_a_job_paused_runs_beside_the_schedule_all_the_same(shared: Shared) -> None:
    shared.order(daily(shared))
    before = shared.jobs.read("job")
    assert shared.jobs.change(before, before._replace(status=ss.JobStatus.PAUSED, token=None))
    keys = shared.wait(PAST[:2])
    beside(shared, keys)
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 2
    assert shared.row()["status"] == "paused"


def test_a_job_deleted_in_the_middle_of_a_run_beside_its_schedule(shared: Shared) -> None:
    shared.order(quarters(shared.slow(), overlap=ss.Overlap.QUEUE))
    keys = shared.wait(PAST[:2])
    beside(shared, keys)
    assert shared.jobs.delete(shared.jobs.read("job"))
    shared.to(START + 2 * HOUR)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == {keys[0]: "succeeded", keys[1]: "pending"}
    assert versions(shared) == sorted(keys)
    assert shared.executions() == []


# -- Overlap --------------------------------------------------------------------------------------------


def test_what_a_longer_run_has_passed_over_is_noted(shared: Shared) -> None:
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.to(START + 2 * HOUR)
    runs = [(run["due"], run["passed"], run["status"]) for run in shared.runs()]
    assert runs == [
        ("2030-01-01T00:15:00Z", "2030-01-01T00:39:59Z", "succeeded"),
        ("2030-01-01T00:45:00Z", "2030-01-01T01:09:59Z", "succeeded"),
    ]
    assert shared.started(target) == [START + 15 * MINUTE, START + 45 * MINUTE]


def test_a_longer_run_moves_the_cursor_past_what_it_has_left_out(shared: Shared) -> None:
    """Or whoever goes on from the row, as after an update, runs it late."""
    shared.order(quarters(shared.slow(), overlap=ss.Overlap.SKIP))
    shared.start()
    shared.to(START + 41 * MINUTE)
    row = shared.jobs.read("job")
    assert row.next_run == START + 45 * MINUTE
    assert shared.row()["due"] == written(START + 45 * MINUTE)


def test_what_came_due_during_a_longer_run_runs_after_it(shared: Shared) -> None:
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.to(START + 3 * HOUR)
    assert [outcome for _, outcome in shared.told()] == ["succeeded"] * 4
    assert shared.started(target) == [START + 15 * MINUTE + number * 25 * MINUTE for number in range(4)]


def test_runs_side_by_side_where_they_may(shared: Shared) -> None:
    """Nothing waits: what is started is only started."""
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.ALLOW))
    shared.start()
    shared.to(START + 2 * HOUR)
    assert shared.started(target) == [START + number * 15 * MINUTE for number in (1, 2, 3, 4)]


def test_a_run_beside_the_schedule_waits_for_one_of_the_schedule(shared: Shared) -> None:
    target = shared.slow()
    single = {"schedule": ss.OneTime("2030-01-01T00:15"), "completion": ss.Completion.KEEP}
    shared.order(quarters(target, overlap=ss.Overlap.QUEUE, **single))
    shared.start()
    shared.to(START + 20 * MINUTE)
    keys = shared.wait(PAST[:2])
    beside(shared, keys)
    assert len(shared.started(target)) == 1
    shared.to(START + 3 * HOUR)
    begun = shared.started(target)
    assert len(begun) == 3
    assert all(later - earlier >= 25 * MINUTE for earlier, later in pairwise(begun))
    assert [run["status"] for run in shared.runs()][:2] == ["succeeded"] * 2


def test_a_run_beside_the_schedule_is_left_out_because_of_one_of_the_schedule(shared: Shared) -> None:
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.to(START + 20 * MINUTE)
    keys = shared.wait(PAST[:3], is_manual=True)
    beside(shared, keys)
    shared.to(START + 30 * MINUTE)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == dict.fromkeys(keys, "skipped")
    assert len(shared.started(target)) == 1
    assert shared.jobs.read("job").claim is not None, "the run that goes on keeps its place"
    shared.to(START + 2 * HOUR)
    assert len(shared.started(target)) == 2


def test_a_run_of_the_schedule_waits_for_one_beside_it(shared: Shared) -> None:
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.QUEUE))
    shared.start()
    shared.to(START + 10 * MINUTE)
    beside(shared, shared.wait(PAST[:1]))
    shared.to(START + 3 * HOUR)
    begun = shared.started(target)
    assert len(begun) == 5
    assert begun[0] == START + 10 * MINUTE
    assert all(later - earlier >= 25 * MINUTE for earlier, later in pairwise(begun))
    assert [run["status"] for run in shared.runs()] == ["succeeded"] * 5


def test_a_run_of_the_schedule_is_left_out_because_of_one_beside_it(shared: Shared) -> None:
    target = shared.slow()
    shared.order(quarters(target, overlap=ss.Overlap.SKIP))
    shared.start()
    shared.to(START + 10 * MINUTE)
    (key,) = shared.wait(PAST[:1])
    beside(shared, [key])
    shared.to(START + 25 * MINUTE)
    found = {run["version"]: run["status"] for run in shared.runs()}
    assert found == {key: "running", "run#2030-01-01T00:15:00Z": "skipped"}
    claim = shared.jobs.read("job").claim
    assert claim is not None
    assert claim.key == key
    assert shared.jobs.read("job").next_run == START + 30 * MINUTE
    shared.to(START + 3 * HOUR)
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
