"""Targets in words, without secrets."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from stepsched.core.masking import without_secrets


def target_text(target: BaseModel) -> str:
    """Returns a target on one line: an ARN, a function or a command as it is; others with their fields.
    Values whose name suggests a secret are masked."""
    kind, shown = _fields(target)
    if kind == "parallel":
        return " + ".join(target_text(each) for each in getattr(target, "targets", ()))
    if shown.keys() == {"command"}:
        return f"command  {shlex.join(shown['command'])}"
    values = list(shown.values())
    if len(values) == 1 and isinstance(values[0], str):
        return f"{kind}  {values[0]}"
    return f"{kind}  {json_text(shown)}"


def target_rows(target: BaseModel) -> Iterator[tuple[str, str]]:
    """Yields the kind of a target and its fields that differ from their default, masked in the same way."""
    kind, shown = _fields(target)
    yield "target", kind
    if kind == "parallel":
        for each in getattr(target, "targets", ()):
            yield "", target_text(each)
        return
    for name, value in shown.items():
        words = name.replace("_", " ")
        if name == "command":
            yield words, shlex.join(value)
        else:
            yield words, value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """Returns JSON for people."""
    return json.dumps(value, ensure_ascii=False)


def _fields(target: BaseModel) -> tuple[str, dict[str, Any]]:
    fields = target.model_dump(mode="json", exclude_defaults=True)
    fields.pop("kind", None)
    return str(getattr(target, "kind", "")), without_secrets(fields)
