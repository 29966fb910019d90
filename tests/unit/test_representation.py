"""The ``repr`` of a value is one line that fits, and code as far as that goes."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.representation import LONGEST, line_of

T0 = datetime(2030, 1, 1, tzinfo=timezone.utc)
MORNING = ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris")


def job(**fields: Any) -> ss.Job:
    return ss.Job(**{"name": "nightly", "schedule": MORNING, "target": ss.CommandTarget(["true"]), **fields})


def record() -> ss.JobRecord:
    return ss.JobRecord(
        job=job(),
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=T0,
        updated_at=T0,
        next_run=MORNING.next_run(after=T0),
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(
            ss.Retry(max_age="P1D"), "Retry(max_age=datetime.timedelta(days=1))", id="exactly, if it fits"
        ),
        pytest.param(
            ss.Job(name="hourly", schedule=ss.Rate("PT1H"), target=ss.HandlerTarget("a.b:c"), jitter="PT5M"),
            "Job(name='hourly', schedule=Rate(every='PT1H'), target=HandlerTarget(handler='a.b:c'), "
            "jitter='PT5M')",
            id="as text that the field accepts",
        ),
        pytest.param(
            job(input={"rows": "x" * 1_000}),
            "Job(name='nightly', schedule=Cron(expression='cron(0 9 ? * MON-FRI *)', ...), "
            "target=CommandTarget(...), ...)",
            id="with the first fields",
        ),
        pytest.param(
            record(),
            "JobRecord(job=Job(name='nightly', schedule=Cron(...), ...), status='active', "
            "next_run='2030-01-01T09:00:00+01:00', ...)",
            id="what is of use first",
        ),
        pytest.param(
            ss.Run(id=1, job="n", scheduled_for=T0, status=ss.RunStatus.FAILED, error="E" * 99),
            "Run(id=1, job='n', scheduled_for='2030-01-01T00:00:00+00:00', status='failed', "
            "error='EEEEEEEEEEEEEEEEEEEEEEEEE...)",
            id="a long error",
        ),
    ],
)
def test_a_value_is_shown_in_one_line(value: Any, shown: str) -> None:
    assert repr(value) == shown
    assert len(shown) <= LONGEST


def test_what_fits_can_be_read_back() -> None:
    names = {**vars(ss.targets), **vars(ss.schedules), "Job": ss.Job, "Retry": ss.Retry}
    short = job(schedule=ss.Rate("PT1H"), jitter="PT1M")
    assert eval(repr(short), names) == short


def test_secrets_are_masked() -> None:
    target = ss.HttpTarget("https://example.com", headers={"X-Api-Key": "hidden"})
    assert "hidden" not in repr(target) + repr(job(target=target))
    assert repr(ss.CommandTarget(["echo", "--password", "hidden"])) == (
        "CommandTarget(command=('echo', '--password', '***'))"
    )


@pytest.mark.parametrize("length", [60, 110, 120, 9_990, 20_000])
def test_a_secret_where_the_line_is_cut_is_masked_too(length: int) -> None:
    for text in ("x" * length + "://u:hiddenhidden@h/db", f"token={'x' * length} ://u:hiddenhidden@h"):
        assert "hidden" not in repr(job(input=text)) + repr(ss.CommandTarget(["echo", text]))


def test_a_secret_where_the_reading_ends_is_masked_too() -> None:
    """What stands before it is masked, and so short that the end would be shown."""
    text = f"token={'x' * 9_960} ://u:hidden{'hidden' * 20}@h"
    assert repr(ss.CommandTarget(["echo", text])) == "CommandTarget(command=('echo', '***'))"


def test_a_large_value_takes_no_more_time_than_a_small_one() -> None:
    """The parts that do not fit are not looked at."""

    def calls(rows: int) -> int:
        shown, made = job(input=[{"row": number} for number in range(rows)]), count()
        sys.setprofile(lambda _frame, event, _argument: event == "call" and next(made))
        try:
            line_of(shown)
        finally:
            sys.setprofile(None)
        return next(made)

    assert calls(10_000) == calls(100)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param({"a": [1, (2,)], "b": ()}, "{'a': [1, (2,)], 'b': ()}", id="collections"),
        pytest.param([10**400], "[a whole number of 1,329 bits]", id="a number of many digits"),
        pytest.param(b"x" * 3, "b'xxx'", id="bytes"),
        pytest.param(timedelta(seconds=1), "datetime.timedelta(seconds=1)", id="a duration"),
    ],
)
def test_other_values_are_shown_as_by_repr(value: object, shown: str) -> None:
    class Held:
        def __repr_args__(self) -> list[tuple[str | None, object]]:
            return [(None, value)]

    assert line_of(Held()) == f"Held({shown})"
