"""What the check of a Task's resource and parameters finds, and what it leaves alone."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsched.asl.diagnostics import Severity
from stepsched.asl.services import check_arguments, check_resource
from stepsched.asl.services.optimised import _ACTIONS, _CHANGES, _TABLES, ACTIONS, optimised_request
from stepsched.aws.models import Shapes, actions, proper_name

PREFIX = "arn:aws:states:::"
PASCAL_CASE = "Step Functions writes parameters in Pascal case,"
JSONPATH_ONLY = "keys that end with '.$' are for JSONPath only, write '{% … %}' as the value"
MISSING = "is missing, which"
NO_VALUE = "has no value {!r} that the model knows"


def said(resource: str, arguments: Any, *, jsonata: bool = True) -> list[str]:
    """Each finding as severity, place and message."""
    found = check_arguments(PREFIX + resource, arguments, jsonata=jsonata)
    for _, finding in found:
        is_error = finding.severity is Severity.ERROR
        assert finding.code == ("SCHEMA_VALIDATION_FAILED" if is_error else "UNKNOWN_VALUE")
    return [f"{finding.severity.value[0]} {path} {finding.message}" for path, finding in found]


# -- Resources ----------------------------------------------------------------------------------------


def every_listed_resource() -> Iterator[str]:
    for service, its_actions in ACTIONS.items():
        for action, patterns in its_actions.items():
            yield f"{service}:{action}"
            yield from (f"{service}:{action}.{pattern}" for pattern in sorted(patterns))


@pytest.mark.parametrize(
    "resource",
    [
        *(PREFIX + name for name in every_listed_resource()),
        "arn:aws:lambda:eu-west-1:123456789012:function:report",
        "arn:aws:lambda:eu-west-1:123456789012:function:report:$LATEST",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:report:live",
        "arn:aws:lambda:REGION:ACCOUNT_ID:function:FUNCTION_NAME",
        "arn:aws:states:eu-west-1:123456789012:activity:Approve",
        "arn:aws-us-gov:states:::sqs:sendMessage",
        "arn:aws:states:us-east-1:123456789012:lambda:invoke",
        "arn:aws:states:::sagemaker:listTags",
        "arn:aws:states:::eks:describeCluster",
        "arn:aws:states:::aws-sdk:s3:getObject",
        "arn:aws:states:::aws-sdk:ec2:describeInstances.waitForTaskToken",
        "arn:aws:states:::aws-sdk:rds:startDBCluster",
        "arn:aws:states:::aws-sdk:config:describeConfigRules",
        "arn:aws:states:::aws-sdk:applicationdiscovery:listConfigurations",
        "arn:aws:states:::aws-sdk:cloudwatchlogs:createLogGroup",
        "arn:aws:states:::aws-sdk:sfn:startSyncExecution",
        "arn:aws:states:::aws-sdk:rdsdata:executeStatement",
        "arn:aws:states:::aws-sdk:marketplaceentitlement:getEntitlements",
        "${FunctionArn}",
        "arn:${AWS::Partition}:states:::lambda:invoke",
        "arn:aws:states:::${Service}:nothing",
        "arn:aws:states:::lambda:nothing${Suffix}",
    ],
)
def test_a_valid_resource_is_taken(resource: str) -> None:
    assert check_resource(resource) == []


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("", "is no resource; write arn:aws:states:::<service>:<action>"),
        ("report", "is no resource"),
        ("{% $fn %}", "a Resource is a constant, not an expression"),
        ("arn:aws:lambda:eu-west-1:123456789012:report", "must end with function:<name>"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:a b", "must end with function:<name>"),
        ("arn:aws:lambda:::function:report", "lacks the region or the account"),
        ("arn:aws:lambda:eu-west-1:12345:function:report", "an account has twelve digits, not 5"),
        ("arn:aws:states:eu-west-1:123456789012:activity:", "must end with activity:<name>"),
        (
            "arn:aws:states:eu-west-1:123456789012:stateMachine:m",
            "such as arn:aws:states:::states:startExecution",
        ),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:jobs", "such as arn:aws-cn:states:::sqs:sendMessage"),
        ("arn:aws:s3:::bucket", "name an integration and give it in the arguments"),
        (PREFIX + "lambda", "is no integration"),
        (PREFIX + "aws-sdk:s3", "is no integration"),
        (PREFIX + "lambda:invoke ", "is no integration"),
        (PREFIX + "lambda:Invoke", "actions are in lower camel case, 'invoke'"),
        (PREFIX + "lambda:invok", "did you mean 'invoke'?"),
        (PREFIX + "Lambda:invoke", "did you mean 'lambda'?"),
        (PREFIX + "nothing:at-all", "there is no optimised integration 'nothing'"),
        (
            PREFIX + "lambda:invoke.",
            "there is no pattern '.'; write .sync, .sync:2, .waitForTaskToken or none",
        ),
        (PREFIX + "lambda:invoke.waitForToken", "did you mean 'waitForTaskToken'?"),
        (PREFIX + "lambda:invoke.sync", "does not take .sync; of the patterns it takes .waitForTaskToken"),
        (PREFIX + "dynamodb:putItem.sync", "of the patterns it takes none"),
        (PREFIX + "dynamodb:query", "or use arn:aws:states:::aws-sdk:dynamodb:query"),
        (
            PREFIX + "glue:startJobRun.waitForTaskToken",
            "arn:aws:states:::aws-sdk:glue:startJobRun.waitForTaskToken",
        ),
        (PREFIX + "ecs:runTask.sync:2", "does not take .sync:2"),
        (PREFIX + "s3:getObject", "use arn:aws:states:::aws-sdk:s3:getObject"),
        (PREFIX + "sagemaker:listTagz", "there is no optimised action 'listTagz'"),
        (PREFIX + "http:get", "there is no optimised action 'get' of 'http'"),
        (PREFIX + "aws-sdk:s3:GetObject", "actions are in lower camel case, 'getObject'"),
        (PREFIX + "aws-sdk:s3:getObjct", "did you mean 'getObject'?"),
        (PREFIX + "aws-sdk:stepfunctions:startExecution", "did you mean 'sfn'?"),
        (PREFIX + "aws-sdk:rds-data:executeStatement", "did you mean 'rdsdata'?"),
        (PREFIX + "aws-sdk:configservice:describeConfigRules", "did you mean 'config'?"),
        (PREFIX + "aws-sdk:quux:doIt", "use its name in the SDK for Java 2"),
        (PREFIX + "aws-sdk:ec2:describeInstances.sync", "the SDK's calls do not wait for a job"),
        (PREFIX + "aws-sdk:ecs:runTask.sync", "use arn:aws:states:::ecs:runTask.sync"),
        (PREFIX + "aws-sdk:sfn:startExecution.sync:2", "use arn:aws:states:::states:startExecution.sync:2"),
    ],
)
def test_a_wrong_resource_is_an_error_that_says_how_to_mend_it(resource: str, message: str) -> None:
    (finding,) = check_resource(resource)
    assert (finding.severity, finding.code) == (Severity.ERROR, "INVALID_RESOURCE")
    assert message in finding.message
    assert check_arguments(resource, {"Anything": 1}, jsonata=True) == []


def test_what_botocore_lacks_names_its_version() -> None:
    import botocore

    for resource in ("aws-sdk:quux:doIt", "aws-sdk:s3:doIt"):
        assert f"botocore {botocore.__version__} knows no" in check_resource(PREFIX + resource)[0].message


def test_findings_are_handed_out_as_copies() -> None:
    check_resource("report").clear()
    assert len(check_resource("report")) == 1


# -- Parameters ---------------------------------------------------------------------------------------

VALID: list[tuple[str, Any]] = [
    ("lambda:invoke", {"FunctionName": "f", "Payload": {"any": [1, None]}, "InvocationType": "Event"}),
    ("lambda:invoke.waitForTaskToken", {"FunctionName": "f", "Payload": 5}),
    ("sqs:sendMessage", {"QueueUrl": "q", "MessageBody": {"a": 1}}),
    ("sns:publish", {"TopicArn": "t", "Message": {"a": 1}}),
    ("sns:publish", {"PhoneNumber": "{% $number %}", "Message": "hello"}),
    ("events:putEvents", {"Entries": [{"Detail": {"a": 1}, "DetailType": "t", "Source": "s"}]}),
    ("events:putEvents", {"Entries": "{% $entries %}"}),
    ("states:startExecution.sync:2", {"StateMachineArn": "m", "Input": {"a": 1}, "Name": "{% $n %}"}),
    ("bedrock:invokeModel", {"ModelId": "m", "Body": {"prompt": "p"}, "Output": {"S3Uri": "s3://b/o"}}),
    ("bedrock:invokeModel", {"ModelId": "m", "Input": {"S3Uri": "s3://b/i"}}),
    (
        "dynamodb:putItem",
        {"TableName": "t", "Item": {"a": {"S": "x"}, "b": {"BOOL": True}, "c": {"SS": ["x"]}}},
    ),
    ("dynamodb:updateItem", {"TableName": "t", "Key": {"a": {"M": {"b": {"NULL": True}}}}}),
    ("aws-sdk:dynamodb:putItem", {"TableName": "t", "Item": {"a": {"Nul": True}, "b": {"Ss": ["x"]}}}),
    ("aws-sdk:dynamodb:query", {"TableName": "t", "ExpressionAttributeValues": {":a": {"Bool": False}}}),
    (
        "batch:submitJob.sync",
        {
            "JobName": "j",
            "JobQueue": "q",
            "JobDefinition": "d",
            "ContainerOverrides": {"Vcpus": 2, "Environment": [{"Name": "A", "Value": "{% $string(1) %}"}]},
            "Parameters": {"any key": "v"},
            "Timeout": {"AttemptDurationSeconds": "60"},
        },
    ),
    (
        "ecs:runTask.sync",
        {
            "TaskDefinition": "t",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["s"], "AssignPublicIp": "ENABLED"}},
            "Overrides": {"ContainerOverrides": [{"Name": "c", "Command": ["a"]}]},
        },
    ),
    ("glue:startJobRun.sync", {"JobName": "j", "Arguments": {"--key": "v"}}),
    ("eks:createCluster.sync", {"Name": "c", "RoleArn": "r", "ResourcesVpcConfig": {"SubnetIds": ["s"]}}),
    (
        "eks:runJob.sync",
        {
            "ClusterName": "c",
            "CertificateAuthority": "a",
            "Endpoint": "e",
            "Job": {"apiVersion": "batch/v1"},
            "LogOptions": {"RetrieveLogs": True, "LogParameters": {"tailLines": ["6"]}},
        },
    ),
    ("elasticmapreduce:addStep.sync", {"ClusterId": "j-1", "Step": {"Name": "s"}, "ExecutionRoleArn": "r"}),
    ("emr-containers:deleteVirtualCluster.sync", {"Id": "v"}),
    ("athena:startQueryExecution.sync", {"QueryString": "SELECT 1", "WorkGroup": "w"}),
    ("apigateway:invoke", {"ApiEndpoint": "a", "Method": "GET", "Headers": {"k": ["v"]}, "RequestBody": []}),
    (
        "http:invoke",
        {
            "ApiEndpoint": "a",
            "Method": "POST",
            "InvocationConfig": {"ConnectionArn": "c"},
            "Transform": {"RequestBodyEncoding": "URL_ENCODED"},
        },
    ),
    ("aws-sdk:rds:startDBInstance", {"DbInstanceIdentifier": "d"}),
    ("aws-sdk:s3:putObject", {"Bucket": "b", "Key": "k", "Body": {"any": 1}, "SsekmsKeyId": "k"}),
    ("aws-sdk:s3:listBuckets", {}),
    ("aws-sdk:ec2:describeInstances", {"Filters": [{"Name": "n", "Values": ["v"]}]}),
    ("aws-sdk:sfn:startExecution", {"StateMachineArn": "m", "Input": {"implicitly": "text"}}),
    ("aws-sdk:glue:getPartitions", {"DatabaseName": {"Ref": "D"}, "TableName": "t", "MaxResults": "${Most}"}),
    ("aws-sdk:sqs:receiveMessage", {"QueueUrl": None, "MaxNumberOfMessages": {"Fn::Sub": "x"}}),
    ("lambda:invoke", {"${Key}": "f"}),
    ("lambda:invoke", {"FunctionName": "f", "InvocationType": "${How}"}),
    ("sagemaker:createEndpoint", "{% $all %}"),
]


@pytest.mark.parametrize(("resource", "arguments"), VALID)
def test_valid_parameters_are_taken(resource: str, arguments: Any) -> None:
    assert said(resource, arguments) == []


@pytest.mark.parametrize(
    ("resource", "arguments", "messages"),
    [
        (
            "lambda:invoke",
            {"functionName": "f"},
            [f"E /functionName lambda:invoke takes no 'functionName' here; {PASCAL_CASE} 'FunctionName'"],
        ),
        (
            "lambda:invoke",
            {"FunctionName": "f", "Paylod": {}},
            ["E /Paylod lambda:invoke takes no 'Paylod' here; did you mean 'Payload'?"],
        ),
        ("lambda:invoke", {}, ["E  'FunctionName' is missing, which lambda:invoke requires"]),
        (
            "lambda:invoke",
            {"FunctionName": ["f"], "InvocationType": "event"},
            [
                "E /FunctionName 'FunctionName' must be a string, not ['f']",
                f"W /InvocationType 'InvocationType' {NO_VALUE.format('event')}; did you mean 'Event'?",
            ],
        ),
        (
            "lambda:invoke",
            {"FunctionName.$": "$.f"},
            [
                f"E /FunctionName.$ lambda:invoke takes no 'FunctionName.$' here; {JSONPATH_ONLY}",
                "E  'FunctionName' is missing, which lambda:invoke requires",
            ],
        ),
        (
            "dynamodb:putItem",
            {"TableName": "t", "Item": {"n": {"N": 5}, "m": {"M": {"x": {"X": 1}}}}},
            ["E /Item/n/N 'N' must be a string, not 5", "E /Item/m/M/x/X dynamodb:putItem takes no 'X' here"],
        ),
        ("dynamodb:getItem", {"TableName": "t", "Key": ["k"]}, ["E /Key 'Key' must be an object, not ['k']"]),
        (
            "sns:publish",
            {"Message": "m"},
            ["E  sns:publish requires one of PhoneNumber, TargetArn, TopicArn"],
        ),
        ("bedrock:invokeModel", {"ModelId": "m"}, ["E  bedrock:invokeModel requires one of Body, Input"]),
        (
            "http:invoke",
            {"ApiEndpoint": "a", "Method": "GETT", "Authentication": {}},
            [
                f"W /Method 'Method' {NO_VALUE.format('GETT')}; did you mean 'GET'?",
                f"E /Authentication 'ConnectionArn' {MISSING} 'Authentication' of http:invoke requires",
            ],
        ),
        (
            "http:invoke",
            {"ApiEndpoint": "a", "Method": "GET"},
            ["E  http:invoke requires one of Authentication, InvocationConfig"],
        ),
        (
            "ecs:runTask",
            {"TaskDefinition": "t", "Overrides": {"ContainerOverrides": [{"Environment": [{"Value": 1}]}]}},
            ["E /Overrides/ContainerOverrides/0/Environment/0/Value 'Value' must be a string, not 1"],
        ),
        (
            "ecs:runTask",
            {"TaskDefinition": "t", "NetworkConfiguration": {"AwsvpcConfiguration": {}}},
            [
                (
                    f"E /NetworkConfiguration/AwsvpcConfiguration 'Subnets' {MISSING} 'AwsvpcConfiguration'"
                    " of ecs:runTask requires"
                )
            ],
        ),
        (
            "batch:submitJob",
            {"JobName": "j", "JobQueue": "q", "JobDefinition": "d", "Timeout": "z", "ShareIdentifier": True},
            [
                "E /Timeout 'Timeout' must be an object, not 'z'",
                "E /ShareIdentifier 'ShareIdentifier' must be a string, not True",
            ],
        ),
        (
            "elasticmapreduce:addStep",
            {"Step": {}},
            [f"E  'ClusterId' {MISSING} elasticmapreduce:addStep requires"],
        ),
        (
            "aws-sdk:ec2:describeInstances",
            {"Filters": [{"Name": "n", "Values": "v"}], "DryRun": "maybe", "MaxResults": "many"},
            [
                "E /Filters/0/Values 'Values' must be a list, not 'v'",
                "E /DryRun 'DryRun' must be true or false, not 'maybe'",
                "E /MaxResults 'MaxResults' must be a whole number, not 'many'",
            ],
        ),
        (
            "aws-sdk:rds:startDBInstance",
            {"DBInstanceIdentifier": "d"},
            [
                (
                    "E /DBInstanceIdentifier Step Functions expects 'DbInstanceIdentifier',"
                    " not 'DBInstanceIdentifier'"
                )
            ],
        ),
        (
            "aws-sdk:sts:getCallerIdentity",
            {"Verbose": 1},
            ["E /Verbose aws-sdk:sts:getCallerIdentity takes no 'Verbose' here"],
        ),
        ("sqs:sendMessage", ["q"], ["E  'Arguments' must be an object, not ['q']"]),
    ],
)
def test_wrong_parameters_are_found_where_they_stand(
    resource: str, arguments: Any, messages: list[str]
) -> None:
    assert said(resource, arguments) == messages


@pytest.mark.parametrize(
    ("content", "is_right"),
    [
        ({"Text": "a"}, True),
        ({"Text": "a", "Image": None}, True),
        ({"Text": "{% $text %}"}, True),
        ({}, False),
        ({"Text": "a", "CachePoint": {"Type": "default"}}, False),
    ],
)
def test_of_the_members_of_a_union_there_is_one(content: dict[str, Any], is_right: bool) -> None:
    message = {"Role": "user", "Content": [content]}
    found = said("aws-sdk:bedrockruntime:converse", {"ModelId": "m", "Messages": [message]})
    place = "E /Messages/0/Content/0 '0' of aws-sdk:bedrockruntime:converse takes exactly one of Audio,"
    assert [each.startswith(place) for each in found] == ([] if is_right else [True])


def test_in_jsonpath_a_key_with_a_path_counts_by_its_name() -> None:
    arguments = {"TableName.$": "$.t", "Key": {"id": {"S.$": "$.id"}, "other.$": "$.o"}, "Key2.$": "$"}
    assert said("dynamodb:getItem", arguments, jsonata=False) == [
        "E /Key2.$ dynamodb:getItem takes no 'Key2' here; did you mean 'Key'?"
    ]


def test_in_jsonpath_an_expression_is_plain_text() -> None:
    assert said("ecs:runTask", {"TaskDefinition": "{% $t %}", "Count": "{% 1 %}"}, jsonata=False) == [
        "E /Count 'Count' must be a whole number, not '{% 1 %}'"
    ]


def test_a_token_that_the_sdk_fills_in_is_not_required() -> None:
    found = said("emr-containers:startJobRun", {"VirtualClusterId": "v"})
    assert not any("Token" in each for each in found)


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:lambda:eu-west-1:123456789012:function:report",
        "arn:aws:states:eu-west-1:123456789012:activity:Approve",
        "arn:aws:states:::${Service}:invoke",
        "nonsense",
    ],
)
def test_nothing_is_said_of_parameters_that_nobody_describes(resource: str) -> None:
    assert check_arguments(resource, {"anything": 1}, jsonata=True) == []


def test_nesting_without_end_is_cut() -> None:
    item: Any = {"S": 5}
    for _ in range(3000):
        item = {"M": {"x": item}}
    assert said("dynamodb:putItem", {"TableName": "t", "Item": {"x": item}}) == []


# -- The tables ---------------------------------------------------------------------------------------


def test_these_wait_for_a_job_or_a_token() -> None:
    """As AWS lists them: the integrations page and those of the single services."""
    waiting = {
        pattern: {
            service
            for service, its_actions in ACTIONS.items()
            for patterns in its_actions.values()
            if pattern in patterns
        }
        for pattern in ("sync", "sync:2", "waitForTaskToken")
    }
    assert waiting["sync:2"] == {"states"}
    assert waiting["waitForTaskToken"] == {
        *("apigateway", "bedrock", "ecs", "eks", "events", "http", "lambda", "sns", "sqs", "states"),
    }
    assert set(ACTIONS) - waiting["sync"] == {
        *("apigateway", "dynamodb", "events", "http", "lambda", "sns", "sqs"),
    }


def test_every_optimised_action_has_parameters() -> None:
    for service, its_actions in ACTIONS.items():
        for action in its_actions:
            assert optimised_request(service, action) is not None, f"{service}:{action}"
    assert {name.partition(":")[0] for name in (*_TABLES, *_CHANGES)} <= set(_ACTIONS)


@pytest.mark.parametrize("folder", ["s3", "dynamodb", "rds", "iotwireless", "sso-oidc"])
def test_every_member_of_a_request_goes_by_its_proper_name(folder: str) -> None:
    from stepsched.aws.models import request

    for operation in actions(folder).values():
        shape = request(folder, operation)
        assert set(shape.required) <= set(shape.names)
        assert all(name[0].isupper() and shape.member(name) for name in shape.names)


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("stateMachineArn", "StateMachineArn"),
        ("DBClusterIdentifier", "DbClusterIdentifier"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("MD5OfBody", "Md5OfBody"),
        ("S3Bucket", "S3Bucket"),
        ("SS", "Ss"),
        ("N", "N"),
        ("", ""),
    ],
)
def test_names_are_those_of_the_sdk_for_java(member: str, name: str) -> None:
    assert proper_name(member) == name


def test_a_member_that_java_cannot_name_goes_by_another_name_too() -> None:
    shape = optimised_request("dynamodb", "putItem")
    assert shape is not None
    item = shape.member("Item")
    assert item is not None
    assert {"NULL", "Null", "Nul", "NullValue"} <= set(item.element.names)
    condition = {"EqualsValue": {"Key": "k", "Value": "v"}}
    arguments = {
        "KnowledgeBaseId": "k",
        "RetrievalQuery": {"Text": "t"},
        "RetrievalConfiguration": {"VectorSearchConfiguration": {"Filter": condition}},
    }
    assert said("aws-sdk:bedrockagentruntime:retrieve", arguments) == []


def test_a_member_keeps_its_name_from_another_that_would_take_it() -> None:
    members = {"Default": {"shape": "Text"}, "DefaultValue": {"shape": "Text"}}
    shapes = Shapes({"shapes": {"S": {"type": "structure", "members": members}, "Text": {"type": "string"}}})
    assert shapes.shape("S").names == {"Default": "Default", "DefaultValue": "DefaultValue"}
    assert shapes.shape("S").member("Other") is None


def test_importing_does_not_load_botocore() -> None:
    code = "import sys, stepsched.asl.services; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- Whatever it is given -----------------------------------------------------------------------------

_WORDS = """
    FunctionName Payload Entries Detail Item S N M BOOL TableName Key Filters Values Name Overrides
    ContainerOverrides Environment Ref x.$ FunctionName.$ {%x%} ${y} true 5
"""
WORDS = st.sampled_from(_WORDS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    resource=st.sampled_from([name for name, _ in VALID]),
    arguments=JSON,
    jsonata=st.booleans(),
)
def test_no_json_makes_the_check_of_parameters_fail(resource: str, arguments: Any, jsonata: bool) -> None:
    for path, finding in check_arguments(PREFIX + resource, arguments, jsonata=jsonata):
        assert path == "" or path.startswith("/")
        assert finding.message


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["arn", "aws", "states", "lambda", "aws-sdk", "", "s3", "getObject", "invoke.", ".sync"]
        )
        | st.text(max_size=3),
        max_size=9,
    ).map(":".join)
)
def test_no_text_makes_the_check_of_a_resource_fail(resource: str) -> None:
    assert all(finding.code == "INVALID_RESOURCE" for finding in check_resource(resource))
    check_arguments(resource, {}, jsonata=True)
