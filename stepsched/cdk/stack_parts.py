"""The resources of ``stepsched.deploy.template`` in a construct, made when the app is synthesized."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import aws_cdk as cdk
import jsii
from constructs import Construct

from stepsched.cdk.arns import resolved

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z0-9]+)(?P<attribute>\.[A-Za-z0-9.]+)?\}")
_STACK_NAME = "AWS::StackName"


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
            machine = "Definition" in resource["Properties"]
            hidden = {"Definition", "DefinitionSubstitutions"} if machine else set()
            names = [key for key in resource["Properties"] if key not in hidden]
            properties = {key: self._late(logical, key) for key in names}
            if machine:
                properties["DefinitionString"] = self._late(logical, None)
            self.resources[logical] = cdk.CfnResource(
                scope, logical, type=resource["Type"], properties=properties
            )

    def _late(self, logical: str, key: str | None) -> Any:
        def value() -> Any:
            properties = self._made()[logical]["Properties"]
            return self._definition(properties) if key is None else self._moved(properties[key])

        return cdk.Lazy.any(_Late(value))

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
