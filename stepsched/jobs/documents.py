"""Jobs as people write them in files: documents of mappings, lists and texts. Pure.

:func:`read_job` finds all mistakes of a job, in the words of the file. :func:`write_job` writes what it
reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stepsched.core.amounts import length_text, read_length
from stepsched.core.context import revive
from stepsched.jobs.job import Job
from stepsched.jobs.policies import Retry
from stepsched.jobs.written import (
    BESIDE,
    Mistakes,
    Place,
    Problem,
    in_a_file,
    mistake,
    near,
    read_schedule,
    shown,
    unknown,
)
from stepsched.schedules import AnySchedule, Cron, OneTime, Windowed
from stepsched.schedules.crontab import parse_crontab
from stepsched.schedules.stored import reading_stored
from stepsched.targets import (
    SERVICE_TARGETS,
    CommandTarget,
    HandlerTarget,
    HttpTarget,
    ParallelTarget,
    QueueTarget,
    Target,
    TopicTarget,
    parts_of,
)
from stepsched.targets.base import ServiceTarget, arn_field

Document: TypeAlias = dict[str, Any]
TARGETS: dict[str, type[BaseModel]] = {kind.model_fields["kind"].default: kind for kind in get_args(Target)}
"""The classes of targets by the ``kind`` in a file."""
FIELDS = tuple(
    each for name in Job.model_fields for each in ((name, *BESIDE) if name == "schedule" else (name,))
)
"""The fields of a job in a file."""
_HANDLER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_COMMAND_LINE = re.compile(r"[A-Za-z./][\w./-]*(?: -*[A-Za-z./][\w./-]*)+", re.ASCII)
"""A command line without numbers and characters that YAML or a shell reads."""
_INSTEAD = {
    "at": "schedule: at(2030-01-01T09:00:00)",
    "cron": "schedule: cron(0 9 ? * MON-FRI *)",
    "rate": "schedule: rate(5 minutes)",
    "crontab": "schedule: {crontab: '0 9 * * 1-5'}",
    **dict.fromkeys(("command", "cmd", "run", "script"), "target: [python, report.py]"),
    **dict.fromkeys(("function", "handler"), "target: package.module:function"),
    "interval": "every: 5 minutes",
    **dict.fromkeys(("tz", "zone"), "timezone: Europe/Paris"),
    **dict.fromkeys(("disabled", "paused", "state", "status"), "enabled: false, or leave it out"),
}
"""What somebody may write as fields of a job, and how it is written."""
_DATA = ("input", "request", "parameters", "container_overrides")
"""The fields of jobs and targets in which any JSON may stand."""
_PLACEHOLDER = {"schedule": OneTime("2030-01-01T00:00"), "target": CommandTarget(["true"])}
"""Valid values in place of refused ones, so that the other fields are still looked at."""


class YesNo(str):
    """An unquoted yes, no, on or off in YAML: some readers take it for true or false, and others for text.

    It is a boolean where only that is possible and a text where only that is; elsewhere it is refused.
    """

    __slots__ = ()

    @property
    def truth(self) -> bool:
        """What it means as a boolean."""
        return self.lower() in ("yes", "on")


# -- reading -------------------------------------------------------------------------------------------


def read_job(document: object) -> Job | list[Problem]:
    """Reads a job.

    Returns:
        The job, or all mistakes in its document; their places begin at the job.
    """
    if not isinstance(document, Mapping):
        return [Problem((), f"expected a mapping with name, schedule and target, got {shown(document)}")]
    problems = [_unknown(key) for key in document if key not in FIELDS]
    fields: Document = {key: value for key, value in document.items() if key in Job.model_fields}
    problems += _ambiguous({key: fields[key] for key in ("input",) if key in fields})
    readers: dict[str, Callable[[Mapping[str, Any]], BaseModel]] = {
        "schedule": read_schedule,
        "target": _target_in,
    }
    for name, read in readers.items():
        fields[name] = _PLACEHOLDER[name]
        try:
            fields[name] = read(document)
        except Mistakes as found:
            problems += found.problems
    job, others = _validated(Job, fields)
    problems += others
    return job if isinstance(job, Job) and not problems else problems


def _unknown(key: object) -> Problem:
    cure = _INSTEAD.get(str(key))
    text = unknown(key, FIELDS) if cure is None else f"unknown field; write {cure}"
    return Problem((str(key),), text)


def _target_in(document: Mapping[str, Any]) -> BaseModel:
    target = document.get("target")
    if target is None:
        words = (
            "it is missing; write for example an ARN, a URL, package.module:function, or a command as a list"
        )
        raise mistake(words, "target")
    return read_target(target, ("target",))


def read_target(value: object, place: Place) -> BaseModel:
    """Reads a target: an ARN, a URL, the name of a function, a command as a list, or a mapping.

    Raises:
        Mistakes: It cannot be read.
    """
    kind: str
    fields: Document
    match value:
        case str() if value.startswith("arn:"):
            return _from_arn(str(value), place)
        case str() if _HANDLER.fullmatch(value):
            kind, fields = "handler", {"handler": str(value)}
        case str() if value.startswith(("https://", "http://")):
            kind, fields = "http", {"url": str(value)}
        case str():
            words = (
                f"expected an ARN, a URL, package.module:function, or a command as a list, got {shown(value)}"
            )
            raise mistake(words + _proposal(value), *place)
        case list() if value and isinstance(value[0], str) and not value[0].startswith("arn:"):
            kind, fields = "command", {"command": value}
        case list():
            words = "expected a program and its arguments in a list; several targets are written"
            raise mistake(f"{words} {{kind: parallel, targets: [...]}}", *place)
        case Mapping():
            kind = _kind_of_target(value, place)
            fields = {key: each for key, each in value.items() if key != "kind"}
        case _:
            raise mistake(f"expected an ARN, a text, a list or a mapping, got {shown(value)}", *place)
    is_short = not isinstance(value, Mapping)
    return _made_target(kind, fields, place, is_short=is_short)


def _proposal(text: str) -> str:
    """Returns what to write for a dotted function or a command line, if that is clear."""
    module, _, function = text.rpartition(".")
    if _DOTTED.fullmatch(text) and function not in ("py", "sh"):
        return f"; write {module}:{function}"
    if _COMMAND_LINE.fullmatch(text):
        return f"; write [{', '.join(text.split(' '))}]"
    return ""


def _made_target(kind: str, fields: Document, place: Place, *, is_short: bool = False) -> BaseModel:
    """Creates a target of a kind. With ``is_short`` its only field stands at the place of the target."""
    model = TARGETS[kind]
    known = tuple(name for name in model.model_fields if name != "kind")
    problems = [Problem((*place, str(key)), unknown(key, known)) for key in fields if key not in known]
    missing = [name for name in known if model.model_fields[name].is_required() and fields.get(name) is None]
    problems += [Problem(place, f"a target of kind {kind} needs {name}") for name in missing]
    problems += [problem._replace(place=(*place, *problem.place)) for problem in _ambiguous(fields)]
    if kind == "parallel" and isinstance(fields.get("targets"), list):
        read, refused = _parts(fields["targets"], (*place, "targets"))
        fields, problems = {**fields, "targets": read}, problems + refused
    if problems:
        raise Mistakes(*problems)
    target, problems = _validated(model, fields)
    if target is None:
        cut = 1 if is_short else 0
        raise Mistakes(*(Problem((*place, *each.place[cut:]), each.text) for each in problems))
    return target


def _parts(values: list[object], place: Place) -> tuple[list[BaseModel], list[Problem]]:
    read, problems = list[BaseModel](), list[Problem]()
    for number, value in enumerate(values):
        try:
            read.append(read_target(value, (*place, number)))
        except Mistakes as found:  # noqa: PERF203 -- all parts are read
            problems += found.problems
    return read, problems


def _kind_of_target(value: Mapping[str, Any], place: Place) -> str:
    """Returns the kind of a target; without one, the only kind that has its fields."""
    kind = value.get("kind")
    if kind is not None:
        if not isinstance(kind, str) or kind not in TARGETS:
            words = f"expected one of {', '.join(TARGETS)}, got {shown(kind)}{near(kind, TARGETS)}"
            raise mistake(words, *place, "kind")
        return str(kind)
    found = [name for name, model in TARGETS.items() if _has_fields(model, value)]
    if len(found) > 1:  # two kinds have a pipeline_arn
        found = [name for name in found if _has_arn(TARGETS[name], value)]
    if len(found) != 1:
        words = f"expected a kind: {', '.join(found or TARGETS)}"
        raise mistake(f"{words}; or an ARN instead of the mapping", *place)
    return found[0]


def _has_fields(model: type[BaseModel], value: Mapping[str, Any]) -> bool:
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return required <= value.keys() <= model.model_fields.keys()


def _has_arn(model: type[BaseModel], value: Mapping[str, Any]) -> bool:
    if not issubclass(model, ServiceTarget) or not model.follows_from_arn:
        return False
    name, form = arn_field(model)
    return str(value[name]).split(":")[2:3] == [form.service]


def _from_arn(arn: str, place: Place) -> BaseModel:
    """Creates the target that an ARN names by itself."""
    service = arn.split(":")[2] if arn.count(":") > 1 else ""
    kinds = {
        kind: model
        for kind, model in TARGETS.items()
        if issubclass(model, ServiceTarget)
        and model.follows_from_arn
        and arn_field(model)[1].service == service
    }
    if service == "batch":
        words = "a Batch job needs a mapping: {kind: batch, job_definition: ..., job_queue: ...}"
        raise mistake(words, *place)
    if len(kinds) != 1:
        able = ", ".join(kind for kind, model in TARGETS.items() if model in SERVICE_TARGETS)
        words = f"no kind of target follows from {shown(arn)}; the kinds with an ARN are {able}"
        raise mistake(f"{words}; another call is written {{kind: api, service: ..., action: ...}}", *place)
    ((kind, model),) = kinds.items()
    name, form = arn_field(model)
    try:
        form.check(arn)
    except ValueError as error:
        raise mistake(str(error), *place) from error
    lacking = [each for each, field in model.model_fields.items() if field.is_required() and each != name]
    if kind == "queue" and arn.endswith(".fifo"):
        lacking = ["message_group_id"]
    if lacking:
        more = ", ".join(f"{each}: ..." for each in lacking)
        needs = " and ".join(lacking)
        raise mistake(f"this target needs {needs}; write {{kind: {kind}, {name}: {arn}, {more}}}", *place)
    return _made_target(kind, {name: arn}, place, is_short=True)


def _ambiguous(value: object, place: Place = ()) -> list[Problem]:
    """Finds unquoted yes, no, on and off in data that may hold texts and booleans."""
    found, waiting = list[Problem](), [(value, place)]
    while waiting:
        each, where = waiting.pop()
        if isinstance(each, YesNo) and _is_data(where):
            words = f"some readers of YAML take {each} for {str(each.truth).lower()} and others for a text"
            found.append(Problem(where, f"{words}; write {str(each.truth).lower()}, or quote it: '{each}'"))
        elif isinstance(each, Mapping) and len(where) < 100:
            waiting += [(item, (*where, str(key))) for key, item in each.items()]
        elif isinstance(each, list) and len(where) < 100:
            waiting += [(item, (*where, number)) for number, item in enumerate(each)]
    return sorted(found, key=lambda problem: [str(part) for part in problem.place])


def _is_data(place: Place) -> bool:
    """Returns whether any JSON may stand at a place of a job or target."""
    return bool(place) and place[0] in _DATA


def _validated(model: type[BaseModel], fields: Mapping[str, Any]) -> tuple[BaseModel | None, list[Problem]]:
    """Creates a value from the fields of a document, or finds all mistakes in them."""
    try:
        return model.model_validate(_plain(model, fields)), []
    except ValidationError as error:
        return None, [_problem(each) for each in error.errors(include_url=False)]
    except ValueError as error:  # of a context attribute
        return None, [Problem((), in_a_file(str(error)))]


def _plain(model: type[BaseModel], fields: Mapping[str, Any]) -> Document:
    """Returns the fields with the texts of a file in place of what the models take."""
    plain = dict(fields)
    for name, field in model.model_fields.items():
        value = plain.get(name)
        if field.annotation is bool and isinstance(value, YesNo):
            plain[name] = value.truth
        elif isinstance(value, str) and _is_length(field.annotation):
            plain[name] = read_length(value) or str(value)
        elif isinstance(value, list) and _is_length(field.annotation):
            plain[name] = [(isinstance(each, str) and read_length(each)) or each for each in value]
        elif name in _DATA and name in plain:
            plain[name] = revive(value)
        elif name in ("dead_letter", "notify") and isinstance(value, str):
            plain[name] = {("queue_arn" if name == "dead_letter" else "topic_arn"): str(value)}
        elif field.annotation is Retry and isinstance(value, Mapping):
            plain[name] = _plain(Retry, value)
    return plain


def _is_length(annotation: object) -> bool:
    return annotation is timedelta or any(map(_is_length, get_args(annotation)))


_WORDS = {
    "missing": "it is missing",
    "string_type": "expected a text",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
}
"""What is wrong, by the type of the model's error."""


def _problem(error: ErrorDetails) -> Problem:
    """Returns a refusal of a model in the words of a file."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    place = tuple(part for part in error["loc"] if part != "[key]")
    if kind == "missing":
        return Problem(place, _WORDS[kind])
    if kind in _WORDS or kind in ("enum", "literal_error"):
        wanted = _WORDS.get(kind) or f"expected {context['expected']}"
        return Problem(place, f"{wanted}, got {shown(value)}{_cure(kind, value)}")
    if kind == "union_tag_invalid":
        return Problem(place, f"expected a target of kind {context['expected_tags']}, got {context['tag']}")
    if kind == "extra_forbidden":
        names = re.search(r"; it has (.*?)(?:; did you mean .*)?$", error["msg"])
        known = tuple(names[1].split(", ")) if names else ()
        return Problem(place, unknown(place[-1], known))
    for bound, words in (("min_length", "at least"), ("max_length", "at most")):
        if kind.endswith(("too_short", "too_long")) and bound in context:
            what = "characters" if isinstance(value, str) else "items"
            return Problem(place, f"expected {words} {context[bound]} {what}, got {_length_of(value)}")
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.replace("Input should be ", "expected a value ").replace("should have", "has to have")
    if kind.startswith(("greater_than", "less_than")):
        text += f", got {_shown_length(value) if isinstance(value, timedelta) else shown(value)}"
    if place == ("name",) or place == ("group",):
        text += _cure("string_type", value)
    return Problem(place, in_a_file(text))


def _shown_length(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{length_text(abs(value)) or abs(value)}"


def _length_of(value: object) -> int | str:
    return len(value) if isinstance(value, Sized) else shown(value)


def _cure(kind: str, value: object) -> str:
    if value is None:
        return "; leave the field out"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return "; quote it"
    return ""


# -- writing -------------------------------------------------------------------------------------------


def write_job(job: Job) -> Document:
    """Returns the document of a job, which :func:`read_job` reads to an equal one: texts where they say all
    there is, without the fields that have their default.

    Raises:
        ValueError: The job calls a function that has no name, or a file cannot hold it.
        InvalidScheduleError: It is a stored job with a crontab line that is refused now (P-38, P-39).
    """
    for part in parts_of(job.target):
        if isinstance(part, HandlerTarget) and part.function is not None:
            words = f"its function {part.handler} cannot be imported by name"
            raise ValueError(f"{words}; define it at the top level of a module")
    if isinstance(job.schedule, Cron) and job.schedule.crontab is not None:
        parse_crontab(job.schedule.crontab)  # a stored line may be one that load_jobs refuses
    with reading_stored():
        document: Document = {
            "name": job.name,
            **_first_that_reads(_schedules(job.schedule), read_schedule, job.schedule),
            **_first_that_reads(_targets(job.target), _target_in, job.target),
            **dict(_others(job)),
        }
        again = read_job(document)
    if again != job:
        problems = "" if isinstance(again, Job) else f": {again[0].text}"
        raise ValueError(f"it cannot be written to a file{problems}")
    return document


def _first_that_reads(
    forms: Iterator[Document], read: Callable[[Mapping[str, Any]], BaseModel], value: BaseModel
) -> Document:
    """Returns the first form that is read as the value; the last one is the complete form."""
    form: Document = {}
    for form in forms:
        with suppress(Mistakes):
            if read(form) == value:
                break
    return form


def _schedules(schedule: AnySchedule) -> Iterator[Document]:
    """Yields the forms of a schedule, the shortest first."""
    full = schedule.model_dump(mode="json", exclude_none=True)
    beside = {name: full[name] for name in BESIDE[1:] if name in full and full[name] != "UTC"}
    if isinstance(schedule, Windowed):
        yield {"every": str(schedule.every), **beside}
    elif schedule.expression is not None:
        yield {"schedule": schedule.expression, **beside}
    elif "crontab" in full:
        yield {"schedule": {"crontab": full["crontab"]}, **beside}
    yield {"schedule": full}


def _targets(target: Target) -> Iterator[Document]:
    match target:
        case HandlerTarget(handler=name):
            yield {"target": name}
        case CommandTarget(command=command):
            yield {"target": list(command)}
        case HttpTarget(url=url):
            yield {"target": url}
        case ServiceTarget() if target.follows_from_arn:
            yield {"target": getattr(target, arn_field(type(target))[0])}
        case _:
            pass
    yield {"target": _full_target(target)}


def _full_target(target: Target) -> Document:
    if isinstance(target, ParallelTarget):
        return {"kind": target.kind, "targets": [_full_target(part) for part in target.targets]}
    return {"kind": target.kind, **target.model_dump(mode="json", exclude_defaults=True)}


def _others(job: Job) -> Iterator[tuple[str, Any]]:
    full = job.model_dump(mode="json")
    for name, field in Job.model_fields.items():
        value = getattr(job, name)
        if name in ("name", "schedule", "target") or value == field.get_default(call_default_factory=True):
            continue
        match value:
            case timedelta():
                yield name, length_text(value) or full[name]
            case QueueTarget(queue_arn=arn) | TopicTarget(topic_arn=arn):
                yield name, arn
            case Retry():
                yield name, _retry(value)
            case _:
                yield name, full[name]


def _retry(retry: Retry) -> Document:
    """Returns the fields that differ from the defaults. The number of pauses is ``max_attempts``."""
    given = retry.model_dump(mode="json", exclude_defaults=True)
    if retry.pauses is not None:
        given.pop("max_attempts", None)
        given["pauses"] = [
            length_text(each) or text for each, text in zip(retry.pauses, given["pauses"], strict=True)
        ]
    lengths = {name: getattr(retry, name) for name in given}
    return {
        name: (length_text(lengths[name]) or value) if isinstance(lengths[name], timedelta) else value
        for name, value in given.items()
    }
