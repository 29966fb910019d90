"""What a job invokes: the forms that are taken, and those that are refused."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

import stepsched as ss
from stepsched.core.quoting import quoted
from stepsched.targets import AnyTarget, AwsTarget, parts_of

LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:report"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:close"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
FIREHOSE = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/main"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:3"
BUILD = "arn:aws:codebuild:eu-west-1:123456789012:project/site"
PIPELINE = "arn:aws:codepipeline:eu-west-1:123456789012:release"
TRAINING = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/train"
INSPECTOR = "arn:aws:inspector:eu-west-1:123456789012:target/0-a/template/0-b"

TARGETS = [
    pytest.param(ss.LambdaTarget(LAMBDA), "lambda", id="lambda"),
    pytest.param(ss.StateMachineTarget(MACHINE), "state_machine", id="state_machine"),
    pytest.param(ss.QueueTarget(QUEUE), "queue", id="queue"),
    pytest.param(ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"), "queue", id="fifo queue"),
    pytest.param(ss.FanOutTarget(QUEUE, ["a", "b"]), "fan_out", id="fan_out"),
    pytest.param(ss.TopicTarget(TOPIC), "topic", id="topic"),
    pytest.param(ss.EventBusTarget(BUS, detail_type="Tick", source="my.app"), "event_bus", id="event_bus"),
    pytest.param(
        ss.BatchTarget(
            "report:3",
            job_queue="nightly",
            job_name="report",
            parameters={"format": "pdf"},
            container_overrides={"environment": [{"name": "A", "value": "1"}]},
        ),
        "batch",
        id="batch",
    ),
    pytest.param(ss.targets.KinesisTarget(STREAM, partition_key="k"), "kinesis", id="kinesis"),
    pytest.param(ss.targets.FirehoseTarget(FIREHOSE), "firehose", id="firehose"),
    pytest.param(
        ss.targets.EcsTaskTarget(
            CLUSTER,
            task_definition_arn=TASK,
            launch_type="FARGATE",
            subnets=["subnet-1"],
            placement=[ss.targets.Placement(type="spread", value="host")],
            tags={"team": "a"},
        ),
        "ecs_task",
        id="ecs_task",
    ),
    pytest.param(ss.targets.CodeBuildTarget(BUILD), "code_build", id="code_build"),
    pytest.param(ss.targets.CodePipelineTarget(PIPELINE), "code_pipeline", id="code_pipeline"),
    pytest.param(
        ss.targets.SageMakerPipelineTarget(TRAINING, parameters={"Epochs": "3"}),
        "sagemaker_pipeline",
        id="sagemaker_pipeline",
    ),
    pytest.param(
        ss.targets.TemplateTarget(INSPECTOR, parameters={"Future": {"A": 1}}), "template", id="template"
    ),
    pytest.param(ss.ApiTarget("ecs", "runTask", {"cluster": "c", "count": 2}), "api", id="api"),
    pytest.param(
        ss.HttpTarget(
            "https://hooks.example.com:8443/a?b=c",
            method="PUT",
            headers={"X-Team": "blue"},
            signing_secret=["whsec_" + "A" * 32, "env:HOOK_SECRET"],
            connection_arn="arn:aws:events:eu-west-1:123456789012:connection/hooks/0a1b2c3d-1111-2222-3333-0a1b2c3d4e5f",
        ),
        "http",
        id="http",
    ),
    pytest.param(ss.HandlerTarget("package.module:Class.method"), "handler", id="handler"),
    pytest.param(ss.CommandTarget(["python", "report.py", "--all"]), "command", id="command"),
    pytest.param(
        ss.ParallelTarget(
            [
                ss.LambdaTarget(LAMBDA),
                ss.ApiTarget("ecs", "runTask", {"reference": ss.context.EXECUTION_ID}),
                ss.CommandTarget(["true"]),
            ]
        ),
        "parallel",
        id="parallel",
    ),
    pytest.param(ss.WorkflowTarget("nightly"), "workflow", id="workflow"),
]


@pytest.mark.parametrize(("target", "kind"), TARGETS)
def test_json_is_an_exact_mirror_and_kind_tells_the_target(target: ss.Target, kind: str) -> None:
    text = target.model_dump_json()
    assert json.loads(text)["kind"] == target.kind == kind
    assert type(target).model_validate_json(text) == target
    again: ss.Target = TypeAdapter[ss.Target](AnyTarget).validate_json(text)
    assert again == target
    assert type(again) is type(target)


def test_every_target_stands_in_the_table_above() -> None:
    shown = {type(parameter.values[0]) for parameter in TARGETS}
    assert shown == set(get_args(ss.Target))
    assert set(get_args(AwsTarget)) == shown - {
        ss.HandlerTarget,
        ss.CommandTarget,
        ss.HttpTarget,
        ss.ParallelTarget,
        ss.WorkflowTarget,
    }


@pytest.mark.parametrize(("target", "kind"), TARGETS)
def test_another_kind_is_refused(target: ss.Target, kind: str) -> None:
    document = {**target.model_dump(), "kind": "pigeon"}
    with pytest.raises(ValidationError, match=f"kind\n.*'{kind}'"):
        type(target).model_validate(document)
    with pytest.raises(ValidationError, match=r"'pigeon'.*'lambda', 'state_machine', 'queue'"):
        TypeAdapter(AnyTarget).validate_python(document)


# -- ARNs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arn"),
    [
        pytest.param(ss.LambdaTarget, f"{LAMBDA}:7", id="lambda version"),
        pytest.param(ss.LambdaTarget, f"{LAMBDA}:$LATEST", id="lambda latest"),
        pytest.param(ss.LambdaTarget, f"{LAMBDA}:live", id="lambda alias"),
        pytest.param(ss.LambdaTarget, LAMBDA.replace("report", "f" * 140), id="lambda, longest name"),
        pytest.param(ss.LambdaTarget, LAMBDA.replace("aws", "aws-cn", 1), id="China"),
        pytest.param(ss.LambdaTarget, LAMBDA.replace("aws", "aws-us-gov", 1), id="US government"),
        pytest.param(ss.LambdaTarget, LAMBDA.replace("123456789012", "123"), id="account of a sample"),
        pytest.param(ss.StateMachineTarget, f"{MACHINE}:3", id="machine version"),
        pytest.param(ss.StateMachineTarget, f"{MACHINE}:prod", id="machine alias"),
        pytest.param(ss.StateMachineTarget, MACHINE.replace("close", "m" * 80), id="machine, longest name"),
        pytest.param(ss.QueueTarget, QUEUE.replace("orders", "q" * 75), id="queue"),
        pytest.param(ss.TopicTarget, f"{TOPIC}.fifo", id="fifo topic"),
        pytest.param(ss.TopicTarget, TOPIC.replace("news", "t" * 256), id="topic, longest name"),
        pytest.param(ss.EventBusTarget, BUS.replace("default", "aws.partner/a.b/c-d_e"), id="partner bus"),
    ],
)
def test_every_documented_form_of_an_arn_is_taken(kind: Callable[[str], ss.Target], arn: str) -> None:
    assert arn in json.loads(kind(arn).model_dump_json()).values()


@pytest.mark.parametrize(
    ("kind", "field", "arn", "form"),
    [
        pytest.param(
            ss.LambdaTarget,
            "function_arn",
            LAMBDA,
            "arn:aws:lambda:<region>:<account>:function:<name>",
            id="lambda",
        ),
        pytest.param(
            ss.StateMachineTarget,
            "state_machine_arn",
            MACHINE,
            "arn:aws:states:<region>:<account>:stateMachine:<name>",
            id="state_machine",
        ),
        pytest.param(
            ss.QueueTarget, "queue_arn", QUEUE, "arn:aws:sqs:<region>:<account>:<queue name>", id="queue"
        ),
        pytest.param(
            ss.TopicTarget, "topic_arn", TOPIC, "arn:aws:sns:<region>:<account>:<topic name>", id="topic"
        ),
        pytest.param(
            ss.EventBusTarget,
            "bus_arn",
            BUS,
            "arn:aws:events:<region>:<account>:event-bus/<name>",
            id="event_bus",
        ),
    ],
)
def test_every_mistake_in_an_arn_is_answered_with_field_value_and_form(
    kind: Callable[[str], ss.Target], field: str, arn: str, form: str
) -> None:
    name = arn.rpartition(":")[2].rpartition("/")[2]
    mistakes = {
        "": "is not an ARN",
        name: "is not an ARN",
        arn.upper(): "is not an ARN",
        arn.replace("arn:", "urn:"): "is not an ARN",
        arn.replace(":aws:", ":gcp:"): "is not an ARN",
        f" {arn}": "is not an ARN",
        arn.replace("123456789012", "12345678901x"): "is not an ARN",
        arn.replace(name, name * 400): "is not an ARN",
        "arn:aws:kms:eu-west-1:123456789012:key/1": "is of service 'kms'",
        arn.replace("eu-west-1", ""): "is incomplete or malformed",
        arn.replace("123456789012", ""): "is incomplete or malformed",
        arn.replace(name, ""): "is",
        arn.replace(name, f"{name} "): "is incomplete or malformed",
        f"{arn}\n": "is",
        arn.replace(name, f"layer:{name}:1:2"): "is incomplete or malformed",
    }
    for mistake, problem in mistakes.items():
        with pytest.raises(ValidationError) as refused:
            kind(mistake)
        (error,) = refused.value.errors()
        assert error["loc"] == (field,)
        assert error["msg"].startswith(f"Value error, {quoted(mistake)} {problem}")
        assert error["msg"].endswith(f"; the form is {form}")


@pytest.mark.parametrize(
    ("kind", "arn"),
    [
        pytest.param(ss.LambdaTarget, LAMBDA.replace("report", "f" * 141), id="lambda"),
        pytest.param(ss.StateMachineTarget, MACHINE.replace("close", "m" * 81), id="machine"),
        pytest.param(ss.QueueTarget, QUEUE.replace("orders", "q" * 81), id="queue"),
        pytest.param(ss.TopicTarget, TOPIC.replace("news", "t" * 257), id="topic"),
        pytest.param(ss.EventBusTarget, BUS.replace("default", "b" * 257), id="bus"),
    ],
)
def test_a_name_longer_than_aws_takes_is_refused(kind: Callable[[str], ss.Target], arn: str) -> None:
    with pytest.raises(ValidationError, match="is incomplete or malformed"):
        kind(arn)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(ss.LambdaTarget, id="lambda"),
        pytest.param(ss.StateMachineTarget, id="state_machine"),
        pytest.param(ss.QueueTarget, id="queue"),
        pytest.param(ss.TopicTarget, id="topic"),
        pytest.param(ss.EventBusTarget, id="event_bus"),
    ],
)
@pytest.mark.parametrize("arn", [None, 1, True, ["arn"], {}], ids=repr)
def test_an_arn_is_text(kind: Callable[[Any], ss.Target], arn: object) -> None:
    with pytest.raises(ValidationError, match="valid string"):
        kind(arn)


# -- queues and buses --------------------------------------------------------------------------------


def test_a_fifo_queue_needs_a_message_group() -> None:
    with pytest.raises(ValueError, match=r"expected message_group_id for the FIFO queue .*orders\.fifo'"):
        ss.QueueTarget(f"{QUEUE}.fifo")


def test_a_standard_queue_takes_no_message_group() -> None:
    with pytest.raises(ValueError, match=r"expected no message_group_id for the standard queue .*orders'"):
        ss.QueueTarget(QUEUE, message_group_id="g")


def test_the_queue_rules_hold_for_documents_and_for_replace() -> None:
    with pytest.raises(ValidationError, match="expected message_group_id for the FIFO queue"):
        ss.QueueTarget.model_validate({"queue_arn": f"{QUEUE}.fifo"})
    with pytest.raises(ValueError, match="expected no message_group_id"):
        ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g").replace(queue_arn=QUEUE)


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        pytest.param("", "at least 1 character", id="empty"),
        pytest.param("g" * 129, "at most 128 characters", id="long"),
        pytest.param(1, "valid string", id="number"),
    ],
)
def test_a_message_group_has_1_to_128_characters(group: Any, problem: str) -> None:
    assert ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g" * 128).message_group_id == "g" * 128
    with pytest.raises(ValidationError, match=f"message_group_id\n.*{problem}"):
        ss.QueueTarget(f"{QUEUE}.fifo", message_group_id=group)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("source", "", "at least 1 character", id="empty source"),
        pytest.param("source", "s" * 257, "at most 256 characters", id="long source"),
        pytest.param("source", "aws.mine", "does not begin with 'aws.', got 'aws.mine'", id="source of AWS"),
        pytest.param("detail_type", "", "at least 1 character", id="empty detail type"),
        pytest.param("detail_type", "d" * 129, "at most 128 characters", id="long detail type"),
    ],
)
def test_the_fields_of_an_event_are_bounded(field: str, value: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"{field}\n.*{problem}"):
        ss.EventBusTarget(BUS).replace(**{field: value})


def test_an_event_says_that_it_comes_from_here_by_default() -> None:
    target = ss.EventBusTarget(BUS)
    assert (target.source, target.detail_type) == ("stepsched", "Scheduled Job")


# -- Batch and any API -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("job_definition", "", "at least 1 character", id="empty definition"),
        pytest.param("job_queue", "", "at least 1 character", id="empty queue"),
        pytest.param("job_queue", "q" * 1601, "at most 1600 characters", id="long queue"),
        pytest.param("job_name", "", "should match pattern", id="empty name"),
        pytest.param("job_name", "-report", "should match pattern", id="name with a dash in front"),
        pytest.param("job_name", "report\n", "should match pattern", id="name with a line break"),
        pytest.param("job_name", "r" * 129, "should match pattern", id="long name"),
        pytest.param("parameters", {"a": 1}, "expected a string for parameter", id="number as a parameter"),
        pytest.param("parameters", {1: "a"}, "expected strings as keys", id="number as a key"),
        pytest.param("container_overrides", {"a": object()}, r"input\.a is a object", id="no JSON"),
        pytest.param("container_overrides", {"a": "x" * 262_144}, "at most 262,144", id="large"),
    ],
)
def test_a_wrong_field_of_a_batch_job_is_refused(field: str, value: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as refused:
        ss.BatchTarget("report", job_queue="nightly").replace(**{field: value})
    assert refused.value.errors()[0]["loc"][0] == field


def test_a_batch_job_takes_the_name_of_its_job_unless_it_has_one() -> None:
    assert ss.BatchTarget("report", job_queue="nightly").job_name is None


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        pytest.param(
            "ECS", "the SDK's service name in lower case, such as 'ecs', got 'ECS'", id="upper case"
        ),
        pytest.param("", "the SDK's service name in lower case, such as 'ecs', got ''", id="empty"),
        pytest.param("ecs ", "got 'ecs '", id="blank"),
        pytest.param("ecs\n", r"got 'ecs\\n'", id="line break"),
        pytest.param("3cs", "got '3cs'", id="digit in front"),
        pytest.param(1, "valid string", id="number"),
    ],
)
def test_a_service_is_named_as_by_the_sdk(service: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"service\n.*{problem}"):
        ss.ApiTarget(service, "runTask", {})


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        pytest.param("RunTask", "lower camel case, such as 'runTask'", id="upper camel case"),
        pytest.param("run_task", "in lower camel case, such as 'runTask', got 'run_task'", id="snake case"),
        pytest.param("run-task", "in lower camel case, such as 'runTask', got 'run-task'", id="dashes"),
        pytest.param("runTask\n", "expected the action in lower camel case", id="line break"),
        pytest.param("", "expected the action in lower camel case", id="empty"),
        pytest.param(None, "valid string", id="none"),
    ],
)
def test_an_action_is_written_in_lower_camel_case(action: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"action\n.*{problem}"):
        ss.ApiTarget("ecs", action, {})


@pytest.mark.parametrize(
    "action",
    [
        "get",
        "getObject",
        "listTasks",
        "describeTasks",
        "query",
        "scan",
        "batchGetItem",
        "transactGetItems",
        "receiveMessage",
        "pollForJobs",
        "searchJobs",
        "selectObjectContent",
        "readJob",
        "lookupEvents",
        "discoverInstances",
        "validateTemplate",
        "batchDescribeModelPackage",
        "batchReadItems",
        "adminGetUser",
        "adminListDevices",
        "testMigration",
        "retrieveX",
        "testConnection",
        "translateDocument",
        "isAuthorized",
        "invokeModel",
    ],
)
def test_an_action_that_only_reads_is_refused_as_by_aws(action: str) -> None:
    with pytest.raises(ValidationError, match=f"that changes something, as on AWS, got '{action}'"):
        ss.ApiTarget("ecs", action, {})


@pytest.mark.parametrize("action", ["getaway", "listing", "scanner", "batchWriteItem", "startQuery", "run2"])
def test_an_action_that_only_begins_like_one_that_reads_is_taken(action: str) -> None:
    assert ss.ApiTarget("ecs", action, {}).action == action


# -- handlers ----------------------------------------------------------------------------------------


def importable(order: object) -> None:
    """A function at the top of a module."""


async def coroutine(order: object) -> None:
    """A coroutine function at the top of a module."""


class Worker:
    """Functions in a class, and a callable instance."""

    def method(self) -> None: ...

    def __call__(self) -> None: ...


class Impostor:
    """A callable that shows the name of a function that is another."""

    def __init__(self) -> None:
        functools.update_wrapper(self, importable)

    def __call__(self) -> None: ...


def decorated(function: Callable[..., None]) -> Callable[..., None]:
    """Wraps as decorators do."""

    @functools.wraps(function)
    def wrapper(*arguments: object) -> None:
        function(*arguments)

    return wrapper


@decorated
def wrapped(order: object) -> None:
    """The wrapper bears this name."""


anonymous = lambda: None  # noqa: E731 -- a lambda with a name is the case
WORKER = Worker()


def nested() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("function", "name"),
    [
        pytest.param(importable, "importable", id="function"),
        pytest.param(coroutine, "coroutine", id="coroutine function"),
        pytest.param(wrapped, "wrapped", id="decorated function"),
        pytest.param(Worker.method, "Worker.method", id="function of a class"),
        pytest.param(Worker, "Worker", id="class"),
    ],
)
def test_a_callable_that_can_be_imported_is_kept_by_its_name(
    function: Callable[..., object], name: str
) -> None:
    target = ss.HandlerTarget(function)
    assert target.handler == f"{__name__}:{name}"
    assert target.function is None
    assert target == ss.HandlerTarget(f"{__name__}:{name}")
    assert ss.HandlerTarget.model_validate_json(target.model_dump_json()) == target


def test_a_builtin_is_kept_by_its_name() -> None:
    assert ss.HandlerTarget(print).handler == "builtins:print"
    assert ss.HandlerTarget(print).function is None


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        pytest.param(anonymous, f"{__name__}:<lambda>", id="lambda"),
        pytest.param(nested(), f"{__name__}:nested.<locals>.inner", id="function in a function"),
        pytest.param(WORKER.method, f"{__name__}:Worker.method", id="bound method"),
        pytest.param(WORKER, f"{__name__}:Worker()", id="callable instance"),
        pytest.param(functools.partial(importable, 1), "functools:partial()", id="partial"),
        pytest.param([].append, "builtins:list.append", id="method of a list"),
        pytest.param(Impostor(), f"{__name__}:importable", id="name of another function"),
    ],
)
def test_a_callable_without_a_name_of_its_own_is_kept_itself_and_says_where_it_is_from(
    function: Callable[..., object], shown: str
) -> None:
    target = ss.HandlerTarget(function)
    assert target.handler == shown
    assert target.function is function
    job = ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"), target=target)
    again = job.replace(description="changed")
    assert isinstance(again.target, ss.HandlerTarget)
    assert again.target.function is function


def test_two_callables_of_one_place_are_two_targets() -> None:
    assert ss.HandlerTarget(nested()) != ss.HandlerTarget(nested())
    function = nested()
    assert ss.HandlerTarget(function) == ss.HandlerTarget(function)


def test_a_function_that_its_module_no_longer_shows_is_kept_itself() -> None:
    module = ModuleType("vanishing")
    exec("def work(): pass", vars(module))
    work: Callable[[], None] = vars(module)["work"]
    sys.modules["vanishing"] = module
    try:
        assert ss.HandlerTarget(work).function is None
        del vars(module)["work"]
        assert ss.HandlerTarget(work).function is work
    finally:
        del sys.modules["vanishing"]
    assert ss.HandlerTarget(work).function is work


@pytest.mark.parametrize(
    "path", ["module:function", "a.b.c:f", "a:Class.method", "_a:_f", "a1.b2:c3"], ids=str
)
def test_a_path_is_module_colon_function(path: str) -> None:
    """Nothing is imported before a backend looks."""
    target = ss.HandlerTarget(path)
    assert (target.handler, target.function) == (path, None)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ":",
        "module",
        "module.function",
        "module:",
        ":function",
        "a:b:c",
        "a b:c",
        "a..b:c",
        ".a:b",
        "a.:b",
        "1a:b",
        "a:1b",
        "a-b:c",
        "a/b.py:f",
        "a:f()",
        "a:<lambda>",
        "a:b ",
        "a:b\n",
        "a:b\0",
    ],
    ids=repr,
)
def test_another_form_of_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"expected the form 'package\.module:function'") as refused:
        ss.HandlerTarget(path)
    assert repr(path) in str(refused.value)
    with pytest.raises(ValidationError, match=r"expected the form 'package\.module:function', got"):
        ss.HandlerTarget.model_validate({"handler": path})


@pytest.mark.parametrize("handler", [None, 1, True, b"a:b", ["a:b"], {}], ids=repr)
def test_what_cannot_be_called_is_no_handler(handler: Any) -> None:
    with pytest.raises(ValueError, match=r"expected 'package\.module:function' or a callable"):
        ss.HandlerTarget(handler)


def test_a_document_cannot_bring_a_callable_without_a_name_back() -> None:
    """Its place is written, and refused when it is read: another process has no such function."""
    text = ss.HandlerTarget(anonymous).model_dump_json()
    with pytest.raises(
        ValidationError, match=r"expected the form 'package\.module:function', got '.*<lambda>'"
    ):
        ss.HandlerTarget.model_validate_json(text)


# -- commands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["python", "report.py"], id="list"),
        pytest.param(("python", "report.py"), id="tuple"),
    ],
)
def test_a_command_is_kept_as_a_tuple(command: Any) -> None:
    assert ss.CommandTarget(command).command == ("python", "report.py")


def test_a_command_is_copied_in() -> None:
    words = ["python", "report.py"]
    target = ss.CommandTarget(words)
    words.append("--wrong")
    assert target.command == ("python", "report.py")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        pytest.param("ls -l", r"expected a list, got 'ls -l'; use .* \(there is no shell\)", id="one text"),
        pytest.param("", "expected a list, got ''", id="empty text"),
        pytest.param([], "at least 1 item", id="empty list"),
        pytest.param([""], "at least 1 character", id="empty program"),
        pytest.param(["ls", ""], "at least 1 character", id="empty argument"),
        pytest.param(["ls", 1], "valid string", id="number"),
        pytest.param(["ls", None], "valid string", id="none"),
        pytest.param(["ls", "a\0b"], "expected arguments without NUL characters", id="NUL"),
        pytest.param(["ls", "\ud800"], "valid string", id="surrogate"),
        pytest.param({"ls": "-l"}, "expected a list, got", id="mapping"),
        pytest.param(1, "expected a list, got", id="a number alone"),
        pytest.param(None, "expected a list, got", id="none alone"),
        pytest.param(b"ls", "expected a list, got", id="bytes"),
    ],
)
def test_a_wrong_command_is_refused(command: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ss.CommandTarget(command)
    with pytest.raises(ValidationError, match=problem):
        ss.CommandTarget.model_validate({"command": command})


def test_a_command_has_a_directory_variables_and_a_standard_input() -> None:
    variables = {"LEVEL": "debug"}
    target = ss.CommandTarget(["true"], cwd=Path("/srv"), env=variables, stdin="hello\n")
    variables["LEVEL"] = "info"
    assert (target.cwd, target.env, target.stdin) == ("/srv", {"LEVEL": "debug"}, "hello\n")
    assert ss.CommandTarget.model_validate_json(target.model_dump_json()) == target
    assert target.replace(stdin="").stdin == ""


def test_a_command_without_them_is_stored_as_before() -> None:
    assert ss.CommandTarget(["true"]).model_dump(exclude_unset=True) == {
        "kind": "command",
        "command": ("true",),
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({"cwd": ""}, "expected the path of a folder, .* got ''", id="empty directory"),
        pytest.param(
            {"cwd": "a\0b"}, "expected the path of a folder, without NUL", id="NUL in the directory"
        ),
        pytest.param({"cwd": 1}, "valid string", id="number as directory"),
        pytest.param({"cwd": b"/srv"}, "valid string", id="bytes as directory"),
        pytest.param({"env": {"": "x"}}, "names of variables without '='", id="empty name"),
        pytest.param({"env": {"A=B": "x"}}, "names of variables without '='", id="= in a name"),
        pytest.param({"env": {"A\0": "x"}}, "names of variables without '='", id="NUL in a name"),
        pytest.param(
            {"env": {"A": "x\0"}}, "expected values without NUL characters, got one in 'A'", id="NUL"
        ),
        pytest.param({"env": {"A": 1}}, "valid string", id="number as value"),
        pytest.param({"env": {"A": None}}, "valid string", id="none as value"),
        pytest.param({"env": ["A=1"]}, "valid dictionary", id="list of variables"),
        pytest.param({"env": {"A": "\ud800"}}, "UTF-8", id="surrogate"),
        pytest.param({"env": {"A" * 300: 1}}, "expected keys of at most 256 characters", id="long name"),
        pytest.param({"stdin": b"x"}, "valid string", id="bytes as input"),
        pytest.param({"stdin": {"a": 1}}, "valid string", id="mapping as input"),
    ],
)
def test_a_wrong_directory_variable_or_input_is_refused(fields: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ss.CommandTarget(["true"], **fields)
    with pytest.raises(ValidationError, match=problem):
        ss.CommandTarget.model_validate({"command": ["true"], **fields})


@pytest.mark.parametrize(
    "fields", [{"cwd": "\0" + 9_000 * "x"}, {"env": {"a": "\0" + 9_000 * "x"}}, {"env": {9_000 * "x": ""}}]
)
def test_a_refusal_quotes_a_long_value_shortened(fields: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ss.CommandTarget(["true"], **fields)
    assert len(str(caught.value)) < 1_000


# -- several ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        pytest.param([ss.LambdaTarget(LAMBDA)], "at least 2 items", id="one"),
        pytest.param([ss.LambdaTarget(LAMBDA)] * 41, "at most 40 items", id="41"),
        pytest.param("ab", "expected a list of targets", id="text"),
        pytest.param(None, "expected a list of targets", id="none"),
        pytest.param({"kind": "lambda"}, "expected a list of targets", id="mapping"),
        pytest.param([ss.LambdaTarget(LAMBDA), LAMBDA], "targets.1", id="text as a part"),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), ss.ParallelTarget([ss.LambdaTarget(LAMBDA)] * 2)],
            "'parallel'",
            id="several within several",
        ),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), ss.targets.TemplateTarget(INSPECTOR)], "'template'", id="template"
        ),
    ],
)
def test_a_wrong_list_of_targets_is_refused(targets: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ss.ParallelTarget(targets)
    with pytest.raises(ValidationError, match=problem):
        TypeAdapter(AnyTarget).validate_python({"kind": "parallel", "targets": targets})


def test_a_target_is_one_part_and_several_are_theirs() -> None:
    one, other = ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE)
    assert parts_of(one) == (one,)
    assert parts_of(ss.ParallelTarget(iter([other, one]))) == (other, one)
