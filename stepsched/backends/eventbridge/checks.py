"""Checks a job against the service's limits before any call is made; errors name the fields of the job.

Sources: for limits the service's model, scheduler 2021-06-30; for templated targets and unsupported actions
AWS, "Managing targets". Every error names the job, the field, the value and a correction.
"""

from __future__ import annotations

import re
import warnings
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from stepsched.aws.arns import ARN
from stepsched.aws.models import actions
from stepsched.aws.models import request as model_request
from stepsched.aws.requests import Caller, check_request
from stepsched.aws.services import closest_service, find_identifier, services
from stepsched.backends.capabilities import BUILT_IN, NAMES
from stepsched.backends.eventbridge.documents import Settings, Translation, kept_of, translation_of
from stepsched.backends.eventbridge.mark import LIMIT, Mark, read_description, write_description
from stepsched.backends.eventbridge.single_runs import RUN_PREFIX
from stepsched.backends.eventbridge.targets import (
    BLOCKS,
    read_target,
    universal_parts,
)
from stepsched.backends.eventbridge.timing import translate
from stepsched.backends.eventbridge.universal import is_universal
from stepsched.backends.needs import MAX_AGE, alternatives_for, lengths_of, needs_of
from stepsched.core.amounts import length_text
from stepsched.core.context import find_look_alike
from stepsched.core.errors import ScheduleWarning, UnsupportedError
from stepsched.core.payloads import MAX_PAYLOAD_BYTES
from stepsched.core.quoting import quoted
from stepsched.jobs import Job
from stepsched.jobs.names import NARROW_RULE
from stepsched.schedules import AnySchedule
from stepsched.schedules.equivalents import NoEquivalentError
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    EcsTaskTarget,
    EventBusTarget,
    FanOutTarget,
    HandlerTarget,
    QueueTarget,
    TemplateTarget,
    TopicTarget,
    WorkflowTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.base import arn_of
from stepsched.targets.inputs import why_not_input
from stepsched.targets.messages import MAX_BATCH, why_no_group

NAME = NAMES["EventBridgeBackend"]
"""How the backend is called in errors."""
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[0-9a-zA-Z_-]+", re.ASCII)
_QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+", re.ASCII)
_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_FITTING: dict[type[Any], str] = {
    EventBusTarget: "a JSON object",
    QueueTarget: "a JSON object or list, in which characters are escaped",
    TopicTarget: "a blank",
    EcsTaskTarget: "pass data as containerOverrides: environment or command",
    CodeBuildTarget: "pass data as environmentVariablesOverride",
    CodePipelineTarget: "pass data as variables",
    BatchTarget: "the overrides of SubmitJob",
}
"""What to use instead of an input that does not fit, by the class of the target."""
_CLASS = "EventBridgeBackend"
_LACKING = BUILT_IN[_CLASS].missing
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
        raise ValueError(f"expected a standard queue for dead_letter_arn, got the FIFO queue {quoted(arn)}")
    return _matching(arn, _QUEUE, 1600, "dead_letter_arn", "arn:aws:sqs:<region>:<account>:<queue>")


def _matching(arn: str | None, form: re.Pattern[str], length: int, word: str, shown: str) -> str | None:
    if arn is not None and (not isinstance(arn, str) or len(arn) > length or not form.fullmatch(arn)):
        raise ValueError(f"expected the form {shown} for {word}, got {quoted(arn)}")
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
    if isinstance(job.target, WorkflowTarget):
        reason = "WorkflowTarget: a schedule does not know the state machine that runs workflows"
        way = f"StateMachineTarget(<WorkflowsArn>) with input={{'workflow': {job.target.workflow!r}}}"
        raise _refusal(job, reason, way, "StepFunctionsBackend", "LocalBackend")
    _check_capabilities(job)
    try:
        translation = translation_of(job, partition=partition)
    except ValueError as error:
        raise _refusal(job, str(error)) from error
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


def _check_capabilities(job: Job) -> None:
    """Refuses what the service cannot do, and names what can do all of it."""
    missing = [name for name in needs_of(job) if name in _LACKING]
    if missing:
        reason, *instead = _why_not(job, missing[0])
        raise _refusal(job, reason, *instead, *alternatives_for(job, _CLASS))


def _why_not(job: Job, capability: str) -> tuple[str, ...]:
    """Why the service cannot run a job that needs a capability, and the changes to the job that would do."""
    match capability:
        case "parallel":
            count = len(parts_of(job.target))
            reason = f"ParallelTarget: a schedule has one target, and this one has {count}"
            return reason, "one job for each target"
        case "many_messages":
            counts = [len(part.messages) for part in parts_of(job.target) if isinstance(part, FanOutTarget)]
            reason = f"FanOutTarget: a schedule sends at most {MAX_BATCH} messages, got {max(counts):,}"
            return reason, "one job for each of target.batches()"
        case "functions":
            what = "a Python function" if isinstance(job.target, HandlerTarget) else "a command"
            reason = f"AWS cannot invoke {what} of this process"
            return reason, "a LambdaTarget or another target in AWS"
        case "urls":
            reason = "HttpTarget: a schedule calls no URL"
            return (
                reason,
                "an EventBusTarget whose bus has a rule with an API destination (answers within 5 s)",
            )
        case "crontab":
            return _why_untranslatable(job.schedule), "two jobs, one a day field"
        case "seconds" | "calendar":
            return (_why_untranslatable(job.schedule),)
        case "fractions":
            return _why_not_whole(job)
        case "any_name":
            reason = f"the name {job.name!r}: the service accepts {NARROW_RULE} in a name"
            return reason, "a name of these characters"
    return _why_not_policy(job, capability)


def _why_not_policy(job: Job, capability: str) -> tuple[str, ...]:
    """The same for the capabilities that a policy needs."""
    match capability:
        case "overlap":
            reason = f"overlap {job.overlap.value!r}: the service starts runs while earlier ones are running"
            return reason, "Overlap.ALLOW"
        case "catch_up":
            reason = f"catch_up {job.catch_up.value!r}: the service delivers every run, even if it is late"
            return reason, "CatchUp.ALL with a short Retry(max_age=)"
        case "catch_up_within":
            reason = f"catch_up_within {job.catch_up_within}: the service does not leave out late runs"
            return reason, "a short Retry(max_age=) ends the attempts of a late run"
        case "notify" if job.notify is not None:
            topic = job.notify.topic_arn
            reason = f"notify {topic!r}: the service sends no notification about a failed run"
            return reason, "dead_letter=QueueTarget(...) keeps the run"
        case "on_failure":
            reason = f"on_failure {job.on_failure.value!r}: the service starts runs after earlier ones failed"
            return reason, "OnFailure.CONTINUE"
        case "max_run_time":
            reason = f"max_run_time {job.max_run_time}: the service does not monitor started runs"
            return reason, "a timeout of the target's own"
        case "pauses":
            if job.retry.max_age > MAX_AGE:
                reason = f"max_age {job.retry.max_age}: the service tries for at most {length_text(MAX_AGE)}"
                return reason, f"max_age of {length_text(MAX_AGE)}"
            given = "pauses" if job.retry.pauses is not None else "interval, backoff_rate, max_delay"
            reason = f"the service chooses the pauses between attempts ({given})"
            return reason, "Retry with max_attempts and max_age alone"
        case "short_jitter":
            reason = f"jitter {job.jitter} is not of whole minutes, from 1 to 1440"
            return reason, f"jitter of {length_text(-(-job.jitter // _MINUTE) * _MINUTE)}"
    raise AssertionError(f"no reason for {capability}")


def _why_not_whole(job: Job) -> tuple[str, ...]:
    for field, length in lengths_of(job).items():
        if length is not None and length % _SECOND:
            return f"{field} {length} is not of whole seconds", "round it"
    mend = "OneTime(at) without exact, which rounds up" if job.is_one_time else "a start of whole seconds"
    return _why_untranslatable(job.schedule), mend


def _why_untranslatable(schedule: AnySchedule) -> str:
    try:
        translate(schedule)
    except NoEquivalentError as error:
        return str(error)
    raise AssertionError("the schedule has an AWS expression")


def _check_target(translation: Translation, region: str, partition: str) -> None:
    job, target, arn = translation.job, translation.target, translation.wire.arn
    if isinstance(target, (FanOutTarget, QueueTarget, TopicTarget)):  # a call names it in its request
        arn = arn_of(target)
    match = ARN.fullmatch(arn)
    if match is None or len(arn) > 1600:
        raise _refusal(job, f"target {arn!r} is no ARN of at most 1,600 characters", "correct the ARN")
    if isinstance(target, TemplateTarget):
        _check_template(job, target, match["service"])
    if not is_universal(arn) and match["partition"] != partition:
        reason = f"the target is in partition {match['partition']} and the backend in {partition}: {arn}"
        raise _refusal(job, reason, "correct the ARN", "a backend in a Region of that partition")
    if not is_universal(arn) and not re.fullmatch(r"[0-9]{12}", match["account"]):
        raise _refusal(job, f"the account of {arn!r} has not 12 digits", "correct the ARN")
    if not is_universal(arn) and match["region"] != region:
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
    call = universal_parts(target, job.input, job.name)
    if not takes_input(target) and job.input != {}:
        where = {ApiTarget: "the request", FanOutTarget: "messages"}.get(type(target), "parameters")
        reason = f"the target takes no input of the job, so {quoted(job.input)} would be lost"
        raise _refusal(job, reason, f"put it into {where} of the {type(target).__name__}", "leave it out")
    place = find_look_alike(job.input) or (None if call is None else find_look_alike(call[2], "request"))
    if place is not None:
        reason = f"{place} holds text that the service would replace, since it looks like a context attribute"
        raise _refusal(job, reason, "the constants of ss.context where one is meant", "other text")
    size = len(wire.input.encode())
    if not wire.input:
        raise _refusal(job, "input is an empty string, and the service requires a character", "a blank")
    if size > MAX_PAYLOAD_BYTES:
        words = "an input" if call is None else f"a request of {call[0]}:{call[1]}"
        reason = f"expected {words} of at most {MAX_PAYLOAD_BYTES:,} bytes, got {size:,}"
        raise _refusal(job, reason, "keep large data elsewhere and pass where it is")
    if call is not None:
        if isinstance(target, BatchTarget) and not _BATCH_NAME.fullmatch(call[2]["JobName"]):
            reason = f"{job.name!r} cannot be the name of a Batch job, which begins with a letter or digit"
            raise _refusal(job, reason + " and has A-Z a-z 0-9 _ -", "BatchTarget(job_name=...)")
        _check_request(job, *call)
    reason_not = why_not_input(target, job.input)
    if reason_not is not None:
        raise _refusal(job, reason_not, _FITTING[type(target)])
    if isinstance(target, EcsTaskTarget) and target.assign_public_ip and target.launch_type != "FARGATE":
        reason = (
            f"assign_public_ip: the service requires launch_type FARGATE for it, got {target.launch_type}"
        )
        raise _refusal(job, reason, "launch_type='FARGATE'", "assign_public_ip=False")


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
            f"{closest_service(name)}",
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
    group = why_no_group(caller.call, request)
    errors += [] if group is None else [group]
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
