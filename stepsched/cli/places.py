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
from stepsched.cli.wording import on_a_command_line

if TYPE_CHECKING:
    from stepsched.core.clock import Clock

_FORMS = "local:FILE, eventbridge:ROLE[?group=NAME] or stack:NAME[?prefix=TEXT]"
_KINDS = ("local", "eventbridge", "stack")
_OPTIONS = {
    "eventbridge": ("group", "dead_letter"),
    "stack": ("prefix", "state_machine_output", "table_output"),
}
"""What may follow the name, as in ``eventbridge:ROLE?group=NAME&dead_letter=QUEUE_ARN``: the schedule group,
and the dead-letter queue of jobs that name none; the prefix of ``deploy --prefix``, or the outputs of a
stack."""
_SETTINGS = ("backend", "region", "profile", "endpoint-url")
_URLS = ("sqlite", "file", "local")
"""The schemes of URLs that people write for files."""
_ANY_HOST = ("0.0.0.0/0", "::/0", "127.0.0.0/8")
"""The hosts that stored jobs may call: the process that runs them decides, and a command line runs none."""
_ATTEMPTS = 3
"""How often a call is tried while the endpoint cannot be reached."""


class Place(NamedTuple):
    """The parsed text of a backend."""

    kind: str
    """``local``, ``eventbridge`` or ``stack``."""
    name: str
    """The file, the ARN of the role or the name of the stack."""
    options: Mapping[str, str]


class Settings(NamedTuple):
    """``[tool.stepsched]`` of a ``pyproject.toml``."""

    values: Mapping[str, str]
    path: Path
    """The file that holds them."""


# -- the text of a backend -----------------------------------------------------------------------------


def read_place(text: str, *, source: str = "--backend") -> Place:
    """Parses the text of a backend.

    Raises:
        UsageError: The text is malformed.
    """
    kind, _, rest = text.partition(":")
    name, mark, query = rest.partition("?") if kind in _OPTIONS else (rest, "", "")
    if kind not in _KINDS or not name or name.startswith("//") or name == ":memory:":
        raise click.UsageError(f"expected {_FORMS} for {source}, got {text!r}{_cure(text)}")
    pairs = parse_qsl(query, keep_blank_values=True)
    names = [key for key, _ in pairs]
    known = _OPTIONS.get(kind, ())
    if (
        (mark and not pairs)
        or {*names} - {*known}
        or len(names) > len({*names})
        or "" in dict(pairs).values()
    ):
        form = "stack:NAME?prefix=TEXT" if kind == "stack" else "eventbridge:ROLE?group=NAME"
        raise click.UsageError(
            f"expected {form} for {source}, got {text!r}; "
            f"the options are {', '.join(known[:-1])} and {known[-1]}, with one value each"
        )
    if kind == "local":
        name = _home_replaced(name, source)
    return Place(kind, name, dict(pairs))


def _cure(text: str) -> str:
    """Returns what to write instead, if that is clear."""
    kind, _, rest = text.partition(":")
    if text.startswith("arn:") and ":role/" in text:
        return f"; use eventbridge:{text}"
    if kind in _URLS and rest.startswith("//"):
        path = rest.removeprefix("///") if kind == "sqlite" else rest.removeprefix("//")
        return f"; use local:{path}" if path else "; use local:jobs.db"
    if rest == ":memory:":
        return "; jobs in memory would end with the command"
    if kind in _KINDS and not rest:
        return {"local": "; use local:jobs.db"}.get(kind, f"; write the name after {kind}:")
    if text.endswith((".db", ".sqlite", ".sqlite3")) and ":" not in text:
        return f"; use local:{text}"
    return ""


def _home_replaced(path: str, source: str) -> str:
    """Returns a path with the home directory in place of ``~``: a shell does not replace it after
    ``local:``."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as error:
        raise click.UsageError(f"expected the path of a file for {source}, got {path!r}: {error}") from error


# -- opening -------------------------------------------------------------------------------------------


def open_client(
    given: str | None,
    *,
    region: str | None,
    profile: str | None,
    endpoint_url: str | None,
    creates: bool,
    clock: Clock,
    is_dry_run: bool = False,
) -> ss.SchedulerClient:
    """Opens the backend of a command line.

    Args:
        given: The text of ``--backend``. None: that of the environment or of ``pyproject.toml``.
        region: The AWS Region. None: as boto3 is configured.
        profile: The profile of the AWS configuration. None: as boto3 is configured.
        endpoint_url: The endpoint of every AWS service. None: as boto3 is configured.
        creates: Whether a file of jobs that does not exist is created.
        clock: The clock.
        is_dry_run: Whether a file of jobs that does not exist is taken for one without jobs, and not created.

    Raises:
        UsageError: No backend is named, or its text is malformed.
        BackendError: The backend cannot be opened.
    """
    place = find_place(given)
    if place.kind == "local":
        return ss.SchedulerClient(_local(place.name, creates=creates, clock=clock, is_dry_run=is_dry_run))
    connection = {**connection_of(region, profile, endpoint_url), "clock": clock}
    if place.kind == "stack":
        outputs = stack_outputs(place)
        return ss.SchedulerClient(ss.StepFunctionsBackend.from_stack(place.name, **outputs, **connection))
    try:
        backend = ss.EventBridgeBackend(
            place.name,
            group=place.options.get("group"),
            dead_letter_arn=place.options.get("dead_letter"),
            **connection,
        )
    except ValueError as error:
        raise click.UsageError(on_a_command_line(str(error))) from error
    return ss.SchedulerClient(backend)


def stack_outputs(place: Place) -> dict[str, Any]:
    """Returns the names of the outputs of a stack: the given ones, or those with its prefix."""
    from stepsched.deploy.parts.names import logical_prefix

    names = dict(place.options)
    first = logical_prefix(names.pop("prefix", None))
    return {"state_machine_output": f"{first}StateMachineArn", "table_output": f"{first}TableName", **names}


def connection_of(region: str | None, profile: str | None, endpoint_url: str | None) -> dict[str, Any]:
    """Returns the arguments ``session`` and ``endpoint_url`` of what calls AWS.

    Args:
        region: The AWS Region. None: that of ``pyproject.toml``, or as boto3 is configured.
        profile: The profile of the AWS configuration. None: as above.
        endpoint_url: The endpoint of every AWS service. None: as above.

    Raises:
        BackendError: There is no such profile.
    """
    settings = _project().values if None in (region, profile, endpoint_url) else {}
    session = boto3_session(region or settings.get("region"), profile or settings.get("profile"))
    return {"session": session, "endpoint_url": endpoint_url or settings.get("endpoint-url")}


def find_place(given: str | None) -> Place:
    """Returns the backend of a command line: the given one, that of the environment, or that of
    ``pyproject.toml``, in this order.

    Raises:
        UsageError: No backend is named, or its text is malformed.
    """
    if given is not None:
        return read_place(given)
    environment = os.environ.get("STEPSCHED_BACKEND")
    if environment:
        return read_place(environment, source="STEPSCHED_BACKEND")
    settings = _project()
    if "backend" not in settings.values:
        raise click.UsageError(
            f"no backend is named; use --backend with {_FORMS}, set STEPSCHED_BACKEND, or write backend = "
            '"local:jobs.db" under [tool.stepsched] in pyproject.toml'
        )
    place = read_place(settings.values["backend"], source=f"backend in {settings.path}")
    if place.kind == "local":  # beside the file that names it
        return place._replace(name=str(settings.path.parent / os.path.expanduser(place.name)))  # noqa: PTH111 -- as above
    return place


def _local(path: str, *, creates: bool, clock: Clock, is_dry_run: bool) -> ss.LocalBackend:
    path = os.path.expanduser(path)  # noqa: PTH111 -- a text, as it was given; no shell expands local:~
    file: str | None = path
    if not creates and not Path(path).exists():
        if not is_dry_run:
            raise click.UsageError(
                f"there is no file {path}; `stepsched create`, `apply` or `serve` makes one, or correct the "
                "path"
            )
        file = None
    refuse_missing_folder(path)
    try:
        return ss.LocalBackend(file, clock=clock, handlers=stand_ins(), private_hosts=_ANY_HOST)
    except ValueError as error:
        raise click.UsageError(f"cannot use local:{path}: {_without_python(str(error))}") from error


def refuse_missing_folder(path: str) -> None:
    """Refuses a file that cannot be made, for its folder is absent.

    Raises:
        UsageError: There is no such folder.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder {folder} for {path}; make it, or correct the path")


def _without_python(text: str) -> str:
    return text.partition("; leave path out")[0].replace("; use '", "; use 'local:")


def stand_ins() -> dict[Any, Any]:
    """Returns handlers for all targets in AWS, which are never called: a command line runs no jobs. With them
    jobs can be stored for a program that has handlers."""
    from typing import get_args

    def never(target: object) -> None:
        raise AssertionError(f"a command line has run {target!r}")

    return dict.fromkeys(get_args(ss.targets.AwsTarget), never)


def boto3_session(region: str | None, profile: str | None) -> Any:
    """Returns the session of boto3 for a person, who waits: its clients give an unreachable endpoint up soon.

    Args:
        region: The AWS Region. None: as boto3 is configured.
        profile: The profile of the AWS configuration. None: as boto3 is configured.

    Raises:
        BackendError: There is no such profile.
    """
    import boto3

    from stepsched.aws.sdk import mapped

    with mapped("boto3", "Session"):
        session = boto3.Session(region_name=region, profile_name=profile)
    session.events.register_first("needs-retry", give_up)
    return session


def give_up(*, attempts: int, caught_exception: Exception | None, **_: object) -> None:
    """Ends the attempts of a call that finds nobody, as a handler of botocore's event ``needs-retry``.

    Args:
        attempts: The number of attempts so far.
        caught_exception: The error of the latest attempt. None: the service has answered.
        **_: What else botocore passes.
    """
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.exceptions import ConnectTimeoutError, HTTPClientError

    most = 2 if isinstance(caught_exception, ConnectTimeoutError) else _ATTEMPTS
    if isinstance(caught_exception, (Unreachable, HTTPClientError)) and attempts >= most:
        raise caught_exception


# -- pyproject.toml ------------------------------------------------------------------------------------


def _project() -> Settings:
    """Returns ``[tool.stepsched]`` of the nearest ``pyproject.toml`` at or above the working folder that has
    this table.

    Raises:
        UsageError: A file or a setting cannot be read.
    """
    try:
        here = Path.cwd()
    except OSError as error:
        raise click.UsageError("the working folder is gone; change to another one") from error
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        values = _settings(path) if path.is_file() else None
        if values is not None:
            return Settings(values, path)
    return Settings({}, here / "pyproject.toml")


def _settings(path: Path) -> dict[str, str] | None:
    """Returns the table of one file; None if the file has none."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.UsageError(f"cannot read {path}: {error}") from error
    tools = document.get("tool", {})
    settings = tools.get("stepsched") if isinstance(tools, dict) else None
    if settings is None:
        return None
    if not isinstance(settings, dict):
        raise click.UsageError(f"expected a table [tool.stepsched] in {path}, got {settings!r}")
    for name, value in settings.items():
        if name not in _SETTINGS or not isinstance(value, str):
            known = ", ".join(_SETTINGS)
            raise click.UsageError(
                f"expected texts for {known} in [tool.stepsched] of {path}, got {name} = {value!r}"
            )
    return settings


def import_from_here() -> None:
    """Lets modules of the working folder be imported, as ``python -m`` does, until the end of the command."""
    try:
        folder = str(Path.cwd())
    except OSError:  # the folder is gone, and its modules with it
        return
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)
        click.get_current_context().find_root().call_on_close(lambda: sys.path.remove(folder))
