"""Replaces ``H`` and ``R`` of a crontab line by values, once and for all."""

from __future__ import annotations

import re

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import quoted
from stepsched.schedules.cron_items import Field
from stepsched.schedules.crontab import UNIX_FIELDS
from stepsched.schedules.crontab_lines import HASHED, LONGEST


def frozen(line: str, hash_id: str | None) -> str:
    """Returns the line with a value in the place of each ``H`` and ``R``; croniter computes it.

    Args:
        line: The line. Without ``H`` and ``R`` it is returned unchanged.
        hash_id: The text from which ``H`` is computed. ``R`` is random.

    Raises:
        InvalidScheduleError: The line has an ``H`` and ``hash_id`` is None, or a range or step is not valid.
    """
    if len(line) > 2 * LONGEST:
        return line  # which is refused
    parts = line.split()
    items = [part.split(",") for part in parts]
    found = [HASHED.fullmatch(item) for each in items for item in each]
    if len(parts) != len(UNIX_FIELDS) or not any(found):
        return line
    if hash_id is not None and not (isinstance(hash_id, str) and hash_id):
        raise InvalidScheduleError(line, "hash_id", f"expected the name of a job, got {quoted(hash_id)}")
    if hash_id is None and any(match and match[1] in "Hh" for match in found):
        reason = f"'H' is computed from a name; use Cron.from_crontab({line!r}, hash_id='name-of-the-job')"
        raise InvalidScheduleError(line, "crontab", reason)
    return " ".join(
        ",".join(_frozen(line, place, item, hash_id or "") for item in each)
        for place, each in enumerate(items)
    )


def _frozen(line: str, place: int, item: str, hash_id: str) -> str:
    match = HASHED.fullmatch(item)
    if match is None:
        return item
    _check(line, UNIX_FIELDS[place], item, match)
    from croniter import croniter  # loads slowly, and only these fields need it

    fields = ["*"] * len(UNIX_FIELDS)
    fields[place] = item
    values = croniter.expand(" ".join(fields), hash_id=hash_id.encode(errors="surrogatepass"))[0][place]
    return ",".join(map(str, values))


def _check(line: str, field: Field, item: str, match: re.Match[str]) -> None:
    if match[2] is not None and not field.low <= int(match[2]) < int(match[3]) <= field.high:
        reason = f"{item!r}: expected a range within {field.low}-{field.high} that runs forwards"
        raise InvalidScheduleError(line, field.name, reason)
    first, last = (match[2], match[3]) if match[2] is not None else (field.low, field.low + field.size - 1)
    longest = int(last) - int(first)
    if match[4] is not None and not 1 <= int(match[4]) <= longest:
        reason = f"{item!r}: the step must be 1 to {longest}"
        if int(match[4]) > field.largest_step:
            reason += f"; {field.longer_step.format(step=int(match[4]))}"
        raise InvalidScheduleError(line, field.name, reason)
