"""Faults of EventBridge Scheduler by chance: many jobs are stored all the same."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import Fault, Request, SchedulerStub
from tests.unit.eventbridge import test_faults as faults
from tests.unit.eventbridge.test_backend import session
from tests.unit.eventbridge.test_faults import T0, WHOLE, Place, opened

JOBS, WANTED = faults.TestBulk.JOBS, faults.TestBulk.WANTED


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.proof) for seed in range(1, 4))])
def test_random_faults(seed: int) -> None:
    """Every third creation goes wrong, and now and then a look at what is there, until it gets better."""
    chance, clock, failed = random.Random(seed), FakeClock(T0), list[ss.errors.BulkError]()
    left = [250]

    def inject(request: Request) -> Fault | None:
        often = 0.35 if request.operation == "CreateSchedule" else 0.002
        if not left[0] or chance.random() > often:
            return None
        left[0] -= 1
        return Fault(chance.choice(WHOLE), after=chance.random() < 0.5)

    with (
        SchedulerStub(clock=clock.now, inject=inject) as stub,
        closing(opened(stub, clock, session(), workers=8)) as backend,
    ):
        place = Place(stub, ss.SchedulerClient(backend), clock)

        def attempt(client: ss.SchedulerClient) -> None:
            try:
                client.create_many(JOBS)
            except ss.errors.BulkError as error:
                failed.append(error)
                raise

        assert place.insist(attempt, turns=20) > 2
        assert place.states() == WANTED
        stub.recover()
        assert place.client.create_many(JOBS) == place.client.list()
        assert stub.busiest <= 8
        assert failed
        for error in failed:
            assert error.failures.keys() <= WANTED.keys()
            assert error.done + len(error.failures) == len(JOBS)
