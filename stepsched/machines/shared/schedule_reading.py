"""The states by which a machine reads a schedule that is given to an execution, without Lambda."""

from __future__ import annotations

from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Pass, State
from stepsched.machines.literals import quoted
from stepsched.machines.shared.cron_reading import cron_states
from stepsched.machines.shared.moment_reading import moment_states
from stepsched.machines.shared.reading_words import SHOWN, stage
from stepsched.machines.shared.window_reading import window_states
from stepsched.schedules.base import LONGEST_EXPRESSION

READ_SCHEDULE = "Read schedule"
"""The name of the first state."""
INVALID_SCHEDULE = "Stepsched.InvalidSchedule"
"""The error of a schedule that cannot be read."""

_CHARACTERS = quoted("".join(map(chr, range(32, 127))))
_FORMS = "use cron(0 9 ? * MON-FRI *), rate(5 minutes) or at(2030-01-01T09:00:00)"
_FOREIGN = f"$filter($split($schedule, ''), function($c) {{ $not($contains({_CHARACTERS}, $c)) }})[0]"
_UNREADABLE = f"""
$foreign := $type($schedule) = 'string' ? ( $length($schedule) <= {LONGEST_EXPRESSION} ? {_FOREIGN} );
'schedule: ' & (
  $type($schedule) != 'string' ? 'expected text or an object with start and every, got ' & $shown($schedule)
  : $length($schedule) > {LONGEST_EXPRESSION}
    ? 'expected at most {LONGEST_EXPRESSION} characters, got ' & $length($schedule) & ': ' & $shown($schedule)
  : $schedule = '' ? 'it is empty'
  : $exists($foreign) ? 'the character ' & $shown($foreign) & ' of ' & $shown($schedule) & ' is not allowed'
  : $shown($schedule) & ' cannot be read'
) & {quoted("; " + _FORMS)}
"""


def _text_in(keyword: str) -> str:
    """The condition that a schedule is text of printable ASCII with a keyword and parentheses around it."""
    before = f"{keyword.upper()}("
    return (
        f"($type($schedule) = 'string' ? $length($schedule) <= {LONGEST_EXPRESSION}"
        f" and $uppercase($substring($schedule, 0, {len(before)})) = '{before}'"
        f" and $substring($schedule, $length($schedule) - 1) = ')' and $not($exists({_FOREIGN})) : false)"
    )


NEEDS_ZONE = f"$not({_text_in('rate')})"
"""The condition that a schedule depends on its zone: every schedule but a rate."""


def zone_name(otherwise: str) -> str:
    """The expression of the name of the zone that ``$schedule`` itself names, if it is a window that does.

    Args:
        otherwise: The expression of the name of the zone of other schedules.
    """
    is_named = "$type($schedule) = 'object' and $type($schedule.timezone) = 'string'"
    return f"({is_named} ? $schedule.timezone : {otherwise})"


def reading_states(*, next: str, refused: str) -> dict[str, State]:  # noqa: A002 -- the States Language's word
    """The states that read the variable ``$schedule``; the first is :data:`READ_SCHEDULE`.

    They also read ``$timezone``, the name of the zone, and ``$zone``, the table of
    :func:`stepsched.machines.zones.zone_table` for that zone.

    If the schedule can be read, these variables are assigned:

    * ``$kind`` and ``$plan``: as :func:`stepsched.machines.plan.timing_of` gives them.
    * ``$once``: whether the schedule has a single run.
    * ``$anchored``: whether it is a rate, whose grid begins when its job is created.
    * ``$canonical``: the JSON of the schedule, as that of a job has it.

    Otherwise ``$problem`` is assigned: its ``error`` is :data:`INVALID_SCHEDULE`, its ``cause`` a sentence
    with the field, the value, and what to use instead.

    Args:
        next: The name of the state that follows a schedule that can be read.
        refused: The name of the state that follows another one.
    """
    read = "Is schedule read?"
    return {
        READ_SCHEDULE: Choice(
            choices=(
                condition("$type($schedule) = 'object'").then("Read times"),
                condition(_text_in("cron")).then("Read cron fields"),
                condition(_text_in("rate")).then("Read rate"),
                condition(_text_in("at")).then("Read times"),
            ),
            default="Unreadable schedule",
        ),
        **cron_states(read=read),
        **moment_states(read=read),
        **window_states(read=read),
        "Unreadable schedule": Pass(
            assign={"reading": {"problem": stage(SHOWN, _UNREADABLE)}},
            next=read,
        ),
        read: Choice(
            choices=(
                condition("$exists($reading.problem)").then(
                    refused,
                    assign={"problem": {"error": INVALID_SCHEDULE, "cause": "{% $reading.problem %}"}},
                ),
                condition("true").then(
                    next,
                    assign={
                        name: f"{{% $reading.{name} %}}"
                        for name in ("kind", "plan", "once", "anchored", "canonical")
                    },
                ),
            ),
        ),
    }
