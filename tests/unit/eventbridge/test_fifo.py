"""A message to a FIFO queue or topic has a deduplication ID of its run, so that equal messages all arrive.

Amazon SQS drops a message whose deduplication ID it has seen within five minutes; with content-based
deduplication that is any equal text. The parameters of a templated target hold no such ID:
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_SqsParameters.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.dead_letters import read_dead_letter
from stepsched.backends.eventbridge.documents import Settings
from stepsched.backends.eventbridge.targets import read_target
from stepsched.backends.eventbridge.universal import with_message
from stepsched.core.context import SCHEDULED_TIME
from stepsched.targets.messages import queue_arn, queue_url
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import SchedulerStub
from tests.unit.eventbridge.test_backend import ROLE, session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
PLACE = "eu-west-1:123456789012"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{PLACE}:orders.fifo", message_group_id="g")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{PLACE}:news.fifo")
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
OLD = {
    "Arn": QUEUE.queue_arn,
    "RoleArn": ROLE,
    "Input": "{}",
    "SqsParameters": {"MessageGroupId": "g"},
    "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
}
"""The target that earlier versions wrote."""
TARGETS = [pytest.param(QUEUE, id="queue"), pytest.param(TOPIC, id="topic")]
PAYLOADS = [
    pytest.param({}, "{}", id="nothing"),
    pytest.param({"a": ['"', "\\"]}, r'{"a":["\"","\\"]}', id="object"),
    pytest.param("plain", "plain", id="text"),
    pytest.param('"quoted"', '"quoted"', id="text that is JSON"),
    pytest.param({"at": SCHEDULED_TIME}, '{"at":"<aws.scheduler.scheduled-time>"}', id="attribute"),
    pytest.param("at " + SCHEDULED_TIME, "at <aws.scheduler.scheduled-time>", id="attribute in text"),
]


def job(target: ss.Target = QUEUE, name: str = "job", **changes: Any) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Cron("0 9 * * ? *"), target=target, **changes)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def stub(clock: FakeClock) -> Iterator[SchedulerStub]:
    with SchedulerStub(clock=clock.now) as stub:
        yield stub


@pytest.fixture
def client(stub: SchedulerStub, clock: FakeClock) -> Iterator[ss.SchedulerClient]:
    backend = EventBridgeBackend(
        ROLE, session=session(), endpoint_url=stub.endpoint_url, clock=clock, role_wait=timedelta(0)
    )
    with closing(backend):
        yield ss.SchedulerClient(backend)


def sent(stub: SchedulerStub, name: str = "job") -> tuple[str, Any]:
    target = stub.schedules["default", name]["Target"]
    return target["Arn"], json.loads(target["Input"])


@pytest.mark.parametrize(("payload", "text"), PAYLOADS)
def test_a_queue_is_sent_to_by_the_api_with_an_id_for_each_run(
    stub: SchedulerStub, client: ss.SchedulerClient, payload: Any, text: str
) -> None:
    client.create(job(input=payload))
    assert sent(stub) == (
        "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": text,
            "MessageGroupId": "g",
            "MessageDeduplicationId": "<aws.scheduler.execution-id>",
        },
    )


@pytest.mark.parametrize(("payload", "text"), PAYLOADS)
def test_a_topic_is_published_to_by_the_api_in_the_group_of_the_job(
    stub: SchedulerStub, client: ss.SchedulerClient, payload: Any, text: str
) -> None:
    client.create(job(TOPIC, input=payload))
    assert sent(stub) == (
        "arn:aws:scheduler:::aws-sdk:sns:publish",
        {
            "TopicArn": TOPIC.topic_arn,
            "Message": text,
            "MessageGroupId": "job",
            "MessageDeduplicationId": "<aws.scheduler.execution-id>",
        },
    )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("payload", [each.values[0] for each in PAYLOADS])
def test_it_reads_back_as_it_was_given_and_a_second_apply_changes_nothing(
    client: ss.SchedulerClient, target: ss.Target, payload: Any
) -> None:
    wanted = job(target, input=payload, tags={"team": "a"})
    client.create(wanted)
    record = client.get("job")
    assert (record.job, record.version, record.current) == (wanted, 1, True)
    assert client.plan([wanted]).is_empty
    client.update(wanted.replace(input="other"))
    assert client.get("job").job == wanted.replace(input="other")
    client.pause("job")
    client.resume("job")
    assert client.plan([wanted.replace(input="other")]).is_empty


@pytest.mark.parametrize(
    "request_",
    [
        {"QueueUrl": URL, "MessageBody": "{}", "MessageGroupId": "g"},
        {
            "QueueUrl": URL,
            "MessageBody": "{}",
            "MessageGroupId": "g",
            "MessageDeduplicationId": ss.context.EXECUTION_ID,
        },
    ],
)
def test_an_api_call_that_looks_the_same_stays_an_api_call(
    client: ss.SchedulerClient, request_: dict[str, Any]
) -> None:
    wanted = job(ss.ApiTarget("sqs", "sendMessage", request_))
    client.create(wanted)
    assert client.get("job").job == wanted


def test_a_request_that_was_changed_by_other_means_is_shown_as_it_is(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    client.create(job())
    target = stub.schedules["default", "job"]["Target"]
    target["Input"] = json.dumps(json.loads(target["Input"]) | {"DelaySeconds": 5})
    record = client.get("job")
    assert isinstance(record.job.target, ss.ApiTarget)
    assert record.version == 2


class TestAScheduleOfAnEarlierVersion:
    """It holds a templated target, which still delivers at most one of several equal messages."""

    def make(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        client.create(job())
        stub.schedules["default", "job"]["Target"] = OLD

    def test_is_read_as_the_same_job(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        self.make(stub, client)
        assert client.get("job").job.target == QUEUE
        assert not client.get("job").current

    def test_is_rewritten_by_apply(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        self.make(stub, client)
        wanted = job(retry=ss.Retry(max_attempts=3, max_age=timedelta(hours=1)))
        client.update(wanted)
        stub.schedules["default", "job"]["Target"] = OLD
        assert [change.name for change in client.plan([wanted]).update] == ["job"]
        client.apply([wanted])
        assert sent(stub)[1]["MessageDeduplicationId"] == "<aws.scheduler.execution-id>"
        assert "SqsParameters" not in stub.schedules["default", "job"]["Target"]
        assert client.plan([wanted]).is_empty

    def test_of_somebody_else_stays_until_its_message_changes(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        self.make(stub, client)
        stub.schedules["default", "job"]["Description"] = "theirs"
        record = client.get("job")
        assert (record.owned, record.current, record.job.target) == (False, True, QUEUE)
        client.update(record.job.replace(description="still theirs"))
        assert stub.schedules["default", "job"]["Target"] == OLD
        client.update(record.job.replace(input={"n": 1}))
        assert sent(stub)[1]["MessageBody"] == '{"n":1}'
        assert "SqsParameters" not in stub.schedules["default", "job"]["Target"]
        assert client.get("job").job.input == {"n": 1}


@pytest.mark.parametrize("target", TARGETS)
def test_single_runs_have_ids_of_their_own(
    stub: SchedulerStub, client: ss.SchedulerClient, target: ss.Target
) -> None:
    client.create(job(target, input={"at": SCHEDULED_TIME}))
    client.run_now("job")
    client.run_now("job")
    names = [name for _, name in stub.schedules if name != "job"]
    assert len(names) == 2
    for name in names:
        request = sent(stub, name)[1]
        assert request["MessageDeduplicationId"] == "<aws.scheduler.execution-id>"
        body = request.get("MessageBody") or request["Message"]
        assert json.loads(body) == {"at": "2030-01-07T00:00:00Z"}


class TestRedrive:
    def redriven(
        self, stub: SchedulerStub, client: ss.SchedulerClient, target: ss.Target, payload: str
    ) -> dict[str, Any]:
        """The target of the single run that redrives a dead letter with a payload."""
        client.create(job(target, input={"now": True}))
        letter = read_dead_letter(
            {
                "MessageId": "m",
                "ReceiptHandle": "r",
                "Body": payload,
                "MessageAttributes": {
                    "SCHEDULE_ARN": {"StringValue": f"arn:aws:scheduler:{PLACE}:schedule/default/job"},
                    "SCHEDULED_TIME": {"StringValue": "2030-01-06T09:00:00Z"},
                },
            },
            f"arn:aws:sqs:{PLACE}:dead",
        )
        assert letter is not None
        with pytest.raises(ss.BackendError):  # the stub has no queue to delete the letter from
            client.redrive(letter)
        (name,) = [name for _, name in stub.schedules if name != "job"]
        found: dict[str, Any] = stub.schedules["default", name]["Target"]
        return found

    FIFO = json.dumps(
        {"QueueUrl": URL, "MessageBody": "lost", "MessageGroupId": "g", "MessageDeduplicationId": "d32c5k"}
    )

    def test_the_message_gets_an_id_of_its_own(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        target = self.redriven(stub, client, QUEUE, self.FIFO)
        assert json.loads(target["Input"]) == {
            "QueueUrl": URL,
            "MessageBody": "lost",
            "MessageGroupId": "g",
            "MessageDeduplicationId": "<aws.scheduler.execution-id>",
        }

    def test_a_message_of_a_templated_target_is_sent_by_the_api(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        target = self.redriven(stub, client, TOPIC, "lost")
        assert json.loads(target["Input"])["Message"] == "lost"

    def test_a_message_to_what_was_a_fifo_queue_is_sent_alone(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        target = self.redriven(stub, client, ss.QueueTarget(f"arn:aws:sqs:{PLACE}:plain"), self.FIFO)
        assert target["Input"] == "lost"

    def test_the_request_of_an_api_call_stays_as_it_is(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        api = ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": URL, "MessageBody": "x", "MessageGroupId": "g"})
        payload = '{"QueueUrl":"q","MessageBody":"lost","MessageGroupId":"g"}'
        client.create(job(api))
        target = stub.schedules["default", "job"]["Target"]
        assert with_message(target, api, payload) == payload


REGIONS = [
    pytest.param("aws", "eu-west-1", "amazonaws.com", id="commercial"),
    pytest.param("aws-cn", "cn-north-1", "amazonaws.com.cn", id="China"),
    pytest.param("aws-us-gov", "us-gov-west-1", "amazonaws.com", id="GovCloud"),
    pytest.param("aws-eusc", "eusc-de-east-1", "amazonaws.eu", id="European sovereign cloud"),
]


@pytest.mark.parametrize(("partition", "region", "domain"), REGIONS)
def test_url_and_call_are_those_of_the_partition(partition: str, region: str, domain: str) -> None:
    arn = f"arn:{partition}:sqs:{region}:123456789012:orders.fifo"
    wanted = job(ss.QueueTarget(arn, message_group_id="g"))
    settings = Settings(f"arn:{partition}:iam::123456789012:role/r")
    wire = check_job(wanted, settings, region=region, partition=partition).wire
    assert wire.arn == f"arn:{partition}:scheduler:::aws-sdk:sqs:sendMessage"
    assert json.loads(wire.input)["QueueUrl"] == f"https://sqs.{region}.{domain}/123456789012/orders.fifo"
    assert queue_arn(queue_url(arn)) == arn
    read = read_target({"Arn": wire.arn, "Input": wire.input}, {"target": "fifo"}, "job")
    assert read == (wanted.target, {})


@pytest.mark.parametrize("target", [QUEUE, TOPIC])
def test_the_place_of_the_target_is_checked(target: ss.Target) -> None:
    settings = Settings("arn:aws:iam::123456789012:role/r")
    with pytest.raises(ss.UnsupportedError, match="the target is in eu-west-1 and the backend in us-east-1"):
        check_job(job(target), settings, region="us-east-1", partition="aws")
    with pytest.raises(ss.UnsupportedError, match="in partition aws and the backend in aws-cn"):
        check_job(job(target), settings, region="cn-north-1", partition="aws-cn")


def test_a_queue_in_a_partition_without_a_known_domain_is_refused() -> None:
    far = ss.QueueTarget("arn:aws-iso:sqs:us-iso-east-1:123456789012:q.fifo", message_group_id="g")
    settings = Settings("arn:aws-iso:iam::123456789012:role/r")
    with pytest.raises(ss.UnsupportedError, match="not known for partition 'aws-iso'; use an ApiTarget"):
        check_job(job(far), settings, region="us-iso-east-1", partition="aws-iso")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        pytest.param("", "an empty string", id="empty"),
        pytest.param("a\x00", r"does not allow the character '\x00'", id="control character"),
        pytest.param('"' * 131_000, "a request of sqs:sendMessage of at most 262,144 bytes", id="escaped"),
        pytest.param("<aws.scheduler.nothing>", "looks like a context attribute", id="look-alike"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused(payload: str, words: str) -> None:
    with pytest.raises(ss.UnsupportedError) as caught:
        check_job(job(input=payload), Settings(ROLE), region="eu-west-1", partition="aws")
    assert words in str(caught.value)


def test_a_message_group_that_looks_like_an_attribute_is_refused() -> None:
    target = QUEUE.replace(message_group_id="<aws.scheduler.execution-id>")
    with pytest.raises(ss.UnsupportedError, match=r"request\.MessageGroupId holds text that the service"):
        check_job(job(target), Settings(ROLE), region="eu-west-1", partition="aws")


PUNCTUATION = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
"""As the model of SendMessage lists it."""


@pytest.mark.parametrize("group", ["a", "Z9", PUNCTUATION, "g" * 128])
def test_a_message_group_of_the_documented_characters_is_accepted(group: str) -> None:
    assert ss.QueueTarget(QUEUE.queue_arn, message_group_id=group).message_group_id == group


@pytest.mark.parametrize("group", ["a b", "é", "a\n", "\u00a0", "日", "a\x7f"])
def test_a_message_group_of_other_characters_is_refused(group: str) -> None:
    with pytest.raises(ValueError, match="expected a message group of ASCII letters, digits and punct"):
        ss.QueueTarget(QUEUE.queue_arn, message_group_id=group)


def test_the_role_is_allowed_the_call_on_the_queue_and_the_topic() -> None:
    policy = ss.iam.policy_for([job(), job(TOPIC, "other")])
    found = {(each["Action"][0], each["Resource"][0]) for each in policy["Statement"]}
    assert found == {("sqs:SendMessage", QUEUE.queue_arn), ("sns:Publish", TOPIC.topic_arn)}
