"""Where jobs are stored: ``--backend``, ``STEPSCHED_BACKEND`` or ``[tool.stepsched]`` of
``pyproject.toml``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import click

import stepsched as ss

if TYPE_CHECKING:
    from stepsched.core.clock import Clock

_FORMS = "local:FILE, eventbridge:ROLE[?group=NAME] or stack:NAME"
_OPTIONS = {"group", "dead_letter"}
"""What may follow the role, as in ``eventbridge:ROLE?group=NAME&dead_letter=QUEUE_ARN``: the schedule group,
and the dead-letter queue of jobs that name none."""
_SETTINGS = ("backend", "region", "profile", "endpoint-url")


class Place(NamedTuple):
    """The parsed text of a backend."""

    kind: str
    """``local``, ``eventbridge`` or ``stack``."""
    name: str
    """The file, the ARN of the role or the name of the stack."""
    options: Mapping[str, str]


def read_place(text: str, *, source: str = "--backend") -> Place:
    """Parses the text of a backend.

    Raises:
        UsageError: The text is malformed.
    """
    kind, _, rest = text.partition(":")
    name, mark, query = rest.partition("?") if kind == "eventbridge" else (rest, "", "")
    options = dict(parse_qsl(query, keep_blank_values=True))
    is_known = kind in ("local", "eventbridge", "stack") and name and (bool(query) == bool(mark))
    if not is_known or options.keys() - _OPTIONS or "" in options.values():
        raise click.UsageError(f"expected {_FORMS} for {source}, got {text!r}")
    return Place(kind, name, options)


def open_client(
    given: str | None,
    *,
    region: str | None,
    profile: str | None,
    endpoint_url: str | None,
    creates: bool,
    clock: Clock,
) -> ss.SchedulerClient:
    """Opens the backend of a command line.

    Args:
        given: The text of ``--backend``. None: that of the environment or of ``pyproject.toml``.
        region: The AWS Region. None: as boto3 is configured.
        profile: The profile of the AWS configuration. None: as boto3 is configured.
        endpoint_url: The endpoint of every AWS service. None: as boto3 is configured.
        creates: Whether a file of jobs that does not exist is created.
        clock: The clock.

    Raises:
        UsageError: No backend is named, or its text is malformed.
        BackendError: The backend cannot be opened.
    """
    settings, folder = _project()
    environment = os.environ.get("STEPSCHED_BACKEND")
    if given is not None:
        place = read_place(given)
    elif environment:
        place = read_place(environment, source="STEPSCHED_BACKEND")
    elif "backend" in settings:
        place = read_place(settings["backend"], source=f"backend in {folder / 'pyproject.toml'}")
        if place.kind == "local":  # beside the file that names it
            place = place._replace(name=str(folder / place.name))
    else:
        raise click.UsageError(
            f"no backend is named; use --backend with {_FORMS}, set STEPSCHED_BACKEND, or write backend = "
            '"..." under [tool.stepsched] in pyproject.toml'
        )
    if place.kind == "local":
        return ss.SchedulerClient(_local(place.name, creates=creates, clock=clock))
    session = _boto3_session(region or settings.get("region"), profile or settings.get("profile"))
    connection: dict[str, Any] = {
        "session": session,
        "endpoint_url": endpoint_url or settings.get("endpoint-url"),
        "clock": clock,
    }
    if place.kind == "stack":
        return ss.SchedulerClient(ss.StepFunctionsBackend.from_stack(place.name, **connection))
    return ss.SchedulerClient(
        ss.EventBridgeBackend(
            place.name,
            group=place.options.get("group"),
            dead_letter_arn=place.options.get("dead_letter"),
            **connection,
        )
    )


def _local(path: str, *, creates: bool, clock: Clock) -> ss.LocalBackend:
    if not creates and not Path(path).exists():
        raise click.UsageError(
            f"there is no file {path}; `stepsched create`, `apply` or `serve` makes one, or correct the path"
        )
    return ss.LocalBackend(path, clock=clock)


def _boto3_session(region: str | None, profile: str | None) -> Any:
    import boto3

    from stepsched.aws.sdk import mapped

    with mapped("boto3", "Session"):
        return boto3.Session(region_name=region, profile_name=profile)


def _project() -> tuple[dict[str, str], Path]:
    """Returns ``[tool.stepsched]`` of the nearest ``pyproject.toml`` at or above the working folder, and its
    folder.

    Raises:
        UsageError: The file or a setting cannot be read.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _settings(path), folder
    return {}, here


def _settings(path: Path) -> dict[str, str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"cannot read {path}: {error}") from error
    tools = document.get("tool", {})
    settings = tools.get("stepsched", {}) if isinstance(tools, dict) else {}
    if not isinstance(settings, dict):
        raise click.UsageError(f"expected a table [tool.stepsched] in {path}, got {settings!r}")
    for name, value in settings.items():
        if name not in _SETTINGS or not isinstance(value, str):
            known = ", ".join(_SETTINGS)
            raise click.UsageError(
                f"expected texts for {known} in [tool.stepsched] of {path}, got {name} = {value!r}"
            )
    return settings
