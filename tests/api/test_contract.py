"""The public surface: names, keywords, words and kinds stay as they are written.

A parameter may be added where it has a default; nothing here may be renamed, dropped, made
positional or made to be asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, get_args

import pytest

import stepsched as ss

# "name" is wanted, "name=" has a default; what stands after "*" is given by keyword only.
CALLS: dict[str, str] = {
    # when
    "OneTime": "at, *, timezone=",
    "Rate": "every, *, start=, end=",
    "Rate.from_expression": "expression, *, start=, end=",
    "Cron": "expression=, *, timezone=, start=, end=, crontab=",
    "Cron.from_crontab": "crontab, *, timezone=, start=, end=, hash_id=",
    "Cron.skipped": "self, after=, until=",
    "Windowed": "start, *, every, end=, timezone=",
    "Windowed.from_document": "document",
    "Frequency": "*, years=, quarters=, months=, weeks=, days=, hours=, minutes=",
    "Frequency.from_document": "document",
    "parse_schedule": "expression, *, timezone=, start=, end=",
    "timeline": "schedules, *, after=, until=",
    # what
    "LambdaTarget": "function_arn",
    "StateMachineTarget": "state_machine_arn",
    "QueueTarget": "queue_arn, *, message_group_id=",
    "FanOutTarget": "queue_arn, messages, *, message_group_id=",
    "FanOutTarget.from_file": "queue_arn, path, *, message_group_id=",
    "FanOutTarget.batches": "self, size=",
    "TopicTarget": "topic_arn",
    "EventBusTarget": "bus_arn, *, detail_type=, source=",
    "BatchTarget": "job_definition, *, job_queue, job_name=, parameters=, container_overrides=",
    "ApiTarget": "service, action, request",
    "HandlerTarget": "handler",
    "HttpTarget": "url, *, method=, headers=, signing_secret=, connection_arn=",
    "verify_webhook": "body, headers, *, secret, tolerance=, now=",
    "CommandTarget": "command, *, cwd=, env=, stdin=",
    "ParallelTarget": "targets",
    "Job": "*, name, schedule, target, input=, description=, group=, tags=, retry=, dead_letter=,"
    " notify=, on_failure=, overlap=, catch_up=, jitter=, completion=",
    "Job.replace": "self, **changes",
    "job": "schedule, *, timezone=, name=, input=, description=, group=, tags=, retry=, dead_letter=,"
    " notify=, on_failure=, overlap=, catch_up=, jitter=, completion=",
    "Retry": "*, max_attempts=, max_age=, interval=, backoff_rate=, max_delay=",
    "load_jobs": "source",
    "load_crontab": "source, *, timezone=",
    "dump_jobs": "jobs, path",
    "jobs.read_jobs": "text, *, form=, source=",
    "jobs.write_jobs": "jobs, *, form=, source=",
    "jobs.read_crontab": "text, *, timezone=, source=",
    "jobs.Plan.between": "stored, wanted, *, prune=",
    "Job.from_document": "document, *, target",
    "Job.to_document": "self",
    # where
    "SchedulerClient": "backend=",
    "SchedulerClient.create": "self, job",
    "SchedulerClient.get": "self, name",
    "SchedulerClient.list": "self, *, status=, name_prefix=, group=, tags=",
    "SchedulerClient.update": "self, job, *, expected_version=",
    "SchedulerClient.pause": "self, name, *, group=, stop_run=, reason=",
    "SchedulerClient.resume": "self, name",
    "SchedulerClient.cancel": "self, name",
    "SchedulerClient.run_now": "self, name",
    "SchedulerClient.runs": "self, name=, *, status=, since=, until=, limit=",
    "SchedulerClient.backfill": "self, name, *, since, until",
    "SchedulerClient.create_many": "self, jobs",
    "SchedulerClient.pause_many": "self, *, name_prefix=, group=, tags=, reason=, progress=",
    "SchedulerClient.resume_many": "self, *, name_prefix=, group=, tags=, progress=",
    "SchedulerClient.cancel_many": "self, *, status=, name_prefix=, group=, tags=, progress=",
    "SchedulerClient.plan": "self, jobs, *, prune=",
    "SchedulerClient.apply": "self, plan_or_jobs",
    "SchedulerClient.wait": "self, run, *, timeout=",
    "SchedulerClient.upcoming": "self, *, until=, limit=, name_prefix=, group=, tags=",
    "SchedulerClient.close": "self, *, timeout=",
    "WorkflowTarget": "workflow",
    "Step": "name, *, target, needs=, input=, retry=, timeout=, when=",
    "Workflow": "name, *, steps, input=, description=, on_failure=, wait_time=, notify=",
    "workflows.Condition": "*, step, path=, operator=, value=",
    "workflows.load_workflows": "source",
    "WorkflowClient": "backend=",
    "WorkflowClient.put": "self, workflow",
    "WorkflowClient.get": "self, name, version=",
    "WorkflowClient.list": "self",
    "WorkflowClient.start": "self, workflow, *, input=, run_id=",
    "WorkflowClient.status": "self, run",
    "WorkflowClient.runs": "self, name=, *, status=, since=, until=, limit=",
    "WorkflowClient.wait": "self, run, *, timeout=, progress=",
    "WorkflowClient.plan_restart": "self, run, *, from_=, only=, skip=, mark_succeeded=, input=, workflow=",
    "WorkflowClient.restart": "self, run_or_plan, *, from_=, only=, skip=, mark_succeeded=, input=,"
    " workflow=",
    "WorkflowClient.skip": "self, run, step, *, reason=",
    "WorkflowClient.cancel": "self, run",
    "WorkflowClient.repair": "self",
    "WorkflowClient.take_over": "self, *, schedules_table, history_table=",
    "WorkflowClient.close": "self, *, timeout=",
    "AsyncSchedulerClient": "backend=",
    "AsyncWorkflowClient": "backend=",
    "CallCancelledError": "call, may_have_happened",
    "LocalBackend": "path=, *, clock=, workers=, handlers=, private_hosts=, retention=, retention_limit=",
    "LocalBackend.register": "self, target, handler",
    "LocalBackend.run_until": "self, until",
    "LocalBackend.start": "self",
    "LocalBackend.stop": "self, *, timeout=",
    "LocalBackend.close": "self, *, timeout=",
    "StepFunctionsBackend": "*, state_machine_arn, table_name, retention=",
    "iam.client_policy": "*, account, region, role_arns",
    "iam.policy_for": "jobs, *, task_roles=, resources=",
    "iam.ensure_role": "name, *, jobs, task_roles=",
    "iam.machine_policy": "machine, *, machine_arn, task_roles=",
    "deploy.registration": "job",
    "deploy.client_policy": "*, table_arn, state_machine_arn, metrics=, workflows_arn=",
    "deploy.runner_policy": "targets, *, table_arn, state_machine_arn, task_roles=, resources=, metrics="
    ", workflows_arn=",
    "deploy.template": "targets, *, task_roles=, resources=, parts=, prefix=, role_arn=",
    "deploy.plan": "name, template, *, bucket=, tags=, session=, endpoint_url=",
    "deploy.apply": "plan, *, progress=, session=, endpoint_url=",
    "deploy.discard": "plan, *, session=, endpoint_url=",
    "deploy.destroy": "name, *, keep_table=, force=, progress=, session=, endpoint_url=",
    "iam.deployer_policy": "template, *, stack_name, account, region, partition=, bucket=",
    "deploy.jobs_to_cloudformation": "jobs, *, role_arn=, names=, passed=, next_runs=, now=",
    "deploy.jobs_to_terraform": "jobs, *, role_arn=, names=, passed=, next_runs=, now=",
    "testing.FakeClock": "start",
    "testing.FakeClock.advance": "self, step",
    "testing.FakeClock.move_to": "self, instant",
    "testing.FakeClock.now": "self",
    "testing.play": "jobs, *, since, until",
    # what goes wrong
    "InvalidScheduleError": "expression, field, reason",
    "RenderError": "job, reason",
    "UnsupportedError": "job, backend, reason, alternatives=",
    "JobNotFoundError": "name",
    "JobExistsError": "name",
    "errors.RunNotFoundError": "job, run",
    "errors.WaitTimeoutError": "job, run, status, timeout",
    "errors.WebhookError": "reason",
    "errors.WorkflowNotFoundError": "name, version=, near=",
    "InvalidTransitionError": "name, status, action",
    "ConflictError": "name, expected_version",
    "errors.JobFileError": "source, reason, action=, problems=",
    "errors.HandlerError": "job, scheduled_for",
    "BackendError": "service, operation, code, request_id=, retryable=, detail=",
    "errors.ThrottledError": "service, operation, code, request_id=, retryable=, detail=, retry_after=",
}
for _schedule in ("OneTime", "Rate", "Cron", "Windowed"):
    CALLS[f"{_schedule}.next_run"] = "self, after="
    CALLS[f"{_schedule}.previous_run"] = "self, before="
    CALLS[f"{_schedule}.runs"] = "self, after=, until="
    CALLS[f"{_schedule}.upcoming"] = "self, count, after="
    CALLS[f"{_schedule}.describe"] = "self"

FIELDS: dict[str, str] = {
    "OneTime": "kind at timezone",
    "Rate": "kind every start end",
    "Cron": "kind expression timezone crontab start end",
    "Windowed": "kind start end every timezone",
    "Frequency": "years quarters months weeks days hours minutes",
    "Run": "id job scheduled_for status trigger attempt started_at ended_at restarted error output",
    "Step": "name target needs input retry timeout when",
    "Workflow": "name steps input description on_failure wait_time notify",
    "workflows.WorkflowRun": "workflow id status version started_at ended_at scheduled_for trigger restarts"
    " revision input steps error",
    "workflows.StepRun": "name status attempt failures losses started_at ended_at retry_at output error"
    " failure"
    " caused_by reason job_id",
    "JobRecord": "job status version created_at updated_at next_run last_run",
}

WORDS: dict[str, str] = {
    "Overlap": "allow skip queue",
    "CatchUp": "all one skip",
    "Completion": "delete keep",
    "OnFailure": "continue stop",
    "JobStatus": "active paused ended cancelled",
    "RunStatus": "pending running succeeded failed skipped missed",
    "jobs.Trigger": "schedule manual",
    "workflows.When": "succeeded done failed",
    "workflows.StepStatus": "pending running succeeded failed skipped upstream_failed unmet cancelled",
    "workflows.WorkflowRunStatus": "running succeeded failed cancelled",
    "workflows.FailureKind": "job platform stopped",
    "workflows.RestartAction": "reuse run skip",
}

KINDS: dict[str, str] = {
    "OneTime": "one_time",
    "Rate": "rate",
    "Cron": "cron",
    "Windowed": "windowed",
    "LambdaTarget": "lambda",
    "StateMachineTarget": "state_machine",
    "QueueTarget": "queue",
    "FanOutTarget": "fan_out",
    "TopicTarget": "topic",
    "EventBusTarget": "event_bus",
    "BatchTarget": "batch",
    "ApiTarget": "api",
    "HandlerTarget": "handler",
    "HttpTarget": "http",
    "CommandTarget": "command",
    "ParallelTarget": "parallel",
    "WorkflowTarget": "workflow",
}


def find(path: str) -> Any:
    """What a dotted path under the package leads to."""
    found: Any = ss
    for part in path.split("."):
        found = getattr(found, part)
    return found


def parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize(("path", "written"), CALLS.items(), ids=CALLS)
def test_a_call_takes_what_is_written(path: str, written: str) -> None:
    present = parameters(find(path))
    names = [parameter.name for parameter in present]
    keyword_only = False
    position = 0
    seen = set()
    for token in written.split(", "):
        if token == "*":
            keyword_only = True
            continue
        if token.startswith("**"):
            assert present[-1].kind is inspect.Parameter.VAR_KEYWORD
            seen.add(token[2:])
            continue
        name, optional = token.removesuffix("="), token.endswith("=")
        assert name in names, f"{path} has no parameter {name}"
        parameter = present[names.index(name)]
        assert (parameter.default is not parameter.empty) is optional, name
        if keyword_only:
            assert parameter.kind is parameter.KEYWORD_ONLY, name
        else:
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, name
            assert names[position] == name
            position += 1
        seen.add(name)
    for parameter in present:
        if parameter.name not in seen:
            assert parameter.default is not parameter.empty, f"{path} now asks for {parameter.name}"


@pytest.mark.parametrize("path", [path for path in CALLS if "Error" not in path])
def test_no_flag_is_given_by_position(path: str) -> None:
    for parameter in parameters(find(path)):
        if isinstance(parameter.default, bool):
            assert parameter.kind is parameter.KEYWORD_ONLY


@pytest.mark.parametrize(("name", "fields"), FIELDS.items(), ids=FIELDS)
def test_a_value_has_the_written_fields(name: str, fields: str) -> None:
    assert set(fields.split()) <= set(find(name).model_fields)


@pytest.mark.parametrize(("name", "words"), WORDS.items(), ids=WORDS)
def test_a_word_stays_what_it_is_on_the_wire(name: str, words: str) -> None:
    enum: type[Enum] = find(name)
    for word in words.split():
        assert enum(word) is enum[word.upper()]
        assert isinstance(enum(word), str)
        assert enum(word).value == word


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_a_kind_stays_what_it_is_on_the_wire(name: str, kind: str) -> None:
    assert find(name).model_fields["kind"].default == kind


def test_schedule_and_target_are_the_unions_of_their_kinds() -> None:
    members = {member.__name__ for member in (*get_args(ss.Schedule), *get_args(ss.Target))}
    assert members >= set(KINDS)


def test_an_occurrence_is_a_tuple_of_these() -> None:
    assert ss.schedules.Occurrence._fields == ("scheduled_for", "schedule", "position")


def test_a_run_to_come_is_a_tuple_of_these() -> None:
    assert ss.jobs.UpcomingRun._fields == ("at", "job")


@pytest.mark.parametrize(
    "method",
    [
        "now",
        "check",
        "create",
        "get",
        "list",
        "update",
        "pause",
        "resume",
        "cancel",
        "run_now",
        "runs",
        "run",
        "why_wait_is_endless",
        "why_nothing_fires",
        "is_served",
        "start",
        "stop",
        "close",
    ],
)
def test_a_backend_answers_the_same_questions_as_the_port(method: str) -> None:
    port, local = (
        parameters(getattr(ss.backends.Backend, method)),
        parameters(getattr(ss.LocalBackend, method)),
    )
    assert [(each.name, each.kind) for each in local] == [(each.name, each.kind) for each in port]


def test_client_and_backend_are_context_managers() -> None:
    for name in ("SchedulerClient", "LocalBackend"):
        assert hasattr(find(name), "__enter__")
        assert hasattr(find(name), "__exit__")
