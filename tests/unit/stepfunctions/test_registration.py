"""The literal of a job for register: its pieces make the instructions again, for any name and input."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.payloads import to_json
from stepsched.iam.machines import machine_grants
from stepsched.machines.shared.instructions import build_instructions
from stepsched.machines.shared.register import register
from stepsched.machines.shared.registration import registration

ACCOUNT = "eu-west-1:123456789012"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{ACCOUNT}:news.fifo")
MACHINE = f"arn:aws:states:{ACCOUNT}:stateMachine"
ANCHOR = datetime(2030, 1, 1, tzinfo=timezone.utc)
TARGETS: list[tuple[ss.targets.Target, list[str]]] = [
    (ss.LambdaTarget(f"arn:aws:lambda:{ACCOUNT}:function:f"), ["object", "text", "other"]),
    (ss.StateMachineTarget(f"{MACHINE}:m"), ["object", "text", "other"]),
    (QUEUE, ["object", "text", "other"]),
    (TOPIC, ["object", "text", "other"]),
    (
        ss.targets.EventBusTarget(f"arn:aws:events:{ACCOUNT}:event-bus/b", detail_type="d", source="s"),
        ["object"],
    ),
    (
        ss.targets.KinesisTarget(f"arn:aws:kinesis:{ACCOUNT}:stream/s", partition_key="p"),
        ["object", "other"],
    ),
    (ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": ss.context.EXECUTION_ID}), []),
]


def job(target: ss.targets.Target, **fields: Any) -> ss.Job:
    given: dict[str, Any] = {"name": "any", "schedule": ss.Cron("0 9 * * ? *"), **fields}
    return ss.Job(target=target, **given)


@pytest.mark.parametrize(("target", "accepts"), TARGETS, ids=lambda value: getattr(value, "kind", ""))
def test_the_pieces_make_the_instructions_of_another_job(
    target: ss.targets.Target, accepts: list[str]
) -> None:
    sample = job(target, dead_letter=QUEUE, notify=TOPIC, group="team", retry=ss.Retry(backoff_rate=1.1))
    literal = registration(sample)
    assert literal["accepts"] == accepts
    assert json.loads(to_json(literal)) == literal
    other = sample.replace(name="other", **({"input": {"a": [1, "\u0001"]}} if accepts else {}))
    for part, schedule in (
        ("instructions", ss.Cron("5 * * * ? *")),
        ("once", ss.OneTime("2031-01-01T00:00")),
    ):
        expected = build_instructions(
            other.replace(schedule=schedule),
            anchor=ANCHOR,
            version=7,
            retention=timedelta(days=2),
            calls=None,
        )
        text = to_json(other.input)
        fills = {
            "version": "7",
            "kind": to_json(expected["kind"]),
            "plan": to_json(expected["plan"])
            + (',"zones":' + to_json(expected.get("zones"))) * ("zones" in expected),
            "keep": "172800",
            "data": text,
            "document": text,
            "text": to_json(text),
            "message": to_json(text),
            "fills": "false",
            "group": '"other"',
            "digest": sha256(b"team/other").hexdigest()[:32],
            "subject": '"Job other failed"',
        }
        pieces = literal[part]
        joined = "".join(fills[piece] if index % 2 else piece for index, piece in enumerate(pieces))
        assert json.loads(joined) == expected


def test_a_job_that_the_runner_cannot_run_is_refused() -> None:
    with pytest.raises(ss.errors.UnsupportedError, match="AWS cannot invoke a command"):
        registration(job(ss.CommandTarget(["true"])))
    literal = registration(job(QUEUE, input="text"))
    assert literal["input"] == {"json": '"text"', "fills": False, "stored": '"text"'}
    wrong: Any = "job"
    with pytest.raises(TypeError, match="expected a Job, got 'job'; use Job"):
        registration(wrong)


def test_register_is_a_valid_machine_whose_grants_follow_from_it() -> None:
    """Of Standard and Express workflows: no state waits for a job or for a token."""
    machine = register("jobs", f"{MACHINE}:runner", metrics=True)
    assert machine.check() == []
    text = machine.to_json(indent=None)
    assert len(text) < 80_000
    resources = re.findall('"Resource":"[^"]+"', text)
    assert len(resources) > 8
    assert [each for each in resources if ".sync" in each or ".waitFor" in each] == []
    actions = {grant.action for grant in machine_grants(machine, machine_arn=f"{MACHINE}:register")}
    assert actions >= {"dynamodb:GetItem", "dynamodb:Query", "states:StartExecution", "states:StopExecution"}
    assert "cloudwatch:PutMetricData" in actions
    plain = register("jobs", f"{MACHINE}:runner")
    assert '"Count":' in text
    assert '"Count":' not in plain.to_json(indent=None)
