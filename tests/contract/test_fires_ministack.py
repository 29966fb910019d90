"""Jobs on EventBridge Scheduler really reach their targets on the emulator, their payload to the letter."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.payloads import to_json
from stepsched.testing import FakeClock
from tests.contract.test_eventbridge_ministack import ROLE, Inbox, Player, make_session
from tests.parts.ministack import PATIENCE, REGION, Ministack

MONDAY = datetime.fromisoformat("2030-01-07T00:00:00+00:00")
HOUR = timedelta(hours=1)
NINE = MONDAY + 9 * HOUR
HARD = 'he said "no" and {"n": 1} {{}} <b> \\ \\n \t 🎉 é ’\r\nsecond line\n'
LARGE = "🎉ab" * (200 * 1024 // 6)
PAYLOADS: list[Any] = [
    pytest.param({"text": HARD, "n": [1, -2.5, None, True, 10**15]}, id="object"),
    pytest.param({"large": LARGE}, id="200 KB"),
    pytest.param([], id="list"),
    pytest.param("plain", id="text"),
    pytest.param({}, id="nothing"),
]
HANDLER = """
import json
import os

import botocore.session


def handler(event, context):
    sqs = botocore.session.get_session().create_client(
        "sqs",
        region_name=os.environ["REGION"],
        endpoint_url=os.environ["ENDPOINT"],
        aws_access_key_id=os.environ["ACCOUNT"],
        aws_secret_access_key="test",
    )
    sqs.send_message(QueueUrl=os.environ["INBOX"], MessageBody=json.dumps(event))
"""

Aws = Callable[[str], Any]


class Stage:
    """An account with a client, an inbox, a queue for dead letters, and clocks that move together."""

    def __init__(self, server: Ministack, account: str, aws: Aws) -> None:
        server.set_time(MONDAY)
        self.account, self.aws, self.endpoint = account, aws, server.endpoint_url
        self.inbox = Inbox(aws("sqs"), "inbox")
        self.dead = Inbox(aws("sqs"), "dead")
        clock = FakeClock(MONDAY)
        self.backend = ss.EventBridgeBackend(
            ROLE,
            endpoint_url=server.endpoint_url,
            session=make_session(account),
            clock=clock,
            dead_letter_arn=self.dead.arn,
            workers=2,
        )
        self.client = ss.SchedulerClient(self.backend)
        self._player = Player(server, clock, self.client, aws("scheduler"))

    def play(self, until: datetime) -> None:
        self._player.play(until, lambda _: None)

    def job(self, target: ss.Target | None = None, **changes: Any) -> ss.Job:
        job = ss.Job(
            name="job", schedule=ss.Cron("0 9 * * ? *"), target=target or ss.QueueTarget(self.inbox.arn)
        )
        return job.replace(**changes)

    def fire(self, job: ss.Job) -> None:
        self.client.create(job)
        self.play(NINE)


@pytest.fixture
def stage(ministack: Ministack, account: str, aws: Aws) -> Iterator[Stage]:
    stage = Stage(ministack, account, aws)
    yield stage
    stage.backend.close()


@pytest.fixture
def topic(stage: Stage) -> str:
    """A topic that sends what it gets to the inbox, as it stands."""
    sns = stage.aws("sns")
    arn: str = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=stage.inbox.arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    return arn


@pytest.fixture
def function(stage: Stage) -> str:
    """A function that sends what it is called with to the inbox, as JSON."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", "")
        archive.writestr("note.py", HANDLER)
    answer = stage.aws("lambda").create_function(
        FunctionName="note",
        Runtime="python3.12",
        Role=ROLE,
        Handler="note.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=PATIENCE,
        Environment={
            "Variables": {
                "REGION": REGION,
                "ENDPOINT": stage.endpoint,
                "ACCOUNT": stage.account,
                "INBOX": stage.inbox.url,
            }
        },
    )
    return str(answer["FunctionArn"])


@pytest.fixture
def machine(stage: Stage) -> str:
    definition = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
    answer = stage.aws("stepfunctions").create_state_machine(
        name="machine", definition=json.dumps(definition), roleArn=ROLE
    )
    return str(answer["stateMachineArn"])


@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", [*PAYLOADS, pytest.param(HARD, id="hard text")])
def test_a_queue_gets_the_payload_to_the_letter(stage: Stage, payload: Any) -> None:
    stage.fire(stage.job(input=payload))
    wanted = payload if isinstance(payload, str) else to_json(payload)
    assert stage.inbox.read() == [wanted]
    assert stage.client.get("job").job.input == payload


@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", [*PAYLOADS, pytest.param(HARD, id="hard text")])
def test_a_topic_gets_the_payload_to_the_letter(stage: Stage, topic: str, payload: Any) -> None:
    stage.fire(stage.job(ss.TopicTarget(topic), input=payload))
    wanted = payload if isinstance(payload, str) else to_json(payload)
    assert stage.inbox.read(wait=PATIENCE) == [wanted]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_function_is_called_with_the_payload(stage: Stage, function: str, payload: Any) -> None:
    stage.fire(stage.job(ss.LambdaTarget(function), input=payload))
    assert [json.loads(body) for body in stage.inbox.read(wait=PATIENCE)] == [payload]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_machine_is_started_with_the_payload_to_the_letter(
    stage: Stage, machine: str, payload: Any
) -> None:
    stage.fire(stage.job(ss.StateMachineTarget(machine), input=payload))
    machines = stage.aws("stepfunctions")
    (execution,) = machines.list_executions(stateMachineArn=machine)["executions"]
    found = machines.describe_execution(executionArn=execution["executionArn"])
    assert found["input"] == to_json(payload)


def test_a_paused_job_reaches_nobody_until_it_is_resumed(stage: Stage) -> None:
    stage.client.create(stage.job())
    stage.client.pause("job")
    stage.play(NINE)
    assert stage.inbox.read() == []
    stage.client.resume("job")
    stage.play(NINE + 24 * HOUR)
    assert "{}" in stage.inbox.read()


def test_a_one_time_job_is_gone_after_it_fired(stage: Stage) -> None:
    stage.client.create(stage.job(schedule=ss.OneTime(NINE)))
    stage.play(NINE - HOUR)
    assert stage.inbox.read() == []
    stage.play(NINE)
    assert stage.inbox.read() == ["{}"]
    assert stage.aws("scheduler").list_schedules()["Schedules"] == []
    stage.client.create(stage.job(schedule=ss.OneTime(NINE + HOUR)))
    stage.play(NINE + HOUR)
    assert stage.inbox.read() == ["{}"]


def test_run_now_fires_once_and_leaves_nothing_behind(stage: Stage) -> None:
    stage.client.create(stage.job(input=HARD))
    stage.client.run_now("job")
    stage.play(MONDAY + HOUR)
    assert stage.inbox.read() == [HARD]
    assert [each["Name"] for each in stage.aws("scheduler").list_schedules()["Schedules"]] == ["job"]


def test_run_now_fills_in_what_the_service_would(stage: Stage) -> None:
    stage.client.create(stage.job(input={"at": ss.context.SCHEDULED_TIME, "of": ss.context.SCHEDULE_ARN}))
    stage.client.run_now("job")
    stage.play(MONDAY + HOUR)
    (body,) = stage.inbox.read()
    arn = f"arn:aws:scheduler:{REGION}:{stage.account}:schedule/default/job"
    assert json.loads(body) == {"at": "2030-01-07T00:00:00Z", "of": arn}


class TestDeadLetters:
    """Messages of the documented shape, put into the queue by hand: the emulator sends none."""

    def bury(self, stage: Stage, payload: str, **changes: str) -> None:
        values = {
            "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
            "ERROR_MESSAGE": "The specified queue does not exist.",
            "EXECUTION_ID": "ad06616e51cd3",
            "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": "3",
            "SCHEDULED_TIME": "2030-01-06T09:00:00Z",
            "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:{stage.account}:schedule/default/job",
            "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        }
        stage.aws("sqs").send_message(
            QueueUrl=stage.dead.url,
            MessageBody=payload,
            MessageAttributes={
                key: {"DataType": "String", "StringValue": value} for key, value in (values | changes).items()
            },
        )

    def test_are_decoded_and_redriven(self, stage: Stage) -> None:
        stage.client.create(stage.job(input={"n": 1}))
        stage.client.pause("job")
        self.bury(stage, HARD)
        stage.aws("sqs").send_message(QueueUrl=stage.dead.url, MessageBody="somebody else's")
        assert stage.client.dead_letters("other") == []
        (letter,) = stage.client.dead_letters()
        assert isinstance(letter, ss.eventbridge.DeadLetter)
        assert (letter.job, letter.group, letter.payload) == ("job", "default", HARD)
        assert (letter.status, letter.trigger) == (ss.RunStatus.FAILED, ss.jobs.Trigger.SCHEDULE)
        assert (letter.scheduled_for, letter.attempt) == (NINE - 24 * HOUR, 4)
        assert letter.exhausted == "MaximumRetryAttempts"
        assert (letter.error_code, letter.truncated) == ("AWS.SimpleQueueService.NonExistentQueue", False)
        assert letter.error == f"{letter.error_code}: The specified queue does not exist."

        again = stage.client.redrive(letter)
        assert (again.id, again.status, again.scheduled_for) == (
            letter.id,
            ss.RunStatus.PENDING,
            letter.scheduled_for,
        )
        assert stage.dead.read() == ["somebody else's"]
        stage.play(MONDAY + HOUR)
        assert stage.inbox.read() == [HARD]
        assert stage.client.get("job").status is ss.JobStatus.PAUSED
        assert stage.client.get("job").job.input == {"n": 1}

    def test_are_redriven_to_the_present_target(self, stage: Stage, topic: str) -> None:
        stage.client.create(stage.job(ss.QueueTarget(f"arn:aws:sqs:{REGION}:{stage.account}:gone")))
        self.bury(stage, "{}")
        stage.client.update(stage.job(ss.TopicTarget(topic)))
        stage.client.redrive(stage.client.dead_letters()[0])
        stage.client.cancel("job")
        stage.play(MONDAY + HOUR)
        assert stage.inbox.read(wait=PATIENCE) == ["{}"]

    def test_of_single_runs_belong_to_their_job(self, stage: Stage) -> None:
        stage.client.create(stage.job())
        stage.client.run_now("job")
        (name,) = (
            each["Name"]
            for each in stage.aws("scheduler").list_schedules()["Schedules"]
            if each["Name"] != "job"
        )
        arn = f"arn:aws:scheduler:{REGION}:{stage.account}:schedule/default/{name}"
        self.bury(stage, "{}", SCHEDULE_ARN=arn)
        (letter,) = stage.client.dead_letters()
        assert (letter.job, letter.trigger) == ("job", ss.jobs.Trigger.MANUAL)

    def test_stay_where_they_are_when_they_cannot_be_redriven(self, stage: Stage) -> None:
        self.bury(stage, "{}")
        (letter,) = stage.client.dead_letters()
        with pytest.raises(ss.InvalidTransitionError, match="deleted"):
            stage.client.redrive(letter)
        stage.client.create(stage.job())
        with pytest.raises(ss.InvalidTransitionError, match="cut"):
            stage.client.redrive(letter.replace(truncated=True))
        assert stage.dead.read() == ["{}"]


class TestFifo:
    """Equal messages of two runs both arrive, although the queue drops what it has seen."""

    TWICE = NINE + 24 * HOUR

    def queue(self, stage: Stage, name: str, **attributes: str) -> Inbox:
        inbox = Inbox(stage.aws("sqs"), name, FifoQueue="true", **attributes)
        assert inbox.arn.endswith(".fifo")
        return inbox

    @pytest.mark.parametrize(
        "attributes",
        [
            pytest.param({}, id="plain"),
            pytest.param({"ContentBasedDeduplication": "true"}, id="by content"),
        ],
    )
    def test_a_queue_gets_equal_messages_of_two_runs(self, stage: Stage, attributes: dict[str, str]) -> None:
        inbox = self.queue(stage, "orders.fifo", **attributes)
        stage.client.create(stage.job(ss.QueueTarget(inbox.arn, message_group_id="g"), input="equal"))
        stage.play(self.TWICE)
        assert inbox.read() == ["equal", "equal"]

    def test_a_topic_publishes_equal_messages_of_two_runs(self, stage: Stage) -> None:
        inbox, sns = self.queue(stage, "news.fifo"), stage.aws("sns")
        arn = sns.create_topic(Name="news.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=inbox.arn, Attributes={"RawMessageDelivery": "true"}
        )
        stage.client.create(stage.job(ss.TopicTarget(arn), input={"n": 1}))
        stage.play(self.TWICE)
        assert inbox.read(wait=PATIENCE) == ['{"n":1}', '{"n":1}']

    def test_single_runs_arrive_beside_them(self, stage: Stage) -> None:
        inbox = self.queue(stage, "orders.fifo")
        target = ss.QueueTarget(inbox.arn, message_group_id="g")
        stage.client.create(stage.job(target, input={"of": ss.context.SCHEDULE_ARN}))
        stage.client.run_now("job")
        stage.client.run_now("job")
        stage.play(NINE)
        assert len(inbox.read()) == 3
