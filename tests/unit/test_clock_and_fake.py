"""The machine's clock, and the one that stands still until it is moved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.core.clock import Clock, PlayableClock, SystemClock, utc_now
from stepsched.testing import FakeClock

UTC = timezone.utc
START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Nowhere(tzinfo):
    """A zone that does not know its offset: what carries it is naive."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> None:
        return None


def test_the_machine_s_clock_shows_an_aware_instant_in_utc_and_goes_on() -> None:
    clock: Clock = SystemClock()
    before = utc_now()
    now = clock.now()
    assert before <= now <= utc_now()
    assert now.tzinfo is UTC
    assert before.tzinfo is UTC
    first = clock.monotonic()
    assert first <= clock.monotonic()


def test_only_a_clock_that_can_be_set_is_playable() -> None:
    assert isinstance(FakeClock(START), PlayableClock)
    assert not isinstance(SystemClock(), PlayableClock)
    backend = ss.LocalBackend()
    with pytest.raises(TypeError, match=r"expected a clock that can be set.*FakeClock"):
        backend.run_until(START)
    backend.close()


def test_a_fake_clock_stands_still() -> None:
    clock = FakeClock(START)
    assert [clock.now() for _ in range(3)] == [START] * 3
    assert clock.monotonic() == clock.monotonic()


def test_a_fake_clock_moves_forward_by_a_step_or_to_an_instant() -> None:
    clock = FakeClock(START)
    before = clock.monotonic()
    clock.advance(HOUR)
    assert clock.now() == START + HOUR
    assert clock.monotonic() - before == HOUR.total_seconds()
    clock.move_to(START + 3 * HOUR)
    assert clock.now() == START + 3 * HOUR
    clock.move_to(clock.now())
    clock.advance(timedelta(0))
    assert clock.now() == START + 3 * HOUR


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(datetime(2030, 1, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), id="zone"),
        pytest.param(
            datetime(2030, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), id="offset"
        ),
    ],
)
def test_a_fake_clock_shows_utc_wherever_its_start_is_from(start: datetime) -> None:
    clock = FakeClock(start)
    assert (clock.now(), clock.now().tzinfo) == (START, UTC)
    clock.move_to(start + HOUR)
    assert (clock.now(), clock.now().tzinfo) == (START + HOUR, UTC)


def test_a_fake_clock_never_goes_back() -> None:
    clock = FakeClock(START)
    with pytest.raises(ValueError, match=r"the clock shows 2030-01-01T00:00:00\+00:00; it cannot go back"):
        clock.move_to(START - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="it cannot go back"):
        clock.advance(-HOUR)
    assert clock.now() == START


@pytest.mark.parametrize(
    "naive",
    [
        pytest.param(datetime(2030, 1, 1), id="naive"),
        pytest.param(datetime(2030, 1, 1, tzinfo=Nowhere()), id="zone without an offset"),
    ],
)
def test_a_fake_clock_refuses_naive_instants(naive: datetime) -> None:
    with pytest.raises(ValueError, match=r"^start.* is naive"):
        FakeClock(naive)
    clock = FakeClock(START - HOUR)
    with pytest.raises(ValueError, match="is naive"):
        clock.move_to(naive)
    assert clock.now() == START - HOUR


def test_a_fake_clock_shows_its_instant() -> None:
    assert repr(FakeClock(START)) == "FakeClock(2030-01-01T00:00:00+00:00)"


def test_moves_from_many_threads_leave_the_latest_instant() -> None:
    clock = FakeClock(START)

    def move(minute: int) -> bool:
        try:
            clock.move_to(START + timedelta(minutes=minute))
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        moved = list(pool.map(move, range(200)))
    assert moved[-1]
    assert clock.now() == START + timedelta(minutes=199)
