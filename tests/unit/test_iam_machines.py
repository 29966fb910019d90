"""The role of a state machine: the least that its definition needs, read from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_args

import pytest
from botocore.session import get_session

import stepsched as ss
from stepsched import asl, iam
from stepsched.core.errors import DefinitionError
from stepsched.targets import Target

ACCOUNT = "123456789012"
AGAIN = f"eu-west-1:{ACCOUNT}"
ARN = f"arn:aws:states:{AGAIN}:stateMachine:nightly"
EXECUTIONS = f"arn:aws:states:{AGAIN}:execution:nightly:*"
OTHER = f"arn:aws:states:{AGAIN}:stateMachine:close"
LAMBDA = f"arn:aws:lambda:{AGAIN}:function:report"
QUEUE = f"arn:aws:sqs:{AGAIN}:orders"
QUEUE_URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders"
TOPIC = f"arn:aws:sns:{AGAIN}:news"
BUS = f"arn:aws:events:{AGAIN}:event-bus/shop"
STREAM = f"arn:aws:kinesis:{AGAIN}:stream/clicks"
DELIVERY = f"arn:aws:firehose:{AGAIN}:deliverystream/clicks"
PROJECT = f"arn:aws:codebuild:{AGAIN}:project/site"
PIPELINE = f"arn:aws:codepipeline:{AGAIN}:site"
CONNECTION = f"arn:aws:events:{AGAIN}:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"
TRAINING = f"arn:aws:sagemaker:{AGAIN}:pipeline/train"
DEFINITION = f"arn:aws:batch:{AGAIN}:job-definition/report:3"
BATCH_QUEUE = f"arn:aws:batch:{AGAIN}:job-queue/nightly"
CLUSTER = f"arn:aws:ecs:{AGAIN}:cluster/main"
TASK = f"arn:aws:ecs:{AGAIN}:task-definition/report"
TASKS = f"arn:aws:ecs:{AGAIN}:task/main/*"
TABLE = f"arn:aws:dynamodb:{AGAIN}:table/orders"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def task(resource: str, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """A Task by the end of its resource's ARN."""
    given = {} if arguments is None else {"Arguments": arguments}
    whole = resource if resource.startswith("arn:") else f"arn:aws:states:::{resource}"
    return {"Type": "Task", "Resource": whole, **given, "End": True, **fields}


def machine(**states: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def allowed(definition: Any, **arguments: Any) -> list[tuple[str, list[str]]]:
    """Each action, with its resources."""
    document = iam.machine_policy(definition, machine_arn=ARN, **arguments)
    assert document["Version"] == "2012-10-17"
    return [(entry["Action"][0], entry["Resource"]) for entry in document["Statement"]]


def rule(name: str) -> list[tuple[str, list[str]]]:
    arn = f"arn:aws:events:{AGAIN}:rule/StepFunctionsGetEvent{name}Rule"
    return [(f"events:{action}", [arn]) for action in ("DescribeRule", "PutRule", "PutTargets")]


# -- Rendered jobs --------------------------------------------------------------------------------------

TARGETS: dict[type[Any], tuple[Target, Any]] = {
    ss.LambdaTarget: (ss.LambdaTarget(LAMBDA), {}),
    ss.StateMachineTarget: (ss.StateMachineTarget(f"{OTHER}:live"), {}),
    ss.QueueTarget: (ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"), {}),
    ss.FanOutTarget: (ss.FanOutTarget(QUEUE, ["a", "b"]), {}),
    ss.TopicTarget: (ss.TopicTarget(TOPIC), {}),
    ss.EventBusTarget: (ss.EventBusTarget(BUS), {}),
    ss.targets.KinesisTarget: (ss.targets.KinesisTarget(STREAM, partition_key="p"), {}),
    ss.targets.FirehoseTarget: (ss.targets.FirehoseTarget(DELIVERY), {}),
    ss.targets.EcsTaskTarget: (ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK), {}),
    ss.targets.CodeBuildTarget: (ss.targets.CodeBuildTarget(PROJECT), {}),
    ss.targets.CodePipelineTarget: (ss.targets.CodePipelineTarget(PIPELINE), {}),
    ss.targets.SageMakerPipelineTarget: (ss.targets.SageMakerPipelineTarget(TRAINING), {}),
    ss.BatchTarget: (ss.BatchTarget(DEFINITION, job_queue=BATCH_QUEUE), {}),
    ss.ApiTarget: (ss.ApiTarget("dynamodb", "putItem", {"TableName": "orders", "Item": {}}), {}),
    ss.HttpTarget: (ss.HttpTarget("https://example.com/hook?a=1", connection_arn=CONNECTION), {}),
    ss.ParallelTarget: (ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE)]), {}),
}
NOT_RENDERED = {ss.HandlerTarget, ss.CommandTarget, ss.WorkflowTarget, ss.targets.TemplateTarget}
ONLY_STARTED = {ss.targets.CodePipelineTarget, ss.targets.SageMakerPipelineTarget}
RENDERED = [
    pytest.param(target, payload, overlap, id=f"{kind.__name__}, {overlap.value}")
    for kind, (target, payload) in TARGETS.items()
    for overlap in ss.Overlap
    if overlap is ss.Overlap.ALLOW or kind not in ONLY_STARTED
]


def render(target: Target, payload: Any = None, **fields: Any) -> asl.StateMachine:
    every_hour = ss.Rate(timedelta(hours=1))
    return ss.render_asl(ss.Job(name="nightly", schedule=every_hour, target=target, input=payload, **fields))


def test_every_target_that_can_be_rendered_is_tried_here() -> None:
    assert TARGETS.keys() | NOT_RENDERED == set(get_args(Target))


@pytest.mark.parametrize(("target", "payload", "overlap"), RENDERED)
def test_the_role_of_a_rendered_job_may_start_its_successor_and_what_the_job_s_own_role_may(
    target: Target, payload: Any, overlap: ss.Overlap
) -> None:
    actions = dict(allowed(render(target, payload, overlap=overlap)))
    assert ARN in actions["states:StartExecution"]
    if isinstance(target, ss.HttpTarget):  # EventBridge Scheduler calls no URL
        return
    parts = target.targets if isinstance(target, ss.ParallelTarget) else (target,)
    of_job = iam.policy_for(
        [ss.Job(name=f"n{n}", schedule=ss.Rate(timedelta(hours=1)), target=p) for n, p in enumerate(parts)],
        resources={"dynamodb:putItem": [TABLE]} if isinstance(target, ss.ApiTarget) else None,
    )
    for entry in of_job["Statement"]:
        assert set(entry["Resource"]) <= set(actions[entry["Action"][0]])


@pytest.mark.parametrize(("target", "payload", "overlap"), RENDERED)
def test_its_policy_names_known_actions_once_on_single_resources(
    target: Target, payload: Any, overlap: ss.Overlap, known: Callable[[str], bool]
) -> None:
    rendered = render(target, payload, overlap=overlap)
    document = iam.machine_policy(rendered, machine_arn=ARN, task_roles=[ROLE])
    statements = document["Statement"]
    sids = [entry["Sid"] for entry in statements]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    assert sids == sorted(sids)
    without_resource = ("batch:DescribeJobs", "states:InvokeHTTPEndpoint")
    for entry in statements:
        assert entry["Effect"] == "Allow"
        (action,) = entry["Action"]
        assert known(action), action
        assert entry["Resource"] == sorted(set(entry["Resource"]))
        assert all(arn.startswith("arn:aws:") for arn in entry["Resource"]) or action in without_resource
    assert document == iam.machine_policy(rendered.to_dict(), machine_arn=ARN, task_roles=[ROLE])
    assert document == iam.machine_policy(asl.parse(rendered.to_json()), machine_arn=ARN, task_roles=[ROLE])


@pytest.fixture(scope="module")
def known() -> Callable[[str], bool]:
    """Whether AWS has such an action: the SDK's calls, and those that are called otherwise."""
    session = get_session()
    folders = {"states": "stepfunctions", "sts": "sts"}
    others = {
        "events:RetrieveConnectionCredentials",
        "iam:PassRole",
        "lambda:InvokeFunction",
        "states:InvokeHTTPEndpoint",
    }

    def is_known(action: str) -> bool:
        service, _, name = action.partition(":")
        model = session.get_service_model(folders.get(service, service))
        return action in others or name in model.operation_names

    return is_known


def test_the_whole_document_of_a_rendered_job() -> None:
    rendered = render(
        ss.StateMachineTarget(OTHER),
        overlap=ss.Overlap.SKIP,
        dead_letter=ss.QueueTarget(QUEUE),
        notify=ss.TopicTarget(TOPIC),
    )

    def allow(sid: str, action: str, *resources: str) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": list(resources)}

    waits = f"arn:aws:events:{AGAIN}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    executions = f"arn:aws:states:{AGAIN}:execution:close:*"
    assert iam.machine_policy(rendered, machine_arn=ARN) == {
        "Version": "2012-10-17",
        "Statement": [
            allow("EventsDescribeRule", "events:DescribeRule", waits),
            allow("EventsPutRule", "events:PutRule", waits),
            allow("EventsPutTargets", "events:PutTargets", waits),
            allow("SnsPublish", "sns:Publish", TOPIC),
            allow("SqsSendMessage", "sqs:SendMessage", QUEUE),
            allow("StatesDescribeExecution", "states:DescribeExecution", executions),
            allow("StatesStartExecution", "states:StartExecution", OTHER, ARN),
            allow("StatesStopExecution", "states:StopExecution", executions),
        ],
    }


# -- What each call needs -------------------------------------------------------------------------------

RUN = {"Cluster": CLUSTER, "TaskDefinition": TASK}
CALLS = [
    pytest.param(task(f"{LAMBDA}:live"), [("lambda:InvokeFunction", [f"{LAMBDA}:live"])], id="function"),
    pytest.param(
        task("lambda:invoke", {"FunctionName": "report"}), [("lambda:InvokeFunction", [LAMBDA])], id="name"
    ),
    pytest.param(
        task("lambda:invoke.waitForTaskToken", {"FunctionName": f"{ACCOUNT}:function:report:7"}),
        [("lambda:InvokeFunction", [f"{LAMBDA}:7"])],
        id="part of an ARN",
    ),
    pytest.param(
        task("aws-sdk:lambda:invoke", {"FunctionName": LAMBDA, "Qualifier": "$LATEST"}),
        [("lambda:InvokeFunction", [f"{LAMBDA}:$LATEST"])],
        id="qualifier",
    ),
    pytest.param(
        task("lambda:invoke", {"FunctionName": f"{LAMBDA}:live", "Qualifier": "live"}),
        [("lambda:InvokeFunction", [f"{LAMBDA}:live"])],
        id="qualifier twice",
    ),
    pytest.param(
        task("sqs:sendMessage.waitForTaskToken", {"QueueUrl": QUEUE_URL}),
        [("sqs:SendMessage", [QUEUE])],
        id="queue",
    ),
    pytest.param(
        task("aws-sdk:sqs:sendMessageBatch", {"QueueUrl": QUEUE_URL + ".fifo"}),
        [("sqs:SendMessage", [f"{QUEUE}.fifo"])],
        id="fifo queue",
    ),
    pytest.param(task("sns:publish", {"TopicArn": TOPIC}), [("sns:Publish", [TOPIC])], id="topic"),
    pytest.param(
        task("sns:publish", {"TargetArn": TOPIC, "TopicArn": None}), [("sns:Publish", [TOPIC])], id="target"
    ),
    pytest.param(
        task("sns:publish", {"PhoneNumber": "{% $states.input.number %}"}),
        [("sns:Publish", ["*"])],
        id="telephone",
    ),
    pytest.param(
        task("events:putEvents", {"Entries": [{"EventBusName": BUS}, {"EventBusName": "b"}, {"Detail": {}}]}),
        [
            (
                "events:PutEvents",
                [f"arn:aws:events:{AGAIN}:event-bus/{name}" for name in ("b", "default", "shop")],
            )
        ],
        id="buses",
    ),
    pytest.param(
        task("aws-sdk:eventbridge:putEvents", {"Entries": [{"EventBusName": BUS}]}),
        [("events:PutEvents", [BUS])],
        id="bus by SDK",
    ),
    pytest.param(
        task("aws-sdk:kinesis:putRecords", {"StreamARN": STREAM}),
        [("kinesis:PutRecords", [STREAM])],
        id="stream",
    ),
    pytest.param(
        task("aws-sdk:firehose:putRecordBatch", {"DeliveryStreamName": "clicks"}),
        [("firehose:PutRecordBatch", [DELIVERY])],
        id="delivery stream",
    ),
    pytest.param(
        task("aws-sdk:codepipeline:startPipelineExecution", {"Name": "site"}),
        [("codepipeline:StartPipelineExecution", [PIPELINE])],
        id="pipeline",
    ),
    pytest.param(
        task("aws-sdk:sagemaker:startPipelineExecution", {"PipelineName": "Train"}),
        [("sagemaker:StartPipelineExecution", [TRAINING.replace("train", "Train"), TRAINING])],
        id="training",
    ),
    pytest.param(
        task("dynamodb:getItem", {"TableName": "orders"}), [("dynamodb:GetItem", [TABLE])], id="item"
    ),
    pytest.param(
        task("aws-sdk:dynamodb:updateItem", {"TableName": TABLE}),
        [("dynamodb:UpdateItem", [TABLE])],
        id="item by SDK",
    ),
    pytest.param(
        task("aws-sdk:s3:copyObject", {"Bucket": "{% $bucket %}"}),
        [("s3:GetObject", ["*"]), ("s3:PutObject", ["*"])],
        id="any call",
    ),
    pytest.param(
        task("states:startExecution.waitForTaskToken", {"StateMachineArn": f"{OTHER}:3"}),
        [("states:StartExecution", [OTHER])],
        id="version of a machine",
    ),
    pytest.param(
        task("aws-sdk:sfn:startSyncExecution", {"StateMachineArn": OTHER}),
        [("states:StartSyncExecution", [OTHER])],
        id="express machine",
    ),
    pytest.param(
        task("states:startExecution", {"StateMachineArn": "{%$states.context.StateMachine.Id%}"}),
        [("states:StartExecution", [ARN])],
        id="itself",
    ),
    pytest.param(
        task("states:startExecution.sync", Parameters={"StateMachineArn.$": "$$.StateMachine.Id"}),
        [
            *rule("sForStepFunctionsExecution"),
            ("states:DescribeExecution", [EXECUTIONS]),
            ("states:StartExecution", [ARN]),
            ("states:StopExecution", [EXECUTIONS]),
        ],
        id="itself, by path, waiting",
    ),
    pytest.param(
        task("codebuild:startBuild.sync", {"ProjectName": "site"}),
        [
            ("codebuild:BatchGetBuilds", [PROJECT]),
            ("codebuild:StartBuild", [PROJECT]),
            ("codebuild:StopBuild", [PROJECT]),
            *rule("ForCodeBuildStartBuild"),
        ],
        id="build, waiting",
    ),
    pytest.param(
        task("batch:submitJob.sync", {"JobDefinition": "report:3", "JobQueue": "nightly"}),
        [
            ("batch:DescribeJobs", ["*"]),
            ("batch:SubmitJob", [DEFINITION, BATCH_QUEUE]),
            ("batch:TerminateJob", [f"arn:aws:batch:{AGAIN}:job/*"]),
            *rule("sForBatchJobs"),
        ],
        id="batch, waiting",
    ),
    pytest.param(
        task("ecs:runTask.sync", RUN),
        [
            ("ecs:DescribeTasks", [TASKS]),
            ("ecs:RunTask", [f"{TASK}:*"]),
            ("ecs:StopTask", [TASKS]),
            *rule("sForECSTask"),
        ],
        id="ecs, waiting",
    ),
    pytest.param(
        task("ecs:runTask", {"TaskDefinition": "report:3"}),
        [("ecs:RunTask", [f"{TASK}:3"])],
        id="ecs, default cluster",
    ),
    pytest.param(
        task("aws-sdk:ecs:runTask", {**RUN, "Tags": [{"Key": "a"}], "Overrides": {"TaskRoleArn": ROLE}}),
        [("ecs:RunTask", [f"{TASK}:*"]), ("ecs:TagResource", [TASKS]), ("iam:PassRole", [ROLE])],
        id="ecs, tags and role",
    ),
    pytest.param(
        task("ecs:runTask", {**RUN, "PropagateTags": "NONE", "Overrides": "{% $overrides %}"}),
        [("ecs:RunTask", [f"{TASK}:*"])],
        id="ecs, no tags",
    ),
    pytest.param(
        task("sqs:sendMessage", {"QueueUrl": "{% $url %}"}, Credentials={"RoleArn": ROLE}),
        [("sts:AssumeRole", [ROLE])],
        id="by another role",
    ),
    pytest.param(
        {
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                **machine(Inner=task(LAMBDA)),
            },
            "ResultWriter": {"WriterConfig": {}},
            "End": True,
        },
        [
            ("lambda:InvokeFunction", [LAMBDA]),
            ("states:DescribeExecution", [EXECUTIONS]),
            ("states:StartExecution", [ARN]),
            ("states:StopExecution", [EXECUTIONS]),
        ],
        id="distributed map",
    ),
]


@pytest.mark.parametrize(("state", "expected"), CALLS)
def test_a_call_needs_its_own_actions_on_what_it_names(
    state: dict[str, Any], expected: list[tuple[str, list[str]]], known: Callable[[str], bool]
) -> None:
    shown = allowed(machine(Only=state))
    assert shown == expected
    assert all(known(action) for action, _ in shown)


def test_a_task_is_run_in_its_cluster_alone() -> None:
    document = iam.machine_policy(
        machine(Only=task("ecs:runTask", {**RUN, "Cluster": "main"})), machine_arn=ARN, task_roles=[ROLE]
    )
    run, passed = document["Statement"]
    assert run["Condition"] == {"ArnEquals": {"ecs:cluster": CLUSTER}}
    assert (passed["Action"], passed["Resource"]) == (["iam:PassRole"], [ROLE])
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_no_role_is_passed_where_no_task_is_run() -> None:
    assert "iam:PassRole" not in dict(allowed(machine(Only=task(LAMBDA)), task_roles=[ROLE]))


def test_tasks_inside_of_other_states_count() -> None:
    deep = machine(Deep=task("sqs:sendMessage", {"QueueUrl": QUEUE_URL}))
    nested = machine(Old={"Type": "Map", "Iterator": deep, "End": True})
    shown = allowed(
        machine(
            Both={"Type": "Parallel", "Branches": [machine(First=task(LAMBDA)), nested], "Next": "Each"},
            Each={"Type": "Map", "ItemProcessor": machine(Tell=task("sns:publish", {"TopicArn": TOPIC}))},
            Rest={"Type": "Wait", "Seconds": 1, "Next": "Job"},
            Job=task(f"arn:aws:states:{AGAIN}:activity:approve"),
        )
    )
    assert shown == [
        ("lambda:InvokeFunction", [LAMBDA]),
        ("sns:Publish", [TOPIC]),
        ("sqs:SendMessage", [QUEUE]),
    ]


def test_names_live_where_the_machine_does() -> None:
    arn = ARN.replace("aws:states:eu-west-1", "aws-cn:states:cn-north-1")
    definition = machine(
        Call=task("lambda:invoke", {"FunctionName": f"{ACCOUNT}:function:report"}),
        Send=task(
            "sqs:sendMessage", {"QueueUrl": f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/orders"}
        ),
        Build=task("codebuild:startBuild.sync", {"ProjectName": "site"}),
    )
    document = json.dumps(iam.machine_policy(definition, machine_arn=arn))
    assert (
        document.count(f"cn-north-1:{ACCOUNT}")
        == document.count("arn:aws-cn:")
        == document.count("arn:")
        == 8
    )


# -- Refusals -------------------------------------------------------------------------------------------

CALL_OF_URL = {"Method": "POST", "Authentication": {"ConnectionArn": CONNECTION}}
BY_HAND = "use the machine without that state, and write its statement by hand"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param(
            task("sqs:sendMessage", {"QueueUrl": "{% $url %}"}),
            f"QueueUrl is computed, '{{% $url %}}'; use a literal QueueUrl, or {BY_HAND}",
            id="expression",
        ),
        pytest.param(
            task("sns:publish", Parameters={"TopicArn.$": "$.topic"}),
            "TopicArn.$ is computed, '$.topic'; use a literal TopicArn",
            id="path",
        ),
        pytest.param(
            task("lambda:invoke", "{% $states.input %}"),
            "arguments of lambda:invoke are computed",
            id="all is computed",
        ),
        pytest.param(
            task("lambda:invoke"), "arguments of lambda:invoke are the input of the state", id="input"
        ),
        pytest.param(task("lambda:invoke", {}), "lambda:invoke lacks FunctionName", id="nothing"),
        pytest.param(
            task("states:startExecution", {"StateMachineArn": "{% $states.input.arn %}"}),
            "StateMachineArn is computed",
            id="machine",
        ),
        pytest.param(
            task("states:startExecution", {"StateMachineArn": "close"}), "'close' is not an ARN", id="no ARN"
        ),
        pytest.param(
            task("events:putEvents", {"Entries": "{% $entries %}"}), "Entries are computed", id="entries"
        ),
        pytest.param(
            task("events:putEvents", {"Entries": [{"EventBusName": "{% $bus %}"}]}),
            "EventBusName is",
            id="bus",
        ),
        pytest.param(
            task("ecs:runTask", {**RUN, "Overrides": {"TaskRoleArn": "{% $role %}"}}),
            "TaskRoleArn is computed",
            id="role of a task",
        ),
        pytest.param(
            task("lambda:invoke", {"FunctionName": "${Report}"}), "more than one resource", id="placeholder"
        ),
        pytest.param(task(f"{LAMBDA}*"), "more than one resource", id="functions"),
        pytest.param(
            task("sqs:sendMessage", {"QueueUrl": "orders"}),
            "expected QueueUrl to be https://sqs.<region>",
            id="queue",
        ),
        pytest.param(task("codebuild:startBuild", {"ProjectName": "a b"}), "project/<name>", id="project"),
        pytest.param(
            task("codebuild:startBuild", {"ProjectName": TOPIC}), "is of service 'sns'", id="mixed up"
        ),
        pytest.param(task("glue:startJobRun.sync", {}), "wait for glue:startJobRun are not known", id="glue"),
        pytest.param(
            task("http:invoke", {}), "http:invoke lacks ConnectionArn; use a literal", id="no connection"
        ),
        pytest.param(
            task("http:invoke", {**CALL_OF_URL, "ApiEndpoint": "{% $url %}"}),
            "ApiEndpoint is computed",
            id="computed URL",
        ),
        pytest.param(task("aws-sdk:apigateway:deleteStage", {}), "are not known", id="by path"),
        pytest.param(task("aws-sdk:ecs:runTask.sync", RUN), "wait for ecs:runTask are not known", id="SDK"),
        pytest.param(task(OTHER), "its Resource .* is not known", id="resource"),
        pytest.param({"Type": "Task"}, "expected Resource to be text, got None", id="no resource"),
        pytest.param(
            task(LAMBDA, Credentials={"RoleArn.$": "$.role"}), "RoleArn.$ is computed", id="credentials"
        ),
        pytest.param(task(LAMBDA, Credentials={"RoleArn": "r"}), "expected the ARN of one role", id="role"),
        pytest.param(
            {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject"}},
            f"S3 permissions of its ItemReader are not known; {BY_HAND}",
            id="reader",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_state_and_a_cure(state: dict[str, Any], words: str) -> None:
    pattern = words if ".*" in words else "".join(f"\\{c}" if c in "{}$*.|()" else c for c in words)
    with pytest.raises(ValueError, match=rf"^no policy for state 'Odd one': .*{pattern}"):
        iam.machine_policy(machine(**{"First": task(LAMBDA), "Odd one": state}), machine_arn=ARN)


HALF_WRITTEN = machine(A={"Type": "Parallel", "Branches": [{"States": {"B": None}}, 7, {"States": []}]})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"machine_arn": f"{ARN}:live"}, "the form is .*stateMachine:<name>", id="alias"),
        pytest.param({"machine_arn": f"{ARN}*"}, "malformed", id="pattern"),
        pytest.param({"machine_arn": LAMBDA}, "is of service 'lambda'", id="function"),
        pytest.param({"machine_arn": ARN.replace(ACCOUNT, "1")}, "12 digits", id="account"),
        pytest.param(
            {"machine_arn": ARN.replace("eu-west-1", "eu")}, "expected region .* got 'eu'", id="region"
        ),
        pytest.param(
            {"task_roles": ["worker"]}, "task_roles: expected the ARN of one role, .* got 'worker'", id="role"
        ),
        pytest.param({"machine": machine(Done={"Type": "Succeed"})}, "makes no calls", id="no calls"),
        pytest.param({"machine": HALF_WRITTEN}, "makes no calls", id="half-written"),
    ],
)
def test_a_wrong_argument_is_answered_with_its_value_and_a_cure(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        iam.machine_policy(**{"machine": machine(Only=task(LAMBDA)), "machine_arn": ARN, **arguments})


def test_what_is_no_definition_is_refused() -> None:
    with pytest.raises(TypeError, match="expected machine to be a StateMachine or a dict, got str"):
        iam.machine_policy("{}", machine_arn=ARN)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected task_roles to be a list"):
        iam.machine_policy(machine(Only=task(LAMBDA)), machine_arn=ARN, task_roles=ROLE)
    with pytest.raises(DefinitionError):
        iam.machine_policy({"StartAt": "A"}, machine_arn=ARN)


# -- Trust ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine_arn", "source"),
    [
        pytest.param(None, f"arn:*:states:*:{ACCOUNT}:stateMachine:*", id="any machine"),
        pytest.param(ARN, ARN, id="one machine"),
    ],
)
def test_only_step_functions_and_only_for_the_account_s_own_machines_takes_the_role(
    machine_arn: str | None, source: str
) -> None:
    assert iam.machine_trust_policy(account=ACCOUNT, machine_arn=machine_arn) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "StatesAssumesRole",
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": ["sts:AssumeRole"],
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    "ArnLike": {"aws:SourceArn": source},
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"account": "12"}, "12 digits, got '12'", id="account"),
        pytest.param({"account": None}, "expected account to be text, got None", id="no account"),
        pytest.param(
            {"account": "210987654321"},
            "expected machine_arn to be in account '210987654321'",
            id="other account",
        ),
        pytest.param({"machine_arn": f"{ARN}:1"}, "malformed", id="version"),
    ],
)
def test_a_wrong_argument_of_the_trust_policy_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        iam.machine_trust_policy(**{"account": ACCOUNT, "machine_arn": ARN, **arguments})
