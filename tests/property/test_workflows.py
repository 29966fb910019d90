"""Random job graphs with random failures, skips, cancels and restarts, beside a model that shares no code.

Some hundreds run each time; ``pytest -m proof tests/property/test_workflows.py -s`` plays 10,000 graphs of
each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsched.workflows import RestartAction

from .workflow_scenarios import BROKEN, DONE, Ask, Event, Player, expected, random_scenario

GRAPHS = 10_000
"""The graphs of each kind that the proof plays."""


def play_as_expected(random: Random) -> Counter[str]:
    """Plays a scenario through all its restarts, and compares each with the model. Returns what happened."""
    scenario = random_scenario(random)
    player = Player(scenario, random, delay=timedelta(seconds=random.choice((0, 0, 30))))
    seen = Counter[str](graphs=1)
    for number, expectation in enumerate(expected(scenario)):
        calls = dict(player.calls)
        if number and expectation.refused:
            before = player.run
            with pytest.raises(ValueError, match="expected"):
                player.restart(scenario.restarts[number - 1])
            assert player.run == before
            seen["refused restarts"] += 1
            continue
        if number:
            plan = player.restart(scenario.restarts[number - 1])
            assert expectation.ran <= set(plan.names(RestartAction.RUN)), "a step runs that the plan left out"
            seen["restarts"] += 1
        player.play()
        assert player.statuses() == expectation.statuses
        assert player.calls == expectation.calls
        assert player.run.status == expectation.status
        assert {name for name in calls if player.calls[name] > calls[name]} == expectation.ran
        none_in_silence(player)
        seen[f"{expectation.status} runs"] += 1
        seen["calls"] += sum(player.calls.values()) - sum(calls.values())
    in_order(player)
    return seen


def play_disturbed(random: Random) -> Counter[str]:
    """Plays a scenario while an operator skips steps, restarts the live run and cancels it, and checks its
    events."""
    scenario = random_scenario(random, most_restarts=0, stops=random.random() < 0.4)
    player = Player(scenario, random)
    seen = Counter[str](graphs=1)
    names = [part.name for part in scenario.parts]

    def disturb(player: Player) -> None:
        drawn = random.random()
        if drawn < 0.03:
            player.cancel()
            seen["cancels"] += 1
        elif drawn < 0.1:
            attempt(lambda: player.skip(random.choice(names)), "skips")
        elif drawn < 0.16:
            attempt(lambda: player.restart(random_ask(names, random)), "restarts of live runs")

    def attempt(act: Callable[[], object], word: str) -> None:
        try:
            act()
        except ValueError:
            seen[f"refused {word}"] += 1
        else:
            seen[word] += 1

    for number in range(random.randint(1, 6)):
        if number:
            if random.random() < 0.3:
                attempt(lambda: player.skip(random.choice(names)), "skips")
            attempt(lambda: player.restart(random_ask(names, random)), "restarts")
            if player.run.status.has_ended:
                continue
        player.play(disturb=disturb)
        seen[f"{player.run.status} runs"] += 1
        assert player.run.status == whole(player.statuses())
        if not scenario.stops:
            none_left_out(player)
        none_in_silence(player)
    in_order(player)
    return seen


def random_ask(names: list[str], random: Random) -> Ask:
    one = (random.choice(names),)
    return random.choice((Ask(), Ask(), Ask(from_=one), Ask(skip=one), Ask(marked=one)))


def whole(statuses: dict[str, str]) -> str:
    words = set(statuses.values())
    assert not words & {"pending", "running"}
    if "cancelled" in words:
        return "cancelled"
    return "failed" if words & BROKEN else "succeeded"


def in_order(player: Player) -> None:
    """Checks by the events alone that every step starts only when its needs let it, never while it runs, and
    again after a success only if a restart asked for it."""
    words = {part.name: part.word for part in player.scenario.parts}
    running, succeeded, failed = set[str](), set[str](), set[str]()
    for event in player.events:
        if event.what == "start":
            assert event.name not in running, "started while it runs"
            assert event.name not in succeeded, "started again although it has succeeded"
            assert event.status == "pending"
            assert may_start(words[event.name], event.needs)
            assert not (player.scenario.stops and failed and words[event.name] in ("succeeded", "is one"))
            running.add(event.name)
        elif event.what == "end":
            running.remove(event.name)
            ended = {"succeeded": succeeded, "failed": failed}.get(event.status, set())
            ended.add(event.name)
        elif event.what == "cancel":
            running.clear()
        elif event.plan is not None:
            again = set(event.plan.names(RestartAction.RUN))
            assert not again & running, "restarted while it runs"
            assert all(may_run_again(player, name, event) for name in again & succeeded)
            running -= {each.name for each in event.plan.changes}
            succeeded -= again
            failed -= {each.name for each in event.plan.changes}


def may_start(word: str, needs: tuple[str, ...]) -> bool:
    if {"pending", "running"} & set(needs):
        return False
    if word == "failed":
        return bool(BROKEN & set(needs))
    return word == "done" or set(needs) <= DONE


def may_run_again(player: Player, name: str, event: Event) -> bool:
    """Whether a restart may run a step again that has succeeded: ``only`` names it, ``from_`` names it or a
    step above it, or it, or a step above it, follows an outcome."""
    above, more = {name}, {name}
    while more:
        more = {need for each in more for need in player.flow.needs[each]} - above
        above |= more
    if event.ask is not None and name in event.ask.only:
        return True
    asked = set(event.ask.from_) if event.ask is not None else set()
    follows = {part.name for part in player.scenario.parts if part.word in ("done", "failed")}
    return bool(above & (asked | follows))


def none_in_silence(player: Player) -> None:
    """Checks that every step that has not succeeded says why."""
    state = player.run.by_name
    for step in player.run.steps:
        assert step.status.has_ended
        assert step.status != "failed" or step.error
        assert step.status not in ("skipped", "upstream_failed", "unmet") or step.reason
        assert step.caused_by is None or step.caused_by in state
        assert step.status == "upstream_failed" or step.status == "unmet" or step.caused_by is None


def none_left_out(player: Player) -> None:
    """Checks that a step did not run only because of a need that is not done."""
    words = player.statuses()
    for name, needs in player.flow.needs.items():
        of = {words[need] for need in needs}
        assert words[name] != "upstream_failed" or of & BROKEN
        assert words[name] != "cancelled" or player.run.status == "cancelled"


RANDOM = st.randoms(use_true_random=False)


@given(RANDOM)
def test_a_run_and_its_restarts_do_what_the_model_says(random: Random) -> None:
    play_as_expected(random)


@given(RANDOM)
def test_a_disturbed_run_starts_every_step_in_order_and_none_twice(random: Random) -> None:
    play_disturbed(random)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_some_graphs_of_the_proof(first: int) -> None:
    for seed in range(first, first + 50):
        play_as_expected(Random(seed))
        play_disturbed(Random(seed))


@pytest.mark.proof
@pytest.mark.parametrize("first", range(0, GRAPHS, 1_000))
@pytest.mark.parametrize("play", [play_as_expected, play_disturbed])
def test_ten_thousand_graphs(play: Callable[[Random], Counter[str]], first: int) -> None:
    seen = Counter[str]()
    for seed in range(first, first + 1_000):
        seen += play(Random(seed))
    assert seen["graphs"] == 1_000
    print(", ".join(f"{count:,} {what}" for what, count in sorted(seen.items())))
