"""What EventBridge Scheduler can do, for every module that plays the contract on it."""

from __future__ import annotations

from datetime import timedelta

from stepsched.testing.contract.fixtures import Abilities

ABILITIES = Abilities(
    functions=False,
    keeps_runs=False,
    keeps_versions=False,
    calendar=False,
    seconds=False,
    crontab=False,
    fractions=False,
    short_jitter=False,
    overlap=False,
    catch_up=False,
    catch_up_within=False,
    on_failure=False,
    notify=False,
    parallel=False,
    run_time=False,
    pauses=False,
    moves_groups=False,
    names_by_group=True,
    run_now_within=timedelta(minutes=2),
)
