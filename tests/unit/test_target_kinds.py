"""No kind of target is forgotten anywhere: each place takes it, or refuses it by name.

A new member of the union needs samples here, and then goes through every place below.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from stepsched import (
    Job,
    LocalBackend,
    Overlap,
    Rate,
    RunStatus,
    SchedulerClient,
    Step,
    Workflow,
    WorkflowClient,
    deploy,
    render_asl,
    targets,
)
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.backends.eventbridge.targets import (
    BLOCKS,
    UNIVERSAL,
    aws_target,
    kept_of_target,
    read_target,
    write_target,
)
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.core.errors import RenderError, UnsupportedError
from stepsched.iam import machine_policy, policy_for
from stepsched.iam.grants import Place, grants_of
from stepsched.machines.calls import Message, call_of
from stepsched.machines.shared.runner import CALLS
from stepsched.targets import (
    AnyTarget,
    ApiTarget,
    AwsTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    CommandTarget,
    EcsTaskTarget,
    EventBusTarget,
    FanOutTarget,
    FirehoseTarget,
    HandlerTarget,
    HttpTarget,
    KinesisTarget,
    LambdaTarget,
    ParallelTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    SingleTarget,
    StateMachineTarget,
    Target,
    TemplateTarget,
    TopicTarget,
    WorkflowTarget,
)
from stepsched.targets.base import ServiceTarget
from stepsched.targets.containers import CapacityProvider, Placement
from stepsched.targets.invocations import invocations
from stepsched.testing import FakeClock

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
REGION, ACCOUNT = "eu-west-1", "123456789012"
PLACE = f"{REGION}:{ACCOUNT}"
OWN = f"arn:aws:states:{PLACE}:stateMachine:own"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"

SAMPLES: list[Target] = [
    LambdaTarget(f"arn:aws:lambda:{PLACE}:function:report"),
    StateMachineTarget(f"arn:aws:states:{PLACE}:stateMachine:close"),
    QueueTarget(f"arn:aws:sqs:{PLACE}:orders.fifo", message_group_id="g"),
    FanOutTarget(f"arn:aws:sqs:{PLACE}:orders.fifo", ["a", "b", "b"], message_group_id="g"),
    TopicTarget(f"arn:aws:sns:{PLACE}:news"),
    EventBusTarget(f"arn:aws:events:{PLACE}:event-bus/main", detail_type="Tick", source="shop"),
    KinesisTarget(f"arn:aws:kinesis:{PLACE}:stream/clicks", partition_key="k"),
    FirehoseTarget(f"arn:aws:firehose:{PLACE}:deliverystream/clicks"),
    EcsTaskTarget(
        f"arn:aws:ecs:{PLACE}:cluster/main",
        task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report",
        launch_type="FARGATE",
        subnets=["subnet-1"],
        security_groups=["sg-1"],
        assign_public_ip=True,
        platform_version="1.4.0",
        placement=[Placement(type="random")],
        group="reports",
        propagate_tags=True,
        execute_command=True,
    ),
    EcsTaskTarget(
        f"arn:aws:ecs:{PLACE}:cluster/main",
        task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report:3",
        task_count=2,
        capacity_providers=[CapacityProvider(name="spot", base=1, weight=2)],
        reference_id="r",
        tags={"team": "finance"},
        ecs_managed_tags=True,
    ),
    CodeBuildTarget(f"arn:aws:codebuild:{PLACE}:project/site"),
    CodePipelineTarget(f"arn:aws:codepipeline:{PLACE}:site"),
    SageMakerPipelineTarget(f"arn:aws:sagemaker:{PLACE}:pipeline/train", parameters={"depth": "3"}),
    BatchTarget(
        "report:3",
        job_queue="nightly",
        job_name="nightly-report",
        parameters={"format": "pdf"},
        container_overrides={"vcpus": 2},
    ),
    ApiTarget("sqs", "sendMessage", {"QueueUrl": QUEUE_URL, "MessageBody": "hello"}),
    TemplateTarget(f"arn:aws:inspector:{PLACE}:target/0-a/template/0-b"),
    TemplateTarget(
        f"arn:aws:events:{PLACE}:event-bus/main",
        parameters={"EventBridgePutRawEventsParameters": {"Source": "shop"}},
    ),
    HttpTarget(
        "https://example.com/hook?a=1",
        method="PUT",
        headers={"x-kind": "tick"},
        connection_arn=f"arn:aws:events:{PLACE}:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
    ),
    HttpTarget("https://example.com/hook", signing_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    HandlerTarget("package.module:function"),
    CommandTarget(["true"]),
    CommandTarget(["true"], cwd="~", env={"LEVEL": "debug"}, stdin="daily"),
    ParallelTarget(
        [TopicTarget(f"arn:aws:sns:{PLACE}:news"), LambdaTarget(f"arn:aws:lambda:{PLACE}:function:f")]
    ),
    WorkflowTarget("nightly"),
]
"""Of each kind so many that every field is given once."""

_OF_THIS_PROCESS: dict[type[Any], str] = {HandlerTarget: "a Python function", CommandTarget: "a command"}
_NOT_IN_MACHINES: dict[type[Any], str] = {
    **_OF_THIS_PROCESS,
    TemplateTarget: "a TemplateTarget has the form of EventBridge",
    WorkflowTarget: "a workflow runs in a backend that stores it",
}
REFUSED: dict[str, dict[type[Any], str]] = {
    "eventbridge": {
        **_OF_THIS_PROCESS,
        HttpTarget: "HttpTarget: a schedule calls no URL",
        ParallelTarget: "ParallelTarget: a schedule has one target",
        WorkflowTarget: "does not know the state machine that runs workflows",
    },
    "policy_for": {
        HttpTarget: "EventBridge Scheduler calls no URL",
        HandlerTarget: "its HandlerTarget runs in the process",
        CommandTarget: "its CommandTarget runs in the process",
        ParallelTarget: "EventBridge Scheduler does not support a ParallelTarget",
        WorkflowTarget: "does not know the state machine that runs workflows",
    },
    "render_asl": _NOT_IN_MACHINES,
    "template": {
        **_NOT_IN_MACHINES,
        WorkflowTarget: "a WorkflowTarget needs the machine that runs workflows",
    },
    "runner": {**_NOT_IN_MACHINES, ParallelTarget: "the runner does not support a ParallelTarget"},
}
"""What a place refuses, and the reason that it gives; whatever is not here must be taken."""


def why_not(place: str, target: Target) -> str | None:
    """The reason with which a place refuses a target. None: it takes it."""
    if (
        isinstance(target, HttpTarget)
        and target.signing_secret
        and place not in ("eventbridge", "policy_for")
    ):
        return "signing_secret: Step Functions has no HMAC"
    return REFUSED[place].get(type(target))


def ids(target: object) -> str:
    return type(target).__name__


each_target = pytest.mark.parametrize("target", SAMPLES, ids=ids)
each_single = pytest.mark.parametrize(
    "target", [each for each in SAMPLES if not isinstance(each, ParallelTarget)], ids=ids
)


def job(target: Target, **changes: Any) -> Job:
    return Job(name="job", schedule=Rate(HOUR, start=NOON), target=target, **changes)


def taken(place: str, target: Target, error: type[Exception]) -> AbstractContextManager[object]:
    """Expects that a place refuses a target by its reason, where it does not take it."""
    reason = why_not(place, target)
    return nullcontext() if reason is None else pytest.raises(error, match=reason)


def allowed(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (action, resource if isinstance(resource, str) else resource["Fn::Sub"])
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_every_kind_of_the_union_is_walked() -> None:
    assert {type(each) for each in SAMPLES} == set(get_args(Target))


@pytest.mark.parametrize("kind", get_args(Target), ids=lambda kind: kind.__name__)
def test_every_field_of_a_kind_is_walked(kind: type[Any]) -> None:
    given = {
        name
        for each in SAMPLES
        if type(each) is kind
        for name, value in each
        if kind.model_fields[name].get_default(call_default_factory=True) != value
    }
    assert given == kind.model_fields.keys() - {"kind"}


def test_every_kind_is_offered() -> None:
    assert {kind.__name__ for kind in get_args(Target)} <= set(targets.__all__)


def test_every_kind_has_a_word_of_its_own() -> None:
    kinds = [kind.model_fields["kind"].default for kind in get_args(Target)]
    assert len(set(kinds)) == len(kinds)


@each_target
def test_it_is_told_by_its_json(target: Target) -> None:
    text = job(target).model_dump_json()
    assert TypeAdapter[Any](AnyTarget).validate_json(target.model_dump_json()) == target
    assert Job.model_validate_json(text) == job(target)


@each_single
def test_it_is_a_part_of_a_parallel_target_unless_only_eventbridge_knows_it(target: SingleTarget) -> None:
    if isinstance(target, (TemplateTarget, WorkflowTarget)):
        with pytest.raises(ValueError, match=f"'{target.kind}'"):
            ParallelTarget([target, target])
        return
    both = ParallelTarget([target, target])
    assert ParallelTarget.model_validate_json(both.model_dump_json()) == both


@each_target
def test_eventbridge_reads_back_what_it_has_written(target: Target) -> None:
    given = job(target)
    if type(target) in REFUSED["eventbridge"]:
        with taken("eventbridge", target, UnsupportedError):
            check_job(given, Settings(role_arn=None), region=REGION, partition="aws")
        return
    one = aws_target(target)
    wire = write_target(one, given.input, "job")
    assert wire.arn.startswith(UNIVERSAL) or wire.arn.split(":")[2] in BLOCKS
    document = {"Arn": wire.arn, "Input": wire.input, **wire.blocks}
    kept = kept_of_target(one, given.input, "job")
    assert read_target(document, kept, "job") == (target, given.input)


@each_target
def test_a_policy_of_schedules_names_what_it_acts_on(target: Target) -> None:
    with taken("policy_for", target, ValueError):
        found = allowed(policy_for([job(target)], account=ACCOUNT, region=REGION))
        assert found
        if isinstance(target, ServiceTarget):
            assert not {action for action, resource in found if resource == "*"}


@each_target
def test_the_role_of_its_machine_is_allowed_what_it_calls(target: Target) -> None:
    with taken("render_asl", target, RenderError):
        machine = render_asl(job(target))
        found = allowed(machine_policy(machine, machine_arn=OWN))
        home = Place(ACCOUNT, REGION, "aws")
        wanted = {
            (grant.action, grant.resource)
            for each in invocations(target)
            if each.resources
            for grant in grants_of(each, home)
        }
        assert wanted <= found
        assert not {action for action, resource in found - wanted if resource == "*"} - {"batch:DescribeJobs"}


@each_target
def test_a_stack_has_its_calls_and_is_allowed_them(target: Target) -> None:
    with taken("template", target, ValueError):
        resources = deploy.template([target])["Resources"]
        policy = resources["RunnerRole"]["Properties"]["Policies"][0]["PolicyDocument"]
        states = resources["Runner"]["Properties"]["Definition"]["States"]
        for part in targets.parts_of(target):
            for wait in (False, True):
                assert call_of(part, Message({}, "job", "job", "$due", {}), wait=wait).name in states
        actions = {action for statement in policy["Statement"] for action in statement["Action"]}
        home = Place(ACCOUNT, REGION, "aws")
        assert {grant.action for each in invocations(target) for grant in grants_of(each, home)} <= actions


@each_target
def test_the_shared_machine_has_a_state_for_its_call(target: Target) -> None:
    with taken("runner", target, UnsupportedError):
        calls = [*CALLS, "aws-sdk:sqs:sendMessage"]  # of the ApiTarget, which may be any call
        instructions = instructions_of(job(target), anchor=NOON, version=1, retention=HOUR, calls=calls)
        assert instructions["call"] in calls


@each_target
def test_the_call_of_its_class_is_what_it_calls(target: Target) -> None:
    if isinstance(target, ServiceTarget):
        assert [each.name for each in invocations(target)] == [target.api_call.name]


@each_single
def test_an_input_reaches_it_or_is_said_not_to(target: SingleTarget) -> None:
    with taken("render_asl", target, ValueError):
        calls = [
            call_of(target, Message(payload, "job", "job", "$due", {}), wait=True)
            for payload in ({}, {"memory": "512"})
        ]
        assert (calls[0] != calls[1]) is targets.takes_input(target)


@pytest.mark.parametrize(
    "target",
    [each for each in SAMPLES if isinstance(each, get_args(AwsTarget)) and not targets.takes_input(each)],
    ids=ids,
)
def test_an_input_that_would_not_reach_it_is_refused(target: AwsTarget) -> None:
    given = job(target, input={"memory": "512"})
    with pytest.raises(RenderError, match="takes no input of the job"):
        render_asl(given)
    with pytest.raises(UnsupportedError, match="takes no input of the job"):
        check_job(given, Settings(role_arn=None), region=REGION, partition="aws")


@each_target
def test_the_embedded_backend_calls_its_handler(target: Target) -> None:
    seen: list[Target] = []
    backend = LocalBackend(clock=FakeClock(NOON - HOUR / 2))
    for part in targets.parts_of(target):
        if isinstance(part, HttpTarget):
            backend.register(type(part), lambda target, given, run: seen.append(target))
        if isinstance(part, get_args(AwsTarget)):
            with pytest.raises(
                UnsupportedError, match=f"no handler is registered for its {type(part).__name__}"
            ):
                backend.check(job(part))
            backend.register(type(part), lambda target, given, run: seen.append(target))
    if isinstance(target, HandlerTarget):
        target = HandlerTarget(lambda: seen.append(target))
    if isinstance(target, WorkflowTarget):
        step = Step("step", target=HandlerTarget(lambda: seen.append(target)))
        WorkflowClient(backend).put(Workflow(target.workflow, steps=[step]))
    client = SchedulerClient(backend)
    client.create(job(target, overlap=Overlap.SKIP))
    backend.run_until(NOON)
    assert [run.status for run in client.runs("job")] == [RunStatus.SUCCEEDED]
    wanted = () if isinstance(target, CommandTarget) else targets.parts_of(target)
    if isinstance(target, FanOutTarget):  # once for each message
        wanted *= len(target.messages)
    assert sorted(map(repr, seen)) == sorted(map(repr, wanted))
    backend.close()
