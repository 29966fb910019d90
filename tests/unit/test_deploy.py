"""The template of the Step Functions backend, and the policies that go with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import pytest
from botocore.session import get_session

import stepsched as ss
from stepsched import asl
from stepsched.deploy import client_policy, template
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import CALLS, runner
from stepsched.targets import Target
from tests.parts.asl_validators import PATIENCE
from tests.parts.environments import python_of

ACCOUNT = "123456789012"
AGAIN = f"eu-west-1:{ACCOUNT}"
STACK = "jobs"
TABLE = f"arn:aws:dynamodb:{AGAIN}:table/jobs-Table-1"
OWN = f"arn:aws:states:{AGAIN}:stateMachine:{STACK}"
LAMBDA = f"arn:aws:lambda:{AGAIN}:function:report"
OTHER = f"arn:aws:states:{AGAIN}:stateMachine:close"
QUEUE = f"arn:aws:sqs:{AGAIN}:orders"
TOPIC = f"arn:aws:sns:{AGAIN}:news"
BUS = f"arn:aws:events:{AGAIN}:event-bus/shop"
STREAM = f"arn:aws:kinesis:{AGAIN}:stream/clicks"
DELIVERY = f"arn:aws:firehose:{AGAIN}:deliverystream/clicks"
PROJECT = f"arn:aws:codebuild:{AGAIN}:project/site"
PIPELINE = f"arn:aws:codepipeline:{AGAIN}:site"
CONNECTION = f"arn:aws:events:{AGAIN}:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"
CONNECTION_SECRET = f"arn:aws:secretsmanager:{AGAIN}:secret:events!connection/hooks/*"
TRAINING = f"arn:aws:sagemaker:{AGAIN}:pipeline/Train"
DEFINITION = f"arn:aws:batch:{AGAIN}:job-definition/report"
BATCH_QUEUE = f"arn:aws:batch:{AGAIN}:job-queue/nightly"
CLUSTER = f"arn:aws:ecs:{AGAIN}:cluster/main"
TASK = f"arn:aws:ecs:{AGAIN}:task-definition/report"
TASKS = f"arn:aws:ecs:{AGAIN}:task/main/*"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"

Allowed = set[tuple[str, str]]
"""Actions, each with a resource."""


def resolved(value: Any, stack: str = STACK) -> Any:
    """What CloudFormation makes of the references in a template."""
    known = {
        "AWS::Partition": "aws",
        "AWS::Region": "eu-west-1",
        "AWS::AccountId": ACCOUNT,
        "AWS::StackName": stack,
        "Table": "jobs-Table-1",
    }
    match value:
        case {"Ref": name}:
            return known[name]
        case {"Fn::GetAtt": ["Table", "Arn"]}:
            return TABLE
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^!}]+)\}", lambda match: known[match[1]], text)
        case dict():
            return {key: resolved(item, stack) for key, item in value.items()}
        case list():
            return [resolved(item, stack) for item in value]
    return value


def statements(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the runner may do, once the stack is there."""
    (policy,) = made["Resources"]["RunnerRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Version"] == "2012-10-17"
    return list(resolved(policy["PolicyDocument"]["Statement"]))


def allowed(made: dict[str, Any]) -> Allowed:
    return {
        (action, resource)
        for entry in statements(made)
        for action in entry["Action"]
        for resource in entry["Resource"]
    }


RUNNERS_OWN = {
    ("dynamodb:DeleteItem", TABLE),
    ("dynamodb:GetItem", TABLE),
    ("dynamodb:UpdateItem", TABLE),
    ("states:StartExecution", OWN),
}


def waiting(rule: str) -> Allowed:
    arn = f"arn:aws:events:{AGAIN}:rule/StepFunctionsGetEvent{rule}Rule"
    return {(f"events:{action}", arn) for action in ("DescribeRule", "PutRule", "PutTargets")}


# What each target needs, by the pages under
# https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html
TARGETS: dict[str, tuple[Target, Allowed]] = {
    "lambda": (ss.LambdaTarget(f"{LAMBDA}:live"), {("lambda:InvokeFunction", f"{LAMBDA}:live")}),
    "several messages": (
        ss.FanOutTarget(f"{QUEUE}.fifo", ["a", "b"], message_group_id="g"),
        {("sqs:SendMessage", f"{QUEUE}.fifo")},
    ),
    "state machine": (
        ss.StateMachineTarget(f"{OTHER}:live"),
        {
            ("states:StartExecution", OTHER),
            ("states:DescribeExecution", f"arn:aws:states:{AGAIN}:execution:close:*"),
            ("states:StopExecution", f"arn:aws:states:{AGAIN}:execution:close:*"),
            *waiting("sForStepFunctionsExecution"),
        },
    ),
    "queue": (ss.QueueTarget(QUEUE), {("sqs:SendMessage", QUEUE)}),
    "fifo": (
        ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"),
        {("sqs:SendMessage", f"{QUEUE}.fifo")},
    ),
    "topic": (ss.TopicTarget(TOPIC), {("sns:Publish", TOPIC)}),
    "bus": (ss.EventBusTarget(BUS), {("events:PutEvents", BUS)}),
    "stream": (ss.targets.KinesisTarget(STREAM, partition_key="p"), {("kinesis:PutRecord", STREAM)}),
    "delivery stream": (ss.targets.FirehoseTarget(DELIVERY), {("firehose:PutRecord", DELIVERY)}),
    "task": (
        ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK),
        {
            ("ecs:RunTask", f"{TASK}:*"),
            ("ecs:DescribeTasks", TASKS),
            ("ecs:StopTask", TASKS),
            ("iam:PassRole", ROLE),
            *waiting("sForECSTask"),
        },
    ),
    "tasks with tags": (
        ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=f"{TASK}:3", tags={"a": "b"}),
        {("ecs:RunTask", f"{TASK}:3"), ("ecs:TagResource", TASKS), ("iam:PassRole", ROLE)},
    ),
    "build": (
        ss.targets.CodeBuildTarget(PROJECT),
        {
            ("codebuild:StartBuild", PROJECT),
            ("codebuild:BatchGetBuilds", PROJECT),
            ("codebuild:StopBuild", PROJECT),
            *waiting("ForCodeBuildStartBuild"),
        },
    ),
    "pipeline": (
        ss.targets.CodePipelineTarget(PIPELINE),
        {("codepipeline:StartPipelineExecution", PIPELINE)},
    ),
    "training": (
        ss.targets.SageMakerPipelineTarget(TRAINING),
        {
            ("sagemaker:StartPipelineExecution", TRAINING),
            ("sagemaker:StartPipelineExecution", TRAINING.replace("Train", "train")),
        },
    ),
    "batch": (
        ss.BatchTarget("report", job_queue=BATCH_QUEUE),
        {
            ("batch:SubmitJob", DEFINITION),
            ("batch:SubmitJob", f"{DEFINITION}:*"),
            ("batch:SubmitJob", BATCH_QUEUE),
            ("batch:DescribeJobs", "*"),
            ("batch:TerminateJob", f"arn:aws:batch:{AGAIN}:job/*"),
            *waiting("sForBatchJobs"),
        },
    ),
    "call that tells": (
        ss.ApiTarget("firehose", "putRecordBatch", {"DeliveryStreamName": "clicks", "Records": []}),
        {("firehose:PutRecordBatch", DELIVERY)},
    ),
    "call": (
        ss.ApiTarget("s3", "copyObject", {"Bucket": "b", "CopySource": "a/k", "Key": "k"}),
        {("s3:GetObject", "arn:aws:s3:::shop/*"), ("s3:PutObject", "arn:aws:s3:::shop/*")},
    ),
    "URL": (
        ss.HttpTarget("https://example.com/hook?a=1", connection_arn=CONNECTION),
        {
            ("states:InvokeHTTPEndpoint", "*"),
            ("events:RetrieveConnectionCredentials", CONNECTION),
            ("secretsmanager:DescribeSecret", CONNECTION_SECRET),
            ("secretsmanager:GetSecretValue", CONNECTION_SECRET),
        },
    ),
    "parallel": (
        ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE)]),
        {("lambda:InvokeFunction", LAMBDA), ("sqs:SendMessage", QUEUE)},
    ),
}
RESOURCES = {"s3:copyObject": ["arn:aws:s3:::shop/*"]}
REFUSED = {ss.HandlerTarget, ss.CommandTarget, ss.targets.TemplateTarget, ss.WorkflowTarget}


def everything() -> dict[str, Any]:
    return template([target for target, _ in TARGETS.values()], task_roles=[ROLE], resources=RESOURCES)


# -- The role -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "needed"), TARGETS.values(), ids=TARGETS)
def test_the_runner_may_do_its_own_work_and_what_the_target_needs_and_nothing_else(
    target: Target, needed: Allowed
) -> None:
    resources = RESOURCES if isinstance(target, ss.ApiTarget) and target.service == "s3" else None
    assert allowed(template([target], task_roles=[ROLE], resources=resources)) == RUNNERS_OWN | needed


def test_every_kind_of_target_stands_in_the_table_above() -> None:
    assert {type(target) for target, _ in TARGETS.values()} | REFUSED == set(get_args(Target))


def test_a_url_is_allowed_with_its_method_and_no_other() -> None:
    made = template(
        [
            ss.HttpTarget("https://example.com/hook?a=1", connection_arn=CONNECTION),
            ss.HttpTarget("https://example.com/hook", method="PUT", connection_arn=CONNECTION),
        ]
    )
    found = [each["Condition"] for each in statements(made) if "InvokeHTTPEndpoint" in each["Sid"]]
    url = "https://example.com/hook"
    assert found == [
        {"StringEquals": {"states:HTTPEndpoint": url, "states:HTTPMethod": method}}
        for method in ("POST", "PUT")
    ]


def test_many_targets_need_what_each_of_them_needs() -> None:
    needed = set[tuple[str, str]]().union(*(each for _, each in TARGETS.values()))
    assert allowed(everything()) == RUNNERS_OWN | needed


def test_dead_letters_and_topics_are_allowed_too() -> None:
    made = template(
        [ss.LambdaTarget(LAMBDA)], dead_letters=[ss.QueueTarget(QUEUE)], topics=iter([ss.TopicTarget(TOPIC)])
    )
    told = {("lambda:InvokeFunction", LAMBDA), ("sqs:SendMessage", QUEUE), ("sns:Publish", TOPIC)}
    assert allowed(made) == RUNNERS_OWN | told


def test_a_call_that_tells_may_still_be_given_its_resources() -> None:
    call = TARGETS["call that tells"][0]
    there = f"{DELIVERY}-2"
    made = template([call], resources={"firehose:putRecordBatch": [there]})
    assert allowed(made) == RUNNERS_OWN | {("firehose:PutRecordBatch", there)}
    with pytest.raises(TypeError, match=r"resources\['firehose:putRecordBatch'\] to be a list, got text"):
        template([call], resources={"firehose:putRecordBatch": there})


def test_a_request_may_contain_context_attributes() -> None:
    request = {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "MessageBody": "x"}
    plain, filled = (
        ss.ApiTarget("sqs", "sendMessage", request | {"MessageBody": body})
        for body in ("x", "no. " + ss.context.EXECUTION_ID)
    )
    named = {"sqs:sendMessage": ["arn:aws:sqs:eu-west-1:123456789012:q"]}
    assert template([filled], resources=named) == template([plain], resources=named)


def test_the_role_that_personalize_takes_on_may_be_passed_to_it() -> None:
    role = "arn:aws:iam::123456789012:role/personalize"
    request: dict[str, Any] = {
        "JobName": "import",
        "DatasetArn": "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/USERS",
        "DataSource": {"DataLocation": "s3://bucket/users.csv"},
    }
    named = {
        "personalize:createDatasetImportJob": [
            "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job/*"
        ]
    }
    without, with_role = (
        template([ss.ApiTarget("personalize", "createDatasetImportJob", each)], resources=named)
        for each in (request, request | {"RoleArn": role})
    )
    statements = [
        each["Resources"]["RunnerRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        for each in (without, with_role)
    ]
    (added,) = [each for each in statements[1] if each not in statements[0]]
    assert (added["Action"], added["Resource"]) == (["iam:PassRole"], [role])
    assert added["Condition"] == {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
    with pytest.raises(ValueError, match="expected the ARN of one role"):
        template(
            [ss.ApiTarget("personalize", "createDatasetImportJob", request | {"RoleArn": "role/*"})],
            resources=named,
        )


def test_conditions_stay() -> None:
    entries = {entry["Sid"]: entry for entry in statements(everything())}
    assert entries["EcsRunTask"]["Condition"] == {"ArnEquals": {"ecs:cluster": CLUSTER}}
    passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert entries["IamPassRole"]["Condition"] == passed


def test_only_a_call_that_has_no_resource_is_allowed_on_everything() -> None:
    wide = {action for action, resource in allowed(everything()) if resource == "*"}
    assert wide == {"batch:DescribeJobs", "states:InvokeHTTPEndpoint"}  # the latter by method and URL


def test_every_call_of_the_definition_is_allowed() -> None:
    made = everything()
    granted, seen = allowed(made), set()
    for name, state in made["Resources"]["Runner"]["Properties"]["Definition"]["States"].items():
        if state["Type"] == "Task":
            for action, resource in needs(state):
                assert [pair for pair in granted if pair[0] == action and resource in (None, pair[1])], name
            seen.add(name)
    own = {
        "Load",
        "Take",
        "Fence",
        "Claim",
        "Record",
        "Record run only",
        "Release",
        "Read job",
        "Renew",
        "Delete",
    }
    assert own < seen
    assert set(CALLS) < seen


def needs(state: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The actions of a call; the resource is None where the row of a job names it."""
    called = state["Resource"].split(":::")[1].removeprefix("aws-sdk:").split(".")[0]
    service, action = called.split(":")
    given = state["Arguments"]
    if action == "transactWriteItems":
        text = json.dumps(given["TransactItems"]).replace('"', "'")
        verbs = re.findall(r"'(Put|Update|Delete|ConditionCheck)': ", text)
        tables = set(re.findall(r"'TableName': '([^']+)'", text))
        assert verbs
        assert tables == {"${TableName}"}
        return [(f"dynamodb:{verb}Item", TABLE) for verb in verbs]
    if service == "dynamodb":
        assert given["TableName"] == "${TableName}"
        return [(f"dynamodb:{action[0].upper()}{action[1:]}", TABLE)]
    if isinstance(given, dict):
        assert given["StateMachineArn"] == "{% $states.context.StateMachine.Id %}"
        return [("states:StartExecution", OWN)]
    if action == "copyObject":
        return [("s3:GetObject", None), ("s3:PutObject", None)]
    if service == "http":
        return [
            ("states:InvokeHTTPEndpoint", None),
            ("events:RetrieveConnectionCredentials", None),
            ("secretsmanager:DescribeSecret", None),
            ("secretsmanager:GetSecretValue", None),
        ]
    verbs_of = {"invoke": "InvokeFunction", "sendMessageBatch": "SendMessage"}
    verb = verbs_of.get(action, action[0].upper() + action[1:])
    return [(f"{service}:{verb}", None)]


def test_step_functions_alone_takes_the_role_and_only_for_this_machine() -> None:
    made = template([ss.LambdaTarget(LAMBDA)])
    trust = resolved(made["Resources"]["RunnerRole"]["Properties"]["AssumeRolePolicyDocument"])
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": OWN},
    }


def test_what_is_called_by_name_is_allowed_by_the_arn_that_was_given() -> None:
    """So a stack in the wrong account is refused by AWS, instead of reaching a namesake."""
    there = STREAM.replace(ACCOUNT, "210987654321")
    made = template([ss.targets.KinesisTarget(arn, partition_key="p") for arn in (STREAM, there)])
    assert {("kinesis:PutRecord", STREAM), ("kinesis:PutRecord", there)} <= allowed(made)
    assert not [entry for entry in _texts(made) if "${AWS::AccountId}:stream" in entry]


def test_bare_names_are_of_the_stack_s_own_account_whatever_other_targets_say() -> None:
    there = BATCH_QUEUE.replace(ACCOUNT, "210987654321")
    made = template([ss.BatchTarget("report", job_queue=each) for each in ("nightly", there)])
    assert {("batch:SubmitJob", BATCH_QUEUE), ("batch:SubmitJob", there)} <= allowed(made)


# -- The table ------------------------------------------------------------------------------------------


def test_the_table_outlives_the_stack_and_has_the_shape_of_a_table_of_jobs() -> None:
    table = template([ss.LambdaTarget(LAMBDA)])["Resources"]["Table"]
    assert table == {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "KeySchema": [
                {"AttributeName": "name", "KeyType": "HASH"},
                {"AttributeName": "version", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": each, "AttributeType": "S"} for each in ("name", "version", "status", "due")
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by_status",
                    "KeySchema": [
                        {"AttributeName": "status", "KeyType": "HASH"},
                        {"AttributeName": "due", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }


def test_the_table_that_the_api_makes_differs_by_its_name_alone() -> None:
    properties = template([ss.LambdaTarget(LAMBDA)])["Resources"]["Table"]["Properties"]
    asked = table_schema.creation("jobs")
    assert asked.pop("TableName") == "jobs"
    assert asked.items() <= properties.items()
    assert properties["TimeToLiveSpecification"] == table_schema.time_to_live()


def test_rows_expire_by_the_attribute_that_the_runner_writes() -> None:
    kept = runner("jobs").to_dict()["States"]["Record run only"]["Arguments"]
    assert table_schema.TTL in kept["ExpressionAttributeNames"].values()


# -- The machine ----------------------------------------------------------------------------------------


def test_the_definition_is_the_runner_s_with_the_table_s_name_to_be_filled_in() -> None:
    targets = [target for target, _ in TARGETS.values() if not isinstance(target, ss.ApiTarget)]
    made = template(targets)["Resources"]["Runner"]["Properties"]
    text = json.dumps(made["Definition"])
    whole = runner("jobs", calls=sorted(CALLS)).to_dict()
    assert text.replace("${TableName}", "jobs") == json.dumps(whole)
    assert set(re.findall(r"\$\{.*?\}", text)) == {"${TableName}"}
    assert made["DefinitionSubstitutions"] == {"TableName": {"Ref": "Table"}}
    assert made["StateMachineType"] == "STANDARD"
    assert made["StateMachineName"] == {"Ref": "AWS::StackName"}


def test_the_machine_has_the_states_that_its_targets_need() -> None:
    made = template([ss.StateMachineTarget(OTHER), TARGETS["call"][0]], resources=RESOURCES)
    definition = made["Resources"]["Runner"]["Properties"]["Definition"]
    wanted = {"states:startExecution", "states:startExecution.sync:2", "aws-sdk:s3:copyObject"}
    assert {rule["Next"] for rule in definition["States"]["Route"]["Choices"]} == wanted
    assert {name for name in definition["States"] if ":" in name} == wanted
    assert asl.check(definition) == []
    whole = runner("jobs", calls=[*CALLS, "aws-sdk:s3:copyObject"]).to_dict()["States"]
    assert whole.keys() - definition["States"].keys() == {*CALLS, "All sent?"} - wanted


def test_no_text_of_the_caller_stands_in_the_definition_or_where_references_are_filled_in() -> None:
    there = "arn:aws:lambda:eu-west-1:210987654321:function:other"
    made = everything()
    one, other = (template([ss.LambdaTarget(arn)])["Resources"]["Runner"] for arn in (LAMBDA, there))
    assert one == other
    filled = [text for text in _texts(made["Resources"]["RunnerRole"]) if "${" in text]
    given = {text.split("${AWS::AccountId}:")[1] for text in filled} - {"stateMachine:${AWS::StackName}"}
    # Bare names of Batch, which hold nothing but letters, digits, '-' and '_'.
    assert all(re.fullmatch(r"[\w/:*-]+", text) for text in given)


def test_a_name_that_looks_like_a_reference_is_refused() -> None:
    request: dict[str, Any] = {"StreamName": "${AWS::StackName}", "Data": "d", "PartitionKey": "p"}
    with pytest.raises(ValueError, match=r"targets\[0\]: .*would allow more than one resource"):
        template([ss.ApiTarget("kinesis", "putRecord", request)])


def test_in_china_the_machine_calls_what_is_in_china() -> None:
    made = template([ss.QueueTarget(f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders")])
    text = json.dumps(made)
    assert "arn:aws:" not in text
    assert "arn:aws-cn:states:::sqs:sendMessage" in text
    assert f'"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders"' in text


# -- The whole ------------------------------------------------------------------------------------------


def test_the_outputs_are_named_and_described() -> None:
    outputs = template([ss.LambdaTarget(LAMBDA)])["Outputs"]
    assert {name: each["Value"] for name, each in outputs.items()} == {
        "TableName": {"Ref": "Table"},
        "TableArn": {"Fn::GetAtt": ["Table", "Arn"]},
        "StateMachineArn": {"Ref": "Runner"},
    }
    assert all(each["Description"] for each in outputs.values())


def test_the_same_targets_give_the_same_text_in_whatever_order() -> None:
    targets = [target for target, _ in TARGETS.values()]
    text = json.dumps(template(targets, task_roles=[ROLE], resources=RESOURCES))
    again = iter(targets[::-1] + targets[:3])
    assert json.dumps(template(again, task_roles=(ROLE, ROLE), resources=RESOURCES)) == text


@pytest.mark.parametrize("kinds", [*TARGETS, "lambda, state machine, queue, topic"])
def test_it_fits_into_a_request_of_cloudformation_without_white_space(kinds: str) -> None:
    targets = [TARGETS[kind][0] for kind in kinds.split(", ")]
    resources = (
        RESOURCES
        if any(isinstance(each, ss.ApiTarget) and each.service == "s3" for each in targets)
        else None
    )
    dead, news = [ss.QueueTarget(QUEUE)], [ss.TopicTarget(TOPIC)]
    made = template(targets, task_roles=[ROLE], resources=resources, dead_letters=dead, topics=news)
    assert len(json.dumps(made, separators=(",", ":")).encode()) < 51_200


def test_a_linter_of_templates_finds_nothing_and_would_find_a_fault() -> None:
    """As its user runs it: the command line without options."""
    plain = [ss.LambdaTarget(LAMBDA)]
    assert linted(template(plain), everything(), template(plain, table_name="jobs")) == (0, "")
    faulty, computed = template(plain), template(plain)
    del faulty["Resources"]["Table"]["Properties"]["AttributeDefinitions"][3]
    faulty["Resources"]["Runner"]["Properties"]["RoleArn"] = {"Fn::GetAtt": ["NoRole", "Arn"]}
    del computed["Resources"]["Runner"]["Metadata"]
    status, found = linted(faulty, computed)
    assert status
    assert {line for line in found.splitlines() if line.startswith("E3601 ")} == {
        "E3601 '{% $job.timeout %}' is not of type 'number'"
    }
    assert len(re.findall(r"^0\.json:", found, re.MULTILINE)) >= 2


def linted(*made: dict[str, Any]) -> tuple[int, str]:
    names = [f"{index}.json" for index in range(len(made))]
    with tempfile.TemporaryDirectory() as folder:
        for name, each in zip(names, made, strict=True):
            (Path(folder) / name).write_text(json.dumps(each))
        ended = subprocess.run(
            [str(python_of("cfn-lint").with_name("cfn-lint")), *names],
            capture_output=True,
            text=True,
            cwd=folder,
            env={"HOME": folder, "TZ": "UTC"},
            timeout=PATIENCE,
            check=False,
        )
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_to_make_a_template_loads_no_sdk() -> None:
    code = "import sys, stepsched.deploy; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
        case str():
            yield value


# -- Refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        pytest.param(LAMBDA, "expected targets to be a list, got 'arn:aws:lambda:.*; use", id="text"),
        pytest.param({"a": 1}, "expected targets to be a list, got {'a': 1}", id="mapping"),
        pytest.param(7, "expected targets to be a list, got 7", id="number"),
        pytest.param(ss.LambdaTarget(LAMBDA), "to be a list, got one LambdaTarget", id="one target"),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), QUEUE],
            r"targets\[1\] to be .*got 'arn.*use LambdaTarget",
            id="arn",
        ),
    ],
)
def test_what_is_no_list_of_targets_is_refused(targets: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        template(targets)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        pytest.param([], "expected at least one target, got an empty list", id="none"),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), ss.HandlerTarget("shop.jobs:close")],
            r"targets\[1\]: AWS cannot invoke a Python function",
            id="handler",
        ),
        pytest.param(
            [ss.CommandTarget(["true"])], r"targets\[0\]: AWS cannot invoke a command", id="command"
        ),
        pytest.param(
            [ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.CommandTarget(["true"])])],
            r"targets\[0\]: AWS cannot invoke a command",
            id="part",
        ),
        pytest.param(
            [ss.targets.TemplateTarget(QUEUE)], r"targets\[0\]: a TemplateTarget has the form", id="template"
        ),
        pytest.param(
            [ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"})],
            r"targets\[0\]: the request of s3:putObject does not name .*resources={'s3:putObject': \['arn:",
            id="call that does not tell",
        ),
        pytest.param([ss.ApiTarget("s3", "putObjekt", {})], r"targets\[0\]: .*putObjekt", id="no call"),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), ss.QueueTarget(f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders")],
            r"got targets\[0\] in eu-west-1 of aws and targets\[1\] in cn-north-1 of aws-cn; use",
            id="partitions",
        ),
        pytest.param(
            [ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE.replace("west", "north"))],
            r"targets\[1\] in eu-north-1 of aws and targets\[0\] in eu-west-1 .* use one stack for",
            id="regions",
        ),
        pytest.param(
            [ss.LambdaTarget(f"{LAMBDA}-{number}") for number in range(200)],
            "a policy of at most 10,240 characters, got .* for 200 targets; use several stacks",
            id="too many",
        ),
    ],
)
def test_targets_that_the_runner_cannot_serve_are_named(targets: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        template(targets)


def test_a_call_whose_permission_hangs_on_a_path_is_refused_although_its_resource_is_named() -> None:
    stage = ss.ApiTarget("apigateway", "deleteStage", {"RestApiId": "a", "StageName": "b"})
    with pytest.raises(ValueError, match=r"targets\[0\]: the IAM action for apigateway:deleteStage"):
        template([stage], resources={"apigateway:deleteStage": ["*"]})


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        pytest.param(
            {"dead_letters": [ss.TopicTarget(TOPIC)]},
            TypeError,
            r"expected dead_letters\[0\] to be a target, got TopicTarget.*use QueueTarget",
            id="topic as queue",
        ),
        pytest.param({"topics": [TOPIC]}, TypeError, r"topics\[0\] .* got 'arn.*use TopicTarget", id="text"),
        pytest.param({"topics": TOPIC}, TypeError, "expected topics to be a list, got 'arn", id="no list"),
        pytest.param({"task_roles": ROLE}, TypeError, "expected task_roles to be a list", id="role as text"),
        pytest.param({"resources": ["s3:putObject"]}, TypeError, "resources to be a dict", id="no dict"),
        pytest.param({"task_roles": ["worker"]}, ValueError, "task_roles: .* got 'worker'", id="no role"),
        pytest.param(
            {"topics": [ss.TopicTarget(TOPIC.replace("west", "north"))]},
            ValueError,
            r"topics\[0\] in eu-north-1",
            id="region",
        ),
        pytest.param(
            {"resources": {"s3:putObject": ["*"]}},
            ValueError,
            "calls of the ApiTargets \\(there is none\\), got 's3:putObject'",
            id="no such call",
        ),
    ],
)
def test_a_wrong_argument_is_answered_with_its_value_and_a_cure(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        template([ss.LambdaTarget(LAMBDA)], **arguments)


# -- The application ------------------------------------------------------------------------------------


def test_the_application_may_use_its_table_and_its_machine_and_nothing_else() -> None:
    document = client_policy(table_arn=TABLE, state_machine_arn=OWN)
    assert document["Version"] == "2012-10-17"
    assert [(entry["Sid"], entry["Action"], entry["Resource"]) for entry in document["Statement"]] == [
        (
            "Table",
            [
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:Scan",
                "dynamodb:UpdateItem",
            ],
            [TABLE],
        ),
        ("TableIndex", ["dynamodb:Query"], [f"{TABLE}/index/by_status"]),
        ("Runner", ["states:DescribeStateMachine", "states:ListExecutions", "states:StartExecution"], [OWN]),
        (
            "RunnerExecutions",
            ["states:DescribeExecution", "states:GetExecutionHistory", "states:StopExecution"],
            [f"arn:aws:states:{AGAIN}:execution:jobs:*"],
        ),
    ]
    execution = f"arn:aws:states:{AGAIN}:execution:jobs:nightly-1"
    assert fnmatchcase(execution, document["Statement"][3]["Resource"][0])


def test_its_actions_are_known_to_aws() -> None:
    session = get_session()
    folders = {"states": "stepfunctions"}
    for entry in client_policy(table_arn=TABLE, state_machine_arn=OWN)["Statement"]:
        for action in entry["Action"]:
            service, _, name = action.partition(":")
            model = session.get_service_model(folders.get(service, service))
            assert name in model.operation_names, action


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"table_arn": "jobs"}, "'jobs' is not an ARN; the form is .*table/<name>", id="name"),
        pytest.param({"table_arn": f"{TABLE}*"}, "malformed", id="pattern"),
        pytest.param({"table_arn": f"{TABLE}/index/by_status"}, "malformed", id="index"),
        pytest.param({"state_machine_arn": f"{OWN}:live"}, "stateMachine:<name>", id="alias"),
        pytest.param({"state_machine_arn": TABLE}, "is of service 'dynamodb'", id="swapped"),
        pytest.param(
            {"state_machine_arn": OWN.replace(ACCOUNT, "210987654321")},
            "expected table_arn and state_machine_arn in one account and Region",
            id="account",
        ),
    ],
)
def test_a_wrong_arn_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        client_policy(**{"table_arn": TABLE, "state_machine_arn": OWN, **arguments})


@pytest.mark.parametrize(
    ("argument", "arn"),
    [
        ("permissions_boundary", "arn:aws-cn:iam::123456789012:policy/limit"),
        ("role_arn", "arn:aws-us-gov:iam::123456789012:role/runner"),
    ],
)
def test_an_arn_of_another_partition_is_refused(argument: str, arn: str) -> None:
    given: dict[str, Any] = {argument: arn}
    with pytest.raises(ValueError, match=f"expected {argument} to be in the partition 'aws', got '{arn}'"):
        template([ss.QueueTarget(QUEUE)], **given)


def test_lists_may_be_iterated_once() -> None:
    task = ss.targets.EcsTaskTarget(
        cluster_arn=f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/c",
        task_definition_arn=f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/t:1",
    )
    roles, parts = [f"arn:aws:iam::{ACCOUNT}:role/task"], ["group"]
    once: Any = iter(roles)
    assert template(iter([task]), task_roles=once, parts=iter(parts)) == template(
        [task], task_roles=roles, parts=parts
    )


def test_a_table_that_is_there_takes_the_place_of_a_new_one() -> None:
    made = template([ss.QueueTarget(QUEUE)], table_name="their.table")
    text = json.dumps(made)
    assert set(made["Resources"]) == {"Runner", "RunnerRole"}
    assert '"Ref": "Table"' not in text
    assert '"Table", "Arn"' not in text
    assert made["Outputs"]["TableName"]["Value"] == "their.table"
    assert made["Resources"]["Runner"]["Properties"]["DefinitionSubstitutions"] == {
        "TableName": "their.table"
    }
    arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/their.table"
    assert made["Outputs"]["TableArn"]["Value"] == {"Fn::Sub": arn}
    assert text.count(arn) >= 2


@pytest.mark.parametrize("name", ["", "a", "a/b", "${x}", 3])
def test_a_table_s_name_is_checked(name: Any) -> None:
    with pytest.raises(ValueError, match="table_name"):
        template([ss.QueueTarget(QUEUE)], table_name=name)
