"""*When* as EventBridge Scheduler writes it: at the edges that no whole request comes to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import stepsched as ss
from stepsched.backends.eventbridge.timing import read_timing, write_timing

T0 = datetime(2030, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
EITHER = ss.Cron.from_crontab("0 0 13 * 5")
"""No single expression of AWS means it."""


def test_what_was_written_beside_a_document_and_cannot_be_sent_counts_for_nothing() -> None:
    """Somebody has changed the document: it says what it says."""
    document = {"ScheduleExpression": "cron(0 0 13 * ? *)"}
    assert read_timing(document, EITHER) == ss.Cron("0 0 13 * ? *")


def test_a_rate_whose_grid_goes_on_behind_its_end_is_sent_with_the_next_instant_of_it() -> None:
    rate = ss.Rate(HOUR, start=T0, end=T0 + HOUR)
    timing = write_timing(rate, now=T0 + timedelta(minutes=90), anchor=None)
    assert (timing.start, timing.end) == (T0 + 2 * HOUR, T0 + HOUR)
