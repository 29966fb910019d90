"""Stacks that are planned, applied, changed and destroyed on an emulator, while jobs wait in them.

The emulator (1.5.33) does every step at once. What takes several looks, out-of-date change sets and failed
rollbacks: tests/unit/test_stacks.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

import stepsched as ss
from stepsched.deploy import Part, apply, destroy, plan, template
from stepsched.errors import BackendError, ErrorCode
from stepsched.iam.deployers import _KINDS, STACK_ACTIONS
from stepsched.machines.shared import table_schema
from stepsched.testing import FakeClock
from tests.contract.test_stepfunctions_solutions import put_theirs
from tests.parts.ministack import REGION, Ministack
from tests.parts.state_machines import ROLE
from tests.sessions import new_session

START = datetime(2030, 1, 7, 6, tzinfo=timezone.utc)


class Place:
    """An account, its clients, and the calls of the session."""

    def __init__(self, server: Ministack, number: str, aws: Callable[[str], Any]) -> None:
        self.server, self.number, self.aws = server, number, aws
        self.session: boto3.Session = new_session(
            aws_access_key_id=number, aws_secret_access_key="test", region_name=REGION
        )
        self.calls = list[tuple[str, str, Any]]()
        self.session.events.register("before-call", self._record)
        self.on: dict[str, Any] = {"session": self.session, "endpoint_url": server.endpoint_url}
        aws("sqs").create_queue(QueueName="orders")
        self.queue = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{number}:orders")
        self.topic = ss.TopicTarget(f"arn:aws:sns:{REGION}:{number}:news")
        self.clock = FakeClock(START)

    def _record(self, model: Any, params: Any, **_: object) -> None:
        self.calls.append((model.service_model.service_name, model.name, params.get("body")))

    def status(self, name: str = "jobs") -> str:
        (found,) = self.aws("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return str(found["StackStatus"])

    def client(self, name: str = "jobs") -> ss.SchedulerClient:
        return ss.SchedulerClient.from_stack(name, clock=self.clock, **self.on)

    def running(self) -> list[str]:
        states = self.aws("stepfunctions")
        found = list[str]()
        for machine in states.list_state_machines()["stateMachines"]:
            asked = {"stateMachineArn": machine["stateMachineArn"], "statusFilter": "RUNNING"}
            found += [each["name"] for each in states.list_executions(**asked)["executions"]]
        return found

    def messages(self) -> int:
        url = self.aws("sqs").get_queue_url(QueueName="orders")["QueueUrl"]
        found = self.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture
def place(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Iterator[Place]:
    ministack.hold_waits(START)
    yield Place(ministack, account, aws)
    ministack.release_waits()


def job(place: Place, name: str = "nightly", **more: Any) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Cron("0 9 * * ? *"), target=place.queue, input="go", **more)


def test_a_stack_is_created_used_and_changed_in_place_while_a_job_waits(place: Place) -> None:
    made = plan("jobs", template([place.queue]), **place.on)
    assert place.status() == "REVIEW_IN_PROGRESS"
    assert place.aws("dynamodb").list_tables()["TableNames"] == []
    lines = list[str]()
    done = apply(made, progress=lines.append, **place.on)
    assert lines[0] == "stack jobs is being created"
    assert {"Table is created", "Runner is created", "stack jobs is created"} <= set(lines)
    with place.client(done.name) as client:
        client.create(job(place))
        assert not apply(made, **place.on).is_changed
        assert plan("jobs", template([place.queue]), **place.on).is_empty
        assert place.aws("cloudformation").list_change_sets(StackName="jobs")["Summaries"] == [
            each
            for each in place.aws("cloudformation").list_change_sets(StackName="jobs")["Summaries"]
            if each["ChangeSetId"] == made.change_set_id
        ]
        changed = plan("jobs", template([place.queue, place.topic]), **place.on)
        assert {each.name: each.action for each in changed.changes} == {
            "Runner": "change",
            "RunnerRole": "change",
        }
        assert changed.warnings() == ()
        after = apply(changed, **place.on)
        assert after.is_changed
        assert after.outputs == done.outputs
        place.server.settled(place.number)
        place.server.move_time(START + timedelta(hours=3))
        place.clock.move_to(START + timedelta(hours=3))
        place.server.settled(place.number)
        assert place.messages() == 1
        (run,) = client.runs("nightly")
        assert run.status is ss.RunStatus.SUCCEEDED
    destroy("jobs", force=True, **place.on)


def test_a_stale_plan_is_refused(place: Place) -> None:
    apply(plan("jobs", template([place.queue]), **place.on), **place.on)
    larger = template([place.queue, place.topic])
    made = plan("jobs", larger, **place.on)
    place.aws("cloudformation").update_stack(
        StackName="jobs", TemplateBody=json.dumps(template([place.topic])), Capabilities=["CAPABILITY_IAM"]
    )
    for _ in range(2):
        with pytest.raises(BackendError) as info:
            apply(made, **place.on)
        assert info.value.code == ErrorCode.STALE_PLAN
    destroy("jobs", keep_table=False, **place.on)


def test_a_resource_that_fails_is_named_and_the_stack_can_be_made_again(place: Place) -> None:
    good = template([place.queue])
    dead = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1}}
    bad = {**good, "Resources": {**good["Resources"], "Dead": dead}}
    with pytest.raises(BackendError, match=r"could not be created: Dead \(AWS::SQS::Queue\): .*1") as info:
        apply(plan("jobs", bad, **place.on), **place.on)
    assert info.value.code == ErrorCode.STACK_FAILED
    assert "The stack is ROLLBACK_COMPLETE" in info.value.detail
    assert place.aws("dynamodb").list_tables()["TableNames"] == []
    with pytest.raises(BackendError, match="destroy it with"):
        plan("jobs", good, **place.on)
    destroy("jobs", **place.on)
    done = apply(plan("jobs", good, **place.on), **place.on)
    with pytest.raises(BackendError, match=r"could not be changed: Dead .*it is as it was before"):
        apply(plan("jobs", bad, **place.on), **place.on)
    assert place.status() == "UPDATE_ROLLBACK_COMPLETE"
    larger = template([place.queue, place.topic])
    assert apply(plan("jobs", larger, **place.on), **place.on).outputs == done.outputs
    destroy("jobs", keep_table=False, **place.on)


def test_a_stack_in_which_jobs_wait_is_destroyed_only_by_force_and_then_nothing_fires(place: Place) -> None:
    done = apply(plan("jobs", template([place.queue]), **place.on), **place.on)
    with place.client() as client:
        client.create_many([job(place, f"job-{number:02}") for number in range(22)])
        client.create(job(place, "resting", enabled=False))
        place.server.settled(place.number)
        assert len(place.running()) == 22
        with pytest.raises(BackendError, match="waiting jobs"):
            destroy("jobs", **place.on)
        with pytest.raises(BackendError) as info:
            destroy("jobs", **place.on)
        assert info.value.code == ErrorCode.JOBS_WAITING
        assert "holds 23 waiting jobs: " in info.value.detail
        assert "job-00 (active, next run 2030-01-07T09:00:00+00:00)" in info.value.detail
        assert info.value.detail.count("next run") == 20
        assert " and 3 more" in info.value.detail
        assert place.status() == "CREATE_COMPLETE"
        assert {each.status for each in client.list()} == {ss.JobStatus.ACTIVE, ss.JobStatus.PAUSED}
    gone = destroy("jobs", force=True, **place.on)
    assert gone.paused_jobs == tuple(f"job-{number:02}" for number in range(22))
    assert place.running() == []
    place.server.move_time(START + timedelta(days=2))
    place.clock.move_to(START + timedelta(days=2))
    place.server.settled(place.number)
    assert place.messages() == 0
    with pytest.raises(BackendError, match="there is no stack 'jobs'") as info:
        destroy("jobs", **place.on)
    assert info.value.code == ErrorCode.NO_STACK
    # The kept table serves another stack, in which jobs stay paused until somebody resumes them.
    again = template([place.queue], table_name=done.outputs["TableName"])
    apply(plan("again", again, **place.on), **place.on)
    with place.client("again") as client:
        assert {each.status for each in client.list()} == {ss.JobStatus.PAUSED}
        assert client.get("job-00").pause_reason == "the stack is being destroyed"
        client.resume("job-00")
        place.server.settled(place.number)
        assert len(place.running()) == 1
    with pytest.raises(BackendError, match="was not created by stack 'again'"):
        destroy("again", keep_table=False, force=True, **place.on)
    destroy("again", force=True, **place.on)
    rows = place.aws("dynamodb").scan(TableName=done.outputs["TableName"])["Items"]
    assert sum(row["version"] == {"S": "v0"} for row in rows) == 23


def test_a_job_that_cannot_be_paused_keeps_its_stack(place: Place) -> None:
    apply(plan("jobs", template([place.queue]), **place.on), **place.on)
    with place.client() as client:
        client.create_many([job(place, "one"), job(place, "two")])
    place.server.settled(place.number)

    def refuse(**_: object) -> tuple[AWSResponse, Any]:
        error = {"Code": "AccessDeniedException", "Message": "not authorized"}
        answer = AWSResponse("https://refused", 400, HTTPHeaders(), None)
        return answer, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}

    events: Any = place.session.events
    writes = [f"before-call.dynamodb.{each}" for each in ("UpdateItem", "TransactWriteItems")]
    for each in writes:
        events.register_first(each, refuse)
    with pytest.raises(ss.errors.AccessDeniedError):
        destroy("jobs", force=True, **place.on)
    for each in writes:
        events.unregister(each, refuse)
    assert place.status() == "CREATE_COMPLETE"
    done = destroy("jobs", force=True, keep_table=False, **place.on)
    told = [line.split(maxsplit=2) for line in str(done).splitlines()]
    assert [["job", name, "paused before"] in told for name in ("one", "two")] == [True, True]


def test_tasks_of_the_aws_solutions_scheduler_do_not_wait_in_the_stack(place: Place) -> None:
    """They run on a machine of another stack, and the table has no index."""
    keys = [{"AttributeName": "name", "KeyType": "HASH"}, {"AttributeName": "version", "KeyType": "RANGE"}]
    kinds = [{"AttributeName": name, "AttributeType": "S"} for name in ("name", "version")]
    place.aws("dynamodb").create_table(
        TableName="theirs", KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST"
    )
    machine = ss.StateMachineTarget(SLOW.format(place.number))
    put_theirs(place.aws("dynamodb"), "theirs", machine)
    made = template([machine, place.queue], table_name="theirs")
    apply(plan("jobs", made, **place.on), **place.on)
    with place.client() as client:
        client.create(job(place, "ours"))
    with pytest.raises(BackendError, match="holds 1 waiting job: ours"):
        destroy("jobs", **place.on)
    assert destroy("jobs", force=True, **place.on).paused_jobs == ("ours",)


def test_a_paused_job_without_runs_left_does_not_wait(place: Place) -> None:
    apply(plan("jobs", template([place.queue]), **place.on), **place.on)
    past = ss.Cron("0 9 * * ? *", end=datetime(2020, 1, 1, tzinfo=timezone.utc))
    with place.client() as client:
        client.create(job(place))
        client.pause("nightly")
    row = {"name": {"S": "nightly"}, "version": {"S": "v0"}}
    table = place.aws("dynamodb").list_tables()["TableNames"][0]
    found = place.aws("dynamodb").get_item(TableName=table, Key=row)["Item"]
    stored = json.loads(found["job"]["S"])
    stored["schedule"] |= json.loads(job(place).replace(schedule=past).model_dump_json())["schedule"]
    place.aws("dynamodb").put_item(TableName=table, Item={**found, "job": {"S": json.dumps(stored)}})
    destroy("jobs", keep_table=False, **place.on)


def test_a_job_without_runs_left_does_not_keep_its_stack(place: Place) -> None:
    apply(plan("jobs", template([place.queue]), **place.on), **place.on)
    with place.client() as client:
        client.create(
            ss.Job(name="once", schedule=ss.OneTime(at=START + timedelta(hours=1)), target=place.queue)
        )
        place.server.settled(place.number)
        place.server.move_time(START + timedelta(hours=1))
        place.clock.move_to(START + timedelta(hours=1))
        place.server.settled(place.number)
        assert client.list(status="active") == []
    destroy("jobs", keep_table=False, **place.on)
    assert place.messages() == 1


def test_a_long_template_travels_through_s3(place: Place) -> None:
    long = {**template([place.queue]), "Metadata": {"padding": "x" * 60_000}}
    made = plan("jobs", long, **place.on)
    bucket = f"stepsched-{place.number}-{REGION}"
    s3 = place.aws("s3")
    (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert made.template_url == f"{place.server.endpoint_url}/{bucket}/{found['Key']}"
    assert json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()) == long
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert apply(made, **place.on).is_changed
    assert plan("jobs", long, **place.on).is_empty
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == 1
    destroy("jobs", keep_table=False, **place.on)


@pytest.mark.proof
def test_the_time_zones_that_register_reads_are_written_with_the_stack(place: Place) -> None:
    made = plan("jobs", template([place.queue], parts=[Part.REGISTER]), **place.on)
    lines = list[str]()
    done = apply(made, progress=lines.append, **place.on)
    key = {"name": {"S": "zone#Europe/Paris"}, "version": {"S": "zone"}}
    tables = place.aws("dynamodb")
    assert tables.get_item(TableName=done.outputs["TableName"], Key=key)["Item"]
    assert "dynamodb:PutItem" in actions_of(place.calls)
    assert lines[-1].endswith(f"time zones are written to table {done.outputs['TableName']}")
    tables.delete_item(TableName=done.outputs["TableName"], Key=key)
    again = list[str]()
    assert not apply(made, progress=again.append, **place.on).is_changed
    assert again == [f"1 time zone is written to table {done.outputs['TableName']}"]
    given: dict[str, Any] = {
        "name": "from-aws",
        "schedule": "cron(0 9 ? * MON-FRI *)",
        "timezone": "Europe/Paris",
    }
    given["registration"] = ss.deploy.registration(job(place, "sample"))
    given["input"] = "go"
    states = place.aws("stepfunctions")
    states.start_execution(stateMachineArn=done.outputs["RegisterArn"], input=json.dumps(given))
    place.server.settled(place.number)
    with place.client() as client:
        assert client.get("from-aws").status is ss.JobStatus.ACTIVE
    with pytest.raises(BackendError, match="1 waiting job: from-aws"):
        destroy("jobs", **place.on)
    destroy("jobs", keep_table=False, force=True, **place.on)


IAM_NAMES = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
}
"""The actions of operations whose names differ. https://docs.aws.amazon.com/AmazonS3/latest/API/"""


def actions_of(calls: list[tuple[str, str, Any]]) -> set[str]:
    """The IAM actions of calls. Transactions need those of the items that they write."""
    found = set[str]()
    for service, operation, body in calls:
        if operation == "TransactWriteItems":
            members = {key for item in json.loads(body)["TransactItems"] for key in item}
            found |= {f"dynamodb:{'UpdateItem' if key == 'Update' else f'{key}Item'}" for key in members}
            continue
        name = f"{'states' if service == 'stepfunctions' else service}:{operation}"
        found.add(IAM_NAMES.get(name, name))
    return found


SLOW = f"arn:aws:states:{REGION}:{{}}:stateMachine:slow"


def slow_machine(place: Place) -> str:
    """Creates a machine that waits for a month."""
    wait = {"Type": "Wait", "Seconds": 2_592_000, "End": True}
    made = place.aws("stepfunctions").create_state_machine(
        name="slow", definition=json.dumps({"StartAt": "Wait", "States": {"Wait": wait}}), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


def test_the_policy_of_the_deployer_allows_the_calls_that_are_made_and_no_others(place: Place) -> None:
    """CloudFormation calls the rest on behalf of the deployer: tests/unit/test_deployers.py."""
    parts = [Part.GROUP, Part.DEAD_LETTERS]
    made = {
        **template([place.queue, ss.StateMachineTarget(SLOW.format(place.number))], parts=parts),
        "Metadata": {"padding": "x" * 60_000},
    }
    ss.deploy.discard(plan("jobs", made, **place.on), **place.on)
    apply(plan("jobs", made, **place.on), **place.on)
    plan("jobs", made, **place.on)
    before = list(place.calls)
    with place.client() as client:
        client.create(job(place))
        slow = ss.StateMachineTarget(slow_machine(place))
        client.create(
            ss.Job(name="once", schedule=ss.OneTime(at=START + timedelta(days=1)), target=place.queue)
        )
        client.create(
            ss.Job(name="slow", schedule=ss.Cron("0 9 * * ? *"), target=slow, overlap=ss.Overlap.SKIP)
        )
        client.run_now("slow")
        place.server.settled(place.number)
        table = client.backend.table_name  # type: ignore[attr-defined]
    # The execution of a job has not written into its row yet.
    place.aws("dynamodb").update_item(
        TableName=table,
        Key={"name": {"S": "once"}, "version": {"S": "v0"}},
        UpdateExpression="REMOVE #execution",
        ExpressionAttributeNames={"#execution": table_schema.EXECUTION},
    )
    with pytest.raises(BackendError, match=r"\d running execution"):
        destroy("jobs", **place.on)
    place.calls[:] = before
    destroy("jobs", keep_table=False, force=True, **place.on)
    called = actions_of(place.calls) - {"sts:GetCallerIdentity"}
    own = {f"{each.service}:{action}" for each in _KINDS.values() for action in each.own_actions.split()}
    of_handlers = {f"{each.service}:{action}" for each in _KINDS.values() for action in each.actions.split()}
    policy = ss.iam.deployer_policy(made, stack_name="jobs", account=place.number, region=REGION)
    allowed = {action for each in policy["Statement"] for action in each["Action"]}
    assert called <= allowed, called - allowed
    spare = {f"cloudformation:{each}" for each in STACK_ACTIONS} | own
    spare |= {each for each in allowed if each.startswith(("s3:", "states:", "scheduler:List"))} - of_handlers
    # CloudFormation reads the template with the rights of the deployer, who writes the zones of register.
    assert spare - called == {"s3:GetObject", "dynamodb:PutItem"}
