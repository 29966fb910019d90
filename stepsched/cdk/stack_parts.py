"""The resources of ``stepsched.deploy.template`` in a construct, made when the app is synthesized."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stepsched.cdk.arns import resolved

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z0-9]+)(?P<attribute>\.[A-Za-z0-9.]+)?\}")
_STACK_NAME = "AWS::StackName"
_DOCUMENTS = {"AssumeRolePolicyDocument", "PolicyDocument"}
"""The properties that hold any JSON."""
_INTRINSICS = {"Ref", "Fn::GetAtt", "Fn::Sub"}
# The typed classes, so that tags, aspects and rules for these kinds of resources apply.
_CLASSES: Mapping[str, Callable[..., cdk.CfnResource]] = {
    "AWS::ApiGateway::Deployment": apigateway.CfnDeployment,
    "AWS::ApiGateway::GatewayResponse": apigateway.CfnGatewayResponse,
    "AWS::ApiGateway::Method": apigateway.CfnMethod,
    "AWS::ApiGateway::Resource": apigateway.CfnResource,
    "AWS::ApiGateway::RestApi": apigateway.CfnRestApi,
    "AWS::ApiGateway::Stage": apigateway.CfnStage,
    "AWS::CloudWatch::Alarm": cloudwatch.CfnAlarm,
    "AWS::CloudWatch::Dashboard": cloudwatch.CfnDashboard,
    "AWS::DynamoDB::Table": dynamodb.CfnTable,
    "AWS::IAM::Role": iam.CfnRole,
    "AWS::Scheduler::Schedule": scheduler.CfnSchedule,
    "AWS::Scheduler::ScheduleGroup": scheduler.CfnScheduleGroup,
    "AWS::SNS::Topic": sns.CfnTopic,
    "AWS::StepFunctions::StateMachine": sfn.CfnStateMachine,
}


@jsii.implements(cdk.IStableAnyProducer)
class _Late:
    """A value that is computed when a template is written."""

    def __init__(self, value: Callable[[], Any]) -> None:
        self._value = value

    def produce(self) -> Any:
        """Computes the value."""
        return self._value()


class StackParts:
    """The resources of a template in a scope, by their logical IDs in the template."""

    def __init__(
        self,
        scope: Construct,
        made: Callable[[], Mapping[str, Any]],
        *,
        name: str,
        texts: Mapping[str, str],
    ) -> None:
        """Adds the resources.

        Args:
            scope: The scope.
            made: Gives the resources of the template. It is called again when the app is synthesized, and
                may then give other properties, but no other resources.
            name: The text that stands where the template has the name of its stack.
            texts: Tokens, each by the text that stands for it in the template.
        """
        self._made, self._name, self._texts = made, name, texts
        self.resources: dict[str, cdk.CfnResource] = {}
        for logical, resource in made().items():
            properties = {
                _snake(key): self._late(logical, key, value)
                for key, value in resource["Properties"].items()
                if key not in ("Definition", "DefinitionSubstitutions")
            }
            if "Definition" in resource["Properties"]:
                properties["definition_string"] = cdk.Token.as_string(self._lazy(logical, self._definition))
            self.resources[logical] = _CLASSES[resource["Type"]](scope, logical, **properties)
        for logical, resource in made().items():
            for each in resource.get("DependsOn", ()):
                self.resources[logical].add_dependency(self.resources[each])

    def _late(self, logical: str, key: str, sample: Any) -> Any:
        """The value of a property, as the class of its resource accepts it."""
        if isinstance(sample, (bool, int, float)):
            return sample
        is_document = key in _DOCUMENTS

        def value(properties: Mapping[str, Any]) -> Any:
            moved = self._moved(properties[key])
            return moved if is_document else _typed(moved)

        lazy = self._lazy(logical, value)
        is_text = isinstance(sample, str) or (isinstance(sample, dict) and bool(_INTRINSICS & sample.keys()))
        return cdk.Token.as_string(lazy) if is_text else lazy

    def _lazy(self, logical: str, value: Callable[[Mapping[str, Any]], Any]) -> cdk.IResolvable:
        return cdk.Lazy.any(_Late(lambda: value(self._made()[logical]["Properties"])))

    def _definition(self, properties: Mapping[str, Any]) -> str:
        """The definition of a state machine as text: CDK would leave out what is null in an object."""
        text = json.dumps(properties["Definition"], separators=(",", ":"))
        for key, value in properties["DefinitionSubstitutions"].items():
            text = text.replace(f"${{{key}}}", cdk.Token.as_string(self._moved(value)))
        return text

    def _moved(self, value: Any) -> Any:
        """A copy in which references name the resources of the construct."""
        match value:
            case {"Ref": name}:
                return self._name if name == _STACK_NAME else {"Ref": self._logical(name)}
            case {"Fn::GetAtt": [name, attribute]}:
                return {"Fn::GetAtt": [self._logical(name), attribute]}
            case {"Fn::Sub": str() as text}:
                return self._substituted(text)
            case dict():
                return {key: self._moved(item) for key, item in value.items()}
            case list():
                return [self._moved(item) for item in value]
            case str():
                return self._texts.get(value, resolved(value))
        return value

    def _substituted(self, text: str) -> Any:
        text = text.replace(f"${{{_STACK_NAME}}}", self._name)
        text = _REFERENCE.sub(lambda m: f"${{{self._logical(m['name'])}{m['attribute'] or ''}}}", text)
        tokens = {f"Text{index}": pair for index, pair in enumerate(self._texts.items()) if pair[0] in text}
        for key, (standing, _) in tokens.items():
            text = text.replace(standing, f"${{{key}}}")
        if "${" not in text:
            return text
        return {"Fn::Sub": [text, {key: token for key, (_, token) in tokens.items()}] if tokens else text}

    def _logical(self, name: str) -> str:
        found = self.resources.get(name)
        return name if found is None else found.logical_id


def _snake(name: str) -> str:
    """The name of a property in Python: ``role_arn`` for ``RoleArn``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _typed(value: Any) -> Any:
    """The value of a property in the form of the CDK's own types, whose keys begin with a small letter."""
    match value:
        case dict() if not _INTRINSICS & value.keys():
            return {
                key[0].lower() + key[1:]: item if key in _DOCUMENTS else _typed(item)
                for key, item in value.items()
            }
        case list():
            return [_typed(item) for item in value]
    return value
