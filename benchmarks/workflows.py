"""What planning a job graph of 1,000 steps costs, beside the peers, in one run.

    pip install . networkx doit luigi && python benchmarks/workflows.py

networkx is a library of graphs: it knows names and edges, and nothing of jobs. doit and luigi are planners of
tasks. A peer that is not installed is left out. Prints Markdown to the standard output and its progress to
the standard error. All figures are CPU time: the best of several rounds in which the contenders take turns.
``--quick`` takes fewer and shorter rounds, to see that everything works.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from measuring import (
    FULL,
    QUICK,
    Contender,
    Effort,
    Target,
    Timing,
    duration,
    measure,
    progress,
    table,
    times,
)

import stepsched as ss
from stepsched.workflows import StepRun, StepStatus, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.decisions import advance
from stepsched.workflows.restarts import plan_restart

STEPS = 1_000
NOW = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
NEEDS: dict[str, tuple[str, ...]] = {
    f"step-{number}": tuple(f"step-{number - back}" for back in (1, 7, 31, 100, 333) if number >= back)
    for number in range(STEPS)
}
"""About five needs a step, as data pipelines have them."""
NAMES = tuple(NEEDS)


def steps() -> list[ss.Step]:
    target = ss.BatchTarget("etl:1", job_queue="nightly")
    return [
        ss.Step(name, target=target, needs=needs, input={"day": "today"}) for name, needs in NEEDS.items()
    ]


def planned() -> ss.Workflow:
    flow = ss.Workflow("nightly", steps=steps())
    assert flow.order == NAMES
    assert len(flow.critical_path()) == STEPS
    return flow


FLOW = planned()
PENDING = {name: StepRun(name=name) for name in NAMES}
HALF = {
    name: StepRun(name=name, status=StepStatus.SUCCEEDED if place < STEPS // 2 else StepStatus.PENDING)
    for place, name in enumerate(NAMES)
}
FAILED = WorkflowRun(
    workflow="nightly",
    id="r1",
    status=WorkflowRunStatus.FAILED,
    version=1,
    started_at=NOW,
    steps=tuple(
        step.model_copy(update={"status": StepStatus.UPSTREAM_FAILED}) if step.status == "pending" else step
        for step in HALF.values()
    ),
)


def once(act: Callable[[], object]) -> Contender:
    def contender(_: int) -> int:
        act()
        return 1

    return contender


def peers() -> dict[str, Any]:
    """The modules of the peers that are installed."""
    names = ("networkx", "doit", "luigi")
    found = {name: import_module(name) for name in names if find_spec(name) is not None}
    for name in names:
        if name not in found:
            progress(f"{name} is not installed")
    return found


# -- the peers, each asked in its own best way -----------------------------------------------------


def networkx_planned(networkx: Any) -> Any:
    graph = networkx.DiGraph()
    graph.add_nodes_from(NAMES)
    graph.add_edges_from((need, name) for name, needs in NEEDS.items() for need in needs)
    assert networkx.is_directed_acyclic_graph(graph)
    assert len(list(networkx.topological_sort(graph))) == STEPS
    assert len(networkx.dag_longest_path(graph)) == STEPS
    return graph


def doit_planned(_: Any) -> None:
    task, control = import_module("doit.task"), import_module("doit.control")
    tasks = [task.Task(name, None, task_dep=list(needs)) for name, needs in NEEDS.items()]
    planner = control.TaskControl(tasks)
    planner.process(None)
    ordered = 0
    for node in planner.task_dispatcher().generator:
        node.run_status = "successful"
        ordered += 1
    assert ordered == STEPS


def luigi_planned(_: Any) -> Any:
    scheduler = import_module("luigi.scheduler").Scheduler(prune_on_get_work=False)
    for name, needs in NEEDS.items():
        scheduler.add_task(worker="w", task_id=name, deps=list(needs))
    assert scheduler.get_work(worker="w")["task_id"] == NAMES[0]
    return scheduler


PLANNERS = {"networkx": networkx_planned, "doit": doit_planned, "luigi": luigi_planned}


def follows_with_luigi(_: Any) -> Contender:
    """One task after the other ends, and the next is asked for."""
    modules: list[Any] = []

    def contender(number: int) -> int:
        if number == 0 or not modules:
            modules[:] = [luigi_planned(None), iter(NAMES)]
        scheduler, names = modules
        done = 0
        for name, _place in zip(names, range(10), strict=False):
            scheduler.add_task(worker="w", task_id=name, status="DONE")
            scheduler.get_work(worker="w")
            done += 1
        return done

    return contender


# -- the report ------------------------------------------------------------------------------------


def row(what: str, timings: dict[str, Timing], known: list[str]) -> list[str]:
    own = timings["stepsched"].best
    cells = [
        f"{duration(timings[name].best)} ({times(timings[name].best / own)})" if name in timings else "-"
        for name in known
    ]
    return [what, duration(own), *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    effort: Effort = QUICK if parser.parse_args().quick else FULL
    found = peers()
    known = list(found)
    rows: list[list[str]] = []

    progress("planned")
    contenders = {"stepsched": once(planned)}
    contenders |= {name: once(lambda name=name: PLANNERS[name](found[name])) for name in known}  # type: ignore[misc]
    plan = measure(contenders, effort)
    rows.append(row("made, checked, in order, critical path", plan, known))

    progress("what follows")
    contenders = {"stepsched": once(lambda: advance(FLOW, HALF, NOW, changed=[NAMES[STEPS // 2 - 1]]))}
    if "luigi" in found:
        contenders["luigi"] = follows_with_luigi(found["luigi"])
    rows.append(row("one step has ended: what starts", measure(contenders, effort), known))
    rows.append(
        row(
            "all steps looked at: what starts",
            measure({"stepsched": once(lambda: advance(FLOW, PENDING, NOW))}, effort),
            known,
        )
    )

    progress("restart")
    restart = measure({"stepsched": once(lambda: plan_restart(FLOW, FAILED))}, effort)
    rows.append(row("plan of a restart, with reasons", restart, known))
    written = measure(
        {"stepsched": once(lambda: ss.Workflow.model_validate_json(FLOW.model_dump_json()))}, effort
    )
    rows.append(row("written as JSON and read again", written, known))

    versions = ", ".join(f"{name} {version(name)}" for name in known)
    print(f"Python {platform.python_version()}, stepsched {ss.__version__}, {versions or 'no peers'}\n")
    print(f"{STEPS:,} steps with {sum(map(len, NEEDS.values())):,} needs:\n")
    print(table(["", "stepsched", *known], rows))
    total = plan["stepsched"].best + restart["stepsched"].best
    target = Target("1,000 steps planned in under a second", duration(total), met=total < 1)
    print(f"\n{target.promise}: {target.measured} ({'met' if target.met else 'missed'})")


if __name__ == "__main__":
    main()
