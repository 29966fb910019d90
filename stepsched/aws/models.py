"""The operations of the services and the shapes of their requests, read from the models of botocore.

Members and operations have the names that the AWS SDK for Java 2 gives them. Step Functions and EventBridge
Scheduler use these:
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

_KINDS = {
    "structure": "structure",
    "list": "list",
    "map": "map",
    "string": "string",
    "character": "string",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bigdecimal": "number",
    "boolean": "boolean",
    "blob": "blob",
    "timestamp": "timestamp",
}
_RESERVED_WORDS = """
    Abstract Assert Boolean Break Byte Case Catch Char Class Const Continue Default Do Double Else Enum
    Equals Extends False Final Finally Float For Goto HashCode If Implements Import Instanceof Int Interface
    Long Native New Notify NotifyAll Null Package Private Protected Public Return Short Static Strictfp Super
    Switch Synchronized This Throw Throws ToString Transient True Try Void Volatile Wait While
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""The names that a member cannot have in Java. The SDK appends ``Value`` to them."""


class Shape:
    """The shape of a value in a request. Members are read on first access.

    Attributes:
        kind: structure, list, map, string, integer, number, boolean, blob, timestamp or any.
        names: The name of each member in the model, by every accepted name.
        required: The proper names of the required members.
        either: The names of members of which at least one is required.
        is_union: Whether exactly one member is required.
        element: The shape of the elements of a list, or of the values of a map.
        enum: The enumerated values of the model; empty if there are none.
        is_open: Whether unknown members are accepted.
    """

    __slots__ = (
        "_members",
        "_shapes",
        "either",
        "element",
        "enum",
        "is_open",
        "is_union",
        "kind",
        "names",
        "required",
    )

    def __init__(self, kind: str = "any") -> None:
        self.kind = kind
        self.names: dict[str, str] = {}
        self.required: tuple[str, ...] = ()
        self.either: tuple[str, ...] = ()
        self.element: Shape = self if kind == "any" else ANY
        self.enum: frozenset[str] = frozenset()
        self.is_open = self.is_union = False
        self._members: dict[str, Shape | str] = {}
        self._shapes: Shapes | None = None

    def member(self, name: str) -> Shape | None:
        """The shape of a member, by any accepted name. None: there is no such member."""
        model_name = self.names.get(name)
        if model_name is None:
            return None
        found = self._members[model_name]
        if isinstance(found, str):
            assert self._shapes is not None
            found = self._members[model_name] = self._shapes.shape(found)
        return found

    def add(self, name: str, shape: Shape | str, names: Iterable[str]) -> None:
        """Adds a member. Of ``names``, those that another member has are ignored."""
        self._members[name] = shape
        self.add_names(name, names)

    def add_names(self, name: str, names: Iterable[str]) -> None:
        """Adds accepted names of a member. Names that another member has are ignored."""
        for each in names:
            self.names.setdefault(each, name)

    def replace(self, name: str, shape: Shape) -> None:
        """Replaces the shape of a member."""
        self._members[self.names[name]] = shape

    def proper(self, name: str) -> str:
        """The name of a member in the SDK, by any accepted name."""
        return self._shapes.proper(self.names[name]) if self._shapes is not None else name

    def is_misspelt(self, name: str) -> bool:
        """Whether an accepted name is not the proper one: it has another case, or is the name in the API."""
        proper = self.proper(name)
        return name != proper and name.lower() in (proper.lower(), self.names[name].lower())

    def bind(self, shapes: Shapes) -> None:
        """Sets the shapes in which members are looked up by name."""
        self._shapes = shapes


ANY = Shape()


class Shapes:
    """The shapes in the model of one service.

    Args:
        model: The model.
        api_names: Whether members have their names in the API, such as ``containerOverrides``, and no others.
    """

    def __init__(self, model: Mapping[str, Any], *, api_names: bool = False) -> None:
        self._raw: Mapping[str, Any] = model["shapes"]
        self.proper: Callable[[str], str] = _unchanged if api_names else proper_name
        """The proper name of a member, by its name in the model."""
        self._accepted: Callable[[str], tuple[str, ...]] = _only if api_names else _accepted_names
        self._read: dict[str, Shape] = {}

    def shape(self, name: str) -> Shape:
        """The shape with a name of the model."""
        found = self._read.get(name)
        if found is None:
            raw = self._raw[name]
            found = self._read[name] = Shape("any" if raw.get("document") else _KINDS.get(raw["type"], "any"))
            self._fill(found, raw)
        return found

    def _fill(self, shape: Shape, raw: Mapping[str, Any]) -> None:
        shape.bind(self)
        shape.enum = frozenset(raw.get("enum", ()))
        if shape.kind in ("list", "map"):
            shape.element = self.shape(raw["member" if shape.kind == "list" else "value"]["shape"])
        if shape.kind != "structure":
            return
        shape.is_union = bool(raw.get("union"))
        members: dict[str, Any] = raw.get("members", {})
        for name, each in members.items():
            shape.add(name, ANY if each.get("jsonvalue") else each["shape"], self._accepted(name)[:2])
        for name in members:
            shape.add_names(name, self._accepted(name)[2:])
        shape.required = tuple(
            self.proper(name)
            for name in raw.get("required", ())
            if name in members and not members[name].get("idempotencyToken")
        )


@lru_cache(maxsize=16384)
def proper_name(name: str) -> str:
    """The name of a member of an API in the SDK for Java.

    A leading acronym counts as one word. ``NULL`` of DynamoDB is an exception in that SDK.

    >>> proper_name("DBInstanceIdentifier"), proper_name("stateMachineArn")
    ('DbInstanceIdentifier', 'StateMachineArn')
    """
    if name == "NULL":
        return "Nul"
    acronym = re.match(r"[A-Z]{2,}(?![a-z])|[A-Z]+(?=[A-Z][a-z])", name)
    head = name[: acronym.end()].capitalize() if acronym else name[:1].upper()
    return head + name[len(head) :]


@lru_cache(maxsize=16384)
def _accepted_names(name: str) -> tuple[str, ...]:
    proper = proper_name(name)
    names = [proper, name[:1].upper() + name[1:]]
    if not name.isalnum():
        names.append("".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name)))
    if proper in _RESERVED:
        names.append(f"{proper}Value")
    if name == "NULL":
        names += ["Null", "NullValue"]
    return tuple(names)


def _unchanged(name: str) -> str:
    return name


def _only(name: str) -> tuple[str, ...]:
    return (name,)


# -- The models of botocore ------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def botocore_version() -> str:
    """The version of the installed botocore, such as ``1.44.5``."""
    import botocore

    return str(botocore.__version__)


@lru_cache(maxsize=1)
def service_folders() -> tuple[str, ...]:
    """The folders of all services in botocore, such as ``cognito-idp``."""
    return tuple(_loader().list_available_services("service-2"))


def metadata(folder: str) -> Mapping[str, Any]:
    """The metadata of a service in its model."""
    found: Mapping[str, Any] = _model(folder)["metadata"]
    return found


@lru_cache(maxsize=256)
def actions(folder: str) -> Mapping[str, str]:
    """The operations of a service in the model, by their names in the ``Resource`` of a Task."""
    return {proper_action(operation): operation for operation in _model(folder)["operations"]}


@lru_cache(maxsize=1024)
def request(folder: str, operation: str) -> Shape:
    """The shape of an operation's request; a structure without members if it has no input."""
    named = _model(folder)["operations"][operation].get("input")
    return _shapes(folder).shape(named["shape"]) if named else Shape("structure")


@lru_cache(maxsize=64)
def api_request(folder: str, operation: str) -> Shape:
    """The shape of an operation's request with the names of the API, in which services other than Step
    Functions and the universal targets take it."""
    return Shapes(_model(folder), api_names=True).shape(
        _model(folder)["operations"][operation]["input"]["shape"]
    )


def fresh_request(folder: str, operation: str) -> Shape:
    """The shape of an operation's request as a new object, which the caller may change."""
    named = _model(folder)["operations"][operation].get("input")
    return Shapes(_model(folder)).shape(named["shape"]) if named else Shape("structure")


def proper_action(operation: str) -> str:
    """The name of an operation in the ``Resource`` of a Task, such as ``describeDBInstances``."""
    name = proper_name(operation)
    return name[:1].lower() + name[1:]


@lru_cache(maxsize=1)
def _loader() -> Any:
    from botocore.loaders import Loader

    return Loader()


@lru_cache(maxsize=32)
def _model(folder: str) -> dict[str, Any]:
    model: dict[str, Any] = _loader().load_service_model(folder, "service-2")
    return model


@lru_cache(maxsize=32)
def _shapes(folder: str) -> Shapes:
    return Shapes(_model(folder))
