"""Jobs from a command line: one option for each field, read by the reader of job files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import click

import stepsched as ss
from stepsched.cli.declaring import Command, read_tags
from stepsched.cli.input.documents import read_document, read_file
from stepsched.cli.input.expressions import of_an_expression, read_expression
from stepsched.cli.input.job_files import is_document, jobs_in, read_text
from stepsched.cli.input.parameters import LENGTH
from stepsched.cli.wording import of_a_job_on_a_command_line

if TYPE_CHECKING:
    from stepsched.jobs.written import Problem
    from stepsched.schedules import AnySchedule

Function = TypeVar("Function", bound=Callable[..., Any])
FieldPlace: TypeAlias = tuple[str, ...]
Given: TypeAlias = dict[FieldPlace, Any]
"""The values that a command line gives, by the place of the field in the document of a job."""
NOTHING = object()
"""The value of an option whose word is ``none``, which removes an optional value."""
ONLY_IN_FILES: Mapping[str, str] = {}
"""The fields of a job that no option sets, with the reason."""
_KEY, _PROGRAM = "stepsched.definitions", "stepsched.program"
_SCHEDULE = ("schedule", "timezone", "start", "end")
"""The options of which a schedule is read."""
_NONE: Mapping[str, str | None] = dict.fromkeys(_SCHEDULE[1:])
_PLACEHOLDER = "rate(1 day)"
"""A valid schedule for the reader of job files; the schedule of a command line is read by its own reader."""


class ProgramCommand(Command):
    """A command that takes a program and its arguments after ``--``; :func:`with_program` returns them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes the program off the arguments."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_PROGRAM] = args[at + 1 :]
            args = args[:at]
        ctx.allow_extra_args = True
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise click.UsageError(
                f"unexpected {' '.join(ctx.args)!r}; quote an expression such as '0 9 * * 1-5', and write a "
                "command after --, such as -- python report.py"
            )
        return ctx.args

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Returns the pieces of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND [ARGUMENT]...]"]


class NoneOr(click.ParamType):  # type: ignore[type-arg, unused-ignore] # newer clicks have one
    """A value of another type, or the word ``none``."""

    def __init__(self, kind: click.ParamType) -> None:  # type: ignore[type-arg, unused-ignore]
        """Creates a type."""
        self.kind, self.name = kind, kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value, or ``NOTHING``."""
        return NOTHING if value in ("none", NOTHING) else self.kind.convert(value, param, ctx)


class Field(NamedTuple):
    """An option for a field of a job."""

    place: FieldPlace
    name: str
    settings: dict[str, Any]


def _field(place: str, name: str, help: str, **settings: Any) -> Field:  # noqa: A002 -- as click calls it
    return Field(tuple(place.split(".")), name, {"help": help, **settings})


_OPTIONAL_LENGTH, _OPTIONAL_TEXT = NoneOr(LENGTH), NoneOr(click.STRING)
FIELDS: tuple[Field, ...] = (
    _field(
        "schedule", "--schedule", "When: an expression, as `stepsched next` takes it.", metavar="EXPRESSION"
    ),
    _field("timezone", "--timezone", "The IANA name of the time zone; UTC, if not given.", metavar="ZONE"),
    _field(
        "start",
        "--start",
        "The start of the schedule, inclusive, or none.",
        metavar="TIME",
        type=_OPTIONAL_TEXT,
    ),
    _field(
        "end", "--end", "The end of the schedule, inclusive, or none.", metavar="TIME", type=_OPTIONAL_TEXT
    ),
    _field(
        "target",
        "--target",
        "What: an ARN, a URL, module:function, or {kind: ..., ...} as in a job file. "
        "A command stands after --.",
        metavar="TARGET",
    ),
    _field("input", "--input", "The input as JSON, or @FILE, or @- for the standard input.", metavar="JSON"),
    _field("description", "--description", "A description for people.", metavar="TEXT"),
    _field("tags", "--tag", "A tag. May be repeated.", metavar="KEY=VALUE", multiple=True),
    _field("enabled", "--enable/--disable", "Whether the job runs; disabled, it is paused.", default=None),
    _field("retry.max_attempts", "--max-attempts", "Further attempts of a failed run.", type=click.INT),
    _field("retry.max_age", "--max-age", "How long after its instant a run may be tried again.", type=LENGTH),
    _field("retry.interval", "--retry-interval", "The pause before the second attempt.", type=LENGTH),
    _field("retry.backoff_rate", "--backoff-rate", "By how much each pause is longer.", type=click.FLOAT),
    _field("retry.max_delay", "--max-delay", "The longest pause, or none.", type=_OPTIONAL_LENGTH),
    _field(
        "retry.pauses",
        "--retry-pause",
        "A pause instead of --retry-interval, one for each further attempt, or none. May be repeated.",
        type=_OPTIONAL_LENGTH,
        multiple=True,
    ),
    _field(
        "dead_letter",
        "--dead-letter",
        "The SQS queue of runs that failed for good, or none.",
        metavar="ARN",
        type=_OPTIONAL_TEXT,
    ),
    _field(
        "notify",
        "--notify",
        "The SNS topic that is told of runs that failed for good, or none.",
        metavar="ARN",
        type=_OPTIONAL_TEXT,
    ),
    _field(
        "on_failure",
        "--on-failure",
        "Whether the job goes on after a failed run.",
        type=click.Choice(("continue", "stop")),
    ),
    _field(
        "overlap",
        "--overlap",
        "What happens to a run while an earlier one is running.",
        type=click.Choice(("allow", "skip", "queue")),
    ),
    _field(
        "catch_up",
        "--catch-up",
        "Which runs are made up that nobody could start.",
        type=click.Choice(("all", "one", "skip")),
    ),
    _field(
        "catch_up_within", "--catch-up-within", "The longest delay of a run, or none.", type=_OPTIONAL_LENGTH
    ),
    _field("jitter", "--jitter", "The interval in which a run starts.", type=LENGTH),
    _field("max_run_time", "--max-run-time", "The timeout of an attempt, or none.", type=_OPTIONAL_LENGTH),
    _field(
        "completion",
        "--completion",
        "Whether a one-time job is deleted after its run.",
        type=click.Choice(("delete", "keep")),
    ),
)


def definition_options(function: Function) -> Function:
    """Adds one option for each field of a job, and ``--file``; :func:`given_fields` returns their values."""
    file = "A file with this one job, instead of the options; - is the standard input."
    options = [click.option("-f", "--file", metavar="FILE", help=file), *map(_option, FIELDS)]
    for option in reversed(options):
        function = option(function)
    return function


def _option(field: Field) -> Callable[[Function], Function]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None and value != ():
            reader = _READERS.get(field.place)
            given_fields(ctx)[field.place] = value if reader is None else reader(ctx, value)

    parameter = field.name.strip("-").replace("-", "_").partition("/")[0]
    names = [field.name, *(["--enabled/--disabled"] if field.place == ("enabled",) else [])]
    return click.option(*names, f"field_{parameter}", callback=keep, expose_value=False, **field.settings)


def given_fields(ctx: click.Context) -> Given:
    """Returns the fields that the options of a command line give."""
    fields: Given = ctx.meta.setdefault(_KEY, {})
    return fields


def with_program(ctx: click.Context) -> Given:
    """Returns the fields that a command line gives, with the program after ``--`` as the target.

    Raises:
        UsageError: The program is empty, or there is a target beside it.
    """
    fields, program = given_fields(ctx), ctx.meta.get(_PROGRAM)
    if program is None:
        return fields
    if not program:
        raise click.UsageError("expected a command after --, got none; such as -- python report.py")
    if ("target",) in fields:
        raise click.UsageError("expected either --target or a command after --, got both")
    return {**fields, ("target",): list(program)}


def _read_input(_ctx: click.Context, text: str) -> Any:
    source = "--input"
    if text.startswith("@"):
        source, text = f"--input {text}", read_file(text[1:], option="--input")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        cure = """; use JSON such as '{"format": "pdf"}', in single quotes, or @FILE"""
        raise click.UsageError(f"{source}: expected JSON, got {_cut(text)!r}: {error}{cure}") from error


def _read_target(_ctx: click.Context, text: str) -> Any:
    return read_document(text, source="--target") if text.lstrip()[:1] in ("{", "[") else text


_READERS: Mapping[FieldPlace, Callable[[click.Context, Any], Any]] = {
    ("input",): _read_input,
    ("target",): _read_target,
    ("tags",): lambda _ctx, texts: read_tags(texts),
    ("retry", "pauses"): lambda _ctx, lengths: NOTHING if NOTHING in lengths else list(lengths),
}


# -- jobs ----------------------------------------------------------------------------------------------


def new_job(name: str, given: Given, group: str | None) -> ss.Job:
    """Returns the job that the options of a command line define.

    Args:
        name: The name of the job.
        given: The fields.
        group: The group of the job. None: the default.

    Raises:
        UsageError: A field is missing or refused; the error lists all mistakes.
        InvalidScheduleError: The schedule is not valid.
    """
    samples = {
        "schedule": "--schedule 'cron(0 9 ? * MON-FRI *)'",
        "target": "--target ARN, --target module:function or -- COMMAND",
    }
    missing = [sample for field, sample in samples.items() if (field,) not in given]
    if missing:
        raise click.UsageError(f"expected {' and '.join(missing)}; or the whole job with --file")
    schedule = _schedule(None, given)
    document = _overlaid({"name": name, "schedule": _PLACEHOLDER}, given)
    if group is not None:
        document["group"] = group
    return _read(document).replace(schedule=schedule)


def changed_job(stored: ss.Job, given: Given, group: str | None) -> ss.Job:
    """Returns a stored job with the fields that the options of a command line give.

    Args:
        stored: The stored definition.
        given: The fields. ``tags`` are added to the stored ones; None as the value of a tag removes it.
        group: The new group of the job. None: as stored.

    Raises:
        UsageError: A field is refused; the error lists all mistakes.
        InvalidScheduleError: The schedule is not valid.
        ValueError: The stored job cannot be written as a document.
    """
    from stepsched.jobs.documents import write_job

    schedule = _schedule(stored.schedule, given)
    document = _overlaid(write_job(stored), given)
    if group is not None:
        document["group"] = group
    job = _read(document, group_option="--new-group")
    return job if schedule is None else job.replace(schedule=schedule)


def _overlaid(document: dict[str, Any], given: Given) -> dict[str, Any]:
    """Returns a document with the given fields in place of its own."""
    made = dict(document)
    for (name, *inner), value in given.items():
        if name == "schedule" or (name in _SCHEDULE and ("schedule",) in given):
            continue  # read by the reader of expressions
        place, key = made, name
        if inner:
            place, key = made.setdefault(name, {}), inner[0]
            place = made[name] = dict(place)
        if name == "tags":
            tags = {**made.get(name, {}), **value}
            made[name] = {each: text for each, text in tags.items() if text is not None}
        elif value is NOTHING:
            place.pop(key, None)
        else:
            place[key] = value
    return made


def _schedule(stored: AnySchedule | None, given: Given) -> AnySchedule | None:
    """Returns the schedule of the options; None if they name no expression. What they do not name stays as
    stored, as far as the new schedule can have it: first all, then only the zone, then nothing."""
    expression = given.get(("schedule",))
    if expression is None:
        return None
    named = {name: _text(given[name,]) for name in _SCHEDULE[1:] if (name,) in given}
    old = {name: _text(getattr(stored, name, None)) for name in _SCHEDULE[1:]}
    for kept in (old, {"timezone": old["timezone"]}):
        with suppress(click.UsageError, ValueError):
            return read_expression(expression, **{**_NONE, **kept, **named})
    return read_expression(expression, **{**_NONE, **named})


def _text(value: object) -> str | None:
    """Returns a part of a schedule as a command line writes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else None


def job_of_file(path: str) -> ss.Job:
    """Returns the only job of a file: of a list, a mapping, or a record as ``stepsched get`` prints it.

    Args:
        path: The path; ``-`` is the standard input.

    Raises:
        UsageError: The file holds several jobs, or its job is refused.
        JobFileError: It cannot be read or holds no job, or a job of its list is refused.
    """
    text = read_text(path) if is_document(path) else None
    document = None if text is None else read_document(text, source=f"--file {path}")
    if isinstance(document, dict) and "name" in document:
        return _of_document(document, path)
    listed = document.get("jobs") if isinstance(document, dict) else document
    _refuse_many(path, listed)
    jobs = jobs_in(path, text)
    _refuse_many(path, jobs)
    return jobs[0]


def _refuse_many(path: str, jobs: object) -> None:
    if isinstance(jobs, list) and len(jobs) > 1:
        raise click.UsageError(
            f"--file {path}: expected one job, got {len(jobs)}; `stepsched apply` takes many"
        )


def _of_document(document: Any, path: str) -> ss.Job:
    from stepsched.jobs.documents import read_job

    read = read_job(document)
    if isinstance(read, ss.Job):
        return read
    problems = [": ".join(filter(None, (".".join(map(str, each.place)), each.text))) for each in read]
    raise click.UsageError(f"--file {path}: {'; '.join(problems)}")


def _read(document: Mapping[str, Any], *, group_option: str = "--group") -> ss.Job:
    from stepsched.jobs.documents import read_job

    read = read_job(document)
    if isinstance(read, ss.Job):
        return read
    raise click.UsageError("; ".join(_said(each, group_option) for each in read))


def _said(problem: Problem, group_option: str) -> str:
    """Returns a mistake with the option in which it is."""
    place = tuple(map(str, problem.place))
    option, rest = "", place
    for field in FIELDS:
        if place[: len(field.place)] == field.place:
            option, rest = field.name, place[len(field.place) :]
    if place[:1] in (("every",), ("schedule",)):
        return f"--schedule: {of_an_expression(problem.text)}"
    if place[:1] == ("name",) or place[:1] == ("group",):
        option, rest = ("NAME" if place[0] == "name" else group_option), place[1:]
    where = "" if place == ("retry",) else ".".join(rest)  # the words name the options
    return ": ".join(filter(None, (option, where, of_a_job_on_a_command_line(problem.text))))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
