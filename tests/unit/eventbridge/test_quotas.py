"""The pace of the calls."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from stepsched.aws.regions import LARGE_REGIONS
from stepsched.backends.eventbridge.quotas import Bucket, request_rates
from tests.sessions import service_model

EVERY_RATE = [0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 10.0, 50.0, 250.0, 5_000.0]


def uses(rate: float, arrivals: list[float]) -> list[float]:
    """When the requests that arrive at these moments go out."""
    bucket = Bucket(rate)
    return [now + bucket.take(now) for now in arrivals]


def arrivals(rate: float, seed: int) -> list[float]:
    """Moments on a clock: bursts, a steady stream, and rests."""
    random, now = Random(seed), 1_000.0
    moments = []
    for _ in range(400):
        now += random.choice([0.0, 0.0, 0.5 / rate, 1 / rate, 3 / rate, random.random() / rate, 20 / rate])
        moments.append(now)
    return moments


@pytest.mark.parametrize("rate", EVERY_RATE)
@pytest.mark.parametrize("seed", range(5))
def test_no_stretch_of_time_holds_more_than_its_rate_and_one_burst(rate: float, seed: int) -> None:
    times = uses(rate, arrivals(rate, seed))
    assert times == sorted(times)
    burst = max(rate, 1.0)
    for first in range(0, len(times), 3):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate * (times[last] - times[first]) + burst + 1e-6


@pytest.mark.parametrize("rate", EVERY_RATE)
@pytest.mark.parametrize("seed", range(5))
def test_nobody_waits_longer_than_the_rate_asks_for(rate: float, seed: int) -> None:
    moments = arrivals(rate, seed)
    times = uses(rate, moments)
    for number, (moment, time) in enumerate(zip(moments, times, strict=True)):
        if time > moment + 1e-9:  # one that waits goes out a step after the one before, and not later
            assert number
            assert time <= max(times[number - 1], moment) + 1 / rate + 1e-6


@pytest.mark.parametrize(
    ("rate", "at_once"),
    [
        pytest.param(0.5, 1, id="one in two seconds"),
        pytest.param(1.0, 1, id="one a second"),
        pytest.param(2.0, 2, id="two a second"),
        pytest.param(10.0, 10, id="ten a second"),
        pytest.param(250.0, 250, id="250 a second"),
    ],
)
def test_a_seconds_worth_goes_out_at_once_after_a_rest(rate: float, at_once: int) -> None:
    for rest in (0.0, 86_400.0):
        bucket = Bucket(rate)
        if rest:
            for _ in range(7):
                bucket.take(0.0)
        waits = [bucket.take(rest) for _ in range(at_once + 1)]
        assert waits[:-1] == pytest.approx([0.0] * at_once, abs=1e-9)
        assert waits[-1] == pytest.approx(1 / rate)


def test_every_call_of_the_backend_has_a_rate() -> None:
    model = service_model("scheduler")
    names = set(model.operation_names)
    assert request_rates("eu-west-1").keys() <= names
    assert names - request_rates("eu-west-1").keys() == {"UntagResource"}


@pytest.mark.parametrize(
    ("region", "create", "get"),
    [
        pytest.param("eu-west-1", 5_000, 1_000, id="large"),
        pytest.param("eu-west-3", 250, 250, id="small"),
        pytest.param("mars-1", 250, 250, id="unknown"),
    ],
)
def test_the_documented_rates_are_the_regions(region: str, create: float, get: float) -> None:
    rates = request_rates(region)
    assert (region in LARGE_REGIONS) == (create == 5_000)
    assert (rates["CreateSchedule"], rates["ListSchedules"], rates["ListScheduleGroups"]) == (create, 50, 10)
    assert {rates[name] for name in ("GetSchedule", "UpdateSchedule", "DeleteSchedule")} == {get}


def test_an_accounts_own_quota_overrides_that_rate_alone() -> None:
    plain = request_rates("eu-west-1")
    assert request_rates("eu-west-1", {"GetSchedule": 7}) == plain | {"GetSchedule": 7}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param({"GetShedule": 5}, "expected operations among CreateSchedule", id="name"),
        pytest.param({"GetSchedule": 0}, "requests per second for GetSchedule in rates, got 0", id="zero"),
        pytest.param({"GetSchedule": -1}, "expected a positive number", id="negative"),
        pytest.param({"GetSchedule": float("nan")}, "expected a positive number", id="nan"),
    ],
)
def test_a_rate_must_be_positive_and_of_an_operation(overrides: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        request_rates("eu-west-1", overrides)
