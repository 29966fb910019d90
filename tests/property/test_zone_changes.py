"""The engine finds every change of offset by halving; the zone's own file lists them."""

from __future__ import annotations

from datetime import timezone
from zoneinfo import available_timezones

import pytest

from stepsched.schedules.zones import Zone, load_zone
from tests.unit.schedules.times import is_known_zone

from .oracle import Transition, transitions

YEARS = range(1970, 2038)
SAMPLE = (
    "Africa/Accra",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "Africa/Khartoum",
    "Africa/Monrovia",
    "Africa/Sao_Tome",
    "Africa/Tripoli",
    "Africa/Windhoek",
    "America/Argentina/San_Luis",
    "America/Asuncion",
    "America/Bahia",
    "America/Boa_Vista",
    "America/Caracas",
    "America/Danmarkshavn",
    "America/Grand_Turk",
    "America/Halifax",
    "America/Havana",
    "America/Indiana/Indianapolis",
    "America/Mexico_City",
    "America/Miquelon",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Port-au-Prince",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "America/Whitehorse",
    "Antarctica/Casey",
    "Antarctica/Macquarie",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Asia/Almaty",
    "Asia/Amman",
    "Asia/Colombo",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Urumqi",
    "Asia/Yerevan",
    "Atlantic/Azores",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Etc/GMT-14",
    "Europe/Chisinau",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Moscow",
    "Europe/Paris",
    "Europe/Volgograd",
    "Pacific/Apia",
    "Pacific/Bougainville",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Fakaofo",
    "Pacific/Fiji",
    "Pacific/Guam",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
    "Pacific/Tongatapu",
    "UTC",
)


def _found(zone: Zone, year: int) -> list[Transition]:
    """The engine's changes of one year."""
    return [
        Transition(
            change.wall_before.replace(tzinfo=change.before).astimezone(timezone.utc),
            change.before.utcoffset(None),
            change.after.utcoffset(None),
        )
        for change in zone.year(year).changes
    ]


def _touches(change: Transition, year: int) -> bool:
    """Whether the clocks show that year just before or just after the change."""
    return year in ((change.at + change.before).year, (change.at + change.after).year)


def check(key: str) -> None:
    zone = load_zone(key)
    listed = transitions(key, YEARS[-1] + 1)
    for year in YEARS:
        found = _found(zone, year)
        assert found == sorted(found), year
        assert [change for change in found if _touches(change, year)] == [
            change for change in listed if _touches(change, year)
        ], year
        assert set(found) <= set(listed) or year == YEARS[0], year
    seen = {change for year in YEARS for change in _found(zone, year)}
    assert {change for change in listed if change.at.year in YEARS} <= seen


@pytest.mark.parametrize("key", SAMPLE)
def test_the_changes_of_a_year_are_those_that_the_file_lists(key: str) -> None:
    check(key)


@pytest.mark.proof
@pytest.mark.parametrize("key", sorted(filter(is_known_zone, available_timezones())))
def test_the_changes_of_every_zone_are_those_that_its_file_lists(key: str) -> None:
    check(key)
