"""The description of the interface: OpenAPI 3.1, from the models of the bodies."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

import stepsched
from stepsched.http.headers import KEY_PATTERN, POSITION_PATTERN
from stepsched.machines.shared.one_shot_words import ARN, CANCEL, SCHEDULE, TASK_NAME

PAGE = 100
"""The number of tasks of a page, if the request does not say."""
MOST_TASKS = 1_000
"""The maximum number of tasks of a page."""

# The names of fields are those of the interface.
_Secret = Annotated[
    JsonValue,
    Field(
        description="The configured secret, a text. The header `x-secret` may have it. It is not stored.",
        json_schema_extra={"writeOnly": True},
    ),
]
_Arn = Annotated[str, Field(description=f"The name of the task: `{ARN}<name>`.")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class NewTaskScheduleRequest(_Model):
    """A task that is to be scheduled."""

    timestamp: str = Field(
        json_schema_extra={"format": "date-time"},
        description="The instant of delivery: ISO 8601 with an offset, to the microsecond, up to the "
        "horizon. A past instant is delivered at once.",
        examples=["2030-01-01T09:00:00.250Z"],
    )
    message: JsonValue = Field(description="What is delivered: any JSON value.", examples=[{"name": "Luke"}])
    secret: _Secret = None


class _Task(_Model):
    """A stored task."""

    executionArn: _Arn  # noqa: N815
    timestamp: str = Field(description="The timestamp as it was given.")


class NewTaskScheduleResponse(_Model):
    """A task was scheduled."""

    msg: _Task


class CancelScheduledTaskRequest(_Model):
    """A task that is to be cancelled."""

    executionArn: _Arn  # noqa: N815
    secret: _Secret = None


class BasicResponse(_Model):
    """A sentence about what was done, or that it failed."""

    msg: str


class ErrorsResponse(_Model):
    """What is wrong with a request."""

    errors: list[str] = Field(min_length=1)


class WaitingTask(_Model):
    """A task that waits."""

    executionArn: _Arn  # noqa: N815
    timestamp: str = Field(description="The timestamp as it was given.")
    due: str = Field(
        description="The instant of delivery, in UTC.", json_schema_extra={"format": "date-time"}
    )


class TasksResponse(_Model):
    """A page of the tasks that wait, the earliest first."""

    tasks: list[WaitingTask]
    next: str | None = Field(description="The value of `after` for the next page; null if this is the last.")


class HealthResponse(_Model):
    """Whether tasks are delivered at present."""

    status: str = Field(examples=["ok"])
    reason: str | None = Field(default=None, description="Why tasks are not delivered at present.")


_MODELS = (
    NewTaskScheduleRequest, NewTaskScheduleResponse, CancelScheduledTaskRequest, BasicResponse,
    ErrorsResponse, TasksResponse, HealthResponse,
)  # fmt: skip
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repetition with the same key and body gets the same answer and stores nothing.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_LAST = {"type": "string", "pattern": POSITION_PATTERN}


def document(*, has_secret: bool, has_events: bool, has_topics: bool) -> dict[str, Any]:
    """Returns the description.

    Args:
        has_secret: Whether a secret is asked for.
        has_events: Whether the backend records events.
        has_topics: Whether notifications of SNS are accepted.
    """
    inputs = [(model, "validation", TypeAdapter(model)) for model in _MODELS]
    _, found = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components: dict[str, Any] = {"schemas": found["$defs"]}
    if has_secret:
        components["securitySchemes"] = {
            "secret": {"type": "apiKey", "in": "header", "name": "x-secret"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "One-shot tasks",
            "version": stepsched.__version__,
            "description": "Post a message and an instant, and get the message back at that instant.",
        },
        "paths": _paths(has_secret=has_secret, has_events=has_events, has_topics=has_topics),
        "components": components,
    }


def _paths(*, has_secret: bool, has_events: bool, has_topics: bool) -> dict[str, Any]:
    guarded: dict[str, Any] = {"security": [{"secret": []}, {"bearer": []}]} if has_secret else {}
    denied = {"401": _answer("The secret is wrong.", ErrorsResponse)} if has_secret else {}
    conflict = {
        "404": _answer("There is no such task.", ErrorsResponse),
        "409": _answer("The task is being delivered.", ErrorsResponse),
        "410": _answer("The task was delivered or given up.", ErrorsResponse),
    }
    paths: dict[str, Any] = {
        SCHEDULE: {
            "post": _call("schedule", "Schedule a task", NewTaskScheduleRequest, NewTaskScheduleResponse)
        },
        CANCEL: {"post": _call("cancel", "Cancel a task", CancelScheduledTaskRequest, BasicResponse)},
        "/events": {"get": {**_events(has_events=has_events), **guarded}},
        "/tasks": {"get": {**_tasks(), **guarded}},
        "/openapi.json": {"get": _get("openapi", "This description", "application/json", {"type": "object"})},
        "/healthz": {"get": _health()},
    }
    schedule, cancel = paths[SCHEDULE]["post"], paths[CANCEL]["post"]
    schedule["parameters"] = [_KEY]
    schedule["responses"]["422"] = _answer("The key came with another body before.", ErrorsResponse)
    cancel["responses"] |= conflict
    if not has_secret:
        for operation in (schedule, cancel):
            operation["responses"]["403"] = _answer("A page of another site sends it.", ErrorsResponse)
    for path in ("/events", "/tasks"):
        paths[path]["get"]["responses"] |= denied
    if has_topics:
        paths["/"] = {"post": _notifications()}
    return paths


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _answer(description: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": _schema(model)}


def _body_errors() -> dict[str, Any]:
    return {
        "400": _answer("The request is wrong.", ErrorsResponse),
        "408": _answer("The body came too slowly.", ErrorsResponse),
        "413": _answer("The body is too large.", ErrorsResponse),
        "500": _answer("It failed; the log says why.", BasicResponse),
    }


def _call(name: str, summary: str, takes: type[BaseModel], gives: type[BaseModel]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": _schema(takes)},
        "responses": {"200": _answer("Done.", gives), **_body_errors()},
    }


def _get(name: str, summary: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {kind: {"schema": schema}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "Done.", "content": content}},
    }


def _events(*, has_events: bool) -> dict[str, Any]:
    wrong = {
        "400": _answer("The position is none.", ErrorsResponse),
        "501": _answer("The backend does not record events.", ErrorsResponse),
    }
    found = _get("events", "Tasks as they are delivered", "text/event-stream", {"type": "string"})
    found["parameters"] = [
        {"name": "Last-Event-ID", "in": "header", "schema": _LAST, "description": "Go on after this event."},
        {"name": "last_event_id", "in": "query", "schema": _LAST, "description": "The same, in the URL."},
    ]
    if not has_events:
        found["responses"] = {}
    found["responses"] |= wrong
    return found


def _tasks() -> dict[str, Any]:
    found = _get("tasks", "Tasks that wait", "application/json", {})
    number = {"type": "integer", "minimum": 1, "maximum": MOST_TASKS, "default": PAGE}
    found["parameters"] = [
        {"name": "limit", "in": "query", "schema": number},
        {"name": "after", "in": "query", "schema": {"type": "string", "pattern": f"^{TASK_NAME}$"}},
    ]
    found["responses"] = {
        "200": _answer("A page of tasks.", TasksResponse),
        "400": _answer("The request is wrong.", ErrorsResponse),
        "500": _answer("It failed; the log says why.", BasicResponse),
    }
    return found


def _health() -> dict[str, Any]:
    found = _get("health", "Whether tasks are delivered", "application/json", {})
    found["responses"] = {
        "200": _answer("They are.", HealthResponse),
        "503": _answer("They are not, or the backend cannot be read.", HealthResponse),
    }
    return found


def _notifications() -> dict[str, Any]:
    return {
        "operationId": "notify",
        "summary": "A message of Amazon SNS",
        "requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}},
        "responses": {
            "200": _answer("It was accepted, or ignored.", BasicResponse),
            **_body_errors(),
            "403": _answer("AWS has not signed it for this service.", ErrorsResponse),
            "503": _answer("The certificate cannot be fetched now.", ErrorsResponse),
        },
    }
