"""The states that read a schedule run on the emulator, whose JSONata is another implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepsched.asl import Map, Pass, Processor, StateMachine, Succeed
from stepsched.machines.shared.schedule_reading import INVALID_SCHEDULE, READ_SCHEDULE, reading_states
from tests.parts.state_machines import run_machine
from tests.property.reading_cases import Given

pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

WINDOW = {"start": "2030-01-31T09:00", "every": {"months": 1}}
CASES = (
    Given("cron(0 9 ? * MON-FRI *)", "Europe/Paris"),
    Given("cron(*/15 22-2 ? jan-06,12 *)"),
    Given("cron(0 9 L-3 * ? 2030/2)", "Asia/Kolkata"),
    Given("CRON(0 9 15w FEB ?)"),
    Given("cron(0 9 LW 2 ? 2031)"),
    Given("cron(59 23 ? * 6#5 *)", "Africa/Casablanca"),
    Given("cron(0 9 ? * friL 1970-2199/7)"),
    Given("cron(0 9 29 2 ? *)"),
    Given("cron(0 9 31 2 ? *)"),
    Given("cron(60 9 * * ? *)"),
    Given("rate(1 minutes)"),
    Given("rate(2160minute)"),
    Given("at(2030-03-31T02:30)", "Europe/Paris"),
    Given("at(2030-10-27T02:30:15)", "Europe/Paris"),
    Given({"start": "2030-10-27T01:30:00.000Z", "every": {"months": 1, "hours": 6}}, "Europe/Paris"),
    Given(WINDOW | {"end": "2031-01-31 09:00+05:30", "kind": "windowed"}, "America/New_York"),
    Given(WINDOW | {"every": {"hours": 36, "days": 0}, "end": None}),
    Given(WINDOW | {"every": {"months": 0}}),
    Given(WINDOW | {"every": {"months": True}}),
    Given(None),
    Given("\u0131{% $states %}"),
)


def test_schedules_are_read_on_the_emulator(aws: Callable[[str], Any]) -> None:
    given = {name: f"{{% $states.input.{name} %}}" for name in ("schedule", "timezone", "zone")}
    names = ("kind", "plan", "once", "anchored", "canonical")
    read = Processor(
        states={
            "Begin": Pass(assign=given, next=READ_SCHEDULE),
            **reading_states(next="Read", refused="Refused"),
            "Read": Pass(output={name: f"{{% ${name} %}}" for name in names}, end=True),
            "Refused": Pass(output="{% $problem %}", end=True),
        }
    )
    every = Map(items="{% $states.input.cases %}", item_processor=read, max_concurrency=1, next="Done")
    machine = StateMachine(query_language="JSONata", states={"Every": every, "Done": Succeed()})
    assert machine.check() == []
    cases = [case.variables for case in CASES]
    run = run_machine(aws("stepfunctions"), machine.to_json(), {"cases": cases}, timeout=60)
    assert run.last.status == "SUCCEEDED", (run.last.error, run.last.cause)
    for case, found in zip(CASES, run.last.output, strict=True):
        expected = case.expected()
        if expected is None:
            assert found["error"] == INVALID_SCHEDULE, case
            assert "; use " in found["cause"], case
        else:
            assert found == expected, case
