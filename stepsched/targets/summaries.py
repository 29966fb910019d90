"""Targets and inputs in few words, without secrets."""

from __future__ import annotations

import json
import shlex
from typing import Any

from stepsched.core.masking import without_secrets
from stepsched.targets import ApiTarget, CommandTarget, HandlerTarget, HttpTarget, ParallelTarget, Target

_LONGEST = 80
"""The maximum number of characters of a summary."""


def target_summary(target: Target) -> str:
    """Returns what a target invokes: a function, a command line, an API call, or a resource in AWS."""
    match target:
        case HandlerTarget(handler=handler):
            return handler
        case CommandTarget(command=command):
            return _cut(shlex.join(without_secrets(command)))
        case HttpTarget(method=method, url=url):
            return _cut(f"{method} {url.partition('?')[0]}")
        case ApiTarget(service=service, action=action):
            return f"{service}:{action}"
        case ParallelTarget(targets=parts):
            return _cut(" + ".join(map(target_summary, parts)))
        case _:
            fields = type(target).model_fields.items()
            resource = next((str(getattr(target, name)) for name, field in fields if field.is_required()), "")
            return _cut(f"{target.kind} {without_secrets(resource)}")


def input_summary(payload: Any) -> str:
    """Returns the input of a run as JSON in one line."""
    return _cut(json.dumps(without_secrets(payload), ensure_ascii=False, separators=(", ", ": ")))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
