"""Amazon Personalize in memory, behind the events of botocore: no request leaves the process.

What it keeps are the parameters of the requests that create something; what it answers are those of them that
the shape of the answer has. Every request and every answer is checked against the model of the service, also
where botocore does not look: enumerations, patterns and maximum lengths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from io import BytesIO
from itertools import count
from typing import Any, NamedTuple, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.sessions import LOADER, new_session

ACCOUNT, REGION = "123456789012", "eu-west-1"
START = datetime(2030, 1, 1, tzinfo=timezone.utc)
STEPS = ("CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE")
MODEL = ServiceModel(LOADER.load_service_model("personalize", "service-2"), "personalize")
WRONG_PATTERNS = frozenset({"DatasetImportJob.roleArn"})
"""Members for which the model demands the ARN of a resource of Personalize, though it is that of a role."""
_UPDATABLE = ("aws-hrnn-coldstart", "aws-user-personalization")


class Kind(NamedTuple):
    """A kind of resources."""

    noun: str
    """What the names of operations say, such as ``DatasetGroup``."""
    resource: str
    """The type in ARNs, such as ``dataset-group``."""
    parent: str | None = None
    """The member that names what it is part of, by which it can be listed."""
    name: str = "name"
    """The member with its name."""

    @property
    def member(self) -> str:
        """The noun as the name of a member."""
        return self.noun[:1].lower() + self.noun[1:]

    @property
    def arn(self) -> str:
        """The member with its ARN."""
        return f"{self.member}Arn"


KINDS = {
    each.noun: each
    for each in (
        Kind("DatasetGroup", "dataset-group"),
        Kind("Schema", "schema"),
        Kind("Dataset", "dataset", "datasetGroupArn"),
        Kind("DatasetImportJob", "dataset-import-job", "datasetArn", "jobName"),
        Kind("Solution", "solution", "datasetGroupArn"),
        Kind("SolutionVersion", "solution", "solutionArn"),
        Kind("Campaign", "campaign", "solutionVersionArn"),
        Kind("EventTracker", "event-tracker", "datasetGroupArn"),
        Kind("Filter", "filter", "datasetGroupArn"),
        Kind("BatchInferenceJob", "batch-inference-job", "solutionVersionArn", "jobName"),
        Kind("BatchSegmentJob", "batch-segment-job", "solutionVersionArn", "jobName"),
    )
}


class _RefusedError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


class FakePersonalize:
    """The resources of one account.

    Args:
        page_size: How many resources a page has at most.
    """

    def __init__(self, *, page_size: int = 2) -> None:
        self.page_size = page_size
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """The requests, in order: the operation and the parameters."""
        self.denied: set[str] = set()
        """Operations that are refused for want of permission."""
        self._kept: dict[str, dict[str, dict[str, Any]]] = {noun: {} for noun in KINDS}
        self._now = START
        self._numbers = count(1)
        self._client: Any = None

    def session(self) -> boto3.Session:
        """A session of boto3 whose clients of Personalize ask this object."""
        made = new_session(aws_access_key_id=ACCOUNT, aws_secret_access_key="test", region_name=REGION)
        self.attach(made)
        return made

    def attach(self, session: boto3.Session) -> None:
        """Lets the clients of Personalize that a session makes from now on ask this object."""
        session.events.register("before-send.personalize", cast("Any", self._send))

    def client(self) -> Any:
        """A client of boto3, always the same one."""
        if self._client is None:
            self._client = self.session().client("personalize")
        return self._client

    def advance(self, steps: int = len(STEPS) - 1) -> None:
        """Moves all resources on: from pending over in progress to active."""
        for each in self._all():
            if each["status"] in STEPS:
                each["status"] = STEPS[min(STEPS.index(each["status"]) + steps, len(STEPS) - 1)]

    def fail(self, arn: str) -> None:
        """Lets the creation of a resource fail."""
        (found,) = [each for each in self._all() if each["$arn"] == arn]
        found |= {"status": "CREATE FAILED", "failureReason": "out of luck"}

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of the requests of an operation, in order."""
        return [parameters for name, parameters in self.calls if name == operation]

    def _all(self) -> Iterator[dict[str, Any]]:
        for resources in self._kept.values():
            yield from resources.values()

    # -- the wire -----------------------------------------------------------------------------------------

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers: Any = request.headers
        operation: Any = MODEL.operation_model(headers["X-Amz-Target"].decode().rpartition(".")[2])
        parameters: dict[str, Any] = json.loads(cast("bytes", request.body))
        self.calls.append((operation.name, parameters))
        try:
            _check_request(operation, parameters)
            answer = self._answer(operation, parameters)
            assert not (wrong := list(mistakes(operation.output_shape, answer))), (operation.name, wrong)
            return _response(request.url, 200, {}, _on_the_wire(answer))
        except _RefusedError as error:
            return _refusal(request.url, operation, *error.args)

    def _answer(self, operation: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation.name in self.denied:
            raise _RefusedError("AccessDeniedException", f"not authorized to perform {operation.name}")
        verb, noun = re.fullmatch("(Create|Describe|List)(.*)", operation.name).groups()  # type: ignore[union-attr]
        if verb == "List":
            return self._list(KINDS[noun.removesuffix("s")], operation, parameters)
        if verb == "Describe":
            found = self._find(KINDS[noun], parameters[KINDS[noun].arn])
            member = operation.output_shape.members[KINDS[noun].member]
            return {KINDS[noun].member: _chosen(member, found)}
        return self._create(KINDS[noun], operation, parameters)

    def _find(self, kind: Kind, arn: str) -> dict[str, Any]:
        if arn not in self._kept[kind.noun]:
            raise _RefusedError("ResourceNotFoundException", f"Resource {arn} does not exist.")
        return self._kept[kind.noun][arn]

    def _list(self, kind: Kind, operation: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        (member,) = [name for name in operation.output_shape.members if name != "nextToken"]
        condition = {key: value for key, value in parameters.items() if key.endswith("Arn")}
        found = [
            each
            for each in self._kept[kind.noun].values()
            if all(each.get(key) == value for key, value in condition.items())
        ]
        first = self._first(parameters.get("nextToken"), condition)
        end = first + min(self.page_size, parameters.get("maxResults", 100))
        shape = operation.output_shape.members[member].member
        answer: dict[str, Any] = {member: [_chosen(shape, each) for each in found[first:end]]}
        if end < len(found):
            answer["nextToken"] = f"{end}/{json.dumps(condition)}"
        return answer

    @staticmethod
    def _first(token: str | None, condition: Mapping[str, str]) -> int:
        if token is None:
            return 0
        first, _, asked = token.partition("/")
        if not first.isdigit() or asked != json.dumps(condition):
            raise _RefusedError("InvalidNextTokenException", f"The token {token} is not valid.")
        return int(first)

    def _create(self, kind: Kind, operation: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {**parameters}
        if kind.parent is not None:
            parent = next(noun for noun, each in KINDS.items() if each.arn == kind.parent)
            found = self._usable(parent, made[kind.parent])
            if parent == "SolutionVersion":
                made["solutionArn"] = found["solutionArn"]  # campaigns are listed by it
        if kind.noun == "SolutionVersion":
            self._fill_version(made)
        arn = self._arn(kind, made)
        if arn in self._kept[kind.noun]:
            raise _RefusedError("ResourceAlreadyExistsException", f"Another resource with Arn {arn} exists.")
        self._now += timedelta(seconds=1)
        self._kept[kind.noun][arn] = {
            **made,
            "$arn": arn,
            kind.arn: arn,
            "status": STEPS[0],
            "creationDateTime": self._now,
            "lastUpdatedDateTime": self._now,
        }
        answer = {kind.arn: arn, "trackingId": f"tracking-{next(self._numbers)}", **made}
        return _chosen(operation.output_shape, answer)

    def _fill_version(self, made: dict[str, Any]) -> None:
        solution = self._find(KINDS["Solution"], made["solutionArn"])
        made |= {key: solution[key] for key in ("recipeArn", "datasetGroupArn") if key in solution}
        made.setdefault("trainingMode", "FULL")
        others = [
            each
            for each in self._kept["SolutionVersion"].values()
            if each["solutionArn"] == made["solutionArn"]
        ]
        if any(each["status"] in STEPS[:-1] for each in others):
            raise _RefusedError("ResourceInUseException", "A version of the solution is being created.")
        if made["trainingMode"] != "UPDATE":
            return
        if not any(word in made.get("recipeArn", "") for word in _UPDATABLE):
            raise _RefusedError("InvalidInputException", "The recipe does not support UPDATE.")
        if not any(each["status"] == "ACTIVE" for each in others):
            raise _RefusedError("InvalidInputException", "There is no active version to update.")

    def _usable(self, noun: str, arn: str) -> dict[str, Any]:
        """What another resource is made of: it must be there, and active."""
        found = self._find(KINDS[noun], arn)
        if found["status"] != "ACTIVE":
            raise _RefusedError("ResourceInUseException", f"Resource {arn} is {found['status']}.")
        return found

    def _arn(self, kind: Kind, made: Mapping[str, Any]) -> str:
        if kind.noun == "SolutionVersion":
            return f"{made['solutionArn']}/{next(self._numbers):08x}"
        rest = made[kind.name]
        if kind.noun == "Dataset":
            rest = f"{made['datasetGroupArn'].rpartition('/')[2]}/{made['datasetType'].upper()}"
        return f"arn:aws:personalize:{REGION}:{ACCOUNT}:{kind.resource}/{rest}"


OPERATIONS = tuple(
    f"{verb}{noun}{'s' if verb == 'List' else ''}"
    for noun in KINDS
    for verb in ("Create", "Describe", "List")
)
"""The operations that the fake answers."""


# -- The model of the service ------------------------------------------------------------------------------


def _check_request(operation: Any, parameters: dict[str, Any]) -> None:
    report = ParamValidator().validate(parameters, operation.input_shape)
    wrong = [report.generate_report()] if report.has_errors() else []
    wrong += list(mistakes(operation.input_shape, parameters))
    if wrong:
        codes = [each.name for each in operation.error_shapes]
        assert "InvalidInputException" in codes, (operation.name, wrong)
        raise _RefusedError("InvalidInputException", "; ".join(wrong))


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("integer", "long"), int),
    **dict.fromkeys(("float", "double"), (int, float)),
    "boolean": bool,
    "timestamp": datetime,
    "string": str,
    "structure": dict,
    "map": dict,
    "list": list,
}


def mistakes(shape: Any, value: Any, place: str = "") -> Iterator[str]:
    """Where a value differs from a shape: names, types, required members, enumerations, patterns, limits."""
    kind = shape.type_name
    is_of_kind = isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")
    if not is_of_kind:
        yield f"{place}: expected {kind}, got {value!r}"
        return
    if kind == "structure":
        yield from (f"{place}: {name} is unknown" for name in sorted(value.keys() - shape.members.keys()))
        yield from (f"{place}: {name} is missing" for name in shape.required_members if name not in value)
        for name in value.keys() & shape.members.keys():
            is_wrong = f"{shape.name}.{name}" in WRONG_PATTERNS
            where = f"{shape.name}.{name}" if is_wrong else f"{place}.{name}"
            yield from mistakes(shape.members[name], value[name], where)
    elif kind == "list":
        for index, item in enumerate(value):
            yield from mistakes(shape.member, item, f"{place}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from mistakes(shape.key, key, f"{place} key")
            yield from mistakes(shape.value, item, f"{place}.{key}")
    yield from _limits(shape, value, place)


def _limits(shape: Any, value: Any, place: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    size = value if isinstance(value, (int, float)) else len(value) if hasattr(value, "__len__") else None
    if size is not None and ((low is not None and size < low) or (high is not None and size > high)):
        yield f"{place}: {value!r} is not from {low} to {high}"
    enum, pattern = getattr(shape, "enum", None), shape.metadata.get("pattern")
    if enum and value not in enum:
        yield f"{place}: {value!r} is not one of {enum}"
    # Python's patterns have no Unicode properties.
    is_checked = pattern and "\\p{" not in pattern and place not in WRONG_PATTERNS
    if is_checked and not re.fullmatch(pattern, value):
        yield f"{place}: {value!r} does not match {pattern}"


def _chosen(shape: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in shape.members if name in values}


def _on_the_wire(value: Any) -> Any:
    match value:
        case datetime():
            return value.timestamp()
        case dict():
            return {key: _on_the_wire(item) for key, item in value.items()}
        case list():
            return [_on_the_wire(item) for item in value]
    return value


class _Body(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _refusal(url: str, operation: Any, code: str, message: str) -> AWSResponse:
    known = [each.name for each in operation.error_shapes]
    assert code in (*known, "AccessDeniedException"), (operation.name, code)
    return _response(url, 400, {"x-amzn-errortype": code}, {"__type": code, "message": message})


def _response(url: str, status: int, headers: dict[str, str], body: Any) -> AWSResponse:
    raw = _Body(json.dumps(body).encode())
    return AWSResponse(url, status, cast("Any", {"x-amzn-requestid": "0", **headers}), raw)
