"""The reminders as a WSGI application, as Flask and Django make one: see web_gunicorn.py, which runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from web_jobs import DATABASE, GROUP, HANDLERS, STANDING, Reminder, refusal

import stepsched as ss

# With preload this happens once, in the process that forks the workers; each of them opens the file anew.
backend = ss.LocalBackend(DATABASE, handlers_from=HANDLERS)
client = ss.SchedulerClient(backend)
client.apply(STANDING)


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        status, text = answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    except ValidationError as error:
        status, text = 422, error.json(include_context=False)
    except ss.StepschedError as error:
        status, refused = refusal(error)
        text = json.dumps(refused)
    start_response(f"{status} {HTTPStatus(status).phrase}", [("content-type", "application/json")])
    return [text.encode()]


def answer(method: str, path: str, body: bytes) -> tuple[int, str]:
    match method, path.strip("/").split("/"):
        case "POST", ["reminders"]:
            return 201, client.create(Reminder.model_validate_json(body).job()).model_dump_json()
        case "GET", ["reminders", name]:
            return 200, client.get(name, group=GROUP).model_dump_json()
        case "DELETE", ["reminders", name]:
            return 200, client.cancel(name, group=GROUP).model_dump_json()
    return 404, json.dumps({"detail": "no such page"})
