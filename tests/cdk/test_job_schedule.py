"""JobSchedule on EventBridge Scheduler: the schedule of the backend, as a resource."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

import stepsched as ss
from stepsched.cdk import JobSchedule, arn_of, target_of
from tests.cdk.conftest import ENVIRONMENT
from tests.parts.scheduler_stub import SchedulerStub
from tests.sessions import new_session

PLACE = "eu-west-1:123456789012"
REPORT = ss.LambdaTarget(f"arn:aws:lambda:{PLACE}:function:report")
NINE = ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris")
ROLE = "arn:aws:iam::123456789012:role/jobs"


def job_of(name: str, schedule: Any, target: Any, **policies: Any) -> ss.Job:
    return ss.Job(name=name, schedule=schedule, target=target, **policies)


def resources(stack: cdk.Stack, kind: str) -> list[dict[str, Any]]:
    """The properties of the resources of a kind."""
    found = assertions.Template.from_stack(stack).find_resources(kind)
    return [each["Properties"] for each in found.values()]


def schedule(stack: cdk.Stack) -> dict[str, Any]:
    (found,) = resources(stack, "AWS::Scheduler::Schedule")
    return found


def sent(job: ss.Job, **settings: Any) -> dict[str, Any]:
    """What the backend sends to the service for the job."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    session = new_session(region_name="eu-west-1", **keys)
    with (
        SchedulerStub() as server,
        ss.EventBridgeBackend(ROLE, session=session, endpoint_url=server.endpoint_url, **settings) as backend,
    ):
        ss.SchedulerClient(backend).create(job)
        (request,) = (each for each in server.log if each.operation == "CreateSchedule")
    return {"Name": request.name, **request.body}


JOBS = [
    pytest.param(job_of("report", NINE, REPORT, input={"ledger": None, "n": [1, None]}), id="cron"),
    pytest.param(job_of("tick", ss.Rate(timedelta(minutes=5)), REPORT), id="rate"),
    pytest.param(
        job_of(
            "window",
            ss.Cron("0 9 * * ? *", start="2099-01-01T00:00Z", end="2099-06-01T00:00:00.5Z"),
            REPORT,
            description="Nightly",
            tags={"team": "data"},
            enabled=False,
            jitter=timedelta(minutes=7),
            retry=ss.Retry(max_attempts=1, max_age=timedelta(minutes=2)),
        ),
        id="everything",
    ),
    pytest.param(
        job_of("grid", ss.Rate(timedelta(hours=1), start="2099-01-01T00:00Z"), REPORT), id="rate with start"
    ),
    pytest.param(
        job_of("once", ss.OneTime("2099-01-01T09:00"), REPORT, completion=ss.Completion.KEEP), id="one-time"
    ),
    pytest.param(
        job_of(
            "fifo",
            NINE,
            ss.QueueTarget(f"arn:aws:sqs:{PLACE}:tasks.fifo", message_group_id="1337"),
            input="text",
            dead_letter=ss.QueueTarget(f"arn:aws:sqs:{PLACE}:dead"),
        ),
        id="FIFO queue",
    ),
    pytest.param(
        job_of(
            "task",
            NINE,
            ss.targets.EcsTaskTarget(
                f"arn:aws:ecs:{PLACE}:cluster/main",
                task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report:3",
                subnets=("subnet-1",),
                launch_type="FARGATE",
            ),
        ),
        id="ECS task",
    ),
]


@pytest.mark.parametrize("job", JOBS)
def test_the_schedule_is_the_one_that_the_backend_creates(stack: cdk.Stack, job: ss.Job) -> None:
    JobSchedule(stack, "Job", job=job)
    made, asked = schedule(stack), sent(job)
    role = made["Target"].pop("RoleArn")
    assert role["Fn::GetAtt"][1] == "Arn"
    assert asked["Target"].pop("RoleArn") == ROLE
    assert asked.pop("ActionAfterCompletion") == "NONE"
    del asked["ClientToken"]
    for name in ("StartDate", "EndDate"):
        if job.starts_at_creation:
            asked.pop(name, None)  # the service begins the grid of a rate when the stack creates it
        assert (name in made) == (name in asked)
        if name in made:
            assert datetime.fromisoformat(made.pop(name)[:-1] + "+00:00") == instant(asked.pop(name))
    assert spelt_alike(made) == spelt_alike(asked)


def spelt_alike(value: Any) -> Any:
    """A copy with keys that begin with a capital: the API spells the parameters of a task like Amazon ECS."""
    match value:
        case dict():
            return {key[:1].upper() + key[1:]: spelt_alike(item) for key, item in value.items()}
        case list():
            return [spelt_alike(item) for item in value]
    return value


def instant(value: Any) -> datetime:
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    return datetime.fromisoformat(value)


@pytest.mark.parametrize("job", JOBS)
def test_the_role_may_do_no_more_than_the_policy_of_the_job(stack: cdk.Stack, job: ss.Job) -> None:
    JobSchedule(stack, "Job", job=job)
    (role,) = resources(stack, "AWS::IAM::Role")
    (policy,) = role["Policies"]

    def allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
        def listed(value: Any) -> list[str]:
            return [value] if isinstance(value, str) else value

        return {
            (action, arn)
            for each in statements
            for action in listed(each["Action"])
            for arn in listed(each["Resource"])
        }

    assert allowed(policy["PolicyDocument"]["Statement"]) == allowed(ss.iam.policy_for([job])["Statement"])
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = {
        "Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":scheduler:{PLACE}:schedule-group/default"]]
    }
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": group}
    }


def test_constructs_are_passed_as_references(stack: cdk.Stack) -> None:
    """Each kind of construct that a job can invoke, with a queue, a key and a group of the stack."""
    code = lambda_.Code.from_inline("def handler(event, context): ...")
    function = lambda_.Function(
        stack, "Function", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=code
    )
    machine = sfn.StateMachine(
        stack, "Machine", definition_body=sfn.DefinitionBody.from_chainable(sfn.Pass(stack, "Work"))
    )
    targets = {
        "function": (function, "AWS::Lambda::Function"),
        "machine": (machine, "AWS::StepFunctions::StateMachine"),
        "topic": (sns.Topic(stack, "Topic"), "AWS::SNS::Topic"),
        "queue": (sqs.Queue(stack, "Queue"), "AWS::SQS::Queue"),
        "bus": (events.EventBus(stack, "Bus"), "AWS::Events::EventBus"),
    }
    letters, key = sqs.Queue(stack, "Letters"), kms.Key(stack, "Key")
    group = scheduler.ScheduleGroup(stack, "Group")
    for name, (construct, _) in targets.items():
        job = job_of(name, NINE, target_of(construct), input={"due": ss.context.SCHEDULED_TIME})
        JobSchedule(stack, f"Job {name}", job=job, schedule_group=group, dead_letter_queue=letters, key=key)
    template = assertions.Template.from_stack(stack)
    text = json.dumps(template.to_json())
    assert "StepschedCdk" not in text
    assert "xx-cdk" not in text
    kinds = {name: each["Type"] for name, each in template.to_json()["Resources"].items()}
    for made in resources(stack, "AWS::Scheduler::Schedule"):
        target = made["Target"]
        assert kinds[referred(target["Arn"])] == targets[made["Name"]][1]
        assert (
            referred(target["DeadLetterConfig"]["Arn"]) == stack.resolve(letters.queue_arn)["Fn::GetAtt"][0]
        )
        assert made["KmsKeyArn"] == stack.resolve(key.key_arn)
        assert made["GroupName"] == group.schedule_group_name


def referred(value: dict[str, Any]) -> str:
    """The logical id that a reference names."""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


def test_the_url_of_a_fifo_queue_is_that_of_the_construct(stack: cdk.Stack) -> None:
    queue = sqs.Queue(stack, "Queue", fifo=True)
    JobSchedule(stack, "Job", job=job_of("fifo", NINE, target_of(queue), input="text"))
    parts = schedule(stack)["Target"]["Input"]["Fn::Join"][1]
    assert parts[1] == stack.resolve(queue.queue_url)
    request = json.loads("".join("url" if isinstance(part, dict) else part for part in parts))
    assert request == {
        "QueueUrl": "url",
        "MessageBody": "text",
        "MessageGroupId": "stepsched",
        "MessageDeduplicationId": "<aws.scheduler.execution-id>",
    }


def test_an_arn_that_is_a_token_needs_its_form(stack: cdk.Stack) -> None:
    cluster = cdk.CfnResource(stack, "Cluster", type="AWS::ECS::Cluster")
    arn = cluster.get_att("Arn").to_string()
    with pytest.raises(TypeError, match="expected service= and name="):
        arn_of(arn)
    target = ss.targets.EcsTaskTarget(
        arn_of(arn, service="ecs", name="cluster/*"),
        task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report",
    )
    JobSchedule(stack, "Job", job=job_of("task", NINE, target))
    assert referred(schedule(stack)["Target"]["Arn"]) == "Cluster"
    with pytest.raises(TypeError, match=r"expected a function, state machine.* got 'report'"):
        target_of("report")


def test_a_stack_without_environment_takes_the_place_of_its_literal_arns(app: cdk.App) -> None:
    anywhere = cdk.Stack(app, "Anywhere")
    letters = sqs.Queue(anywhere, "Letters")
    JobSchedule(anywhere, "Job", job=job_of("report", NINE, REPORT), dead_letter_queue=letters)
    JobSchedule(anywhere, "Own", job=job_of("own", NINE, target_of(sqs.Queue(anywhere, "Queue"))))
    text = json.dumps(assertions.Template.from_stack(anywhere).to_json())
    assert "StepschedCdk" not in text
    assert "xx-cdk" not in text


def test_the_same_app_gives_the_same_template(tmp_path: Path) -> None:
    def made(folder: str) -> str:
        app = cdk.App(outdir=str(tmp_path / folder), analytics_reporting=False)
        stack = cdk.Stack(app, "Jobs", env=ENVIRONMENT)
        queue = sqs.Queue(stack, "Queue", fifo=True)
        JobSchedule(stack, "Job", job=job_of("fifo", NINE, target_of(queue)))
        JobSchedule(stack, "Rate", job=job_of("rate", ss.Rate(timedelta(minutes=5)), REPORT))
        app.synth()
        text: str = (tmp_path / folder / "Jobs.template.json").read_text()
        # The digest of a job with the ARN of a construct depends on the order of constructs in the process.
        return re.sub(r"\[stepsched 1 [0-9a-f]{8}", "", text)

    assert made("one") == made("two")


PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        pytest.param(
            ss.Cron("0 9 * * ? *", start=PAST),
            "the start of job 'past', 2020-01-01T00:00:00.00:00, has passed",
            id="cron",
        ),
        pytest.param(ss.Rate(timedelta(hours=1), start=PAST), "or use the next run, 2", id="rate"),
        pytest.param(ss.OneTime("2020-01-01T09:00"), "would never run: its last run was due", id="one-time"),
        pytest.param(ss.Cron("0 9 * * ? *", end=PAST), "would never run: its last run was due", id="ended"),
    ],
)
def test_a_past_start_is_refused_at_synthesis(stack: cdk.Stack, schedule: Any, words: str) -> None:
    job = job_of("past", schedule, REPORT, completion=ss.Completion.KEEP)
    with pytest.raises(ss.InvalidScheduleError, match=words):
        JobSchedule(stack, "Job", job=job)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"overlap": ss.Overlap.SKIP}, "overlap 'skip'", id="overlap"),
        pytest.param({"name": "a b"}, "the name 'a b'", id="name"),
        pytest.param({"target": ss.HandlerTarget(print)}, "a Python function", id="target"),
        pytest.param(
            {"target": ss.LambdaTarget("arn:aws:lambda:us-east-1:123456789012:function:report")},
            "the target is in us-east-1",
            id="region",
        ),
    ],
)
def test_what_the_service_cannot_do_is_refused_at_synthesis(
    stack: cdk.Stack, changes: dict[str, Any], words: str
) -> None:
    given: dict[str, Any] = {"name": "job", "schedule": NINE, "target": REPORT, **changes}
    with pytest.raises(ss.UnsupportedError, match=words):
        JobSchedule(stack, "Job", job=ss.Job(**given))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        pytest.param(
            job_of("job", NINE, REPORT, input={"a": ["{{ resolve:ssm:secret}}"]}),
            r"text with '\{\{ resolve:', which CloudFormation would replace",
            id="reference",
        ),
        pytest.param(
            job_of("job", ss.OneTime("2099-01-01T09:00"), REPORT), "cannot delete a one-time", id="deletion"
        ),
    ],
)
def test_what_cloudformation_cannot_do_is_refused(stack: cdk.Stack, job: ss.Job, words: str) -> None:
    with pytest.raises(ss.RenderError, match=words):
        JobSchedule(stack, "Job", job=job)


def test_a_task_is_spelt_as_cloudformation_spells_it(stack: cdk.Stack) -> None:
    target = ss.targets.EcsTaskTarget(
        cluster_arn=f"arn:aws:ecs:{PLACE}:cluster/main",
        task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report",
        subnets=["subnet-0123456789abcdef0"],
        capacity_providers=[ss.targets.CapacityProvider(name="FARGATE_SPOT")],
        tags={"team": "finance"},
    )
    JobSchedule(stack, "Job", job=job_of("task", NINE, target))
    made = schedule(stack)["Target"]["EcsParameters"]
    assert made["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    assert made["CapacityProviderStrategy"][0]["CapacityProvider"] == "FARGATE_SPOT"
    assert made["Tags"] == [{"key": "team", "value": "finance"}]


def test_arguments_are_checked(stack: cdk.Stack) -> None:
    job = job_of("job", NINE, REPORT)
    with pytest.raises(TypeError, match="expected a Job, got str"):
        JobSchedule(stack, "A", job="job")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected ensure_every only"):
        JobSchedule(stack, "B", job=job, ensure_every=cdk.Duration.minutes(5))
    with pytest.raises(TypeError, match="expected schedule_group"):
        JobSchedule(stack, "C", job=job, schedule_group=3)


def test_a_role_of_the_app_is_used_as_it_is(stack: cdk.Stack) -> None:
    role = iam.Role(stack, "Mine", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
    made = JobSchedule(stack, "Job", job=job_of("job", NINE, REPORT), role=role, schedule_group="nightly")
    assert made.role is role
    (only,) = resources(stack, "AWS::IAM::Role")
    assert "Policies" not in only
    assert schedule(stack)["Target"]["RoleArn"] == stack.resolve(role.role_arn)
    assert schedule(stack)["GroupName"] == "nightly"
    assert stack.resolve(made.schedule_arn)["Fn::GetAtt"][1] == "Arn"


def test_a_permissions_boundary_of_the_cdk_applies_to_the_role(stack: cdk.Stack) -> None:
    JobSchedule(stack, "Job", job=job_of("job", NINE, REPORT))
    boundary = iam.ManagedPolicy.from_aws_managed_policy_name("PowerUserAccess")
    iam.PermissionsBoundary.of(stack).apply(boundary)
    (role,) = resources(stack, "AWS::IAM::Role")
    assert "PowerUserAccess" in json.dumps(role["PermissionsBoundary"])
