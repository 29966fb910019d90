"""Fields are shown as people write them, and secrets among them are masked."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

import pytest

import stepsched as ss
from stepsched.display.fields import field_cell, fields_table
from stepsched.workers import QueueMessage, WorkSummary


class Named(NamedTuple):
    first_part: int
    second: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "-", id="none"),
        pytest.param(True, "yes", id="true"),
        pytest.param(12_345, "12,345", id="number"),
        pytest.param(Decimal("0.0000025"), "0.0000025", id="decimal"),
        pytest.param(10**5_000, "a whole number of 16,610 bits", id="a number of many digits"),
        pytest.param((10**5_000,), "a whole number of 16,610 bits", id="and in a list"),
        pytest.param(Decimal("1E+9999999"), "1E+9999999", id="a large decimal"),
        pytest.param(Decimal("1E-9999999"), "1E-9999999", id="a small decimal"),
        pytest.param("plain", "plain", id="text"),
        pytest.param(b"abc", "3 bytes", id="bytes"),
        pytest.param(
            datetime(2030, 1, 7, 9, tzinfo=timezone.utc), "2030-01-07 09:00 +00:00 UTC", id="instant"
        ),
        pytest.param(date(2030, 1, 7), "2030-01-07", id="day"),
        pytest.param(timedelta(seconds=90), "1 min 30 s", id="length"),
        pytest.param(ss.JobStatus.ACTIVE, "active", id="enumeration"),
        pytest.param(("a", "b"), "a, b", id="items"),
        pytest.param((), "-", id="no items"),
        pytest.param({"a": 1, "b": "x"}, "a=1, b=x", id="mapping"),
        pytest.param(ss.Retry(max_attempts=5), "Retry(max_attempts=5)", id="value"),
    ],
)
def test_a_field_is_written_as_people_do(value: object, text: str) -> None:
    assert field_cell(value).text == text


@pytest.mark.parametrize(
    "value",
    [
        '{"password": "hunter2"}',
        "login --password=hunter2",
        {"token": "hunter2"},
        {"login": {"token": "hunter2"}},
        QueueMessage('{"password": "hunter2"}', "id"),
    ],
)
def test_secrets_are_masked(value: object) -> None:
    assert "hunter2" not in field_cell(value).text
    assert "***" in field_cell(value).text


def test_numbers_are_sorted_by_their_size() -> None:
    assert field_cell(12_345).key == 12_345


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        pytest.param(Named(1, "x"), [["first part", "1"], ["second", "x"]], id="named tuple"),
        pytest.param(ss.Retry(max_attempts=5), ["max attempts", "5"], id="value"),
        pytest.param(WorkSummary(received=3), ["received", "3"], id="dataclass"),
    ],
)
def test_each_field_is_a_row(value: object, rows: list[object]) -> None:
    shown = [[cell.text for cell in row] for row in fields_table(value).rows]
    assert shown == rows or rows in shown
