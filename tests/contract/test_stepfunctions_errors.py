"""Tests that invalid input raises a clear error before any write, and that no error of the SDK is raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import stepsched as ss
from stepsched import asl
from stepsched.deploy import template
from stepsched.machines.shared.runner import runner
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:runner"
HOUR = timedelta(hours=1)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


def job(stack: Stack, **changes: Any) -> ss.Job:
    return ss.Job(
        name="job", schedule=ss.Cron("0 9 * * ? *"), target=stack.inbox, input={"job": "job"}
    ).replace(**changes)


def client_of(stack: Stack, **changes: Any) -> ss.SchedulerClient:
    given = {"state_machine_arn": stack.machine_arn, "table_name": "jobs"} | changes
    backend = ss.StepFunctionsBackend(
        session=stack.session(), endpoint_url=stack.server.endpoint_url, clock=stack.clock, **given
    )
    return ss.SchedulerClient(backend)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"state_machine_arn": "runner"}, ValueError, "expected state_machine_arn .*, got 'runner'"),
        ({"state_machine_arn": f"{MACHINE}:1"}, ValueError, "without alias or version"),
        ({"state_machine_arn": None}, ValueError, "expected state_machine_arn .*None"),
        ({"table_name": ""}, ValueError, r"name of a table for table_name \(3 to 255"),
        ({"table_name": 3}, ValueError, "for table_name"),
        ({"retention": timedelta(hours=1)}, ValueError, "expected a timedelta from a day"),
        ({"retention": 30}, ValueError, "retention"),
        ({"workers": 0}, ValueError, "expected a whole number from 1 to 1000 for workers"),
        ({"session": "default"}, TypeError, "expected a boto3.Session for session"),
        ({"clock": FakeClock}, TypeError, "expected a clock such as"),
        ({"endpoint_url": "localhost"}, ValueError, "expected endpoint_url .*'localhost'"),
    ],
)
def test_arguments_are_checked_before_any_call(
    arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    given = {"state_machine_arn": MACHINE, "table_name": "jobs"} | arguments
    with pytest.raises(kind, match=words):
        ss.StepFunctionsBackend(**given)


def test_a_missing_table_is_named(stack: Stack) -> None:
    verbs: list[Callable[[ss.SchedulerClient], object]] = [
        lambda client: client.create(job(stack)),
        lambda client: client.list(),
        lambda client: client.get("job"),
        lambda client: client.runs(),
        lambda client: client.repair(),
    ]
    for verb in verbs:
        with pytest.raises(ss.BackendError, match=r"no table 'nowhere'.*deploy\.template") as caught:
            verb(client_of(stack, table_name="nowhere"))
        assert caught.value.code == "ResourceNotFoundException"


def test_a_missing_machine_is_named(stack: Stack) -> None:
    missing = stack.machine_arn.replace("runner", "nowhere")
    with pytest.raises(ss.BackendError, match=r"no state machine '.*:nowhere'.*deploy\.template"):
        client_of(stack, state_machine_arn=missing).create(job(stack))
    assert stack.dynamodb.scan(TableName="jobs")["Items"] == []


def test_another_machine_or_table_is_refused(stack: Stack) -> None:
    states = {"Done": asl.Succeed()}
    other = stack.states.create_state_machine(
        name="other", definition=asl.StateMachine(states=states).to_json(), roleArn=ROLE
    )["stateMachineArn"]
    with pytest.raises(ss.BackendError, match="is not a runner of stepsched"):
        client_of(stack, state_machine_arn=other).create(job(stack))
    elsewhere = stack.states.create_state_machine(
        name="elsewhere", definition=runner("other-jobs").to_json(), roleArn=ROLE
    )["stateMachineArn"]
    with pytest.raises(ss.BackendError, match="runs the jobs of table 'other-jobs', not of 'jobs'"):
        client_of(stack, state_machine_arn=elsewhere).create(job(stack))
    stack.dynamodb.create_table(
        TableName="users",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(ss.BackendError, match=r"table 'users' to have the keys name .*, got id \(N, HASH\)"):
        client_of(stack, table_name="users").create(job(stack))


class Denied:
    """A session with clients of which every call is denied."""

    def __init__(self, session: boto3.Session, code: str) -> None:
        self.session, self.code = session, code

    def client(self, *names: Any, **options: Any) -> Any:
        made = self.session.client(*names, **options)

        def refuse(model: Any, **_: Any) -> None:
            words = f"User: arn:aws:iam::1:user/me is not authorized to perform: {model.name}"
            raise ClientError({"Error": {"Code": self.code, "Message": words}}, model.name)

        made.meta.events.register("before-call", refuse)
        return made


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_no_permission_says_what_is_not_allowed(stack: Stack, code: str) -> None:
    denied = Denied(stack.session(), code)
    backend = ss.StepFunctionsBackend(
        state_machine_arn=stack.machine_arn, table_name="jobs", session=denied, clock=stack.clock
    )
    with pytest.raises(ss.errors.AccessDeniedError, match="not authorized to perform: DescribeTable"):
        ss.SchedulerClient(backend).create(job(stack))
    with pytest.raises(ss.errors.AccessDeniedError, match="DescribeStacks"):
        ss.SchedulerClient.from_stack("stack", session=denied)


def test_a_stretch_that_ends_before_it_begins_has_no_runs_and_asks_for_none(stack: Stack) -> None:
    """DynamoDB refuses a query with a reversed range of keys."""
    client = client_of(stack)
    client.create(job(stack))
    stack.play(MONDAY + 9 * HOUR)
    assert len(client.runs("job")) == 1
    asked = list[str]()

    def refuse(params: dict[str, Any], **_: Any) -> None:
        values = json.loads(params["body"])["ExpressionAttributeValues"]
        assert values[":low"]["S"] <= values[":high"]["S"], "DynamoDB would refuse it"
        asked.append(values[":low"]["S"])

    backend = client.backend
    assert isinstance(backend, ss.StepFunctionsBackend)
    backend._table._client.meta.events.register("before-call.dynamodb.Query", refuse)
    for name in ("job", None):
        for status in (None, "succeeded", "running", "skipped"):
            assert client.runs(name, status=status, since=MONDAY + 10 * HOUR, until=MONDAY) == []
            assert client.runs(name, status=status, since=MONDAY, until=MONDAY) == []
    assert asked


class TestFromStack:
    def test_finds_table_and_machine(
        self, ministack: Ministack, account: str, aws: Callable[[str], Any]
    ) -> None:
        stack = Stack(ministack, account, aws, FakeClock(MONDAY))
        made = template([stack.inbox])
        aws("cloudformation").create_stack(
            StackName="team-jobs", TemplateBody=json.dumps(made), Capabilities=["CAPABILITY_IAM"]
        )
        client = ss.SchedulerClient.from_stack(
            "team-jobs", session=stack.session(), endpoint_url=ministack.endpoint_url, clock=stack.clock
        )
        client.create(job(stack))
        assert client.get("job").next_run == MONDAY + 9 * HOUR
        function = ss.LambdaTarget(f"arn:aws:lambda:eu-west-1:{account}:function:f")
        with pytest.raises(ss.UnsupportedError, match="cannot call lambda:invoke"):
            client.create(job(stack, name="other", target=function))
        stack.play(MONDAY + 9 * HOUR)
        assert [name for name, _ in stack.calls()] == ["job"]
        aws("cloudformation").delete_stack(StackName="team-jobs")

    def test_a_missing_stack_is_named(self, stack: Stack) -> None:
        with pytest.raises(
            ss.BackendError, match=r"no stack 'nowhere' in eu-west-1.*deploy\.template"
        ) as info:
            self.look(stack, "nowhere")
        assert info.value.code == ss.errors.ErrorCode.NO_STACK

    def test_another_stack_says_what_it_has(self, stack: Stack, aws: Callable[[str], Any]) -> None:
        queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
        body = {"Resources": {"Queue": queue}, "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}}}
        aws("cloudformation").create_stack(StackName="queues", TemplateBody=json.dumps(body))
        words = r"'queues'.*no output StateMachineArn and no TableName; it has: QueueUrl"
        with pytest.raises(ss.BackendError, match=words):
            self.look(stack, "queues")
        aws("cloudformation").delete_stack(StackName="queues")

    def look(self, stack: Stack, name: str) -> None:
        ss.SchedulerClient.from_stack(name, session=stack.session(), endpoint_url=stack.server.endpoint_url)

    @pytest.mark.parametrize(
        ("option", "error", "words"),
        [
            ({"retention": 30}, ValueError, "expected a timedelta from a day to ten years for retention"),
            ({"clock": 3}, TypeError, "expected a clock such as"),
            ({"workers": 0}, ValueError, "workers"),
            ({"endpoint_url": 3}, ValueError, "endpoint_url"),
            ({"keep": 3}, TypeError, "unexpected keyword argument 'keep'"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_options_are_checked_before_anything_is_asked(
        self, stack: Stack, option: dict[str, Any], error: type[Exception], words: str
    ) -> None:
        denied = Denied(stack.session(), "AccessDeniedException")
        with pytest.raises(error, match=words):
            ss.SchedulerClient.from_stack("stack", **{"session": denied, **option})

    @pytest.mark.parametrize("name", ["", None, 3])
    def test_a_name_is_text(self, name: Any) -> None:
        with pytest.raises(ValueError, match="expected a string for name"):
            ss.SchedulerClient.from_stack(name)


def test_an_input_that_does_not_fit_is_refused_and_the_largest_that_does_arrives(stack: Stack) -> None:
    client = client_of(stack)
    slow = stack.slow(HOUR)
    at = ss.OneTime(MONDAY + HOUR)
    with pytest.raises(ss.UnsupportedError, match=r"255,000 bytes.*S3"):
        client.create(job(stack, schedule=at, target=slow, input={"job": "x" * 260_000}))
    assert client.list() == []
    client.create(job(stack, schedule=at, target=slow, input={"job": "x" * 190_000}))
    stack.play(MONDAY + 3 * HOUR)
    assert [run.status.value for run in client.runs("job")] == ["succeeded"]
    assert [len(name) for name, _ in stack.calls()] == [190_000]


def test_a_target_in_another_region_is_refused(stack: Stack) -> None:
    far = ss.LambdaTarget("arn:aws:lambda:us-east-1:123456789012:function:f")
    with pytest.raises(ss.UnsupportedError, match=r"cannot invoke a target in us-east-1"):
        client_of(stack).create(job(stack, target=far))


def test_a_row_that_cannot_be_read_is_named(stack: Stack) -> None:
    client = client_of(stack)
    client.create(job(stack))
    key = {"name": {"S": "job"}, "version": {"S": "v0"}}
    stack.dynamodb.update_item(
        TableName="jobs",
        Key=key,
        UpdateExpression="SET job = :job",
        ExpressionAttributeValues={":job": {"S": '{"name": "job"}'}},
    )
    client.create(job(stack, name="other"))
    with pytest.raises(ss.BackendError, match="row 'job' of the table cannot be read as a job"):
        client.get("job")
    with pytest.warns(ss.ScheduleWarning, match="left out: row 'job' of the table cannot be read"):
        assert [record.name for record in client.list()] == ["other"]
    with pytest.warns(ss.ScheduleWarning, match="row 'job'"):
        assert client.repair() == []


@pytest.mark.parametrize("group", [None, "default"])
def test_a_job_that_cannot_be_read_says_why_and_can_be_cancelled(stack: Stack, group: str | None) -> None:
    client = client_of(stack)
    client.create_many([job(stack), job(stack, name="other", input={"job": "other"})])
    client.update(job(stack, description="new"))
    document = json.loads(job(stack).model_dump_json(exclude_unset=True)) | {"priority": 3}
    stack.dynamodb.update_item(
        TableName="jobs",
        Key={"name": {"S": "job"}, "version": {"S": "v0"}},
        UpdateExpression="SET job = :job",
        ExpressionAttributeValues={":job": {"S": json.dumps(document)}},
    )
    with pytest.raises(ss.BackendError, match="Job has no field priority") as caught:
        client.get("job")
    assert "a later version of stepsched has probably written it; upgrade stepsched" in str(caught.value)
    assert "cancel" not in str(caught.value)
    with pytest.raises(ss.JobNotFoundError):
        client.cancel("job", group="elsewhere")
    with pytest.raises(ss.BackendError, match="'job' was cancelled and removed, although it cannot be read"):
        client.cancel("job", group=group)
    with pytest.raises(ss.JobNotFoundError):
        client.get("job")
    items = stack.dynamodb.scan(TableName="jobs")["Items"]
    assert {item["name"]["S"] for item in items} == {"other"}
    stack.play(MONDAY + 24 * HOUR)
    assert [name for name, _ in stack.calls()] == ["other"]
    assert client.repair() == []


def test_an_earlier_version_that_cannot_be_read_is_named(stack: Stack) -> None:
    client = client_of(stack)
    client.create(job(stack))
    client.update(job(stack, input={}))
    stack.dynamodb.update_item(
        TableName="jobs",
        Key={"name": {"S": "job"}, "version": {"S": "v1"}},
        UpdateExpression="SET job = :job",
        ExpressionAttributeValues={":job": {"S": "{"}},
    )
    with pytest.raises(
        ss.BackendError, match="version 1 of job 'job' cannot be read: Invalid JSON"
    ) as caught:
        client.versions("job")
    assert "restore it from a backup" in str(caught.value)
    assert client.get("job").version == 2


def test_what_the_service_refuses_comes_as_ours(stack: Stack) -> None:
    client = client_of(stack)
    client.create(job(stack))
    stack.states.delete_state_machine(stateMachineArn=stack.machine_arn)
    with pytest.raises(ss.BackendError) as caught:
        client.create(job(stack, name="other"))
    assert not isinstance(caught.value, ClientError)
    assert caught.value.service == "states"


def test_policies_that_would_hear_of_nothing_are_told(stack: Stack) -> None:
    client = client_of(stack)
    slow = stack.slow(HOUR)
    topic = ss.TopicTarget(f"arn:aws:sns:eu-west-1:{stack.account}:topic")
    with pytest.warns(ss.ScheduleWarning, match="job 'job' may overlap, .* notify and on_failure"):
        client.create(job(stack, target=slow, notify=topic, on_failure=ss.OnFailure.STOP))
    client.create(job(stack, name="waits", target=slow, notify=topic, overlap=ss.Overlap.SKIP))
    client.create(job(stack, name="sends", notify=topic))


def test_a_machine_of_an_earlier_version_gets_no_pauses_one_by_one(stack: Stack) -> None:
    older = runner("jobs").to_dict()
    older["States"]["Pause"]["Seconds"] = "{% $job.retry.first %}"
    stack.states.update_state_machine(stateMachineArn=stack.machine_arn, definition=json.dumps(older))
    client = client_of(stack)
    client.create(job(stack, retry=ss.Retry(interval=HOUR / 60)))
    with pytest.raises(ss.UnsupportedError, match="retry: the machine of this stack does not know pauses"):
        client.update(job(stack, retry=ss.Retry.webhook()))
    stack.states.update_state_machine(stateMachineArn=stack.machine_arn, definition=runner("jobs").to_json())
    assert client.update(job(stack, retry=ss.Retry.webhook())).version == 2


def test_a_client_learns_what_the_machine_has_learnt(stack: Stack) -> None:
    few = runner("jobs").to_dict()
    few["States"]["Route"]["Choices"] = [
        rule for rule in few["States"]["Route"]["Choices"] if rule["Next"] != "sqs:sendMessage"
    ]
    del few["States"]["sqs:sendMessage"]
    stack.states.update_state_machine(stateMachineArn=stack.machine_arn, definition=json.dumps(few))
    client = client_of(stack)
    with pytest.raises(ss.UnsupportedError, match="cannot call sqs:sendMessage"):
        client.create(job(stack))
    stack.states.update_state_machine(stateMachineArn=stack.machine_arn, definition=runner("jobs").to_json())
    assert client.create(job(stack)).version == 1
