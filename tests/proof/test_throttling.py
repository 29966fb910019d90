"""A storm of throttles: the service's client slows down, and in the end every job is there, once."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone

import boto3
import pytest

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import ACCOUNT, Fault, Request, SchedulerStub


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_a_storm_of_throttles_ends_well() -> None:
    clock, left = FakeClock(datetime(2030, 1, 7, tzinfo=timezone.utc)), [25]

    def inject(request: Request) -> Fault | None:
        left[0] -= 1
        return Fault("throttle") if left[0] >= 0 and left[0] % 2 else None

    function = ss.LambdaTarget(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:work")
    jobs = [
        ss.Job(name=f"job-{number:02}", schedule=ss.Cron("0 9 * * ? *"), target=function)
        for number in range(40)
    ]
    own = boto3.Session(region_name="eu-west-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="none")
    role = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    with (
        SchedulerStub(clock=clock.now, inject=inject) as stub,
        closing(
            EventBridgeBackend(role, session=own, endpoint_url=stub.endpoint_url, clock=clock, workers=8)
        ) as port,
    ):
        records = ss.SchedulerClient(port).create_many(jobs)
        assert [record.job for record in records] == jobs
        assert len(stub.schedules) == 40
        assert stub.count("CreateSchedule") == 40 + 12
