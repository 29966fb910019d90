"""Rendered machines run on an emulator that really runs them, and do exactly what ``runs()`` says.

Waits are skipped, so that years of runs, and all the executions that they take, pass in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.machines.single.loop import machine_of
from tests.parts.state_machines import Run, run_machine

UTC = timezone.utc
START = datetime(2030, 1, 1, tzinfo=UTC)
Clients = Callable[[str], Any]


class Account:
    """The emulator's account of one test: its queues, and what they got."""

    def __init__(self, aws: Clients) -> None:
        self.sqs, self.states = aws("sqs"), aws("stepfunctions")
        self.number = aws("sts").get_caller_identity()["Account"]
        self.urls: dict[str, str] = {}

    def queue(self, name: str = "due") -> ss.QueueTarget:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return ss.QueueTarget(
            f"arn:aws:sqs:eu-west-1:{self.number}:{name}", message_group_id="all" if attributes else None
        )

    def messages(self, name: str = "due") -> list[str]:
        """All bodies, in the order in which they were sent."""
        found: list[tuple[int, str]] = []
        while True:
            got = self.sqs.receive_message(
                QueueUrl=self.urls[name], MaxNumberOfMessages=10, AttributeNames=["All"]
            ).get("Messages", [])
            if not got:
                return [body for _, body in sorted(found, key=lambda pair: pair[0])]
            for message in got:
                found.append((int(message["Attributes"]["SentTimestamp"]), message["Body"]))
                self.sqs.delete_message(QueueUrl=self.urls[name], ReceiptHandle=message["ReceiptHandle"])

    def play(self, job: ss.Job, after: datetime = START, *, max_events: int = 25_000) -> Run:
        machine = machine_of(job, max_events=max_events)
        assert machine.check() == []
        return run_machine(self.states, machine.to_json(), {"after": written(after)})


@pytest.fixture
def account(aws: Clients) -> Account:
    return Account(aws)


def written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def due(schedule: Any, after: datetime, until: datetime | None = None) -> list[str]:
    return [written(run) for run in schedule.runs(after=after, until=until)]


SCHEDULES = [
    pytest.param(
        ss.Windowed(
            "2030-01-31T02:30", end="2031-03-31T02:30", every=ss.Frequency(months=1), timezone="Europe/Paris"
        ),
        id="monthly from the 31st in Paris",
    ),
    pytest.param(
        ss.Cron("30 2 ? 3,11 SUN *", timezone="America/New_York", end="2032-12-31T00:00Z"),
        id="cron about the changes in New York",
    ),
    pytest.param(
        ss.Cron("15 9 LW * ? *", timezone="Australia/Lord_Howe", end="2031-01-01T00:00Z"),
        id="last weekday of the month on Lord Howe",
    ),
    pytest.param(
        ss.Rate(timedelta(hours=7), start="2030-01-01T00:00Z", end="2030-01-12T00:00Z"),
        id="every seven hours",
    ),
    pytest.param(
        ss.Windowed(
            "2030-10-27T02:59:00",
            end="2030-10-27T02:05:00+01:00",
            every=ss.Frequency(seconds=10),
            timezone="Europe/Paris",
        ),
        id="every ten seconds through a repeated hour",
    ),
    pytest.param(
        ss.Windowed(
            "2030-03-30T02:30:01",
            end="2030-04-12T00:00",
            every=ss.Frequency(days=1, seconds=7),
            timezone="Europe/Paris",
        ),
        id="every day and seven seconds",
    ),
    pytest.param(ss.OneTime("2031-05-05T05:05:05", timezone="Asia/Kolkata"), id="once"),
    pytest.param(
        ss.Windowed("2030-02-28T12:00", end="2040-01-01T00:00", every=ss.Frequency(years=1, days=1)),
        id="every year and a day",
    ),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_run_happens_once_over_many_executions(account: Account, schedule: Any) -> None:
    job = ss.Job(name="job", schedule=schedule, target=account.queue(), input=ss.context.SCHEDULED_TIME)
    run = account.play(job, max_events=300)
    assert account.messages() == due(schedule, START)
    assert [each.status for each in run.executions] == ["SUCCEEDED"] * len(run.executions)
    if not job.is_one_time:
        assert len(run.executions) >= 3, "it renewed itself twice at least"


def test_rate_without_start_begins_with_its_first_execution(account: Account) -> None:
    end = datetime(2099, 1, 1, tzinfo=UTC)
    rate = ss.Rate(timedelta(days=9000), end=end)
    job = ss.Job(name="job", schedule=rate, target=account.queue(), input=ss.context.SCHEDULED_TIME)
    machine = ss.render_asl(job)
    run = run_machine(account.states, machine.to_json())
    begun = run.executions[0].started_at.astimezone(UTC).replace(microsecond=0)
    instants = ss.Rate(timedelta(days=9000), start=begun, end=end)
    assert account.messages() == due(instants, begun - timedelta(seconds=1))
    assert len(run.executions) > 20, "each execution rests for 300 days at most"


def failing(account: Account, **policies: Any) -> ss.Job:
    """A daily job whose queue does not exist."""
    nowhere = ss.QueueTarget(f"arn:aws:sqs:eu-west-1:{account.number}:nowhere")
    return ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=START + timedelta(days=3)),
        target=nowhere,
        input={"text": "the input"},
        **policies,
    )


def test_four_more_tries_then_give_up_notify_and_stop(account: Account, aws: Clients) -> None:
    sns = aws("sns")
    topic = sns.create_topic(Name="failures")["TopicArn"]
    told = account.queue("told")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told.queue_arn)
    run = account.play(
        failing(
            account,
            retry=ss.Retry(max_attempts=4),
            dead_letter=account.queue("dead"),
            notify=ss.TopicTarget(topic),
            on_failure=ss.OnFailure.STOP,
        )
    )
    assert run.last.status == "FAILED"
    entered = [event["type"] for event in run.last.events]
    assert entered.count("TaskFailed") == 5, "the first attempt and four more"
    assert account.messages("dead") == ['{"text":"the input"}']
    (message,) = account.messages("told")
    notice = json.loads(json.loads(message)["Message"])
    assert notice["job"] == "job"
    assert notice["scheduled_for"] == "2030-01-01T06:00:00Z"
    assert notice["attempts"] == 5
    assert notice["error"] == run.last.error


def test_failure_does_not_end_the_schedule(account: Account) -> None:
    run = account.play(failing(account, retry=ss.Retry(max_attempts=0), dead_letter=account.queue("dead")))
    assert run.last.status == "SUCCEEDED"
    assert account.messages("dead") == ['{"text":"the input"}'] * 3


def test_late_retries_are_not_made(account: Account) -> None:
    job = failing(account, retry=ss.Retry(max_attempts=3), dead_letter=account.queue("dead"))
    past = job.replace(schedule=ss.OneTime("2020-02-02T02:02"))
    run = account.play(past, after=datetime(2020, 2, 2, tzinfo=UTC))
    assert run.last.status == "FAILED"
    assert sum(event["type"] == "TaskFailed" for event in run.last.events) == 1, "max_age is an hour"


def test_parallel_targets_each_get_the_input_and_are_tried_on_their_own(account: Account) -> None:
    nowhere = ss.QueueTarget(f"arn:aws:sqs:eu-west-1:{account.number}:nowhere")
    five = [account.queue(f"part-{number}") for number in range(5)]
    job = ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=START + timedelta(days=2)),
        target=ss.ParallelTarget([*five, nowhere]),
        input={"n": 1},
        retry=ss.Retry(max_attempts=2),
        dead_letter=account.queue("dead"),
    )
    run = account.play(job)
    assert run.last.status == "SUCCEEDED"
    for number in range(5):
        assert account.messages(f"part-{number}") == ['{"n":1}'] * 2
    assert account.messages("dead") == ['{"n":1}'] * 2


HOSTILE = [
    "{% $states.context %}",
    "{%",
    "%}",
    " {% 1 %} ",
    "$.secret",
    "$$.Execution.Id",
    "States.UUID()",
    "'\"`\\ \\u0027 \\n",
    "line\nbreak\ttab\r\x00\x1f\x7f",
    "${x} ${!x} <aws.scheduler.x",
    "émoji 🦉 \u2028 \ufeff 👩‍👩‍👧",
    "' & $states.context.Execution.Id & '",
    "%} {% $eval('1') %}",
    "",
]
PAYLOADS = [
    pytest.param({"texts": HOSTILE}, id="texts"),
    pytest.param({text or "empty": text for text in HOSTILE}, id="keys"),
    pytest.param({"a.$": "$.x", "b": {"c.$": ["{% 1 %}", {"d.$": None}], "e": 1.5e300}}, id="path keys"),
    pytest.param([[], [[]], {}, [{}], None, True, 0, -1, 1e-7, "x"], id="shapes"),
    pytest.param({"big": "🦉" * 30_000 + "{% %}'" * 20_000}, id="170 KB"),
    pytest.param("{% 'text' %}", id="text alone"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_input_arrives_byte_for_byte(account: Account, aws: Clients, payload: Any) -> None:
    if isinstance(payload, dict) and "big" in payload:
        payload = {"big": payload["big"][: 240_000 // 3]}
    text = (
        payload
        if isinstance(payload, str)
        else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    )
    job = ss.Job(
        name="job",
        schedule=ss.OneTime("2030-02-02T02:02"),
        target=account.queue(),
        input=payload,
        description="{% 1 %} '\"",
    )
    assert account.play(job).last.status == "SUCCEEDED"
    (body,) = account.messages()
    assert body == text


@pytest.mark.parametrize("payload", [each for each in PAYLOADS if each.id != "text alone"])
def test_input_arrives_as_the_same_json(account: Account, payload: Any) -> None:
    """At a target that takes JSON: another machine, which answers with its input."""
    states = account.states
    echo = {"StartAt": "Echo", "States": {"Echo": {"Type": "Succeed"}}}
    role = "arn:aws:iam::000000000000:role/machine"
    arn = states.create_state_machine(name="echo", definition=json.dumps(echo), roleArn=role)[
        "stateMachineArn"
    ]
    job = ss.Job(
        name="job",
        schedule=ss.OneTime("2030-02-02T02:02"),
        target=ss.StateMachineTarget(arn),
        input=payload,
    )
    assert account.play(job).last.status == "SUCCEEDED"
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    told = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(told["output"]) == payload


def test_context_attributes_are_filled(account: Account) -> None:
    job = ss.Job(
        name="job",
        schedule=ss.OneTime("2030-02-02T02:02"),
        target=account.queue(),
        input={
            "due": ss.context.SCHEDULED_TIME,
            "attempt": "no. " + ss.context.ATTEMPT_NUMBER + "!",
            "plain": "{% $due %}",
            "x.$": [ss.context.SCHEDULED_TIME],
        },
    )
    account.play(job)
    (body,) = account.messages()
    assert json.loads(body) == {
        "due": "2030-02-02T02:02:00Z",
        "attempt": "no. 1!",
        "plain": "{% $due %}",
        "x.$": ["2030-02-02T02:02:00Z"],
    }
