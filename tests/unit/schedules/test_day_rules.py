"""Which days of a month each rule takes."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import pytest

from stepsched.schedules.day_rules import (
    DayRule,
    DaysOfMonth,
    LastDay,
    LastWeekday,
    LastWeekdayOfMonth,
    NearestWeekday,
    NthWeekday,
    Weekdays,
)

JUNE_2024 = (2024, 6)  # Saturday 1st to Sunday 30th
FEBRUARY_2025 = (2025, 2)  # Saturday 1st to Friday 28th
FEBRUARY_2024 = (2024, 2)  # Thursday 1st to Thursday 29th
AUGUST_2025 = (2025, 8)  # Friday 1st to Sunday 31st
SEPTEMBER_2024 = (2024, 9)  # Sunday 1st to Monday 30th
MAY_2025 = (2025, 5)  # Thursday 1st to Saturday 31st


def days(rule: DayRule, year: int, month: int) -> list[int]:
    length = monthrange(year, month)[1]
    mask = rule.mask(date(year, month, 1).isoweekday() % 7, length)
    assert mask >> length == 0, "a day that the month lacks"
    return [index + 1 for index in range(length) if mask >> index & 1]


@pytest.mark.parametrize(
    ("rule", "month", "expected"),
    [
        pytest.param(DaysOfMonth(0b1 | 0b1 << 14), JUNE_2024, [1, 15], id="1,15"),
        pytest.param(DaysOfMonth(0b1 << 30), JUNE_2024, [], id="31 in a month of 30 days"),
        pytest.param(DaysOfMonth(0b1 << 28), FEBRUARY_2024, [29], id="29 February in a leap year"),
        pytest.param(DaysOfMonth(0b1 << 28), FEBRUARY_2025, [], id="29 February in another"),
        pytest.param(Weekdays(0b0000010), JUNE_2024, [3, 10, 17, 24], id="MON"),
        pytest.param(Weekdays(0b1000001), JUNE_2024, [1, 2, 8, 9, 15, 16, 22, 23, 29, 30], id="SAT,SUN"),
        pytest.param(Weekdays(0b1111111), FEBRUARY_2025, list(range(1, 29)), id="every weekday"),
        pytest.param(LastDay(0), FEBRUARY_2024, [29], id="L in a leap year"),
        pytest.param(LastDay(0), FEBRUARY_2025, [28], id="L in another"),
        pytest.param(LastDay(0), AUGUST_2025, [31], id="L"),
        pytest.param(LastDay(3), JUNE_2024, [27], id="L-3"),
        pytest.param(LastDay(27), FEBRUARY_2025, [1], id="L-27 is the first of a short February"),
        pytest.param(LastDay(28), FEBRUARY_2025, [], id="L-28 is none there (P-09)"),
        pytest.param(LastDay(30), AUGUST_2025, [1], id="L-30"),
        pytest.param(LastDay(30), JUNE_2024, [], id="L-30 in a month of 30 days (P-09)"),
        pytest.param(LastWeekday(), FEBRUARY_2025, [28], id="LW on a Friday"),
        pytest.param(LastWeekday(), MAY_2025, [30], id="LW, last day a Saturday"),
        pytest.param(LastWeekday(), AUGUST_2025, [29], id="LW, last day a Sunday"),
        pytest.param(NearestWeekday(14), JUNE_2024, [14], id="14W on a Friday"),
        pytest.param(NearestWeekday(15), JUNE_2024, [14], id="15W on a Saturday"),
        pytest.param(NearestWeekday(16), JUNE_2024, [17], id="16W on a Sunday"),
        pytest.param(NearestWeekday(1), JUNE_2024, [3], id="1W on a Saturday stays in the month (P-07)"),
        pytest.param(NearestWeekday(2), AUGUST_2025, [1], id="2W on a Saturday"),
        pytest.param(NearestWeekday(1), SEPTEMBER_2024, [2], id="1W on a Sunday"),
        pytest.param(NearestWeekday(30), JUNE_2024, [28], id="30W on the last Sunday stays (P-07)"),
        pytest.param(NearestWeekday(31), AUGUST_2025, [29], id="31W on the last Sunday stays (P-07)"),
        pytest.param(NearestWeekday(31), MAY_2025, [30], id="31W on the last Saturday"),
        pytest.param(NearestWeekday(31), JUNE_2024, [], id="31W in a month of 30 days (P-08)"),
        pytest.param(NearestWeekday(29), FEBRUARY_2025, [], id="29W in a short February (P-08)"),
        pytest.param(LastWeekdayOfMonth(0), JUNE_2024, [30], id="1L, the last day itself"),
        pytest.param(LastWeekdayOfMonth(1), JUNE_2024, [24], id="2L, six days before"),
        pytest.param(LastWeekdayOfMonth(6), JUNE_2024, [29], id="7L"),
        pytest.param(NthWeekday(6, 1), JUNE_2024, [1], id="7#1 on the first"),
        pytest.param(NthWeekday(5, 1), JUNE_2024, [7], id="6#1 on the seventh"),
        pytest.param(NthWeekday(0, 5), JUNE_2024, [30], id="1#5"),
        pytest.param(NthWeekday(1, 5), JUNE_2024, [], id="2#5 in a month without"),
        pytest.param(NthWeekday(5, 4), FEBRUARY_2025, [28], id="6#4"),
    ],
)
def test_a_rule_takes_these_days(rule: DayRule, month: tuple[int, int], expected: list[int]) -> None:
    assert days(rule, *month) == expected


def test_rules_of_different_kinds_with_the_same_number_take_different_days() -> None:
    assert days(NearestWeekday(15), *JUNE_2024) != days(DaysOfMonth(15), *JUNE_2024)
    assert days(LastWeekdayOfMonth(3), *JUNE_2024) != days(LastDay(3), *JUNE_2024)
