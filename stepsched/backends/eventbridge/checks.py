"""Checks a job against the service's limits before any call is made; errors name the fields of the job.

Sources: for limits the service's model, scheduler 2021-06-30; for templated targets and unsupported actions
AWS, "Managing targets". Every error names the job, the field, the value and a correction.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple

from stepsched.aws.arns import ARN
from stepsched.aws.models import actions
from stepsched.aws.models import request as model_request
from stepsched.aws.requests import Caller, check_request
from stepsched.aws.services import closest, find_identifier, services
from stepsched.backends.capabilities import backends_with
from stepsched.backends.eventbridge.documents import Settings, Translation, kept_of, translation_of
from stepsched.backends.eventbridge.mark import LIMIT, Mark, read_description, write_description
from stepsched.backends.eventbridge.single_runs import RUN_PREFIX
from stepsched.backends.eventbridge.targets import (
    BLOCKS,
    UNIVERSAL,
    read_target,
    universal_parts,
)
from stepsched.backends.eventbridge.timing import translate
from stepsched.core.context import find_look_alike
from stepsched.core.errors import ScheduleWarning, UnsupportedError
from stepsched.core.payloads import MAX_PAYLOAD_BYTES
from stepsched.jobs import CatchUp, Job, OnFailure, Overlap, Retry
from stepsched.schedules import AnySchedule, Cron, Windowed
from stepsched.schedules.equivalents import NoEquivalentError
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    CommandTarget,
    EcsTaskTarget,
    HandlerTarget,
    ParallelTarget,
    Target,
    TemplateTarget,
    parts_of,
    takes_input,
)

NAME = "eventbridge"
"""How the backend is called in errors."""
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[0-9a-zA-Z_-]+", re.ASCII)
_QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+", re.ASCII)
_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_OVERRIDES = (
    *("containerOverrides", "cpu", "ephemeralStorage", "executionRoleArn"),
    *("inferenceAcceleratorOverrides", "memory", "taskRoleArn"),
)
"""The members of an ECS TaskOverride."""
_MACHINE = "render_asl(job) gives a state machine that does that"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_SHOWN = 3
"""The maximum number of mistakes of a request in one error."""


def check_role(role_arn: str | None) -> str | None:
    """Returns the role ARN unchanged.

    Raises:
        ValueError: It is not the ARN of a role.
    """
    return _matching(role_arn, _ROLE, 1600, "role_arn", "arn:aws:iam::<account>:role/<name>")


def check_key(kms_key_arn: str | None) -> str | None:
    """Returns the key ARN unchanged.

    Raises:
        ValueError: It is not the ARN of a key.
    """
    form = "arn:aws:kms:<region>:<account>:key/<id>"
    return _matching(kms_key_arn, _KEY, 2048, "kms_key_arn", form)


def check_queue(arn: str | None) -> str | None:
    """Returns the ARN of a dead-letter queue unchanged.

    Raises:
        ValueError: It is not the ARN of a standard queue.
    """
    if isinstance(arn, str) and arn.endswith(".fifo"):
        raise ValueError(f"expected a standard queue for dead_letter_arn, got the FIFO queue {arn!r}")
    return _matching(arn, _QUEUE, 1600, "dead_letter_arn", "arn:aws:sqs:<region>:<account>:<queue>")


def _matching(arn: str | None, form: re.Pattern[str], length: int, word: str, shown: str) -> str | None:
    if arn is not None and (not isinstance(arn, str) or len(arn) > length or not form.fullmatch(arn)):
        raise ValueError(f"expected the form {shown} for {word}, got {arn!r}")
    return arn


def check_job(job: Job, settings: Settings, *, region: str, partition: str) -> Translation:
    """Checks a job and returns its translation.

    Args:
        job: The job.
        settings: The settings of the backend.
        region: The Region of the backend.
        partition: The partition of the Region, such as ``aws-cn``.

    Raises:
        UnsupportedError: The service cannot run the job exactly as defined.
    """
    _check_capabilities(job)
    translation = translation_of(job)
    _check_place(job, settings.group)
    if len(str(translate(job.schedule).expression or "")) > 256:
        raise _refusal(job, "its expression is longer than 256 characters", "split the job")
    _check_target(translation, region, partition)
    _check_input(translation)
    _check_description(translation, settings)
    if job.dead_letter is not None and job.dead_letter.queue_arn.split(":")[1] != partition:
        reason = f"dead_letter {job.dead_letter.queue_arn!r} is not in partition {partition}"
        raise _refusal(job, reason, "correct the ARN")
    if job.dead_letter is not None and not _QUEUE.fullmatch(job.dead_letter.queue_arn):
        reason = f"dead_letter {job.dead_letter.queue_arn!r} is not of the form "
        raise _refusal(job, reason + "arn:aws:sqs:<region>:<12 digits>:<queue>", "correct the ARN")
    return translation


def _refusal(job: Job, reason: str, *alternatives: str) -> UnsupportedError:
    return UnsupportedError(job.name, NAME, reason, alternatives)


def _check_place(job: Job, group: str | None) -> None:
    if job.name.startswith(RUN_PREFIX):
        reason = f"names that begin with {RUN_PREFIX!r} are reserved for single runs"
        raise _refusal(job, reason, "choose another name")
    if group is not None and job.group not in ("default", group):
        reason = f"the backend stores all its jobs in group {group!r}, and the job is in {job.group!r}"
        raise _refusal(job, reason, "leave the job's group out", "EventBridgeBackend without group=")


class _Missing(NamedTuple):
    """A capability that a job needs and the service does not have."""

    capability: str
    reason: str
    instead: tuple[str, ...] = ()
    """Changes to the job that would do."""


def _check_capabilities(job: Job) -> None:
    """Refuses what the service cannot do, and names the backends that can do all of it."""
    missing = [
        *_missing_for_target(job.target),
        *_missing_for_policies(job),
        *_missing_for_schedule(job.schedule),
    ]
    if missing:
        elsewhere = backends_with(*(each.capability for each in missing))
        raise _refusal(job, missing[0].reason, *missing[0].instead, *elsewhere)


def _missing_for_target(target: Target) -> Iterator[_Missing]:
    if isinstance(target, ParallelTarget):
        reason = f"ParallelTarget: a schedule has one target, and this one has {len(target.targets)}"
        yield _Missing("parallel", reason, ("one job for each target", _MACHINE))
    for part in parts_of(target):
        if isinstance(part, (HandlerTarget, CommandTarget)):
            what = "a Python function" if isinstance(part, HandlerTarget) else "a command"
            reason = f"AWS cannot invoke {what} of this process"
            yield _Missing("functions", reason, ("a LambdaTarget or another target in AWS",))


def _missing_for_policies(job: Job) -> Iterator[_Missing]:
    if job.overlap is not Overlap.ALLOW:
        reason = f"overlap {job.overlap.value!r}: the service starts runs while earlier ones are running"
        yield _Missing("overlap", reason, ("Overlap.ALLOW", _MACHINE))
    if job.catch_up is not CatchUp.ALL:
        reason = f"catch_up {job.catch_up.value!r}: the service delivers every run, even if it is late"
        yield _Missing("catch_up", reason, ("CatchUp.ALL with a short Retry(max_age=)",))
    if job.catch_up_within is not None:
        reason = f"catch_up_within {job.catch_up_within}: the service does not leave out late runs"
        instead = ("a short Retry(max_age=) ends the attempts of a late run",)
        yield _Missing("catch_up_within", reason, instead)
    if job.notify is not None:
        reason = f"notify {job.notify.topic_arn!r}: the service sends no notification about a failed run"
        yield _Missing("notify", reason, ("dead_letter=QueueTarget(...) keeps the run", _MACHINE))
    if job.on_failure is not OnFailure.CONTINUE and not job.is_one_time:
        reason = f"on_failure {job.on_failure.value!r}: the service starts runs after earlier ones failed"
        yield _Missing("on_failure", reason, ("OnFailure.CONTINUE", _MACHINE))
    if job.max_run_time is not None:
        reason = f"max_run_time {job.max_run_time}: the service does not monitor started runs"
        yield _Missing("max_run_time", reason, ("a timeout of the target's own", _MACHINE))
    if job.retry != Retry(max_attempts=job.retry.max_attempts, max_age=job.retry.max_age):
        reason = "the service chooses the pauses between attempts (interval, backoff_rate, max_delay)"
        yield _Missing("pauses", reason, ("Retry with max_attempts and max_age alone", _MACHINE))
    if job.jitter % _MINUTE:
        reason = f"jitter {job.jitter} is not of whole minutes, from 1 to 1440"
        yield _Missing("short_jitter", reason, (f"jitter of {-(-job.jitter // _MINUTE)} minutes",))
    lengths = {"max_age": job.retry.max_age, "jitter": job.jitter, "max_run_time": job.max_run_time}
    for field, length in lengths.items():
        if length is not None and length % _SECOND:
            yield _Missing("fractions", f"{field} {length} is not of whole seconds", ("round it",))


def _missing_for_schedule(schedule: AnySchedule) -> Iterator[_Missing]:
    try:
        translate(schedule)
    except NoEquivalentError as error:
        reason = str(error)
    else:
        return
    match schedule:
        case Cron():
            yield _Missing("crontab", reason, ("two jobs, one a day field",))
        case Windowed(start=start, every=every):
            if start.microsecond:
                yield _Missing("fractions", reason)
            yield _Missing("seconds" if every.total_seconds % 60 else "calendar", reason, (_MACHINE,))
        case _:
            yield _Missing("fractions", reason, ("a start of whole seconds",))


def _check_target(translation: Translation, region: str, partition: str) -> None:
    job, target, arn = translation.job, translation.target, translation.wire.arn
    match = ARN.fullmatch(arn)
    if match is None or len(arn) > 1600:
        raise _refusal(job, f"target {arn!r} is no ARN of at most 1,600 characters", "correct the ARN")
    if isinstance(target, TemplateTarget):
        _check_template(job, target, match["service"])
    if not arn.startswith(UNIVERSAL) and match["partition"] != partition:
        reason = f"the target is in partition {match['partition']} and the backend in {partition}: {arn}"
        raise _refusal(job, reason, "correct the ARN", "a backend in a Region of that partition")
    if not arn.startswith(UNIVERSAL) and not re.fullmatch(r"[0-9]{12}", match["account"]):
        raise _refusal(job, f"the account of {arn!r} has not 12 digits", "correct the ARN")
    if not arn.startswith(UNIVERSAL) and match["region"] != region:
        reason = f"the target is in {match['region']} and the backend in {region}: {arn}"
        raise _refusal(job, reason, f"a backend in {match['region']}", "a target in the same Region")


def _check_template(job: Job, target: TemplateTarget, service: str) -> None:
    if target.target_arn.startswith("arn:aws") and ":aws-sdk:" in target.target_arn:
        reason = f"{target.target_arn!r} is an API call"
        raise _refusal(job, reason, "ApiTarget(service, action, request)")
    if service not in BLOCKS:
        reason = f"{service!r} is not a supported service for a target; they are {', '.join(BLOCKS)}"
        raise _refusal(job, reason, "ApiTarget(service, action, request) calls any API")
    for block in target.parameters:
        if block not in BLOCKS[service]:
            fits = ", ".join(BLOCKS[service]) or "none"
            raise _refusal(job, f"parameters {block!r} do not belong to {service} ({fits})", "leave it out")
    typed = read_target({"Arn": target.target_arn, **target.parameters}, {}, job.name)[0]
    if not isinstance(typed, TemplateTarget):
        raise _refusal(job, f"{target.target_arn!r} has a class of its own", repr(typed))
    problems = _model_problems({"Arn": target.target_arn, "RoleArn": "x", **target.parameters})
    if problems:
        raise _refusal(job, f"the parameters of {target.target_arn!r} do not fit: {problems}", "correct them")
    needed = {"kinesis": "KinesisParameters", "ecs": "EcsParameters", "events": "EventBridgeParameters"}
    if service in needed and not target.parameters:
        raise _refusal(job, f"a target of {service} needs {needed[service]}", "give parameters=")
    source = target.parameters.get("EventBridgeParameters")
    if isinstance(source, dict) and str(source.get("Source", "")).startswith(("aws.", "$")):
        reason = f"Source {source['Source']!r} begins like a source of AWS, or like a path"
        raise _refusal(job, reason, "a source of your own")
    ecs = target.parameters.get("EcsParameters")
    if isinstance(ecs, dict) and ecs.get("LaunchType") == "FARGATE" and "NetworkConfiguration" not in ecs:
        raise _refusal(job, "launch type FARGATE needs NetworkConfiguration", "EcsTaskTarget with subnets")
    if service == "sqs" and target.target_arn.endswith(".fifo") != ("SqsParameters" in target.parameters):
        reason = "a FIFO queue requires SqsParameters with a message group, and a standard queue allows none"
        raise _refusal(job, reason, "QueueTarget(queue_arn, message_group_id=)")


def _check_input(translation: Translation) -> None:
    job, target, wire, _ = translation
    call = universal_parts(target, job.name)
    if not takes_input(target) and job.input != {}:
        where = "the request" if isinstance(target, ApiTarget) else "parameters"
        reason = f"the target takes no input of the job, so {job.input!r:.60} would be lost"
        raise _refusal(job, reason, f"put it into {where} of the {type(target).__name__}", "leave it out")
    place = find_look_alike(job.input if call is None else call[2], "input" if call is None else "request")
    if place is not None:
        reason = f"{place} holds text that the service would replace, since it looks like a context attribute"
        raise _refusal(job, reason, "the constants of ss.context where one is meant", "other text")
    size = len(wire.input.encode())
    if not wire.input:
        raise _refusal(job, "input is an empty string, and the service requires a character", "a blank")
    if size > MAX_PAYLOAD_BYTES:
        reason = f"expected an input of at most {MAX_PAYLOAD_BYTES:,} bytes, got {size:,}"
        raise _refusal(job, reason, "keep large data elsewhere and pass where it is")
    if call is not None:
        if isinstance(target, BatchTarget) and not _BATCH_NAME.fullmatch(call[2]["JobName"]):
            reason = f"{job.name!r} cannot be the name of a Batch job, which begins with a letter or digit"
            raise _refusal(job, reason + " and has A-Z a-z 0-9 _ -", "BatchTarget(job_name=...)")
        _check_request(job, *call)
    if isinstance(target, EcsTaskTarget):
        _check_overrides(job)


def _check_overrides(job: Job) -> None:
    if not isinstance(job.input, dict):
        raise _refusal(job, "the input of an EcsTaskTarget holds overrides, as an object", "an object")
    unknown = [key for key in job.input if key not in _OVERRIDES]
    if unknown:
        reason = f"input has {unknown[0]!r}, which RunTask does not override; it does {', '.join(_OVERRIDES)}"
        raise _refusal(job, reason, "pass data as containerOverrides: environment or command")


def _check_description(translation: Translation, settings: Settings) -> None:
    job = translation.job
    if read_description(job.description)[1] is not None:
        raise _refusal(job, f"description {job.description!r} ends like a metadata suffix", "other words")
    most = kept_of(job, translation.target, settings, None) | {"queue": "default", "theirs": True}
    mark = Mark(version=999_999, digest="0" * 8, kept=most)
    whole = write_description(job.description, mark)
    if read_description(whole) != (job.description, mark):
        reason = f"description {job.description!r} cannot be separated from stepsched's metadata suffix"
        raise _refusal(job, reason, "other words at its end, and no blank")
    length = len(whole)
    if length > LIMIT:
        reason = (
            f"description and tags take {length} characters beside what stepsched keeps with them; the "
            f"service has room for {LIMIT}"
        )
        raise _refusal(job, reason, "a shorter description", "fewer tags", "tags of the schedule group")


def _check_request(job: Job, name: str, action: str, request: dict[str, Any]) -> None:
    """Checks a request against the model of the call: the service finds mistakes only when the job runs."""
    service = services().get(name)
    if service is None and (right := find_identifier(name)) is not None:
        reason = f"expected the name of the service in the SDK for Java 2, got {name!r}"
        raise _refusal(job, reason, f"the identifier {right!r}")
    if service is None:  # newer than this botocore, or unknown: the service refuses it at creation
        warnings.warn(
            f"job {job.name!r}: this botocore knows no service {name!r}, so its request is not checked"
            f"{closest(name, services())}",
            ScheduleWarning,
            stacklevel=6,
        )
        return
    known = actions(service.folder)
    if action not in known:
        near = get_close_matches(action.lower(), {each.lower(): each for each in known}, n=1)
        right = next((each for each in known if near and each.lower() == near[0]), None)
        mend = f"ApiTarget({name!r}, {right!r}, ...)" if right else "another"
        raise _refusal(job, f"{name!r} has no action {action!r}", mend)
    caller = Caller("EventBridge Scheduler", f"{name}:{action}")
    problems = check_request(model_request(service.folder, known[action]), request, caller)
    errors = [f"request{problem.path}: {problem.message}" for problem in problems if problem.is_error]
    if errors:
        raise _refusal(job, "; ".join(errors[:_SHOWN]), "correct the target's request")


def _model_problems(target: dict[str, Any]) -> str:
    """Returns the problems of a target by botocore's model; empty if there are none."""
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    model = get_session().get_service_model("scheduler")
    shape = model.operation_model("CreateSchedule").input_shape
    assert shape is not None
    report = ParamValidator().validate(target, shape.members["Target"])
    return str(report.generate_report()) if report.has_errors() else ""
