"""The optimised integrations of Step Functions: their actions, patterns and parameters.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from stepsched.aws.models import ANY, Shape, actions, fresh_request, request
from stepsched.aws.services import identifier_of_integration, services

# After each action its patterns in addition to request and response:
# s for .sync, 2 for .sync:2, t for .waitForTaskToken.
_ACTIONS = {
    "apigateway": "invoke/t",
    "athena": "startQueryExecution/s stopQueryExecution getQueryExecution getQueryResults",
    "batch": "submitJob/s",
    "bedrock": "invokeModel/t createModelCustomizationJob/st",
    "codebuild": "startBuild/s stopBuild batchDeleteBuilds batchGetReports startBuildBatch/s stopBuildBatch"
    " retryBuildBatch/s deleteBuildBatch",
    "databrew": "startJobRun/s",
    "dynamodb": "getItem putItem updateItem deleteItem",
    "ecs": "runTask/st",
    "eks": "call/t runJob/st createCluster/st deleteCluster/st createNodegroup/st deleteNodegroup/st"
    " createFargateProfile/st deleteFargateProfile/st",
    "elasticmapreduce": "createCluster/s terminateCluster/s addStep/s cancelStep"
    " setClusterTerminationProtection modifyInstanceFleetByName modifyInstanceGroupByName",
    "emr-containers": "createVirtualCluster deleteVirtualCluster/s startJobRun/s",
    "emr-serverless": "createApplication/s startApplication/s stopApplication/s deleteApplication/s"
    " startJobRun/s cancelJobRun/s",
    "events": "putEvents/t",
    "glue": "startJobRun/s",
    "http": "invoke/t",
    "lambda": "invoke/t",
    "mediaconvert": "createJob/s",
    "sagemaker": "createEndpoint createEndpointConfig createHyperParameterTuningJob/s createLabelingJob/s"
    " createModel createProcessingJob/s createTrainingJob/s createTransformJob/s updateEndpoint",
    "sns": "publish/t",
    "sqs": "sendMessage/t",
    "states": "startExecution/s2t",
}
_SUFFIXES = {"s": "sync", "2": "sync:2", "t": "waitForTaskToken"}


def _patterns(text: str) -> Mapping[str, frozenset[str]]:
    words = (word.partition("/") for word in text.split())
    return {action: frozenset(_SUFFIXES[letter] for letter in letters) for action, _, letters in words}


ACTIONS: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {service: _patterns(text) for service, text in _ACTIONS.items()}
)
"""The patterns of each action of each service, except request and response."""
GROWING = frozenset({"eks", "elasticmapreduce", "emr-containers", "emr-serverless", "sagemaker"})
"""The services that may have more actions than listed above."""
_MODEL_OF_ACTION = {"bedrock:invokeModel": "bedrockruntime"}


def model_folder(service: str, action: str) -> str | None:
    """Returns the folder of the model in botocore; None if it has none."""
    known = services().get(_MODEL_OF_ACTION.get(f"{service}:{action}") or identifier_of_integration(service))
    return known.folder if known is not None else None


# -- Parameters without a model ---------------------------------------------------------------------------


def _structure(text: str, /, **nested: Shape) -> Shape:
    """Creates a structure from names, with ``!`` for required members and ``:kind`` for types other than
    string."""
    shape = Shape("structure")
    required = []
    for word in text.split():
        name, _, kind = word.partition(":")
        plain = name.rstrip("!")
        member = nested.get(plain) or (ANY if kind == "any" else Shape(kind or "string"))
        shape.add(plain, member, [plain])
        if plain != name:
            required.append(plain)
    shape.required = tuple(required)
    return shape


def _enum(text: str) -> Shape:
    shape = Shape("string")
    shape.enum = frozenset(text.split())
    return shape


def _with(shape: Shape, *, either: str = "", is_open: bool = False) -> Shape:
    shape.either = tuple(either.split())
    shape.is_open = is_open
    return shape


_METHOD = _enum("DELETE GET HEAD OPTIONS PATCH POST PUT")
_CONNECTION = _structure("ConnectionArn!")
_CLUSTER = "ClusterName! CertificateAuthority! Endpoint!"
_TABLES = {
    "apigateway:invoke": _structure(
        "ApiEndpoint! Method! Headers:any Stage Path QueryParameters:any RequestBody:any AuthType"
        " AllowNullValues:boolean",
        Method=_METHOD,
        AuthType=_enum("IAM_ROLE NO_AUTH RESOURCE_POLICY"),
    ),
    "http:invoke": _with(
        _structure(
            "ApiEndpoint! Method! Authentication InvocationConfig Headers:any QueryParameters:any"
            " RequestBody:any Transform",
            Method=_METHOD,
            Authentication=_CONNECTION,
            InvocationConfig=_CONNECTION,
            Transform=_structure(
                "RequestBodyEncoding RequestEncodingOptions",
                RequestBodyEncoding=_enum("NONE URL_ENCODED"),
                RequestEncodingOptions=_structure(
                    "ArrayFormat", ArrayFormat=_enum("BRACKETS COMMAS INDICES NONE REPEAT")
                ),
            ),
        ),
        either="Authentication InvocationConfig",
    ),
    "eks:call": _structure(
        f"{_CLUSTER} Method! Path! QueryParameters:any RequestBody:any",
        Method=_enum("DELETE GET HEAD PATCH POST PUT"),
    ),
    "eks:runJob": _structure(
        f"{_CLUSTER} Namespace Job!:any LogOptions",
        LogOptions=_structure("RetrieveLogs:boolean RawLogs:boolean LogParameters:map"),
    ),
    **{
        f"elasticmapreduce:{action}": _with(_structure(text), is_open=True)
        for action, text in {
            "addStep": "ClusterId! Step!:any",
            "cancelStep": "ClusterId! StepId!",
            "createCluster": "Name!",
            "modifyInstanceFleetByName": "ClusterId! InstanceFleetName! InstanceFleet!:any",
            "modifyInstanceGroupByName": "ClusterId! InstanceGroupName! InstanceGroup!:any",
            "setClusterTerminationProtection": "ClusterId! TerminationProtected!:boolean",
            "terminateCluster": "ClusterId!",
        }.items()
    },
}


# -- Parameters that differ from the model ----------------------------------------------------------------


class _Change(NamedTuple):
    """The differences of an optimised integration from the API."""

    as_json: tuple[str, ...] = ()
    """The members, with their path, that may be any JSON."""
    optional: tuple[str, ...] = ()
    added: Mapping[str, Callable[[], Shape]] = MappingProxyType({})
    either: str = ""


def _location() -> Shape:
    return _structure("S3Uri!")


_CHANGES = {
    "bedrock:invokeModel": _Change(
        as_json=("Body",),
        optional=("Body",),
        added={"Input": _location, "Output": _location},
        either="Body Input",
    ),
    "events:putEvents": _Change(as_json=("Entries/Detail",)),
    "lambda:invoke": _Change(as_json=("ClientContext", "Payload")),
    "sns:publish": _Change(as_json=("Message",), either="PhoneNumber TargetArn TopicArn"),
    "sqs:sendMessage": _Change(as_json=("MessageBody",)),
    "states:startExecution": _Change(as_json=("Input",)),
}


@lru_cache(maxsize=256)
def optimised_request(service: str, action: str) -> Shape | None:
    """Returns the request of an optimised integration; None if it is not known."""
    name = f"{service}:{action}"
    if name in _TABLES:
        return _TABLES[name]
    folder = model_folder(service, action)
    operation = actions(folder).get(action) if folder else None
    if folder is None or operation is None:
        return None
    change = _CHANGES.get(name)
    if change is None:
        return request(folder, operation)
    return _changed(fresh_request(folder, operation), change)


def _changed(shape: Shape, change: _Change) -> Shape:
    for path in change.as_json:
        *way, last = path.split("/")
        holder = shape
        for step in way:
            holder = holder.member(step) or ANY
            holder = holder.element if holder.kind == "list" else holder
        holder.replace(last, ANY)
    for name, make in change.added.items():
        shape.add(name, make(), [name])
    shape.required = tuple(name for name in shape.required if name not in change.optional)
    shape.either = tuple(change.either.split())
    return shape
