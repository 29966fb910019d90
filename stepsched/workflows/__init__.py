"""Job graphs: steps with needs, their runs and restarts.

- :class:`Workflow`, :class:`Step`, :class:`When`, :class:`Condition`: the model
- :func:`output_of`, :func:`input_of`: references in the inputs of steps
- :func:`load_workflows`: files of workflows
- :class:`WorkflowRun`, :class:`StepRun`, :class:`RestartPlan`: what :class:`WorkflowClient` returns, and
  :class:`WorkflowRuns`, :class:`WorkflowVersions`: lists of it
"""

from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.files import load_workflows
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.records import (
    FailureKind,
    RestartAction,
    RestartPlan,
    StepPlan,
    StepRun,
    StepStatus,
    WorkflowRun,
    WorkflowRunStatus,
    WorkflowVersion,
)
from stepsched.workflows.references import input_of, output_of
from stepsched.workflows.results import WorkflowRuns, WorkflowVersions

__all__ = [
    "Condition",
    "FailureKind",
    "RestartAction",
    "RestartPlan",
    "Step",
    "StepPlan",
    "StepRun",
    "StepStatus",
    "When",
    "Workflow",
    "WorkflowRun",
    "WorkflowRunStatus",
    "WorkflowRuns",
    "WorkflowVersion",
    "WorkflowVersions",
    "input_of",
    "load_workflows",
    "output_of",
]


def __dir__() -> list[str]:
    return __all__
