"""The driver of one workflow, whose definition is data of the machine and not read from the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepsched.asl.machine import StateMachine
from stepsched.asl.rules import Condition
from stepsched.asl.states import Choice, Pass, State
from stepsched.core.payloads import to_json
from stepsched.machines.literals import literal, quoted
from stepsched.workflows.machine.driver import begin, counted, states_of
from stepsched.workflows.machine.instructions import graph_of, step_instructions
from stepsched.workflows.machine.names import definition_digest
from stepsched.workflows.machine.polling import PollTasks
from stepsched.workflows.machine.starting import plan_variables
from stepsched.workflows.machine.tables import run_id
from stepsched.workflows.model import Workflow

MAX_PLANS = 200_000
"""The maximum size of the instructions of all steps, in bytes, that are data of the machine: AWS bounds a
variable at 256 KiB."""
_OF_THE_RUNNER = ("Claim run", "Start run", "Start again", "Runs", "Read outcome", "Execution")


def embedded_machine(workflow: Workflow, *, table_name: str, runner_arn: str | None) -> StateMachine:
    """The driver of one workflow.

    Args:
        workflow: The definition.
        table_name: The table of the runs.
        runner_arn: The machine that runs the steps that are not on AWS Batch. None: there are none.

    Raises:
        ValueError: AWS cannot run a step exactly, or the definition is too large.
    """
    plans = {step.name: _plan(workflow, step.name) for step in workflow.steps}
    size = len(to_json(dict(plans)).encode())
    if size > MAX_PLANS:
        raise ValueError(
            f"its inputs and targets have {size:,} bytes, more than the {MAX_PLANS:,} of one machine; use "
            "the machine of a stack, which reads them from its table"
        )
    tasks = PollTasks(table_name, "" if runner_arn is None else runner_arn, "aws")
    states = states_of(tasks)
    states |= _definition_states(workflow, plans)
    del states["Is there a definition?"]
    states["Begin"] = begin(tasks.runner_arn, workflow.name)
    first = states["Which run?"]
    assert isinstance(first, Choice)
    name = Condition(condition=f"{{% $wf != {quoted(workflow.name)} %}}").then("Not found")
    states["Which run?"] = first.replace(choices=(name, *first.choices))
    if runner_arn is None:
        states = _without(states, _OF_THE_RUNNER)
    title = f"stepsched: runs the workflow {workflow.name}"
    return StateMachine(comment=title, query_language="JSONata", start_at="Begin", states=counted(states))


def _plan(workflow: Workflow, name: str) -> dict[str, Any]:
    try:
        return step_instructions(workflow, workflow.by_name[name])
    except ValueError as error:
        raise ValueError(f"step {name!r}: {error}") from error


def _definition_states(workflow: Workflow, plans: Mapping[str, Any]) -> dict[str, State]:
    graph = json.loads(graph_of(workflow))
    return {
        "Find": Pass(
            assign={"version": 1, "run": f"{{% {run_id()} %}}"},
            output={},
            next="Read definition",
        ),
        "Read definition": Pass(
            comment="The graph of the workflow, as data",
            assign={"graph": literal(graph, {}), "digest": definition_digest(workflow)},
            output={},
            next="Read instructions",
        ),
        "Read instructions": Pass(
            comment="The instructions of its steps, as data",
            assign={"plans": literal(dict(plans), {})},
            output={},
            next="Read names",
        ),
        "Start": Pass(
            comment="The instructions of the step",
            assign=plan_variables("$lookup($plans, $queue[0].n)"),
            output={},
            next="Can it start?",
        ),
    }


def _without(states: Mapping[str, State], names: tuple[str, ...]) -> dict[str, State]:
    """The states without some, and without the rules that lead to them."""
    kept = dict[str, State]()
    for name, state in states.items():
        if name in names:
            continue
        kept[name] = state
        if isinstance(state, Choice):
            rules = tuple(rule for rule in state.choices if rule.next not in names)
            kept[name] = state.replace(choices=rules)
    return kept
