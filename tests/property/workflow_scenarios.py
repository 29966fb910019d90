"""Random runs of job graphs, what must come of them, and a player of the pure rules.

A :class:`Scenario` is a graph, the outcome of every attempt of every step, and the restarts that an operator
makes one after the other. :func:`expected` says what must come of it, by a fixpoint over sets of names: it
shares no code with the package, and does not know in which order steps run. :class:`Player` plays a scenario
on the pure rules of the package; other tests play the same scenarios on real backends:
:meth:`Scenario.workflow` takes the targets, and :meth:`Scenario.outcome` says what each call has to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Literal, NamedTuple, TypeAlias

import stepsched as ss
from stepsched.workflows import Condition, FailureKind, RestartPlan, StepRun, StepStatus, When, WorkflowRun
from stepsched.workflows import WorkflowRunStatus as RunStatus
from stepsched.workflows.decisions import Advance, Failure, advance, after_failure
from stepsched.workflows.restarts import plan_restart, skip_plan

T0 = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
Outcome: TypeAlias = Literal["ok", "job", "platform", "stopped"]
"""What an attempt does: it succeeds, fails, is taken away by the platform, or is stopped by somebody."""
Word: TypeAlias = Literal["succeeded", "done", "failed", "is one"]
"""When a step starts; ``is one``: if the output of its first need is 1."""
MAX_LOSSES = 3


class Part(NamedTuple):
    """A step of a scenario."""

    name: str
    needs: tuple[str, ...]
    word: Word
    retries: int
    outcomes: tuple[Outcome, ...]
    """The outcomes of its attempts, counted over all restarts; all further ones succeed."""
    output: int
    """The output of its attempts that succeed."""


class Ask(NamedTuple):
    """What an operator asks of a restart."""

    from_: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    """The steps that count as succeeded, with 1 as their output."""

    def arguments(self) -> dict[str, object]:
        """The arguments of ``restart`` and ``plan_restart``."""
        return {
            "from_": self.from_,
            "only": self.only,
            "skip": self.skip,
            "mark_succeeded": dict.fromkeys(self.marked, 1),
        }


@dataclass(frozen=True)
class Scenario:
    """A graph, the outcomes of its attempts, and the restarts of its run."""

    parts: tuple[Part, ...]
    """The steps in the order of the definition, which need not be that of their needs."""
    restarts: tuple[Ask, ...] = ()
    stops: bool = False
    """Whether the run stops at the first failure. Then what runs depends on the order of events, and
    :func:`expected` does not apply."""

    def workflow(
        self, target: Callable[[str], ss.Target], *, name: str = "random", delay: timedelta = timedelta()
    ) -> ss.Workflow:
        """The graph with a target for each name of a step, and a delay before each retry."""
        return ss.Workflow(
            name,
            steps=[
                ss.Step(
                    part.name,
                    target=target(part.name),
                    needs=part.needs,
                    when=Condition(step=part.needs[0], value=1) if part.word == "is one" else When(part.word),
                    retry=ss.Retry(max_attempts=part.retries, interval=delay),
                )
                for part in self.parts
            ],
            on_failure="stop" if self.stops else "continue",
        )

    def outcome(self, name: str, attempt: int) -> Outcome:
        """What an attempt of a step does; the first attempt is 1."""
        outcomes = next(part.outcomes for part in self.parts if part.name == name)
        return outcomes[attempt - 1] if attempt <= len(outcomes) else "ok"


def random_scenario(
    random: Random,
    *,
    most_steps: int = 9,
    most_restarts: int = 5,
    outcomes: tuple[Outcome, ...] = ("job", "job", "platform", "stopped"),
    stops: bool = False,
) -> Scenario:
    """A random scenario; the same for the same state of ``random``."""
    names = [f"s{number}" for number in range(random.randint(1, most_steps))]
    parts = [_random_part(random, name, names[:place], outcomes) for place, name in enumerate(names)]
    random.shuffle(parts)
    restarts = tuple(_random_ask(random, names) for _ in range(random.randint(0, most_restarts)))
    return Scenario(tuple(parts), restarts, stops)


def _random_part(random: Random, name: str, above: list[str], outcomes: tuple[Outcome, ...]) -> Part:
    needs = random.sample(above, min(len(above), random.choice((0, 1, 1, 2, 2, 3))))
    word: Word = "succeeded"
    if needs and random.random() < 0.35:
        word = random.choice(("done", "failed", "is one"))
    bad = random.choice((0, 0, 0, 1, 1, 2, 3, 6))
    script: list[Outcome] = [random.choice((*outcomes, "ok")) for _ in range(bad)]
    return Part(name, tuple(needs), word, random.choice((0, 0, 1, 2)), tuple(script), random.randint(0, 1))


def _random_ask(random: Random, names: list[str]) -> Ask:
    def some(share: float) -> tuple[str, ...]:
        return (
            tuple(random.sample(names, random.randint(1, min(2, len(names)))))
            if random.random() < share
            else ()
        )

    if random.random() < 0.5:
        return Ask()
    if random.random() < 0.3:
        return Ask(only=some(1), skip=some(0.2), marked=some(0.2))
    return Ask(from_=some(0.5), skip=some(0.3), marked=some(0.3))


# -- what must come of it: sets of names, and rules that are applied until nothing changes ---------------


@dataclass
class Expectation:
    """The run after its start or after a restart."""

    statuses: dict[str, str]
    calls: dict[str, int]
    """How often each step was called so far, in all restarts."""
    status: str
    refused: bool = False
    """Whether the restart was refused, so that nothing has changed."""
    ran: frozenset[str] = frozenset()
    """The steps that were called since the restart."""


@dataclass
class _World:
    parts: dict[str, Part]
    statuses: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int | None] = field(default_factory=dict)


BROKEN = {"failed", "upstream_failed", "cancelled"}
DONE = {"succeeded", "skipped"}


def expected(scenario: Scenario) -> list[Expectation]:
    """What must come of the start and of every restart."""
    world = _World({part.name: part for part in scenario.parts})
    world.calls = dict.fromkeys(world.parts, 0)
    found = [_settle(world, set(world.parts))]
    for ask in scenario.restarts:
        todo = _asked(world, ask)
        if todo is None:
            found.append(Expectation(dict(world.statuses), dict(world.calls), _whole(world), refused=True))
        else:
            found.append(_settle(world, todo))
    return found


def _descendants(parts: Mapping[str, Part], roots: Iterable[str]) -> set[str]:
    found = set(roots)
    while True:
        more = {name for name, part in parts.items() if found & set(part.needs)} - found
        if not more:
            return found
        found |= more


def _asked(world: _World, ask: Ask) -> set[str] | None:
    """The steps that are pending after a restart; None if it is refused. Applies ``skip`` and ``mark``."""
    named = [*ask.from_, *ask.only, *ask.skip, *ask.marked]
    if len(set(named)) < len(named) or (ask.from_ and ask.only):
        return None
    statuses, outputs = dict(world.statuses), dict(world.outputs)
    for name in ask.skip:
        if statuses[name] != "succeeded":
            statuses[name], outputs[name] = "skipped", None
    for name in ask.marked:
        statuses[name], outputs[name] = "succeeded", 1
    fixed = {*ask.skip, *ask.marked}
    if ask.only:
        todo = set(ask.only)
        if not all(_can_start(world.parts[name], statuses, outputs, todo) for name in todo):
            return None
    else:
        todo = _to_run(world.parts, statuses, outputs, set(ask.from_), fixed)
    world.statuses = {name: status for name, status in statuses.items() if name not in todo}
    world.outputs = {name: output for name, output in outputs.items() if name not in todo}
    return todo


def _to_run(
    parts: Mapping[str, Part],
    statuses: Mapping[str, str],
    outputs: Mapping[str, int | None],
    named: set[str],
    fixed: set[str],
) -> set[str]:
    anew = _descendants(parts, named) - fixed  # whose earlier success does not count
    todo = anew | {name for name, status in statuses.items() if status in BROKEN} - fixed
    free = {name for name, status in statuses.items() if status != "skipped"} - fixed
    while True:
        more = {name for name in free - anew if set(parts[name].needs) & anew}
        for name in free - todo:
            after = bool(set(parts[name].needs) & todo)
            if statuses[name] == "unmet" and (after or not _is_unmet(parts[name], statuses, outputs)):
                todo.add(name)
                break
            if statuses[name] == "succeeded" and after and parts[name].word in ("done", "failed"):
                more.add(name)
        else:
            if not more:
                return todo
        anew |= more
        todo |= more


def _is_unmet(part: Part, statuses: Mapping[str, str], outputs: Mapping[str, int | None]) -> bool:
    words = {statuses[need] for need in part.needs}
    if part.word == "failed":
        return not words & BROKEN
    if part.word == "done" or words & BROKEN:
        return False
    return "unmet" in words or (part.word == "is one" and not _is_one(part, statuses, outputs))


def _can_start(
    part: Part, statuses: Mapping[str, str], outputs: Mapping[str, int | None], todo: set[str]
) -> bool:
    ended = {need: statuses[need] for need in part.needs if need not in todo}
    if part.word == "done":
        return True
    if part.word == "failed":
        return len(ended) < len(part.needs) or bool(BROKEN & set(ended.values()))
    if not set(ended.values()) <= DONE:
        return False
    waits = len(ended) < len(part.needs)
    return waits or part.word != "is one" or _is_one(part, statuses, outputs)


def _is_one(part: Part, statuses: Mapping[str, str], outputs: Mapping[str, int | None]) -> bool:
    return statuses[part.needs[0]] == "succeeded" and outputs[part.needs[0]] == 1


def _settle(world: _World, todo: set[str]) -> Expectation:
    ran = set[str]()
    left = set(todo)
    while left:
        ready = {name for name in left if not left & set(world.parts[name].needs)}
        assert ready, "a cycle"
        for name in ready:
            if _fate(world, name):
                ran.add(name)
        left -= ready
    return Expectation(dict(world.statuses), dict(world.calls), _whole(world), ran=frozenset(ran))


def _fate(world: _World, name: str) -> bool:
    """Settles one step; returns whether it was called."""
    part = world.parts[name]
    words = {world.statuses[need] for need in part.needs}
    world.outputs[name] = None
    if part.word in ("succeeded", "is one") and words & BROKEN:
        world.statuses[name] = "upstream_failed"
    elif _is_unmet(part, world.statuses, world.outputs):
        world.statuses[name] = "unmet"
    else:
        _call(world, part)
        return True
    return False


def _call(world: _World, part: Part) -> None:
    faults = {"job": part.retries, "platform": MAX_LOSSES, "stopped": 0}
    while True:
        world.calls[part.name] += 1
        number = world.calls[part.name]
        outcome = part.outcomes[number - 1] if number <= len(part.outcomes) else "ok"
        if outcome == "ok":
            world.statuses[part.name], world.outputs[part.name] = "succeeded", part.output
            return
        faults[outcome] -= 1
        if faults[outcome] < 0:
            world.statuses[part.name] = "failed"
            return


def _whole(world: _World) -> str:
    words = set(world.statuses.values())
    if "cancelled" in words:
        return "cancelled"
    return "failed" if words & BROKEN else "succeeded"


# -- a player of the pure rules -----------------------------------------------------------------------


class Event(NamedTuple):
    """What happened in a run."""

    what: Literal["start", "end", "left out", "skip", "cancel", "restart", "over"]
    name: str = ""
    status: str = ""
    """The status before a start, and after anything else."""
    needs: tuple[str, ...] = ()
    """The statuses of the needs at a start."""
    ask: Ask | None = None
    plan: RestartPlan | None = None


class Player:
    """Plays a scenario on ``advance``, ``after_failure``, ``plan_restart`` and ``skip_plan``: the steps end
    in a random order. Everything that happens is in ``events``."""

    def __init__(self, scenario: Scenario, random: Random, *, delay: timedelta = timedelta()) -> None:
        self.scenario = scenario
        self.random = random
        self.now = T0
        self.flow = scenario.workflow(lambda name: ss.CommandTarget(["true", name]), delay=delay)
        self.run = WorkflowRun(
            workflow=self.flow.name,
            id="r1",
            status=RunStatus.RUNNING,
            version=1,
            started_at=T0,
            steps=tuple(StepRun(name=step.name) for step in self.flow.steps),
        )
        self.calls = dict.fromkeys(self.flow.by_name, 0)
        self.events = list[Event]()
        self._seen: dict[str, StepRun] = {}
        self._startable: set[str] = set()

    def play(self, *, disturb: Callable[[Player], None] | None = None) -> None:
        """Plays until the run has ended.

        Args:
            disturb: Called after each event, such as an operator who skips or cancels. None: nobody does.
        """
        while not self.run.status.has_ended:
            self.tick()
            if disturb is not None and not self.run.status.has_ended:
                disturb(self)

    def tick(self) -> None:
        """Plays one round of decisions, and then the end of one running step."""
        self.now += timedelta(seconds=1)
        found = advance(self.flow, self.run.by_name, self.now)
        self._compare_with_changed(found)
        changed = dict[str, StepRun]()
        state = self.run.by_name
        for left in found.left_out:
            changed[left.name] = state[left.name].model_copy(
                update={
                    "status": left.status,
                    "caused_by": left.caused_by,
                    "reason": left.reason,
                    "ended_at": self.now,
                }
            )
            self.events.append(Event("left out", left.name, left.status))
        if found.status is not None:
            self.run = self.run.with_steps(changed).model_copy(
                update={"status": found.status, "ended_at": self.now}
            )
            self.events.append(Event("over", status=found.status))
            self._remember()
            return
        running = [name for name, step in state.items() if step.status is StepStatus.RUNNING]
        starts = [name for name in found.starts if self.random.random() < 0.7]
        if found.starts and not running and not starts:
            starts = [found.starts[0]]
        if not starts and not running:
            assert found.wakes_at is not None or found.left_out, "the run hangs"
            self.now = max(self.now, found.wakes_at or self.now)
        for name in starts:
            changed[name] = state[name].model_copy(
                update={
                    "status": StepStatus.RUNNING,
                    "attempt": state[name].attempt + 1,
                    "started_at": self.now,
                }
            )
            self.calls[name] += 1
            needs = tuple(str({**state, **changed}[need].status) for need in self.flow.needs[name])
            self.events.append(Event("start", name, state[name].status, needs))
        self.run = self.run.with_steps(changed)
        self._remember()
        running += starts
        if running and self.random.random() < 0.8:
            self._end(self.random.choice(running))

    def _compare_with_changed(self, found: Advance) -> None:
        """Looking at what has changed since the last call finds the same starts and steps that are left out,
        but for those that were found before and have not started yet."""
        state = self.run.by_name
        changed = [name for name, step in state.items() if self._seen.get(name) != step]
        part = advance(self.flow, state, self.now, changed=changed)
        assert part.left_out == found.left_out
        assert part.status == found.status
        assert set(part.starts) <= set(found.starts)
        assert set(found.starts) - self._startable <= set(part.starts)
        self._startable = set(found.starts)

    def _remember(self) -> None:
        """Remembers what the next call of ``advance`` need not look at: all but what waits for an instant."""
        self._seen = {name: step for name, step in self.run.by_name.items() if step.retry_at is None}

    def _end(self, name: str) -> None:
        step = self.run.by_name[name]
        outcome = self.scenario.outcome(name, step.attempt)
        if outcome == "ok":
            output = next(part.output for part in self.scenario.parts if part.name == name)
            update = {"status": StepStatus.SUCCEEDED, "output": json.dumps(output), "ended_at": self.now}
            ended = step.model_copy(update=update)
        else:
            failure = Failure(FailureKind(outcome), "it failed", self.now)
            ended = after_failure(self.flow.by_name[name], step, failure)
        self.events.append(Event("end", name, ended.status))
        self.run = self.run.with_steps({name: ended})

    def cancel(self) -> None:
        """Cancels the run, as a backend does: the rules decide its status if all steps have ended."""
        cancelled = {
            step.name: step.model_copy(update={"status": StepStatus.CANCELLED, "ended_at": self.now})
            for step in self.run.steps
            if not step.status.has_ended
        }
        if not cancelled:
            return  # it is about to end
        self.run = self.run.with_steps(cancelled).model_copy(
            update={"status": RunStatus.CANCELLED, "ended_at": self.now}
        )
        self.events += [Event("cancel"), Event("over", status="cancelled")]

    def skip(self, name: str) -> RestartPlan:
        """Skips a step of the run, whether it has ended or not."""
        plan = skip_plan(self.flow, self.run, name, "not needed", now=self.now)
        self.run = self.run.with_steps({each.name: each.after for each in plan.changes})
        self.events.append(Event("skip", name, plan=plan))
        return plan

    def restart(self, ask: Ask) -> RestartPlan:
        """Restarts the run, whether it has ended or not.

        Raises:
            ValueError: The plan is refused.
        """
        plan = plan_restart(
            self.flow,
            self.run,
            from_=ask.from_,
            only=ask.only,
            skip=ask.skip,
            mark_succeeded=dict.fromkeys(ask.marked, 1),
            now=self.now,
        )
        self.run = self.run.with_steps({each.name: each.after for each in plan.steps}).model_copy(
            update={"status": RunStatus.RUNNING, "ended_at": None, "restarts": self.run.restarts + 1}
        )
        self.events.append(Event("restart", ask=ask, plan=plan))
        return plan

    def statuses(self) -> dict[str, str]:
        """The statuses of the steps by name."""
        return {step.name: str(step.status) for step in self.run.steps}
