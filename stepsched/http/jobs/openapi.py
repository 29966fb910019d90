"""The OpenAPI document (3.1), made of the models and the table of resources. Pure."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from stepsched.core.values import Value
from stepsched.http.headers import KEY_PATTERN, POSITION_PATTERN, SAFE_METHODS
from stepsched.http.jobs.calls import MOST_ITEMS, PAGE
from stepsched.http.jobs.documents import Health
from stepsched.http.jobs.problems import MEDIA_TYPE
from stepsched.http.jobs.routes import RESOURCES, Operation
from stepsched.jobs import Job, JobStatus, RunStatus
from stepsched.jobs.documents import TARGETS
from stepsched.jobs.records import MAX_REASON

Schema: TypeAlias = dict[str, Any]
_REF = "#/components/schemas/{model}"
_ANY_STATUSES = (400, 401, 404, 421, 500, 501, 503)
_WRITE_STATUSES = (403, 408, 409, 412, 413, 415, 422)


class FaultDocument(Value, frozen=True):
    """One thing that is wrong with a request."""

    place: str
    """Where it stands: a JSON pointer into the body, ``?name`` for a parameter, or the name of a header."""
    reason: str
    """What is wrong, and what to write instead."""


class ProblemDocument(Value, frozen=True, extra="allow"):
    """Why a request was refused: problem details (RFC 9457)."""

    type: str
    """The URN of the kind of problem; it ends in the code in lower case."""
    title: str
    """The name of the status."""
    status: int
    """The status."""
    detail: str
    """What is wrong, in a sentence."""
    code: str
    """A word that stays the same: that of stepsched, or the unchanged code of the service."""
    errors: tuple[FaultDocument, ...] = ()
    """All that is wrong, with its places."""


_making = threading.Lock()


def document(root: str) -> str:
    """Returns the document as JSON. It is made once: making it takes long enough to hold up a busy process.

    Args:
        root: The path at which the application is mounted.
    """
    with _making:
        return _document(root)


@lru_cache(maxsize=8)
def _document(root: str) -> str:
    from stepsched import __version__

    paths = {
        path: {method.lower(): _operation(path, method, each) for method, each in operations.items()}
        for path, operations in RESOURCES.items()
    }
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "stepsched jobs",
            "version": __version__,
            "description": "Jobs, their runs and plans. Every refusal is a problem document (RFC 9457).",
        },
        "servers": [{"url": root or "/"}],
        "paths": {**paths, **_others()},
        "components": {"schemas": _schemas(), "parameters": _PARAMETERS, "headers": _HEADERS},
    }
    return json.dumps(found, ensure_ascii=False)


def _operation(path: str, method: str, operation: Operation) -> Schema:
    is_write = method not in SAFE_METHODS
    parameters = [*re.findall(r"{(\w+)}", path), *operation.query]
    parameters += ["Idempotency-Key"] if is_write else []
    parameters += ["If-Match"] if operation.has_tag and is_write else []
    parameters += ["If-None-Match"] if method == "PUT" else []
    statuses = {*_ANY_STATUSES, *(_WRITE_STATUSES if is_write else ()), *operation.refusals}
    responses = {str(status): _success(status, model) for status, model in operation.answers.items()}
    name = operation.handle.__name__
    summary = (operation.handle.__doc__ or "").split("\n\n")[0]
    found: Schema = {
        "operationId": name,
        "summary": " ".join(summary.split()),
        "parameters": [{"$ref": f"#/components/parameters/{each}"} for each in parameters],
        "responses": {**responses, **_problems(statuses)},
    }
    if operation.takes:
        types = ["application/json", *(["application/merge-patch+json"] if method == "PATCH" else [])]
        schema = {"$ref": _REF.format(model=operation.takes)}
        is_required = operation.takes not in ("Nothing", "Pause")
        content = {each: {"schema": schema} for each in types}
        found["requestBody"] = {"required": is_required, "content": content}
    return found


def _success(status: int, model: type[BaseModel]) -> Schema:
    headers = ["ETag"] if model.__name__ in ("JobDocument", "PlanDocument") else []
    headers += ["Location"] if status == HTTPStatus.CREATED else []
    found: Schema = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
    }
    if headers:
        found["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in headers}
    return found


def _problems(statuses: Iterable[int]) -> Schema:
    schema = {"schema": {"$ref": _REF.format(model="ProblemDocument")}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in sorted(statuses)
    }


def _others() -> Schema:
    """Returns the resources that are not in the table."""
    stream = {"description": "OK", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {
        "/events": {
            "get": {
                "operationId": "follow_events",
                "summary": "Sends recorded events as they come (server-sent events), without end.",
                "parameters": [{"$ref": "#/components/parameters/Last-Event-ID"}],
                "responses": {"200": stream, **_problems(_ANY_STATUSES)},
            }
        },
        "/healthz": {
            "get": {
                "operationId": "get_health",
                "summary": "Says that the server answers.",
                "responses": {"200": _success(200, Health)},
            }
        },
    }


def _parameter(place: str, name: str, schema: Schema, text: str) -> Schema:
    is_path = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **is_path, "schema": schema, "description": text}


_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_GROUP = {"type": "string", "pattern": "^[0-9a-zA-Z_.-]{1,64}$"}
_STATUSES = {"type": "string", "enum": sorted({*map(str, JobStatus), *map(str, RunStatus)})}
_PARAMETERS: Mapping[str, Schema] = {
    "name": _parameter("path", "name", {"type": "string", "minLength": 1}, "The name of the job."),
    "id": _parameter("path", "id", {"type": "string", "pattern": "^[0-9]{1,40}$"}, "The ID of the run."),
    "group": _parameter("query", "group", _GROUP, "The group of the job."),
    "status": _parameter("query", "status", _STATUSES, "The status of the jobs or runs."),
    "name_prefix": _parameter("query", "name_prefix", _TEXT, "The beginning of the name."),
    "tag": _parameter(
        "query",
        "tag",
        {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:.+$"}},
        "A tag that the job must have, as name:value.",
    ),
    "job": _parameter("query", "job", _TEXT, "The name of the job."),
    "since": _parameter("query", "since", _INSTANT, "The earliest scheduled instant, inclusive."),
    "until": _parameter("query", "until", _INSTANT, "The latest scheduled instant, inclusive."),
    "limit": _parameter(
        "query",
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": PAGE},
        "The maximum number of items.",
    ),
    "cursor": _parameter("query", "cursor", _TEXT, "Where the page begins: from the link to it."),
    "stop_run": _parameter("query", "stop_run", {"type": "boolean"}, "Whether to stop a run in progress."),
    "Idempotency-Key": _parameter(
        "header",
        "Idempotency-Key",
        {"type": "string", "pattern": KEY_PATTERN},
        "A key of the caller's choice: of several requests with it, one acts, and all get its answer.",
    ),
    "If-Match": _parameter("header", "If-Match", _TEXT, "The ETag on which the change is based."),
    "If-None-Match": _parameter("header", "If-None-Match", _TEXT, "``*``: only if there is no such job."),
    "Last-Event-ID": _parameter(
        "header",
        "Last-Event-ID",
        {"type": "string", "pattern": POSITION_PATTERN},
        "The position after which the events begin.",
    ),
}
_HEADERS: Mapping[str, Schema] = {
    "ETag": {"schema": _TEXT, "description": "The entity tag of the definition, or of the plan."},
    "Location": {"schema": _TEXT, "description": "The path of the job."},
}


def _schemas() -> Schema:
    """Returns the schemas of bodies and answers."""
    models: set[type[BaseModel]] = {
        model
        for operations in RESOURCES.values()
        for operation in operations.values()
        for model in operation.answers.values()
    }
    models |= {Health, ProblemDocument}
    ordered: list[type[BaseModel]] = sorted(models, key=lambda model: model.__name__)
    _, made = models_json_schema([(each, "serialization") for each in ordered], ref_template=_REF)
    return {**made["$defs"], **_bodies()}


def _bodies() -> Schema:
    """Returns the schemas of the bodies of requests."""
    job = _job_schema()
    fields: Schema = job["properties"]
    instants = {"since": _INSTANT, "until": _INSTANT}
    return {
        "Job": job,
        "Replacement": {**job, "description": _REPLACEMENT, "required": ["target"]},
        "Patch": _object(
            {name: {"description": each.get("description", "")} for name, each in fields.items()},
            description=_PATCH,
        ),
        "Jobs": _object(
            {
                "jobs": {"type": "array", "items": {"$ref": _REF.format(model="Job")}},
                "prune": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": _GROUP}]},
            },
            required=["jobs"],
        ),
        "Pause": _object(
            {
                "reason": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_REASON},
                "stop_run": {"type": "boolean"},
            }
        ),
        "Nothing": _object({}),
        "Redrive": _object(
            {"run": {"type": "string", "pattern": "^[0-9]{1,40}$"}},
            required=["run"],
        ),
        "Backfill": _object(instants, required=list(instants)),
    }


def _object(properties: Schema, **more: object) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


_REPLACEMENT = "The document of a job. Its name may be left out: the path has it."
_PATCH = (
    "A merge patch (RFC 7396) of the document of a job: null removes a member. A member that says when the "
    "job runs replaces all that said so before."
)
_TIME = {"type": "string", "description": "Such as ``5 minutes`` or ``PT5M``."}
_OPTIONAL_TIME = {**_TIME, "type": ["string", "null"]}
_ARN = {"anyOf": [{"type": "string", "pattern": "^arn:"}, {"type": "object"}, {"type": "null"}]}


def _job_schema() -> Schema:
    """Returns the schema of the document of a job: that of files of jobs, with the short forms."""
    model = Job.model_json_schema()
    given = {name: _resolved(each, model["$defs"]) for name, each in model["properties"].items()}
    schedule = {
        "schedule": {
            "anyOf": [_TEXT, {"type": "object"}],
            "description": "Such as ``cron(0 9 ? * MON-FRI *)``, ``rate(5 minutes)``, "
            "``at(2030-01-01T09:00:00)``, or a mapping.",
        },
        "at": {**_TEXT, "description": "A single run: ISO 8601, an instant or a wall time in ``timezone``."},
        "in": {**_TEXT, "description": "A single run after a time from now, such as ``5m`` or ``PT5M``."},
        "cron": {**_TEXT, "description": "Six fields as of AWS, or a line of a crontab with five."},
        "every": {
            "anyOf": [_TEXT, {"type": "object"}],
            "description": "A step, such as ``5 minutes``; ``1 month`` needs ``start``.",
        },
        "timezone": {**_TEXT, "description": "The IANA name of the zone of wall times; UTC if left out."},
        "start": {**_TEXT, "description": "The first instant of the schedule."},
        "end": {**_TEXT, "description": "The last instant of the schedule."},
    }
    target = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": _TEXT, "minItems": 1},
            {"type": "object", "properties": {"kind": {"type": "string", "enum": sorted(TARGETS)}}},
        ],
        "description": "An ARN, ``package.module:function``, a command as a list, or a mapping with a kind.",
    }
    given["name"] = {**given["name"], "minLength": 1, "maxLength": 256}
    times: Schema = {"jitter": _TIME, "catch_up_within": _OPTIONAL_TIME, "max_run_time": _OPTIONAL_TIME}
    others: Schema = {"input": {}, "retry": {"type": "object"}, "dead_letter": _ARN, "notify": _ARN}
    loose = {name: {**each, **_described(given[name])} for name, each in {**times, **others}.items()}
    properties = {**given, **schedule, "target": target, **loose}
    return _object(properties, required=["name", "target"], description="The document of a job.")


def _described(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Returns the schema of a member with the choice that it refers to."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if "enum" not in definitions.get(name, {}):
        return schema
    return {**definitions[name], **{key: each for key, each in schema.items() if key != "$ref"}}
