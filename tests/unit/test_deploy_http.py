"""The part of a template that takes one-shot tasks over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.deploy import HttpPart, Part, template
from tests.parts.iam_checks import parliament
from tests.unit.test_deploy import ACCOUNT, OWN, TABLE, linted
from tests.unit.test_deploy_parts import BOUNDARY, allowed, of_kind, resolved

SECRET = "abc123"
OPTIONS = HttpPart(secret=SECRET, subscriber="https://example.com/tasks")


def method(made: dict[str, Any], name: str = "HttpScheduleMethod") -> dict[str, Any]:
    found: dict[str, Any] = made["Resources"][name]["Properties"]
    return found


def test_the_part_brings_the_express_register_and_its_resources() -> None:
    made = template([], http=True)
    assert made == template([], parts=["http"]) == template([], parts=[Part.HTTP], http=HttpPart())
    plain = template([], parts=[Part.QUEUE, Part.EXPRESS_REGISTER])["Resources"]
    added = {name: each["Type"] for name, each in made["Resources"].items() if name not in plain}
    (deployment,) = [name for name in added if name.startswith("HttpDeployment")]
    assert added == {
        "HttpTopic": "AWS::SNS::Topic",
        "HttpRole": "AWS::IAM::Role",
        "Http": "AWS::StepFunctions::StateMachine",
        "HttpApiRole": "AWS::IAM::Role",
        "HttpApi": "AWS::ApiGateway::RestApi",
        "HttpSchedulePath": "AWS::ApiGateway::Resource",
        "HttpScheduleMethod": "AWS::ApiGateway::Method",
        "HttpCancelPath": "AWS::ApiGateway::Resource",
        "HttpCancelMethod": "AWS::ApiGateway::Method",
        deployment: "AWS::ApiGateway::Deployment",
        "HttpStage": "AWS::ApiGateway::Stage",
    }
    machines = of_kind(made, "::StateMachine")
    assert machines["Register"]["StateMachineType"] == machines["Http"]["StateMachineType"] == "EXPRESS"
    with pytest.raises(ValueError, match="expected one of 'register' and 'http' in parts, got both"):
        template([], parts=[Part.REGISTER], http=True)


def test_the_machine_and_the_template_are_sound() -> None:
    made = template([], http=OPTIONS)
    assert asl.check(made["Resources"]["Http"]["Properties"]["Definition"], type="EXPRESS") == []
    assert linted(made, template([], http=True, prefix="blue")) == (0, "")


def test_names_begin_with_the_prefix() -> None:
    made = template([], http=True, prefix="blue")
    assert all(name.startswith("Blue") for name in (*made["Resources"], *made["Outputs"]))
    names = {
        key: each["Properties"][key]
        for each in made["Resources"].values()
        for key in ("Name", "TopicName")
        if key in each["Properties"]
    }
    assert names == {"Name": "blue-http", "TopicName": "blue-tasks"}
    assert "AWS::StackName" not in json.dumps(made)


# -- the secret -----------------------------------------------------------------------------------------


def test_only_the_hash_of_the_secret_is_in_the_template() -> None:
    text = json.dumps(template([], http=OPTIONS))
    assert SECRET not in text
    assert sha256(SECRET.encode()).hexdigest() in text
    for shown in (repr(OPTIONS), str(OPTIONS), OPTIONS.model_dump_json()):
        assert SECRET not in shown


def test_nothing_logs_the_bodies_of_requests() -> None:
    made = template([], http=OPTIONS)
    (settings,) = made["Resources"]["HttpStage"]["Properties"]["MethodSettings"]
    assert settings["LoggingLevel"] == "OFF"
    assert settings["DataTraceEnabled"] is False
    for name in ("Http", "Register"):
        properties = made["Resources"][name]["Properties"]
        assert {"LoggingConfiguration", "TracingConfiguration"}.isdisjoint(properties)
    assert "AccessLogSetting" not in made["Resources"]["HttpStage"]["Properties"]


def test_without_a_secret_methods_need_a_signature() -> None:
    signed, open_to_all = template([], http=True), template([], http=OPTIONS)
    for name in ("HttpScheduleMethod", "HttpCancelMethod"):
        assert method(signed, name)["AuthorizationType"] == "AWS_IAM"
        assert method(open_to_all, name)["AuthorizationType"] == "NONE"
        assert method(signed, name)["HttpMethod"] == "ANY"
    # A request without signature is answered with 403 then, and not as if there were no such path.
    assert "HttpNotFound" not in signed["Resources"]
    assert open_to_all["Resources"]["HttpNotFound"]["Properties"]["StatusCode"] == "404"


# -- the roles ------------------------------------------------------------------------------------------


def test_each_role_allows_what_its_holder_does() -> None:
    made = template([], http=OPTIONS, permissions_boundary=BOUNDARY)
    assert allowed(made, "HttpApiRole") == {"states:StartSyncExecution": {f"{OWN}-http"}}
    assert allowed(made, "HttpRole") == {
        "states:StartSyncExecution": {f"{OWN}-register"},
        "dynamodb:Query": {TABLE},
    }
    assert allowed(made, "RunnerRole")["sns:Publish"] == {"<HttpTopic>"}
    roles = of_kind(made, "::Role")
    assert all(role["PermissionsBoundary"] == BOUNDARY for role in roles.values())
    services = {
        name: resolved(roles[name]["AssumeRolePolicyDocument"])["Statement"][0]["Principal"]
        for name in ("HttpRole", "HttpApiRole")
    }
    assert services == {
        "HttpRole": {"Service": "states.amazonaws.com"},
        "HttpApiRole": {"Service": "apigateway.amazonaws.com"},
    }
    trust = resolved(roles["HttpRole"]["AssumeRolePolicyDocument"])["Statement"][0]["Condition"]
    assert trust["ArnLike"] == {"aws:SourceArn": f"{OWN}-http"}
    policies = [resolved(roles[name]["Policies"][0]["PolicyDocument"]) for name in services]
    assert parliament(policies) == [[], []]


def test_the_api_passes_its_role_and_calls_only_the_machine() -> None:
    integration = resolved(method(template([], http=OPTIONS))["Integration"])
    assert integration["Uri"] == "arn:aws:apigateway:eu-west-1:states:action/StartSyncExecution"
    assert integration["Credentials"] == "<HttpApiRole.Arn>"
    assert integration["PassthroughBehavior"] == "NEVER"
    for request in integration["RequestTemplates"].values():
        assert request.count('"stateMachineArn": "<Http>"') == 1


# -- options --------------------------------------------------------------------------------------------


def test_a_changed_method_needs_another_deployment_and_other_changes_do_not() -> None:
    def deployment(**options: Any) -> str:
        made = template([], http=HttpPart(**options))
        (name,) = of_kind(made, "::Deployment")
        stage = made["Resources"]["HttpStage"]["Properties"]
        assert stage["DeploymentId"] == {"Ref": name}
        return name

    assert deployment(secret="a") == deployment(secret="b", rate=5, horizon=timedelta(days=1))
    assert deployment(secret="a") != deployment()


def test_options_are_where_they_belong() -> None:
    made = template([], http=HttpPart(secret="a", rate=5, burst=7, horizon=timedelta(days=30)))
    (settings,) = made["Resources"]["HttpStage"]["Properties"]["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (5, 7)
    assert (
        "30" in made["Resources"]["Http"]["Properties"]["Definition"]["States"]["Check"]["Assign"]["request"]
    )


@pytest.mark.parametrize(
    ("subscriber", "subscription"),
    [
        (None, None),
        (
            "https://example.com/tasks?a=1",
            [{"Protocol": "https", "Endpoint": "https://example.com/tasks?a=1"}],
        ),
        ("ops@example.com", [{"Protocol": "email", "Endpoint": "ops@example.com"}]),
    ],
)
def test_a_subscriber_is_subscribed_by_its_protocol(subscriber: str | None, subscription: Any) -> None:
    topic = template([], http=HttpPart(subscriber=subscriber))["Resources"]["HttpTopic"]["Properties"]
    assert topic.get("Subscription") == subscription


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subscriber": "http://example.com"}, "expected an https:// URL or an e-mail address"),
        ({"subscriber": "https://user:word@example.com"}, "expected an https:// URL"),
        ({"subscriber": "+49123"}, "expected an https:// URL"),
        ({"secret": ""}, "expected a secret, got an empty text"),
        ({"horizon": timedelta(hours=36)}, "expected 1 to 36,525 whole days"),
        ({"horizon": timedelta()}, "expected 1 to 36,525 whole days"),
        ({"rate": 0}, "greater than or equal to 1"),
        ({"burst": 6_000}, "less than or equal to 5000"),
        ({"level": 1}, "Extra inputs are not permitted|level"),
    ],
)
def test_malformed_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HttpPart(**options)


@pytest.mark.parametrize("http", [None, "secret", {"secret": "a"}, 1])
def test_the_part_is_asked_for_by_options_or_true(http: Any) -> None:
    with pytest.raises(TypeError, match="expected http to be a HttpPart, True or False, got"):
        template([], http=http)


def test_jobs_of_the_stack_may_publish_to_the_topic_of_tasks() -> None:
    made = template([ss.LambdaTarget(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f")], http=True)
    assert "sns:publish" in made["Resources"]["Runner"]["Properties"]["Definition"]["States"]
