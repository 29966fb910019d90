"""How long an event loop waits while many calls go on: at most 20 ms, 1,000 ``get`` with 50 in flight.

The figures are printed: ``pytest -m proof tests/proof/test_loop_delay.py -s``. Of five rounds the middle one
counts. Where a loop without calls comes late already, the machine is busy, and nothing can be said.
What moto has loaded is kept from the collector, which else takes half a second for it.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from moto import mock_aws

import stepsched as ss

CALLS, IN_FLIGHT, ROUNDS = 1_000, 50, 5
BOUND = 0.020
"""Seconds."""
QUIET = 0.005
"""Seconds by which a loop without calls may come late."""
ACCOUNT = "123456789012"
Place: TypeAlias = AbstractContextManager[tuple[ss.backends.Backend, ss.Target]]


@contextmanager
def local(folder: Path) -> Iterator[tuple[ss.backends.Backend, ss.Target]]:
    with closing(ss.LocalBackend(folder / "jobs.db")) as backend:
        yield backend, ss.HandlerTarget("builtins:print")


@contextmanager
def eventbridge(folder: Path) -> Iterator[tuple[ss.backends.Backend, ss.Target]]:
    with mock_aws():
        role = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
        with closing(ss.EventBridgeBackend(role, group="default")) as backend:
            yield backend, ss.LambdaTarget(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:work")


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


async def delay(client: ss.AsyncSchedulerClient, names: list[str]) -> float:
    """Seconds by which the loop came too late, at most, while it made the calls; without names while it made
    none."""
    gate, late = asyncio.Semaphore(IN_FLIGHT), [0.0]

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - before - 0.001)

    async def get(name: str) -> None:
        async with gate:
            assert (await client.get(name)).name == name

    ticker = asyncio.create_task(tick())
    if names:
        await asyncio.gather(*(get(names[number % len(names)]) for number in range(CALLS)))
    else:
        await asyncio.sleep(0.5)
    ticker.cancel()
    return max(late)


@pytest.fixture
def little_garbage() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.proof
@pytest.mark.parametrize("make", [local, eventbridge])
def test_many_calls_hardly_delay_the_loop(make: Callable[[Path], Place], tmp_path: Path) -> None:
    names = [f"job-{number:03}" for number in range(100)]
    with make(tmp_path) as (backend, target):
        daily = ss.Cron("0 9 * * ? *")
        jobs = [ss.Job(name=name, schedule=daily, target=target) for name in names]
        ss.SchedulerClient(backend).create_many(jobs)
        asynchronous = ss.AsyncSchedulerClient(backend)
        idle = [asyncio.run(delay(asynchronous, []))]
        rounds = [asyncio.run(delay(asynchronous, names)) for _ in range(ROUNDS)]
        idle.append(asyncio.run(delay(asynchronous, [])))
    shown = ", ".join(f"{1e3 * each:.1f}" for each in rounds)
    print(f"\n{backend.name}: {CALLS} calls, {IN_FLIGHT} in flight; late by at most {shown} ms")
    print(f"without calls: {1e3 * max(idle):.1f} ms")
    if max(idle) > QUIET:
        pytest.skip(f"the machine is busy: a loop without calls is late by {1e3 * max(idle):.1f} ms")
    assert statistics.median(rounds) <= BOUND
