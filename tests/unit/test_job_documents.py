"""Files of jobs as people write them: the short forms, the traps of YAML, and every mistake in its words."""

from __future__ import annotations

import json
import re
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.schedules.stored import reading_stored

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:report"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
HEAD = "- name: a\n"
TARGET = f"  target: {FUNCTION}\n"
A_STEP = "expected a step such as 5 minutes or 1 month"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PYTHON = re.compile(
    r"timedelta|parse_schedule|tzinfo|Input should|instance of|discriminator|[A-Z]\w+\(|=\.\.\.|\bNone\b"
    r"|validat|from_crontab"
)
"""Words that belong to Python and not to a file."""


def read(tmp_path: Path, text: str, name: str = "jobs.yaml") -> list[ss.Job]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return ss.load_jobs(path)


def refusal(tmp_path: Path, text: str, name: str = "jobs.yaml") -> str:
    with pytest.raises(ss.errors.JobFileError) as caught:
        read(tmp_path, text, name)
    assert PYTHON.search(caught.value.reason) is None
    return caught.value.reason


def rate(minutes: int, **window: Any) -> ss.Rate:
    return ss.Rate(timedelta(minutes=minutes), **window)


def windowed(start: str, timezone: str = "UTC", end: str | None = None, **every: int) -> ss.Windowed:
    return ss.Windowed(start, every=ss.Frequency(**every), end=end, timezone=timezone)


# -- schedules ---------------------------------------------------------------------------------------

SCHEDULES = [
    pytest.param("schedule: cron(0 2 * * ? *)", ss.Cron("0 2 * * ? *"), id="cron"),
    pytest.param(
        "schedule: cron(0 9 ? * MON-FRI *)\n  timezone: Europe/Paris",
        ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        id="cron in a zone",
    ),
    pytest.param(
        "timezone: Europe/Paris\n  schedule: cron(0 9 1 * ? *)\n  start: 2030-01-01T00:00\n  end: "
        "2031-01-01T00:00Z",
        ss.Cron(
            "0 9 1 * ? *",
            timezone="Europe/Paris",
            start="2029-12-31T23:00Z",
            end="2031-01-01T00:00Z",
        ),
        id="cron in a window, a wall time and an instant",
    ),
    pytest.param("schedule: rate(5 minutes)", rate(5), id="rate"),
    pytest.param("schedule: rate(5 minutes)\n  timezone: Europe/Paris", rate(5), id="rate and a zone"),
    pytest.param(
        "schedule: at(2030-01-01T09:00:00)\n  timezone: Asia/Tokyo",
        ss.OneTime("2030-01-01T09:00", timezone="Asia/Tokyo"),
        id="at",
    ),
    pytest.param("every: 5 minutes", rate(5), id="every"),
    pytest.param("every: 1 hour and 30 minutes", rate(90), id="every, two units"),
    pytest.param("every: 1 Hour, 30 Minutes", rate(90), id="every in capitals"),
    pytest.param("every: 1.5 hours", rate(90), id="every, a fraction"),
    pytest.param("every: PT5M", rate(5), id="every, ISO 8601"),
    pytest.param("every: {minutes: 5}", rate(5), id="every as a mapping"),
    pytest.param("schedule: {every: 5 minutes}", rate(5), id="every inside"),
    pytest.param(
        "every: 2 hours\n  start: 2030-01-01T09:00Z",
        rate(120, start="2030-01-01T09:00Z"),
        id="every from an instant",
    ),
    pytest.param(
        "every: 2 hours\n  start: 2030-01-01T09:00\n  timezone: Europe/Paris",
        windowed("2030-01-01T09:00", "Europe/Paris", hours=2),
        id="every from a wall time",
    ),
    pytest.param(
        "every: 1 month\n  start: 2030-01-31T09:00\n  timezone: Europe/Paris\n  end: 2030-12-31T09:00",
        windowed("2030-01-31T09:00", "Europe/Paris", "2030-12-31T09:00", months=1),
        id="every month",
    ),
    pytest.param("every: 1 day\n  start: 2030-01-31T09:00", windowed("2030-01-31T09:00", days=1), id="day"),
    pytest.param(
        "every: 2 weeks and 1 day\n  start: 2030-01-31 09:00:00",
        windowed("2030-01-31T09:00", weeks=2, days=1),
        id="weeks and days, a blank in the time",
    ),
    pytest.param(
        "every: 10 seconds\n  start: 2030-01-31T09:00", windowed("2030-01-31T09:00", seconds=10), id="seconds"
    ),
    pytest.param("schedule: {at: 2030-01-01T09:00:00}", ss.OneTime("2030-01-01T09:00"), id="at inside"),
    pytest.param(
        "schedule: {at: '2030-01-01T09:00:00.25', exact: true}",
        ss.OneTime("2030-01-01T09:00:00.25", exact=True),
        id="exact",
    ),
    pytest.param(
        "schedule: {expression: rate(1 hour)}", ss.Rate(HOUR), id="expression with its wrapper in a mapping"
    ),
    pytest.param("schedule: {expression: '0 2 * * ? *'}", ss.Cron("0 2 * * ? *"), id="fields in a mapping"),
    pytest.param(
        "schedule: {crontab: '*/5 9-17 * * 1-5', timezone: Europe/Paris}",
        ss.Cron.from_crontab("*/5 9-17 * * 1-5", timezone="Europe/Paris"),
        id="crontab",
    ),
    pytest.param("schedule: {kind: rate, every: 1 day}", rate(1_440), id="a rate of a day"),
    pytest.param(
        "schedule: {kind: windowed, every: {months: 1}, start: 2030-01-31T09:00}",
        windowed("2030-01-31T09:00", months=1),
        id="the models' own form",
    ),
]


@pytest.mark.parametrize(("text", "schedule"), SCHEDULES)
def test_a_schedule_is_read_as_people_write_it(tmp_path: Path, text: str, schedule: ss.Schedule) -> None:
    (job,) = read(tmp_path, f"{HEAD}  {text}\n{TARGET}")
    assert job.schedule == schedule
    assert type(job.schedule) is type(schedule)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("schedule: 0 2 * * ? *", "schedule: '0 2 * * ? *' lacks its wrapper", id="no wrapper"),
        pytest.param("schedule: 0 2 * * 1-5", "write schedule: {crontab: '0 2 * * 1-5'}", id="crontab"),
        pytest.param("schedule: every 5 minutes", "write every: 5 minutes (line 2)", id="every in a text"),
        pytest.param("schedule: 5 minutes", "write every: 5 minutes (line 2)", id="a step in a text"),
        pytest.param("schedule: cron(61 2 * * ? *)", "minutes: '61'", id="cron"),
        pytest.param(
            "schedule: rate(30 seconds)", "write every: 30 seconds, with start", id="rate of seconds"
        ),
        pytest.param(
            "schedule: {crontab: 0 0 1-7 * */7}",
            "for both use cron(0 0 ? * 1#1 *); for either use {crontab: '0 0 1-7 * 0'}",
            id="both day fields",
        ),
        pytest.param("schedule: {crontab: '@every 90m'}", "write every: 90 minutes", id="interval"),
        pytest.param("schedule: {crontab: H 9 * * *}", "'H' names no fixed time; write a value", id="hashed"),
        pytest.param("schedule: {crontab: 0 9 15W * *}", "use cron(0 9 15W * ? *) (line 2)", id="AWS's day"),
        pytest.param(
            "schedule: cron(0 2 * * ? *", "is missing; write 'cron(0 2 * * ? *)'", id="no parenthesis"
        ),
        pytest.param("schedule: rate(2 months)", "write every: 2 months, with start", id="rate of months"),
        pytest.param("schedule: at(2030-01-01)", "write at(2030-01-01T00:00:00)", id="at without time"),
        pytest.param(
            "schedule: at(2030-01-01T09:00)\n  end: 2031-01-01T00:00Z", "neither start nor", id="at, end"
        ),
        pytest.param("schedule: 5", "expected cron(0 9 ? * MON-FRI *), rate(5 minutes)", id="number"),
        pytest.param("schedule: [rate(5 minutes)]", 'got ["rate(5 minutes)"]', id="list"),
        pytest.param("schedule:", "schedule: it is missing; write for example", id="empty"),
        pytest.param("description: x", "schedule: it is missing; write for example", id="missing"),
        pytest.param(
            "schedule: {}", "expected one of expression, crontab, at, every, got none", id="no field"
        ),
        pytest.param("schedule: {start: 2030-01-01T00:00Z}", "got start", id="window alone"),
        pytest.param("schedule: {every: 1 hour, at: 2030-01-01T09:00}", "got at and every", id="two kinds"),
        pytest.param("schedule: {kind: crom, expression: x}", "did you mean cron?", id="kind"),
        pytest.param("schedule: {kind: rate}", "every is missing", id="rate without every"),
        pytest.param("schedule: {kind: one_time}", "at is missing", id="one time without at"),
        pytest.param(
            "schedule: {every: 1 hour, zone: UTC}",
            "schedule.zone: unknown field; did you mean timezone?",
            id="field",
        ),
        pytest.param(
            "schedule: {at: '2030-01-01T09:00:00.25', exact: maybe}",
            "expected true or false, got 'maybe'",
            id="exact",
        ),
        pytest.param("schedule: {every: 1 hour, strat: x}", "did you mean start?", id="similar field"),
        pytest.param(
            "every: 5", "every: expected a step such as 5 minutes or 1 month, got 5; write its unit", id="5"
        ),
        pytest.param("every: 5m", "did you mean months or minutes?", id="short unit"),
        pytest.param("every: 5 fortnights", "unknown unit 'fortnights'", id="unknown unit"),
        pytest.param("every: 1 hour 2 hours", "'hours' is given twice", id="unit twice"),
        pytest.param("every: 0 minutes", "expected a step, got 0", id="nothing"),
        pytest.param("every: hourly", "expected a step such as 5 minutes", id="a word"),
        pytest.param("every: 1:30", "expected a step such as 5 minutes or 1 month, got '1:30'", id="clock"),
        pytest.param("every: 1 day", "or write schedule: rate(1 day), which counts 24 hours", id="day alone"),
        pytest.param("every: 1 month", "'1 month' needs start: the first run", id="month alone"),
        pytest.param("every: 30 seconds", "'30 seconds' needs start", id="seconds alone"),
        pytest.param("every: 1 month\n  start: 2030-01-01", "start: expected a date and a time", id="date"),
        pytest.param(
            "every: 1 month\n  start: 20300101", "start: expected a date and a time", id="number as start"
        ),
        pytest.param(
            "every: 1 hour\n  schedule: rate(1 hour)", "expected either schedule or every", id="both"
        ),
        pytest.param(
            "schedule: {every: 1 hour}\n  every: 1 hour", "every also stands in schedule", id="twice"
        ),
        pytest.param(
            "every: 1 hour\n  end: 2030-01-01T00:00", "has no offset; add one, such as", id="naive end"
        ),
        pytest.param(
            "every: 1 hour\n  timezone: Mars", "timezone: 'Mars' is not an IANA time zone", id="zone"
        ),
        pytest.param(
            "every: 1 hour\n  timezone: 1", "timezone: expected the name of a zone", id="number as zone"
        ),
        pytest.param(
            "every: 1 day\n  start: 2031-01-01T00:00\n  end: 2030-01-01T00:00", "end: expected end", id="end"
        ),
        *(
            pytest.param(f"schedule: {{crontab: '{line}'}}", reason, id=line)
            for line, reason in {
                "@every 1h30m": "a crontab has no @every; write every: 90 minutes",
                "@every 30s": "a crontab has no @every; write every: 30 seconds, with start",
                "0 0 * */13 *": "for every 13 months write every: 13 months, with start",
                "0 0 1-7 * */2": "for either use {crontab: '0 0 1-7 * 0,2,4,6'}",
                "0 9 1 * 5#3": "two jobs, {crontab: '0 9 1 * *'} and {crontab: '0 9 * * 5#3'}; for both",
                "CRON_TZ=Asia/Tokyo 0 9 * * *": "use {crontab: '0 9 * * *', timezone: 'Asia/Tokyo'}",
                "0 0 ? * 1": "write '*', or cron(0 0 ? * 1) if the line is of AWS",
                "0 9 L-3 * *": "a crontab has no such day; use cron(0 9 L-3 * ? *)",
                "cron(0 9 * * ? *)": "got text of the AWS dialect; use cron(0 9 * * ? *)",
                "0 9 * * * 2030": "for years use cron(0 9 * * ? 2030) of the AWS dialect",
                "H 9 * * *": "'H' names no fixed time; write a value",
                "5~10 9 * * *": "'~' draws a value; write a value",
            }.items()
        ),
        pytest.param("at: 2030-01-01T09:00", "unknown field; write schedule: at(", id="at beside"),
        pytest.param("cron: 0 9 * * 1-5", "unknown field; write schedule: cron(", id="cron beside"),
    ],
)
def test_a_mistaken_schedule_is_refused_in_the_words_of_the_file(
    tmp_path: Path, text: str, reason: str
) -> None:
    assert reason in refusal(tmp_path, f"{HEAD}  {text}\n{TARGET}")


# -- targets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param(FUNCTION, ss.LambdaTarget(FUNCTION), id="lambda"),
        pytest.param(f"{FUNCTION}:live", ss.LambdaTarget(f"{FUNCTION}:live"), id="qualifier"),
        pytest.param(QUEUE, ss.QueueTarget(QUEUE), id="queue"),
        pytest.param(TOPIC, ss.TopicTarget(TOPIC), id="topic"),
        pytest.param(
            "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:m",
            ss.StateMachineTarget("arn:aws-cn:states:cn-north-1:123456789012:stateMachine:m"),
            id="state machine in China",
        ),
        pytest.param("books:close", ss.HandlerTarget("books:close"), id="function"),
        pytest.param("shop.books:Ledger.close", ss.HandlerTarget("shop.books:Ledger.close"), id="method"),
        pytest.param("[python, -m, report]", ss.CommandTarget(["python", "-m", "report"]), id="command"),
        pytest.param("[service, web, 'on']", ss.CommandTarget(["service", "web", "on"]), id="quoted on"),
        pytest.param("[service, web, on]", ss.CommandTarget(["service", "web", "on"]), id="on among texts"),
        pytest.param(f"{{function_arn: '{FUNCTION}'}}", ss.LambdaTarget(FUNCTION), id="fields without kind"),
        pytest.param(
            "{pipeline_arn: 'arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p'}",
            ss.targets.SageMakerPipelineTarget("arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p"),
            id="pipeline of SageMaker",
        ),
        pytest.param(
            "{pipeline_arn: 'arn:aws:codepipeline:eu-west-1:123456789012:p'}",
            ss.targets.CodePipelineTarget("arn:aws:codepipeline:eu-west-1:123456789012:p"),
            id="pipeline of CodePipeline",
        ),
        pytest.param(
            f"{{kind: parallel, targets: [{FUNCTION}, [echo, hi], {{queue_arn: '{QUEUE}'}}]}}",
            ss.ParallelTarget(
                [ss.LambdaTarget(FUNCTION), ss.CommandTarget(["echo", "hi"]), ss.QueueTarget(QUEUE)]
            ),
            id="several",
        ),
        pytest.param(
            "{kind: ecs_task, cluster_arn: 'arn:aws:ecs:eu-west-1:123456789012:cluster/c', "
            "task_definition_arn: 'arn:aws:ecs:eu-west-1:123456789012:task-definition/t', "
            "subnets: [s], assign_public_ip: yes}",
            ss.targets.EcsTaskTarget(
                "arn:aws:ecs:eu-west-1:123456789012:cluster/c",
                task_definition_arn="arn:aws:ecs:eu-west-1:123456789012:task-definition/t",
                subnets=["s"],
                assign_public_ip=True,
            ),
            id="yes for a boolean",
        ),
    ],
)
def test_a_target_is_read_as_people_write_it(tmp_path: Path, text: str, target: ss.Target) -> None:
    (job,) = read(tmp_path, f"{HEAD}  every: 1 hour\n  target: {text}\n")
    assert job.target == target


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("{queue_arn: x}", "target.queue_arn: 'x' is not an ARN", id="no ARN, without kind"),
        pytest.param("{pipeline_arn: x}", "expected a kind: lambda,", id="a field of two kinds"),
        pytest.param(
            "{kind: parallel, targets: [[a], {kind: template, target_arn: 'arn:aws:sqs:eu-west-1:1:q'}]}",
            "target.targets[1]: expected a target of kind 'lambda', ",
            id="a part of a kind that is no part",
        ),
        pytest.param(f"{QUEUE}.fifo", "needs message_group_id; write {kind: queue, queue_arn:", id="FIFO"),
        pytest.param("arn:aws:kinesis:eu-west-1:123456789012:stream/s", "needs partition_key", id="Kinesis"),
        pytest.param("arn:aws:ecs:eu-west-1:123456789012:cluster/c", "needs task_definition_arn", id="ECS"),
        pytest.param(
            "arn:aws:batch:eu-west-1:123456789012:job-definition/j", "{kind: batch, job_def", id="Batch"
        ),
        pytest.param(
            "arn:aws:ec2:eu-west-1:123456789012:instance/i", "the kinds with an ARN are lambda,", id="EC2"
        ),
        pytest.param("arn:aws:scheduler:::aws-sdk:ecs:runTask", "{kind: api, service: ...", id="universal"),
        pytest.param(
            "arn:aws:lambda:eu-west-1:123456789012:layer:l", "the form is arn:aws:lambda:", id="layer"
        ),
        pytest.param("arn:aws", "no kind of target follows from 'arn:aws'", id="no ARN"),
        pytest.param("echo hi", "or a command as a list, got 'echo hi'; write [echo, hi]", id="command line"),
        pytest.param("books.ledger.close", "; write books.ledger:close", id="dotted function"),
        pytest.param("python tidy.py --all", "; write [python, tidy.py, --all]", id="options"),
        pytest.param("report", "expected an ARN, a URL, package.module:function", id="a word"),
        pytest.param("tidy.py", "or a command as a list, got 'tidy.py' (line ", id="a file"),
        pytest.param("sleep 5", "or a command as a list, got 'sleep 5' (line ", id="a number"),
        pytest.param("5", "expected an ARN, a text, a list or a mapping, got 5", id="number"),
        pytest.param("[]", "expected a program and its arguments", id="empty list"),
        pytest.param(f"[{FUNCTION}, {QUEUE}]", "{kind: parallel, targets: [...]}", id="list of ARNs"),
        pytest.param("{kind: lamda}", "target.kind: expected one of lambda, state_machine", id="kind"),
        pytest.param("{kind: lamda}", "did you mean lambda?", id="similar kind"),
        pytest.param("{}", "target: expected a kind: lambda, state_machine", id="empty"),
        pytest.param("{arn: x}", "target: expected a kind: ", id="no such field"),
        pytest.param(
            "{kind: queue, queue: x}", "target.queue: unknown field; did you mean queue_arn?", id="field"
        ),
        pytest.param("{kind: queue}", "target: a target of kind queue needs queue_arn", id="missing field"),
        pytest.param("{kind: queue, queue_arn: x}", "target.queue_arn: 'x' is not an ARN", id="no ARN in it"),
        pytest.param(
            "{kind: handler, handler: 5}", "target: expected package.module:function, got 5", id="handler"
        ),
        pytest.param(
            "{kind: parallel, targets: [[a], 5]}", "target.targets[1]: expected an ARN", id="a part"
        ),
        pytest.param(
            "{kind: parallel, targets: [[a]]}",
            "target.targets: expected at least 2 items, got 1",
            id="one part",
        ),
        pytest.param(
            "{kind: api, service: sqs, action: sendMessage, request: {MessageBody: no}}",
            "target.request.MessageBody: some readers of YAML take no for false",
            id="no in a request",
        ),
        pytest.param("", "target: it is missing; write for example an ARN", id="nothing"),
    ],
)
def test_a_mistaken_target_is_refused_in_the_words_of_the_file(
    tmp_path: Path, text: str, reason: str
) -> None:
    assert reason in refusal(tmp_path, f"{HEAD}  every: 1 hour\n  target: {text}\n")


# -- other fields and the traps of YAML ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("enabled: false", {"enabled": False}, id="false"),
        pytest.param("enabled: no", {"enabled": False}, id="no"),
        pytest.param("enabled: Off", {"enabled": False}, id="off"),
        pytest.param("enabled: yes", {"enabled": True}, id="yes"),
        pytest.param("jitter: 30 seconds", {"jitter": timedelta(seconds=30)}, id="seconds"),
        pytest.param("jitter: PT30S", {"jitter": timedelta(seconds=30)}, id="ISO 8601"),
        pytest.param("max_run_time: 1 hour and 5 minutes", {"max_run_time": 65 * MINUTE}, id="two units"),
        pytest.param(
            "retry: {max_age: 2 hours, max_delay: 1 minute}",
            {"retry": ss.Retry(max_age=2 * HOUR, max_delay=MINUTE)},
            id="times of a policy",
        ),
        pytest.param(
            "retry: {pauses: [30 seconds, PT5M, 2 hours], max_age: 3 days}",
            {"retry": ss.Retry(pauses=[MINUTE / 2, 5 * MINUTE, 2 * HOUR], max_age=72 * HOUR)},
            id="pauses one by one",
        ),
        pytest.param(f"dead_letter: {QUEUE}", {"dead_letter": ss.QueueTarget(QUEUE)}, id="dead letter"),
        pytest.param(f"notify: {TOPIC}", {"notify": ss.TopicTarget(TOPIC)}, id="notify"),
        pytest.param(
            "tags: {country: no, on: off}", {"tags": {"country": "no", "on": "off"}}, id="words as tags"
        ),
        pytest.param("description: on", {"description": "on"}, id="a word as a text"),
        pytest.param("description: 2030-01-01", {"description": "2030-01-01"}, id="a date as a text"),
        pytest.param(
            "input: {day: 2030-01-01, at: 9:30, from: 2030-01-01 09:00:00, ok: true, n: 010, x: 1_000}",
            {
                "input": {
                    "day": "2030-01-01",
                    "at": "9:30",
                    "from": "2030-01-01 09:00:00",
                    "ok": True,
                    "n": "010",
                    "x": 1000,
                }
            },
            id="dates and times as input",
        ),
        pytest.param("input: {'on': 'no'}", {"input": {"on": "no"}}, id="quoted words"),
        pytest.param("input: {on: 1}", {"input": {"on": 1}}, id="a word as a key"),
    ],
)
def test_a_field_is_read_as_people_write_it(tmp_path: Path, text: str, fields: dict[str, Any]) -> None:
    (job,) = read(tmp_path, f"{HEAD}  every: 1 hour\n{TARGET}  {text}\n")
    assert job == ss.Job(name="a", schedule=ss.Rate(HOUR), target=ss.LambdaTarget(FUNCTION), **fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("enabled: maybe", "enabled: expected true or false, got 'maybe' (line 4)", id="enabled"),
        pytest.param("status: paused", "unknown field; write enabled: false, or leave it out", id="status"),
        pytest.param("tz: UTC", "unknown field; write timezone: Europe/Paris", id="zone"),
        pytest.param("command: echo", "unknown field; write target: [python, report.py]", id="command"),
        pytest.param("interval: 5 minutes", "unknown field; write every: 5 minutes", id="interval"),
        pytest.param("function: f", "unknown field; write target: package.module:function", id="function"),
        pytest.param("timezone:", "timezone: expected a value, got nothing; leave", id="no zone"),
        pytest.param("retry: {max_attempts: 010}", "expected a whole number, got '010'", id="octal"),
        pytest.param("enabled: 'no'", "enabled: expected true or false, got 'no'", id="quoted"),
        pytest.param(
            "jitter: 30", "jitter: expected a time such as 5 minutes, got 30", id="seconds without unit"
        ),
        pytest.param("jitter: 9:30", "jitter: expected a time such as 5 minutes, got '9:30'", id="clock"),
        pytest.param("max_run_time: 1 month", "expected a time such as 5 minutes, got '1 month'", id="month"),
        pytest.param("jitter: 25 hours", "got 1 day and 1 hour", id="too long"),
        pytest.param(
            "retry: {attempts: 3}", "retry.attempts: unknown field; did you mean max_attempts?", id="retry"
        ),
        pytest.param("retry: 3", "expected a Retry, got 3; its field max_attempts is", id="number as retry"),
        pytest.param("retry: {max_attempts: on}", "expected a whole number, got 'on'", id="word as number"),
        pytest.param("overlap: never", "expected 'allow', 'skip' or 'queue', got 'never'", id="enumeration"),
        pytest.param("description: 5", "description: expected a text, got 5; quote it", id="number as text"),
        pytest.param(
            "description:", "description: expected a text, got nothing; leave the field out", id="empty"
        ),
        pytest.param("tags: {a: 1.10}", "tags.a: expected a text, got 1.1; quote it", id="number as tag"),
        pytest.param("tags: {1: a}", "tags[1]: expected a text, got 1; quote it", id="number as key"),
        pytest.param(
            "colour: red", "colour: unknown field; the fields are name, schedule, every", id="unknown"
        ),
        pytest.param("notifi: x", "notifi: unknown field; did you mean notify?", id="similar"),
        pytest.param(
            "input: {a: [no]}", "input.a[0]: some readers of YAML take no for false", id="no as input"
        ),
        pytest.param("input: on", "write true, or quote it: 'on'", id="on as input"),
        pytest.param(
            "input: {1: a}", "input has the key 1; expected strings as keys", id="number as key of input"
        ),
        pytest.param("name: b", "name: duplicate key 'name', at lines 1 and 4", id="key twice"),
        pytest.param(
            "tags: {a: b, a: c}", "tags.a: duplicate key 'a', at lines 4 and 4", id="key twice, inside"
        ),
    ],
)
def test_a_mistaken_field_is_refused_in_the_words_of_the_file(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refusal(tmp_path, f"{HEAD}  every: 1 hour\n{TARGET}  {text}\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "- name: a\n  schedule: {kind: cron, expression: 1 2 * * ? *}\n",
            "line 2: expected ',' or '}', but got '?', while parsing a flow mapping; quote a text with",
            id="stars in braces",
        ),
        pytest.param(
            "- schedule:\n    expression: * * * * ? *\n",
            "line 2: an unquoted * is an alias in YAML; quote it, so write expression: '* * * * ? *'",
            id="star at the beginning",
        ),
        pytest.param(
            "- */5 * * * *\n", "line 1: an unquoted * is an alias in YAML; quote it", id="star in a list"
        ),
        pytest.param("- a: @daily\n", "quote it, so write a: '@daily'", id="at sign"),
        pytest.param("- a: `x`\n", "quote it, so write a: '`x`'", id="backtick"),
        pytest.param("- a: see: it's\n", "quote it, so write a: 'see: it''s'", id="colon and apostrophe"),
        pytest.param("- a: 1\n\tb: 2\n", "line 2: YAML is indented with blanks; a tab", id="tab"),
        pytest.param(
            "---\n- a\n---\n- b\n", "line 3: a second document begins here; write all jobs", id="two"
        ),
        pytest.param("- a: *nobody\n", "line 1: found undefined alias 'nobody'", id="unknown alias"),
        pytest.param(
            "- name: a\n every: 1 hour\n",
            "line 2: its indentation is not that of the lines",
            id="indentation",
        ),
        pytest.param(
            "- name: a\n   every: 1 hour\n",
            "line 2: its indentation is not that of the lines around it, or the line above",
            id="indented too far",
        ),
        pytest.param(
            "- name:a\n  every: 1 hour\n",
            "or the line above has no blank after its colon",
            id="no blank after a colon",
        ),
        pytest.param(
            "- name: a\n  target: - python\n",
            "line 2: a list begins on a line of its own, or is written [a, b]",
            id="list beside its key",
        ),
        pytest.param(
            "- a:\n    b: 1\n    c:d: 2\n    e: f: 3\n", "quote it, so write e: 'f: 3'", id="second colon"
        ),
        pytest.param(
            "version: 1\njobs: []\n", "under 'jobs' and nothing beside it; got also version", id="beside jobs"
        ),
        pytest.param("- ? [a]\n  : b\n", "it is not YAML: line 1: found unhashable key", id="list as a key"),
    ],
)
def test_a_trap_of_yaml_is_refused_with_its_line_and_the_cure(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refusal(tmp_path, text)


def test_each_mistake_has_its_job_its_place_and_its_line(tmp_path: Path) -> None:
    text = f"""\
jobs:
- &base
  name: nightly
  schedule: cron(0 2 * * ? *)
  target: {FUNCTION}
  retry:
    max_attempts: 500
- <<: *base
  name: weekly
  colour: red
- name: weekly
  every: 5
  target: {{kind: parallel, targets: [{FUNCTION}, {{kind: queue}}]}}
"""
    others = ", ".join(name for name in ss.Job.model_fields if name not in ("name", "schedule"))
    fields = f"name, schedule, every, timezone, start, end, {others}"
    assert refusal(tmp_path, text).split("\n  ") == [
        "6 problems:",
        "job 1 ('nightly'): retry.max_attempts: expected a value less than or equal to 185, got 500 (line 7)",
        "job 2 ('weekly'): retry.max_attempts: expected a value less than or equal to 185, got 500 (line 7)",
        f"job 2 ('weekly'): colour: unknown field; the fields are {fields} (line 10)",
        f"job 3 ('weekly'): every: {A_STEP}, got 5; write its unit (line 12)",
        "job 3 ('weekly'): target.targets[1]: a target of kind queue needs queue_arn (line 13)",
        "duplicate job name: 'weekly' occurs twice",
    ]


def test_twenty_mistakes_among_two_hundred_jobs_are_one_error(tmp_path: Path) -> None:
    lines = [
        f"- {{name: job-{n}, every: {'5 minutes' if n % 10 else 5}, target: {FUNCTION}}}" for n in range(200)
    ]
    first, *listed = refusal(tmp_path, "\n".join(lines)).split("\n  ")
    assert first == "20 problems:"
    assert [line.partition(": ")[0] for line in listed] == [
        f"job {n + 1} ('job-{n}')" for n in range(0, 200, 10)
    ]
    assert listed[1].endswith("(line 11)")


def test_the_list_of_mistakes_is_bounded(tmp_path: Path) -> None:
    reason = refusal(tmp_path, json.dumps([{"name": "x" * 1_000} for _ in range(10_000)]), "jobs.json")
    first, *listed = reason.split("\n  ")
    assert first == "30001 problems:"
    assert listed[-1] == "and 29901 more"
    assert len(listed) == 101
    assert len(reason) < 200_000


def test_json_takes_the_same_forms(tmp_path: Path) -> None:
    text = json.dumps([{"name": "a", "every": "5 minutes", "target": QUEUE, "enabled": False}])
    (job,) = read(tmp_path, text, "jobs.json")
    assert job == ss.Job(name="a", schedule=rate(5), target=ss.QueueTarget(QUEUE), enabled=False)
    assert "enabled: expected true or false, got 'no'" in refusal(
        tmp_path, text.replace("false", '"no"'), "jobs.json"
    )


@pytest.mark.parametrize("schedule", [case.values[1] for case in SCHEDULES], ids=str)
@pytest.mark.parametrize("option", ["exclude_defaults", "exclude_unset", "exclude_none"])
def test_the_models_json_is_read_also_without_defaults(
    tmp_path: Path, schedule: ss.Schedule, option: str
) -> None:
    job = ss.Job(name="a", schedule=schedule, target=ss.QueueTarget(QUEUE), dead_letter=ss.QueueTarget(QUEUE))
    assert read(tmp_path, f"[{job.model_dump_json(**{option: True})}]", "jobs.json") == [job]


# -- writing -----------------------------------------------------------------------------------------

JOBS = [
    ss.Job(
        name="b", schedule=ss.Cron("0 2 * * ? *", timezone="Europe/Paris"), target=ss.LambdaTarget(FUNCTION)
    ),
    ss.Job(
        name="a",
        schedule=windowed("2030-01-31T09:00", "Europe/Paris", months=1),
        target=ss.HandlerTarget("books:close"),
        input={"country": "no", "day": "2030-01-01", "lines": "a\nb", "who": ss.context.EXECUTION_ID},
        enabled=False,
        retry=ss.Retry(max_age=2 * HOUR),
        jitter=timedelta(seconds=90),
        notify=ss.TopicTarget(TOPIC),
    ),
]


@pytest.mark.parametrize("name", ["jobs.yaml", "jobs.yml", "jobs.json", "JOBS.JSON"])
def test_written_jobs_are_read_back_equal_and_in_order(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ss.dump_jobs(JOBS, path)
    assert ss.load_jobs(path) == JOBS
    first = path.read_bytes()
    ss.dump_jobs(ss.load_jobs(path), str(path))
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "\x85?\u2029!",
            '}"\x85',
            "a\u2028b",
            "\ufeff",
            "\x07",
            "\r\n",
            " a ",
            "a\n\nb\n",
            "\t",
            "\ufffe",
            "é\x7f",
        ),
        *(
            "no",
            "On",
            "~",
            "null",
            "true",
            "1",
            "0x1",
            "1_000",
            "1:30",
            "1e3",
            ".5",
            "2030-01-01",
            "=",
            "<<",
            "- a",
        ),
        *(
            "a: b",
            "a #b",
            "#",
            "*a",
            "&a",
            "!a",
            "@a",
            "%a",
            "`a`",
            "'",
            '"',
            "{",
            "[",
            "?",
            "? a",
            "|",
            ">",
            "",
        ),
    ],
)
def test_every_text_is_written_so_that_it_is_read_back(tmp_path: Path, text: str) -> None:
    job = JOBS[0].replace(input={"text": text, text: [text]})
    ss.dump_jobs([job], tmp_path / "jobs.yaml")
    assert ss.load_jobs(tmp_path / "jobs.yaml") == [job]


def test_a_written_file_reads_as_a_person_would_write_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    ss.dump_jobs(JOBS, path)
    assert (
        path.read_text()
        == f"""\
- name: b
  schedule: cron(0 2 * * ? *)
  timezone: Europe/Paris
  target: {FUNCTION}
- name: a
  every: 1 month
  timezone: Europe/Paris
  start: '2030-01-31T09:00:00'
  target: books:close
  input:
    country: 'no'
    day: '2030-01-01'
    lines: "a\\nb"
    who:
      $context: <aws.scheduler.execution-id>
  enabled: false
  retry:
    max_age: 2 hours
  notify: {TOPIC}
  jitter: 1 minute and 30 seconds
"""
    )


@pytest.mark.parametrize(
    ("jobs", "name", "reason"),
    [
        pytest.param([], "jobs.json", "expected at least one job, got none", id="none"),
        pytest.param(
            [JOBS[0], JOBS[0]], "jobs.json", "duplicate job name: 'b' occurs twice", id="name twice"
        ),
        pytest.param(JOBS, "jobs.toml", "expected a path ending in .json, .yaml or .yml", id="suffix"),
        pytest.param(JOBS, "jobs.py", "expected a path ending in .json, .yaml or .yml", id="module"),
        pytest.param(JOBS, "nowhere/jobs.json", "No such file or directory", id="no folder"),
        pytest.param(
            [JOBS[0].replace(target=ss.HandlerTarget(lambda: None))],
            "jobs.json",
            "job 1 ('b'): its function tests.unit.test_job_documents:<lambda> cannot be imported by name",
            id="lambda",
        ),
        pytest.param(
            [
                JOBS[0].replace(
                    target=ss.ParallelTarget([ss.HandlerTarget(lambda: 1), ss.HandlerTarget("a:b")])
                )
            ],
            "jobs.json",
            "cannot be imported by name; define it at the top level of a module",
            id="lambda among several",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_file_stays(
    tmp_path: Path, jobs: list[ss.Job], name: str, reason: str
) -> None:
    path = tmp_path / name
    if path.parent.exists():
        path.write_text("before")
    with pytest.raises(ss.errors.JobFileError, match=re.escape(reason)) as caught:
        ss.dump_jobs(jobs, path)
    assert str(caught.value).startswith(f"cannot write jobs to {path}: ")
    if path.parent.exists():
        assert path.read_text() == "before"
        assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        pytest.param(JOBS[0], "expected a list of jobs, got Job", id="one job"),
        pytest.param("jobs", "expected a list of jobs, got str", id="text"),
        pytest.param(5, "expected a list of jobs, got int", id="number"),
        pytest.param([5], "expected a Job, got int", id="list of numbers"),
    ],
)
def test_what_is_no_list_of_jobs_is_not_written(tmp_path: Path, jobs: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ss.dump_jobs(jobs, tmp_path / "jobs.json")
    assert list(tmp_path.iterdir()) == []


def test_functions_with_a_job_are_refused_with_the_cure(tmp_path: Path) -> None:
    @ss.job(ss.Rate(timedelta(hours=1)))
    def tidy() -> None: ...

    client, new_year = ss.SchedulerClient(), datetime(2030, 1, 1, tzinfo=timezone.utc)
    for given, cure in [(tidy, r"\[function\.job\]"), ([tidy], r"function\.job"), (JOBS[0], r"\[job\]")]:
        with pytest.raises(TypeError, match=f"use {cure}$"):
            client.apply(given)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"use {cure}$"):
            ss.dump_jobs(given, tmp_path / "jobs.json")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"use {cure}$"):
            ss.estimate(given, new_year, new_year)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a list of jobs, got str; use load_jobs\(path\)"):
        client.plan("jobs.yaml")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"use function\.job$"):
        client.create(tidy)  # type: ignore[arg-type]


def test_records_are_refused_with_the_cure(tmp_path: Path) -> None:
    record = ss.SchedulerClient().create(JOBS[0].replace(target=ss.CommandTarget(["true"])))
    with pytest.raises(TypeError, match=r"expected a Job, got JobRecord; use record\.job"):
        ss.dump_jobs([record], tmp_path / "jobs.json")  # type: ignore[list-item]


def test_a_stored_line_that_would_be_refused_when_it_is_read_is_not_written(tmp_path: Path) -> None:
    with reading_stored():
        old = ss.Cron(crontab="0 0 */2 * 1")
    with pytest.raises(ss.errors.JobFileError, match=r"job 1 .*: day-of-month: .* on days that match both"):
        ss.dump_jobs([JOBS[0].replace(schedule=old)], tmp_path / "jobs.json")


def test_a_file_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "jobs.json", tmp_path / "link.json"
    path.write_text("[]")
    path.chmod(0o640)
    link.symlink_to(path)
    ss.dump_jobs(JOBS, link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert ss.load_jobs(path) == JOBS
