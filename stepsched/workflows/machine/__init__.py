"""Workflows on Step Functions: one state machine in JSONata that drives their runs, without a Lambda
function."""

from __future__ import annotations

from stepsched.workflows.machine.driver import workflow_machine
from stepsched.workflows.machine.instructions import graph_of, step_instructions

__all__ = ["graph_of", "step_instructions", "workflow_machine"]
