"""Jobs of all kinds that EventBridge Scheduler can run, drawn by a seed."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, get_args

import stepsched as ss
from stepsched.targets import AwsTarget
from tests.sessions import new_session
from tests.unit.test_target_kinds import SAMPLES

NOW = datetime(2030, 1, 7, 6, tzinfo=timezone.utc)
"""A Monday; the present of all tests of exports."""
PLACE = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{PLACE}:letters"
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
CRONS = (
    "0 9 ? * MON-FRI *",
    "*/15 8-18 * * ? *",
    "30 2 L * ? *",
    "0 0 ? * FRI#2 *",
    "5 4 1,15 * ? 2030-2040",
)
ATOMS = (
    *("${", "%{", "$${", "%%{", "$", "%", "{", "}", "~}", "%{ if true }", "${path.module}", "${AWS::Region}"),
    *("{{", "}}", "{{ssm:x}}", '"', "\\", "'", "\n", "\r\n", "\t", "\\n", "<<EOT", "#", "//"),
    *(
        "[stepsched ",
        "]",
        " ",
        "a",
        "Ünï",
        "\u2028",
        "\U0001f600",
        "\x7f",
        "&#36;{",
        "Fn::Sub",
        "!Ref x",
        "null",
    ),
)
"""Parts of texts that mean something to a tool, or might."""


def _targets() -> list[Any]:
    found = [
        each
        for each in SAMPLES
        if isinstance(each, get_args(AwsTarget))
        and "EventBridgePutRawEventsParameters" not in getattr(each, "parameters", ())
    ]
    return [
        *found,
        ss.QueueTarget(f"arn:aws:sqs:{PLACE}:orders"),
        ss.TopicTarget(f"arn:aws:sns:{PLACE}:news.fifo"),
        ss.BatchTarget("report", job_queue="nightly", container_overrides={"Vcpus": 2}),
        ss.targets.EcsTaskTarget(
            f"arn:aws:ecs:{PLACE}:cluster/main",
            task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report",
            subnets=["subnet-2", "subnet-1"],
            placement=[
                ss.targets.Placement(type="distinctInstance"),
                ss.targets.Placement(type="memberOf", value="attribute:zone == ${a}"),
                ss.targets.Placement(type="spread", value="instanceId"),
            ],
            capacity_providers=[ss.targets.CapacityProvider(name="spot")],
        ),
    ]


TARGETS = _targets()


def generated(count: int, seed: int) -> list[ss.Job]:
    """Returns jobs with distinct names that the backend takes, none with a start that has passed."""
    random, made = Random(seed), list[ss.Job]()
    backend = ss.EventBridgeBackend(
        "arn:aws:iam::123456789012:role/scheduler",
        session=new_session(region_name="eu-west-1"),
        clock=ss.testing.FakeClock(NOW),
    )
    for number in range(3 * count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ss.ScheduleWarning)  # of wall times in a gap
            job = _job(random, number)
            try:
                backend.prepare(job)
            except ss.UnsupportedError:  # such as a window that has no AWS expression
                continue
        made.append(job)
    backend.close()
    assert len(made) >= count
    return made[:count]


def _job(random: Random, number: int) -> ss.Job:
    target = TARGETS[number % len(TARGETS)]
    fields: dict[str, Any] = {}
    if random.random() < 0.5:
        fields["retry"] = ss.Retry(
            max_attempts=random.choice([0, 1, 185]), max_age=timedelta(seconds=random.randint(60, 86_400))
        )
    if random.random() < 0.3:
        fields["dead_letter"] = ss.QueueTarget(QUEUE)
    if random.random() < 0.3:
        fields["jitter"] = timedelta(minutes=random.randint(1, 1440))
    if random.random() < 0.4:
        fields["tags"] = {f"t{_text(random, 2)}": f"v{_text(random, 3)}"}
    if random.random() < 0.4:
        fields["description"] = f"d{_text(random, 6)}d"
    if random.random() < 0.3:
        fields["group"] = random.choice(["reports", "default", "a.b_C", "nightly"])
    if ss.targets.takes_input(target) and not isinstance(target, ss.targets.EcsTaskTarget):
        kinds = (ss.targets.CodeBuildTarget, ss.targets.CodePipelineTarget)
        if not isinstance(target, kinds) and random.random() < 0.7:
            fields["input"] = {_text(random, 2): [_text(random, 5), 1.5, None, {"a": True}]}
        is_text = isinstance(target, (ss.QueueTarget, ss.TopicTarget))
        if is_text and random.random() < 0.5:
            fields["input"] = f"x{_text(random, 8)}"
    name = f"{random.choice(['job', 'Job', 'a.b', '1-x', 'nightly-report'])}-{number}"
    return ss.Job(
        name=name,
        schedule=_schedule(random),
        target=target,
        enabled=random.random() < 0.8,
        completion=ss.Completion.KEEP if random.random() < 0.5 else ss.Completion.DELETE,
        **fields,
    )


def _schedule(random: Random) -> Any:
    zone = random.choice(ZONES)
    start = NOW + timedelta(minutes=random.randint(1, 900_000), microseconds=random.choice([0, 0, 5]))
    window: dict[str, Any] = {}
    if random.random() < 0.5:
        window["start"] = start
    if random.random() < 0.5:
        window["end"] = start + timedelta(days=random.randint(40, 4000))
    match random.randrange(6):
        case 0:
            wall = datetime(2031, 3, random.choice([9, 30, 31]), random.randrange(4), random.randrange(60))
            return ss.OneTime(at=wall, timezone=zone)
        case 1:
            return ss.OneTime(at=start, timezone=zone)
        case 2:
            whole = {key: value.replace(microsecond=0) for key, value in window.items()}
            return ss.Rate(every=timedelta(minutes=random.choice([1, 5, 60, 1440, 4321])), **whole)
        case 3:
            minute, hour = random.randrange(60), random.randrange(24)
            return ss.Cron.from_crontab(f"{minute} {hour} * * {random.randrange(7)}", timezone=zone)
        case 4:
            step = random.choice([{"days": 1}, {"weeks": 1}, {"months": 1}, {"hours": 6}, {"years": 1}])
            first = start.replace(tzinfo=None, second=0, microsecond=0)
            end = first + timedelta(days=800)  # whether a cron is equivalent takes long to tell of centuries
            zone = random.choice(["UTC", "Asia/Kolkata", "America/New_York"])
            return ss.Windowed(start=first, end=end, every=ss.Frequency(**step), timezone=zone)
    return ss.Cron(random.choice(CRONS), timezone=zone, **window)


def _text(random: Random, length: int) -> str:
    return "".join(random.choice(ATOMS) for _ in range(random.randint(0, length)))
