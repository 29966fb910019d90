"""The cost of reading expressions that nobody has seen before."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.cron import CronTrigger
from aws_croniter import AwsCroniter
from cases import BUSINESS_HOURS, UTC
from croniter import croniter
from cronsim import CronSim
from measuring import (
    Contender,
    Effort,
    Section,
    Target,
    duration,
    measure,
    peer_cells,
    progress,
    table,
    times,
)
from peers import PEERS

from stepsched import Cron

_BATCH = 1_000
_ZONES_A_ROUND = 40
_NOON = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)

Read = Callable[[str, str], object]
"""Takes the same cron as AWS text and as Unix text."""

_READ: dict[str, Read] = {
    "stepsched": lambda aws, _: Cron(aws),
    "croniter": lambda _, unix: croniter(unix, _NOON),
    "cronsim": lambda _, unix: CronSim(unix, _NOON),
    "aws-croniter": lambda aws, _: AwsCroniter(aws),
    "APScheduler": lambda _, unix: CronTrigger.from_crontab(unix, UTC),
}
_READ_AND_ASK: dict[str, Read] = {
    "stepsched": lambda aws, _: Cron(aws).next_run(_NOON),
    "croniter": lambda _, unix: croniter(unix, _NOON).get_next(datetime),
    "cronsim": lambda _, unix: next(CronSim(unix, _NOON)),
    "aws-croniter": lambda aws, _: AwsCroniter(aws).occurrence(_NOON).next(),
    "APScheduler": lambda _, unix: CronTrigger.from_crontab(unix, UTC).get_next_fire_time(None, _NOON),
}


def reading(effort: Effort) -> Section:
    """Expressions that nobody has seen before: read; and read and asked for the first run."""
    progress("reading distinct expressions")
    batches = iter(_batches(2 * (effort.rounds + 1)))
    read, asked = (
        measure(_readers(calls, list(islice(batches, effort.rounds + 1))), effort, repeatable=False)
        for calls in (_READ, _READ_AND_ASK)
    )
    progress("reading: zones not used before")
    cold = measure(_cold_zones(), effort, repeatable=False)
    rows = [
        [name, duration(timings["stepsched"].best), *peer_cells(timings, PEERS)]
        for name, timings in (
            ("read", read),
            ("read, and the first next run", asked),
            ("the same in a zone not used before, its file included", cold),
        )
    ]
    ratio = read["cronsim"].best / read["stepsched"].best
    target = Target("reading: at least as fast as cronsim", times(ratio), ratio >= 1)
    body = table(["distinct expressions", "stepsched", *PEERS], rows)
    return Section("Reading expressions", body, [target])


def _batches(count: int) -> list[list[tuple[str, str]]]:
    """Distinct crons, each as AWS text and as Unix text, in four common shapes."""
    texts = []
    for number in range(count * _BATCH):
        turn = number // 4
        minute, hour, day = turn % 60, turn // 60 % 23, turn // 1380 % 27 + 1
        texts.append(
            (
                f"{minute} {hour} {day} * ? *",
                f"{minute} {hour}-23 ? {day % 12 + 1} MON-FRI *",
                f"{minute},59 {hour} {day},28 JAN-JUN ? *",
                f"{turn % 50}-59/5 {turn // 50 % 23},23 ? {turn // 1150 % 12 + 1} SUN,SAT *",
            )[number % 4]
        )
    assert len(set(texts)) == len(texts)
    pairs = [(text, text.removesuffix(" *").replace("?", "*")) for text in texts]
    return [pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH)]


def _readers(calls: dict[str, Read], rounds: list[list[tuple[str, str]]]) -> dict[str, Contender]:
    def contender(call: Read) -> Contender:
        def read(number: int) -> int:
            for aws, unix in rounds[number]:
                call(aws, unix)
            return len(rounds[number])

        return read

    return {name: contender(call) for name, call in calls.items()}


def _cold_zones() -> dict[str, Contender]:
    names = sorted(name for name in available_timezones() if "/" in name and "Etc" not in name)
    random.Random(2026).shuffle(names)
    aws, unix = BUSINESS_HOURS.aws, BUSINESS_HOURS.unix

    def contender(call: Callable[[str], object]) -> Contender:
        def ask(number: int) -> int:
            ZoneInfo.clear_cache()
            for name in names[number * _ZONES_A_ROUND : (number + 1) * _ZONES_A_ROUND]:
                call(name)
            return _ZONES_A_ROUND

        return ask

    def there(name: str) -> datetime:
        return _NOON.astimezone(ZoneInfo(name))

    return {
        "stepsched": contender(lambda name: Cron(aws, timezone=name).next_run(_NOON)),
        "croniter": contender(lambda name: croniter(unix, there(name)).get_next(datetime)),
        "cronsim": contender(lambda name: next(CronSim(unix, there(name)))),
        "APScheduler": contender(
            lambda name: CronTrigger.from_crontab(unix, name).get_next_fire_time(None, _NOON)
        ),
    }
