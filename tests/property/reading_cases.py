"""Schedules as a machine is given them, and what Python reads in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import stepsched as ss
from stepsched.machines.plan import timing_of
from stepsched.machines.zones import FIRST_YEAR, zone_table

from .strategies import CRONS, CRONS_WITH_YEARS, ZONES, places, steps

DATA = Path(__file__).parents[1] / "data"
_TARGET = ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:nightly")


class Given(NamedTuple):
    """A schedule and the name of the zone beside it."""

    schedule: Any
    timezone: str = "UTC"

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "schedule": self.schedule,
            "timezone": self.timezone,
            "zone": zone_table(self.timezone, FIRST_YEAR),
        }

    def read(self) -> ss.Cron | ss.Rate | ss.OneTime | ss.Windowed:
        """As Python reads the schedule; raises what it raises."""
        if isinstance(self.schedule, str):
            return ss.parse_schedule(self.schedule, timezone=self.timezone)
        if not isinstance(self.schedule, Mapping):
            raise TypeError(self.schedule)
        fields = {"timezone": self.timezone, **self.schedule}
        return ss.Windowed(fields.pop("start"), every=ss.Frequency(**fields.pop("every")), **fields)

    def expected(self) -> dict[str, Any] | None:
        """What the machine shall assign; None if Python refuses the schedule."""
        try:
            schedule = self.read()
            timing = timing_of(schedule)
        except (ValueError, TypeError, KeyError):
            return None
        if timing.plan.get("years") == []:
            return None  # Python reads it, and refuses the job because it never runs
        job = ss.Job(name="nightly", schedule=schedule, target=_TARGET)
        return {
            "kind": timing.kind,
            "plan": timing.plan,
            "once": job.is_one_time,
            "anchored": job.starts_at_creation,
            "canonical": json.loads(job.model_dump_json(exclude_unset=True))["schedule"],
        }


@cache
def stored_crons() -> tuple[Given, ...]:
    """All crons of the stored cases, valid and not."""
    texts = dict.fromkeys(
        json.loads(line)["expr"]
        for name in ("cron_cases", "cron_refused")
        for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
    )
    wrapped = [text if text.lower().startswith("cron(") else f"cron({text})" for text in texts]
    return tuple(Given(text, ZONES[index % len(ZONES)]) for index, text in enumerate(wrapped))


@cache
def stored_expressions() -> tuple[Given, ...]:
    """The expressions of all kinds of the stored cases that begin in the years that a machine reads."""
    cases = map(json.loads, (DATA / "expressions.jsonl").read_text("utf-8").splitlines())
    return tuple(
        Given(case["expression"], case["timezone"])
        for case in cases
        if not case["expression"].startswith("at(") or case["expression"] > f"at({FIRST_YEAR}"
    )


# -- drawn ----------------------------------------------------------------------------------------------

_SUFFIXES = ("", "", "", "Z", "+00:00", "-05:30", "+14:00", ".000", ".000Z", ".5Z")


@st.composite
def _times(draw: st.DrawFn, zone: str) -> str:
    """The text of a wall time or an instant near the changes of a zone."""
    moment = draw(places((zone,))).moment
    if moment.year < FIRST_YEAR + 1:
        moment += timedelta(days=400 * 365.2425)
    wall = moment.replace(tzinfo=None, microsecond=0)
    suffix = draw(st.sampled_from(_SUFFIXES))
    separator = draw(st.sampled_from("TTT "))
    timespec = "seconds" if "." in suffix else draw(st.sampled_from(["seconds", "minutes"]))
    return wall.isoformat(separator, timespec) + suffix


@st.composite
def windows(draw: st.DrawFn) -> Given:
    """Calendar windows, some of which end before they start, or step by nothing."""
    zone = draw(st.sampled_from(ZONES))
    start = draw(_times(zone))
    window: dict[str, Any] = {"start": start, "every": draw(st.one_of(steps(), st.just({"days": 0})))}
    if draw(st.booleans()):
        first = datetime.fromisoformat(start[:16])
        later = timedelta(minutes=draw(st.sampled_from([-1, 0, 90, 1_500, 9_999_999])))
        window["end"] = (first + later).isoformat() + draw(st.sampled_from(["", "Z", "+01:00"]))
    window |= draw(st.sampled_from([{}, {"kind": "windowed"}, {"timezone": zone}]))
    return Given(window, zone)


@st.composite
def one_times(draw: st.DrawFn) -> Given:
    zone = draw(st.sampled_from(ZONES))
    return Given(f"{draw(st.sampled_from(['at', 'AT', 'At']))}({draw(_times(zone))})", zone)


def rates() -> SearchStrategy[Given]:
    numbers = st.one_of(st.integers(0, 3_000), st.integers(0, 2 * 10**12)).map(str)
    units = st.sampled_from(["minute", "minutes", "HOURS", "hour", "day", "Days", "seconds", "minutess", ""])
    return st.tuples(numbers, st.sampled_from([" ", " ", "", "  "]), units).map(
        lambda parts: Given(f"rate({''.join(parts)})")
    )


@st.composite
def crons(draw: st.DrawFn) -> Given:
    """Crons, some of which have one character that is wrong."""
    text = f"cron({draw(st.one_of(CRONS, CRONS_WITH_YEARS))})"
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text) - 1))
        text = (
            text[:at]
            + draw(st.sampled_from("0179*?,-/#LW nN\u0131\u212a"))
            + text[at + draw(st.integers(0, 1)) :]
        )
    return Given(draw(st.sampled_from([text, text.lower(), text.upper()])), draw(st.sampled_from(ZONES)))
