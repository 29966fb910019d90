"""Policy documents: the least that jobs and their callers need, and the role that carries them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast, get_args

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import stepsched as ss
from stepsched import iam
from stepsched.iam import roles
from stepsched.targets import AwsTarget
from tests.sessions import new_session

ACCOUNT = "123456789012"
REGION = "eu-west-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d1f9cfd-6f1a-4a5a-9d3e-5a0c1c3b7a11"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runner"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/main"
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/report"
DEFINITION = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/report"
BATCH_QUEUE = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/nightly"
AGAIN = f"{REGION}:{ACCOUNT}"


def job(target: ss.Target, name: str = "report", **fields: Any) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Rate(timedelta(hours=1)), target=target, **fields)


def statements(*targets: ss.Target, **arguments: Any) -> list[dict[str, Any]]:
    document = iam.policy_for([job(target) for target in targets], **arguments)
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    return list(document["Statement"])


def allow(
    sid: str, action: str, *resources: str, condition: dict[str, dict[str, str]] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [action],
        "Resource": list(resources),
    }
    return statement if condition is None else {**statement, "Condition": condition}


ON_CLUSTER = {"ArnEquals": {"ecs:cluster": CLUSTER}}
TASK_TAGS = allow(
    "EcsTagResource",
    "ecs:TagResource",
    f"arn:aws:ecs:{AGAIN}:task/main/*",
    condition={"StringEquals": {"ecs:CreateAction": "RunTask"}},
)
LAMBDA = f"arn:aws:lambda:{AGAIN}:function:report"
MACHINE = f"arn:aws:states:{AGAIN}:stateMachine:close"
TOPIC = f"arn:aws:sns:{AGAIN}:news"
BUS = f"arn:aws:events:{AGAIN}:event-bus/default"
STREAM = f"arn:aws:kinesis:{AGAIN}:stream/clicks"
DELIVERY = f"arn:aws:firehose:{AGAIN}:deliverystream/clicks"
PROJECT = f"arn:aws:codebuild:{AGAIN}:project/site"
PIPELINE = f"arn:aws:codepipeline:{AGAIN}:site"
TRAINING = f"arn:aws:sagemaker:{AGAIN}:pipeline/train"
INSPECTION = f"arn:aws:inspector:{AGAIN}:target/0-nvgVhaxX/template/0-it5r2S4T"

TARGETS = [
    pytest.param(
        ss.LambdaTarget(LAMBDA), [allow("LambdaInvokeFunction", "lambda:InvokeFunction", LAMBDA)], id="lambda"
    ),
    pytest.param(
        ss.LambdaTarget(f"{LAMBDA}:live"),
        [allow("LambdaInvokeFunction", "lambda:InvokeFunction", f"{LAMBDA}:live")],
        id="lambda alias",
    ),
    pytest.param(
        ss.StateMachineTarget(MACHINE),
        [allow("StatesStartExecution", "states:StartExecution", MACHINE)],
        id="state machine",
    ),
    pytest.param(
        ss.StateMachineTarget(f"{MACHINE}:7"),
        [allow("StatesStartExecution", "states:StartExecution", MACHINE)],
        id="state machine version",
    ),
    pytest.param(
        ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"),
        [allow("SqsSendMessage", "sqs:SendMessage", f"{QUEUE}.fifo")],
        id="queue",
    ),
    pytest.param(
        ss.FanOutTarget(QUEUE, ["a", "b"]),
        [allow("SqsSendMessage", "sqs:SendMessage", QUEUE)],
        id="several messages",
    ),
    pytest.param(ss.TopicTarget(TOPIC), [allow("SnsPublish", "sns:Publish", TOPIC)], id="topic"),
    pytest.param(ss.EventBusTarget(BUS), [allow("EventsPutEvents", "events:PutEvents", BUS)], id="bus"),
    pytest.param(
        ss.targets.KinesisTarget(STREAM, partition_key="p"),
        [allow("KinesisPutRecord", "kinesis:PutRecord", STREAM)],
        id="kinesis",
    ),
    pytest.param(
        ss.targets.FirehoseTarget(DELIVERY),
        [allow("FirehosePutRecord", "firehose:PutRecord", DELIVERY)],
        id="firehose",
    ),
    pytest.param(
        ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK),
        [allow("EcsRunTask", "ecs:RunTask", f"{TASK}:*", condition=ON_CLUSTER)],
        id="ecs, latest revision",
    ),
    pytest.param(
        ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=f"{TASK}:3", tags={"a": "b"}),
        [allow("EcsRunTask", "ecs:RunTask", f"{TASK}:3", condition=ON_CLUSTER), TASK_TAGS],
        id="ecs, one revision, tags",
    ),
    pytest.param(
        ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=f"{TASK}:3", propagate_tags=True),
        [allow("EcsRunTask", "ecs:RunTask", f"{TASK}:3", condition=ON_CLUSTER), TASK_TAGS],
        id="ecs, propagated tags",
    ),
    pytest.param(
        ss.targets.SageMakerPipelineTarget(f"arn:aws:sagemaker:{AGAIN}:pipeline/Train"),
        [
            allow(
                "SagemakerStartPipelineExecution",
                "sagemaker:StartPipelineExecution",
                f"arn:aws:sagemaker:{AGAIN}:pipeline/Train",
                TRAINING,
            )
        ],
        id="sagemaker, whose ARNs AWS writes in lower case",
    ),
    pytest.param(
        ss.targets.CodeBuildTarget(PROJECT),
        [allow("CodebuildStartBuild", "codebuild:StartBuild", PROJECT)],
        id="code build",
    ),
    pytest.param(
        ss.targets.CodePipelineTarget(PIPELINE),
        [allow("CodepipelineStartPipelineExecution", "codepipeline:StartPipelineExecution", PIPELINE)],
        id="code pipeline",
    ),
    pytest.param(
        ss.targets.SageMakerPipelineTarget(TRAINING),
        [allow("SagemakerStartPipelineExecution", "sagemaker:StartPipelineExecution", TRAINING)],
        id="sagemaker pipeline",
    ),
    pytest.param(
        ss.BatchTarget(f"{DEFINITION}:3", job_queue=BATCH_QUEUE),
        [allow("BatchSubmitJob", "batch:SubmitJob", f"{DEFINITION}:3", BATCH_QUEUE)],
        id="batch",
    ),
    pytest.param(
        ss.BatchTarget(DEFINITION, job_queue=BATCH_QUEUE),
        [allow("BatchSubmitJob", "batch:SubmitJob", DEFINITION, f"{DEFINITION}:*", BATCH_QUEUE)],
        id="batch, latest revision",
    ),
    pytest.param(
        ss.ApiTarget("sfn", "startSyncExecution", {}),
        [allow("StatesStartSyncExecution", "states:StartSyncExecution", "*")],
        id="call",
    ),
    pytest.param(
        ss.targets.TemplateTarget(INSPECTION),
        [allow("InspectorStartAssessmentRun", "inspector:StartAssessmentRun", "*")],
        id="template, inspector",
    ),
    pytest.param(
        ss.targets.TemplateTarget(f"{MACHINE}:live"),
        [allow("StatesStartExecution", "states:StartExecution", MACHINE)],
        id="template, state machine alias",
    ),
    pytest.param(
        ss.targets.TemplateTarget("arn:aws:scheduler:::aws-sdk:sqs:purgeQueue"),
        [allow("SqsPurgeQueue", "sqs:PurgeQueue", "*")],
        id="template, any call",
    ),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_a_target_needs_its_own_action_on_its_own_resource_and_nothing_else(
    target: ss.Target, expected: list[dict[str, Any]]
) -> None:
    assert statements(target) == expected


def test_every_target_that_aws_invokes_stands_in_the_table_above() -> None:
    assert {type(parameter.values[0]) for parameter in TARGETS} == set(get_args(AwsTarget))


# -- Many jobs ----------------------------------------------------------------------------------------


def test_many_jobs_give_one_sorted_document_whatever_their_order() -> None:
    jobs = [
        job(ss.QueueTarget(QUEUE), "a", dead_letter=ss.QueueTarget(f"{QUEUE}-dead")),
        job(ss.QueueTarget(QUEUE), "b"),
        job(ss.LambdaTarget(LAMBDA), "c"),
        job(
            ss.targets.EcsTaskTarget(f"{CLUSTER}2", task_definition_arn=f"{TASK}:1", ecs_managed_tags=True),
            "d",
        ),
        job(ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK), "e"),
        job(ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=f"{TASK}:2"), "f"),
    ]
    arguments: dict[str, Any] = {
        "dead_letter_arn": DEAD,
        "kms_key_arn": KEY,
        "task_roles": [ROLE, f"{ROLE}-a", ROLE],
    }
    document = iam.policy_for(jobs, **arguments)
    assert document == iam.policy_for(iter(reversed(jobs)), **arguments)
    assert document["Statement"] == [
        allow("EcsRunTask", "ecs:RunTask", f"{TASK}:*", f"{TASK}:2", condition=ON_CLUSTER),
        allow(
            "EcsRunTask2",
            "ecs:RunTask",
            f"{TASK}:1",
            condition={"ArnEquals": {"ecs:cluster": f"{CLUSTER}2"}},
        ),
        {**TASK_TAGS, "Resource": [f"arn:aws:ecs:{AGAIN}:task/main2/*"]},
        allow(
            "IamPassRole",
            "iam:PassRole",
            ROLE,
            f"{ROLE}-a",
            condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        allow("KmsDecrypt", "kms:Decrypt", KEY),
        allow("LambdaInvokeFunction", "lambda:InvokeFunction", LAMBDA),
        allow("SqsSendMessage", "sqs:SendMessage", DEAD, QUEUE, f"{QUEUE}-dead"),
    ]


def test_the_default_dead_letter_queue_is_allowed_only_where_a_job_falls_back_on_it() -> None:
    document = iam.policy_for(
        [job(ss.TopicTarget(TOPIC), dead_letter=ss.QueueTarget(QUEUE))], dead_letter_arn=DEAD
    )
    assert DEAD not in json.dumps(document)
    assert QUEUE in json.dumps(document)


def test_no_role_is_passed_where_no_task_runs() -> None:
    assert "iam:PassRole" not in json.dumps(statements(ss.TopicTarget(TOPIC), task_roles=[ROLE]))
    assert "iam:PassRole" not in json.dumps(
        statements(ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK))
    )
    called = statements(ss.ApiTarget("ecs", "runTask", {}), task_roles=[ROLE])
    assert [entry["Action"] for entry in called] == [["ecs:RunTask"], ["iam:PassRole"]]


def test_no_typed_target_is_allowed_on_everything() -> None:
    for parameter in TARGETS:
        target = cast(ss.Target, parameter.values[0])
        if not isinstance(target, (ss.ApiTarget, ss.targets.TemplateTarget)):
            assert all("*" not in entry["Resource"] for entry in statements(target))


def test_what_is_allowed_on_everything_is_not_named_besides() -> None:
    (entry,) = statements(ss.QueueTarget(QUEUE), ss.ApiTarget("sqs", "sendMessage", {}))
    assert entry == allow("SqsSendMessage", "sqs:SendMessage", "*")


def test_names_of_batch_are_completed() -> None:
    target = ss.BatchTarget("report:3", job_queue="nightly")
    (entry,) = statements(target, account=ACCOUNT, region=REGION, partition="aws-cn")
    assert entry["Resource"] == [
        f"{DEFINITION}:3".replace("aws", "aws-cn", 1),
        BATCH_QUEUE.replace("aws", "aws-cn", 1),
    ]


# -- Any call -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "action", "expected"),
    [
        pytest.param("dynamodb", "putItem", ["dynamodb:PutItem"], id="regular"),
        pytest.param("rds", "createDBSnapshot", ["rds:CreateDBSnapshot"], id="capitals stay"),
        pytest.param("eventbridge", "putEvents", ["events:PutEvents"], id="eventbridge"),
        pytest.param("cloudwatchlogs", "createLogGroup", ["logs:CreateLogGroup"], id="logs"),
        pytest.param("cloudwatch", "putMetricData", ["cloudwatch:PutMetricData"], id="cloudwatch"),
        pytest.param("emrcontainers", "startJobRun", ["emr-containers:StartJobRun"], id="hyphen"),
        pytest.param(
            "cognitoidentityprovider", "adminEnableUser", ["cognito-idp:AdminEnableUser"], id="cognito"
        ),
        pytest.param("emr", "runJobFlow", ["elasticmapreduce:RunJobFlow"], id="emr"),
        pytest.param("ses", "sendEmail", ["ses:SendEmail"], id="ses"),
        pytest.param("sesv2", "sendEmail", ["ses:SendEmail", "ses:SendRawEmail"], id="sesv2"),
        pytest.param("lambda", "invoke", ["lambda:InvokeFunction"], id="lambda"),
        pytest.param("s3", "putObject", ["s3:PutObject"], id="s3 object"),
        pytest.param("s3", "copyObject", ["s3:GetObject", "s3:PutObject"], id="s3 copy"),
        pytest.param("s3", "deleteObjects", ["s3:DeleteObject"], id="s3 plural"),
        pytest.param("sqs", "sendMessageBatch", ["sqs:SendMessage"], id="batch of messages"),
        pytest.param("batch", "submitJob", ["batch:SubmitJob"], id="batch"),
    ],
)
def test_a_call_needs_the_action_that_iam_knows_it_by(service: str, action: str, expected: list[str]) -> None:
    shown = statements(ss.ApiTarget(service, action, {}))
    assert [entry["Action"] for entry in shown] == [[name] for name in expected]
    assert all(entry["Sid"].isalnum() and entry["Resource"] == ["*"] for entry in shown)


def test_a_call_acts_on_the_resources_that_are_given_for_it() -> None:
    table = f"arn:aws:dynamodb:{AGAIN}:table/orders"
    shown = statements(
        ss.ApiTarget("dynamodb", "putItem", {}),
        ss.ApiTarget("dynamodb", "deleteItem", {}),
        ss.ApiTarget("s3", "copyObject", {}),
        ss.targets.TemplateTarget("arn:aws:scheduler:::aws-sdk:sqs:purgeQueue"),
        resources={
            "dynamodb:putItem": [table, f"{table}2", table],
            "s3:copyObject": ["arn:aws:s3:::shop/*"],
            "sqs:purgeQueue": (QUEUE,),
        },
    )
    assert [(entry["Action"][0], entry["Resource"]) for entry in shown] == [
        ("dynamodb:DeleteItem", ["*"]),
        ("dynamodb:PutItem", [table, f"{table}2"]),
        ("s3:GetObject", ["arn:aws:s3:::shop/*"]),
        ("s3:PutObject", ["arn:aws:s3:::shop/*"]),
        ("sqs:PurgeQueue", [QUEUE]),
    ]


def test_a_topic_to_notify_adds_nothing_for_the_service_tells_none() -> None:
    plain = job(ss.LambdaTarget(LAMBDA))
    assert iam.policy_for([plain.replace(notify=ss.TopicTarget(TOPIC))]) == iam.policy_for([plain])


# -- Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param(ss.HandlerTarget("shop.jobs:close"), "HandlerTarget runs in the process", id="handler"),
        pytest.param(ss.CommandTarget(["true"]), "CommandTarget runs in the process", id="command"),
        pytest.param(
            ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE)]),
            "EventBridge Scheduler does not support a ParallelTarget; use one job for each",
            id="parallel",
        ),
        pytest.param(
            ss.targets.TemplateTarget(f"arn:aws:ecs:{AGAIN}:cluster/main"),
            "EcsTaskTarget",
            id="template, ecs",
        ),
        pytest.param(
            ss.targets.TemplateTarget(f"arn:aws:sqs:{AGAIN}:*"),
            "the ARN of one resource",
            id="template, pattern",
        ),
        pytest.param(
            ss.targets.TemplateTarget(f"arn:aws:sqs:{AGAIN}:${{aws:username}}"),
            "the ARN of one resource",
            id="template, variable",
        ),
        pytest.param(
            ss.BatchTarget("report", job_queue=BATCH_QUEUE),
            "'job-definition/report' has no account and Region; use account= and region=, or an ARN",
            id="batch definition by name",
        ),
        pytest.param(
            ss.BatchTarget(DEFINITION, job_queue="nightly"),
            "'job-queue/nightly' has no account",
            id="batch queue by name",
        ),
        pytest.param(
            ss.BatchTarget(f"{DEFINITION}*", job_queue=BATCH_QUEUE),
            "malformed; the form is .*job-definition/<name>",
            id="batch, pattern",
        ),
        pytest.param(
            ss.BatchTarget("re*", job_queue=BATCH_QUEUE),
            r"expected the name or the ARN of a Batch job definition, got 're\*'; use <name> or",
            id="batch, pattern of names",
        ),
        pytest.param(
            ss.BatchTarget(BATCH_QUEUE, job_queue=BATCH_QUEUE), "job-definition/<name>", id="batch, mixed up"
        ),
        pytest.param(
            ss.ApiTarget("apigateway", "deleteStage", {}), "write its statement by hand", id="by path"
        ),
    ],
)
def test_a_job_whose_permissions_cannot_be_told_is_refused_by_name(target: ss.Target, words: str) -> None:
    with pytest.raises(ValueError, match=rf"^no policy for job 'nightly-close': .*{words}"):
        iam.policy_for([job(ss.TopicTarget(TOPIC)), job(target, "nightly-close")])


def policy(**arguments: Any) -> Callable[[], object]:
    return lambda: iam.policy_for(
        **{"jobs": [job(ss.ApiTarget("sqs", "purgeQueue", {})), job(ss.TopicTarget(TOPIC))], **arguments}
    )


def trust(**arguments: Any) -> Callable[[], object]:
    return lambda: iam.trust_policy(**{"account": ACCOUNT, "region": REGION, **arguments})


def caller(**arguments: Any) -> Callable[[], object]:
    return lambda: iam.client_policy(
        **{"account": ACCOUNT, "region": REGION, "role_arns": [ROLE], **arguments}
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(policy(jobs=[]), "expected at least one job", id="no jobs"),
        pytest.param(policy(account="123"), "account .* 12 digits, got '123'", id="account"),
        pytest.param(policy(region="Ireland"), "region .* 'eu-west-1', got 'Ireland'", id="region"),
        pytest.param(policy(partition="gcp"), "partition .* 'aws-cn' .* got 'gcp'", id="partition"),
        pytest.param(policy(dead_letter_arn="dead"), "'dead' is not an ARN", id="queue"),
        pytest.param(policy(dead_letter_arn=f"{DEAD}.fifo"), "FIFO .* need a standard one", id="fifo queue"),
        pytest.param(policy(dead_letter_arn=f"{DEAD}*"), "malformed", id="queues"),
        pytest.param(policy(kms_key_arn=TOPIC), "is of service 'sns'", id="key"),
        pytest.param(policy(kms_key_arn=KEY.replace("key/", "alias/")), "got the alias", id="key's alias"),
        pytest.param(policy(kms_key_arn=f"{KEY[:-3]}*"), "malformed", id="keys"),
        pytest.param(
            policy(task_roles=["runner"]),
            "task_roles: .* got 'runner'",
            id="role's name",
        ),
        pytest.param(policy(task_roles=[f"{ROLE}*"]), "expected the ARN of one role", id="roles"),
        pytest.param(
            policy(resources={"sqs:PurgeQueue": [QUEUE]}),
            "calls of the jobs \\(sqs:purgeQueue\\), got 'sqs:PurgeQueue'",
            id="misspelt call",
        ),
        pytest.param(
            policy(jobs=[job(ss.TopicTarget(TOPIC))], resources={"sns:publish": [TOPIC]}),
            "there is none",
            id="resources without calls",
        ),
        pytest.param(policy(resources={"sqs:purgeQueue": []}), "got an empty list", id="no resources"),
        pytest.param(
            policy(resources={"sqs:purgeQueue": ["orders"]}), "an ARN .* got 'orders'", id="resource"
        ),
        pytest.param(trust(account=f"{ACCOUNT}3"), "12 digits", id="trust: account"),
        pytest.param(trust(account="١٢٣٤٥٦٧٨٩٠١٢"), "12 digits", id="trust: other digits"),
        pytest.param(trust(region="eu-west"), "region .* got 'eu-west'", id="trust: region"),
        pytest.param(trust(partition="aws:"), "partition .* got 'aws:'", id="trust: partition"),
        pytest.param(trust(group="a/b"), "expected group .* got 'a/b'", id="trust: schedule"),
        pytest.param(trust(group=""), "expected group .* got ''", id="trust: no group"),
        pytest.param(trust(group="*" * 65), "expected group to be the name", id="trust: long group"),
        pytest.param(caller(account="1"), "12 digits", id="caller: account"),
        pytest.param(caller(groups=[]), "expected at least one of groups", id="caller: no groups"),
        pytest.param(caller(groups=["a b"]), "expected group .* got 'a b'", id="caller: group"),
        pytest.param(caller(role_arns=[]), "expected at least one of role_arns", id="caller: no roles"),
        pytest.param(caller(role_arns=["*"]), "role_arns: .* got '\\*'", id="caller: roles"),
        pytest.param(caller(dead_letter_arn=TOPIC), "is of service 'sns'", id="caller: queue"),
        pytest.param(caller(kms_key_arn="key"), "'key' is not an ARN", id="caller: key"),
    ],
)
def test_a_wrong_argument_is_answered_with_its_value_and_a_cure(
    call: Callable[[], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(policy(jobs=job(ss.TopicTarget(TOPIC))), r"got Job; use \[job\]", id="one job"),
        pytest.param(policy(jobs=["report"]), "expected a Job, got str", id="a name"),
        pytest.param(policy(task_roles=ROLE), "expected task_roles to be a list", id="one role"),
        pytest.param(policy(resources={"sqs:purgeQueue": QUEUE}), "a list, got text", id="one resource"),
        pytest.param(caller(groups="billing"), "expected groups to be a list", id="one group"),
        pytest.param(caller(role_arns=ROLE), "expected role_arns to be a list", id="caller: one role"),
    ],
)
def test_one_thing_where_many_are_asked_for_is_a_type_error(call: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


# -- Trust and caller ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        pytest.param(
            {},
            {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{AGAIN}:schedule-group/*"},
            },
            id="any group",
        ),
        pytest.param(
            {"group": "team-*"},
            {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{AGAIN}:schedule-group/team-*"},
            },
            id="some groups",
        ),
        pytest.param(
            {"group": "billing", "region": "us-gov-west-1", "partition": "aws-us-gov"},
            {
                "StringEquals": {
                    "aws:SourceAccount": ACCOUNT,
                    "aws:SourceArn": (
                        f"arn:aws-us-gov:scheduler:us-gov-west-1:{ACCOUNT}:schedule-group/billing"
                    ),
                }
            },
            id="one group",
        ),
    ],
)
def test_only_the_scheduler_and_only_for_the_accounts_own_groups_takes_the_role(
    arguments: dict[str, str], condition: dict[str, dict[str, str]]
) -> None:
    assert trust(**arguments)() == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SchedulerAssumesRole",
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": ["sts:AssumeRole"],
                "Condition": condition,
            }
        ],
    }


CALLER = """
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Schedules",
      "Effect": "Allow",
      "Action": [
        "scheduler:CreateSchedule",
        "scheduler:DeleteSchedule",
        "scheduler:GetSchedule",
        "scheduler:UpdateSchedule"
      ],
      "Resource": [
        "arn:aws:scheduler:eu-west-1:123456789012:schedule/billing/*",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule/team-*/*"
      ]
    },
    {
      "Sid": "ScheduleGroups",
      "Effect": "Allow",
      "Action": [
        "scheduler:CreateScheduleGroup",
        "scheduler:DeleteScheduleGroup",
        "scheduler:GetScheduleGroup",
        "scheduler:ListTagsForResource",
        "scheduler:TagResource"
      ],
      "Resource": [
        "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/billing",
        "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/team-*"
      ]
    },
    {
      "Sid": "ListSchedules",
      "Effect": "Allow",
      "Action": ["scheduler:ListScheduleGroups", "scheduler:ListSchedules"],
      "Resource": ["*"]
    },
    {
      "Sid": "PassRole",
      "Effect": "Allow",
      "Action": ["iam:PassRole"],
      "Resource": ["arn:aws:iam::123456789012:role/runner"],
      "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    },
    {
      "Sid": "DeadLetters",
      "Effect": "Allow",
      "Action": [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage"
      ],
      "Resource": ["arn:aws:sqs:eu-west-1:123456789012:dead"]
    },
    {
      "Sid": "EncryptedPayloads",
      "Effect": "Allow",
      "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
      "Resource": ["arn:aws:kms:eu-west-1:123456789012:key/0d1f9cfd-6f1a-4a5a-9d3e-5a0c1c3b7a11"]
    }
  ]
}
"""


def test_the_caller_is_allowed_the_verbs_of_the_client_in_its_groups() -> None:
    full = iam.client_policy(
        account=ACCOUNT,
        region=REGION,
        role_arns=[ROLE, ROLE],
        groups=["team-*", "billing"],
        dead_letter_arn=DEAD,
        kms_key_arn=KEY,
    )
    assert full == json.loads(CALLER)
    plain = iam.client_policy(account=ACCOUNT, region=REGION, role_arns=[ROLE])
    assert [entry["Sid"] for entry in plain["Statement"]] == [
        "Schedules",
        "ScheduleGroups",
        "ListSchedules",
        "PassRole",
    ]
    assert plain["Statement"][0]["Resource"] == [f"arn:aws:scheduler:{AGAIN}:schedule/*/*"]


def test_the_module_loads_no_aws_library() -> None:
    code = "import sys, stepsched.iam; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- The role itself ----------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty account of AWS, in memory; its IAM."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield new_session().client("iam")


def stored(client: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The role's trust policy and the inline policy."""
    trusted = client.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    inline = client.get_role_policy(RoleName=name, PolicyName="stepsched")["PolicyDocument"]
    return trusted, inline


def test_the_role_is_made_and_repeating_it_converges(aws: Any) -> None:
    jobs = [job(ss.LambdaTarget(LAMBDA)), job(ss.BatchTarget("report", job_queue="nightly"), "b")]
    arn = iam.ensure_role("runner", jobs=jobs, dead_letter_arn=DEAD, kms_key_arn=KEY)
    assert arn == ROLE
    expected = iam.policy_for(jobs, dead_letter_arn=DEAD, kms_key_arn=KEY, account=ACCOUNT, region=REGION)
    assert stored(aws, "runner") == (iam.trust_policy(account=ACCOUNT, region=REGION), expected)

    for _ in range(2):
        again = iam.ensure_role(
            "runner",
            jobs=iter(jobs[:1]),
            group="billing",
            session=new_session(region_name="us-east-1"),
        )
        assert again == arn
        assert stored(aws, "runner") == (
            iam.trust_policy(account=ACCOUNT, region="us-east-1", group="billing"),
            iam.policy_for(jobs[:1]),
        )
    assert aws.list_role_policies(RoleName="runner")["PolicyNames"] == ["stepsched"]
    assert [role["RoleName"] for role in aws.list_roles()["Roles"]] == ["runner"]


def test_arguments_of_the_policy_reach_it(aws: Any) -> None:
    jobs = [job(ss.ApiTarget("ecs", "runTask", {}))]
    arguments: dict[str, Any] = {"task_roles": [ROLE], "resources": {"ecs:runTask": [f"{TASK}:1"]}}
    iam.ensure_role("runner", jobs=jobs, **arguments)
    assert stored(aws, "runner")[1] == iam.policy_for(jobs, **arguments)


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param({"Service": "lambda.amazonaws.com"}, id="another service"),
        pytest.param({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, id="the account"),
        pytest.param({"Service": ["scheduler.amazonaws.com", "ec2.amazonaws.com"]}, id="two services"),
    ],
)
def test_a_role_that_others_use_is_left_alone(aws: Any, principal: dict[str, Any]) -> None:
    others = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"},
    }
    aws.create_role(RoleName="deploy", AssumeRolePolicyDocument=json.dumps(others))
    with pytest.raises(ValueError, match=r"'deploy' exists and has other trusted principals .* another name"):
        iam.ensure_role("deploy", jobs=[job(ss.TopicTarget(TOPIC))])
    assert aws.get_role(RoleName="deploy")["Role"]["AssumeRolePolicyDocument"] == others
    assert aws.list_role_policies(RoleName="deploy")["PolicyNames"] == []


@pytest.mark.parametrize("name", ["", "a b", "path/role", ROLE, "r" * 65, "rôle", "runner\n"])
def test_a_name_that_no_role_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a role"):
        iam.ensure_role(name, jobs=[job(ss.TopicTarget(TOPIC))])


def test_nothing_is_made_where_an_argument_is_wrong(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = [job(ss.LambdaTarget(f"{LAMBDA}-{number}")) for number in range(200)]
    with pytest.raises(ValueError, match=r"at most 10,240 characters .* got 1\d,\d{3}; use one role"):
        iam.ensure_role("runner", jobs=functions)
    with pytest.raises(ValueError, match=r"expected group .* got 'a/b'"):
        iam.ensure_role("runner", jobs=functions, group="a/b")
    with pytest.raises(ValueError, match="expected at least one job"):
        iam.ensure_role("runner", jobs=[])
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ValueError, match="the session has no Region"):
        iam.ensure_role("runner", jobs=functions)
    assert aws.list_roles()["Roles"] == []


def test_the_longest_policy_that_iam_takes_is_written(aws: Any) -> None:
    def jobs(padding: int) -> list[ss.Job]:
        names = [f"{LAMBDA}-{number:0101}" for number in range(63)]
        return [job(ss.LambdaTarget(arn)) for arn in [*names, f"{LAMBDA}-{'x' * padding}"]]

    base = len(json.dumps(iam.policy_for(jobs(1)), separators=(",", ":")))
    padding = roles.MAX_INLINE_CHARACTERS - base + 1
    assert 1 <= padding < 130
    iam.ensure_role("runner", jobs=jobs(padding))
    with pytest.raises(ValueError, match="got 10,241"):
        iam.ensure_role("runner", jobs=jobs(padding + 1))


def answering(code: str, status: int, service: str = "iam", operation: str = "GetRole") -> boto3.Session:
    """A session whose service answers one operation with that error, and the others as ever."""
    session = new_session(region_name=REGION)

    def answer(**_: Any) -> Any:
        response = {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"RequestId": "r-1", "HTTPStatusCode": status},
        }
        return type("Answer", (), {"status_code": status})(), response

    session.events.register_first(f"before-call.{service}.{operation}", answer)
    return session


@pytest.mark.parametrize(
    ("code", "status", "kind", "retryable"),
    [
        pytest.param("AccessDenied", 403, ss.errors.AccessDeniedError, False, id="denied"),
        pytest.param("InvalidClientTokenId", 403, ss.errors.AccessDeniedError, False, id="wrong key"),
        pytest.param("Throttling", 400, ss.errors.ThrottledError, True, id="throttled"),
        pytest.param("ServiceFailure", 500, ss.errors.BackendUnavailableError, True, id="failure"),
        pytest.param("ConcurrentModification", 409, ss.BackendError, True, id="at the same time"),
        pytest.param("LimitExceeded", 409, ss.BackendError, False, id="quota"),
    ],
)
@pytest.mark.parametrize(
    ("service", "operation"),
    [("sts", "GetCallerIdentity"), ("iam", "GetRole"), ("iam", "CreateRole"), ("iam", "PutRolePolicy")],
)
def test_what_aws_answers_comes_as_our_error(
    aws: Any, code: str, status: int, kind: type[Exception], retryable: bool, service: str, operation: str
) -> None:
    with pytest.raises(ss.BackendError) as caught:
        iam.ensure_role(
            "runner",
            jobs=[job(ss.TopicTarget(TOPIC))],
            session=answering(code, status, service, operation),
        )
    error = caught.value
    assert type(error) is kind
    assert (error.service, error.operation, error.code) == (service, operation, code)
    assert (error.request_id, error.retryable, error.detail) == ("r-1", retryable, "no")
    assert isinstance(error.__cause__, ClientError)


def test_a_role_that_somebody_else_makes_meanwhile_is_taken(aws: Any) -> None:
    session = new_session(region_name=REGION)

    def meanwhile(**_: Any) -> None:
        session.events.unregister("before-call.iam.CreateRole", meanwhile)
        aws.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust(region="us-east-1")()))

    session.events.register("before-call.iam.CreateRole", meanwhile)
    jobs = [job(ss.TopicTarget(TOPIC))]
    assert iam.ensure_role("runner", jobs=jobs, session=session) == ROLE
    assert stored(aws, "runner") == (trust()(), iam.policy_for(jobs))


def test_no_connection_and_no_credentials_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    jobs = [job(ss.TopicTarget(TOPIC))]
    nowhere = "http://127.0.0.1:9"
    with pytest.raises(ss.errors.AccessDeniedError, match="AWS_PROFILE") as denied:
        iam.ensure_role("runner", jobs=jobs, session=boto3.Session(region_name=REGION), endpoint_url=nowhere)
    assert (denied.value.code, denied.value.retryable) == ("NoCredentialsError", False)
    session = boto3.Session("testing", "testing", region_name=REGION)
    with pytest.raises(ss.errors.BackendUnavailableError) as caught:
        iam.ensure_role("runner", jobs=jobs, session=session, endpoint_url=nowhere)
    assert (caught.value.service, caught.value.operation) == ("sts", "GetCallerIdentity")
    assert (caught.value.code, caught.value.retryable) == ("EndpointConnectionError", True)
    assert caught.value.__cause__ is not None
