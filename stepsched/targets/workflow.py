"""The target that runs a workflow."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from stepsched.core.quoting import quoted
from stepsched.core.values import Value
from stepsched.targets.base import TargetValue


def _read_name(value: Any) -> Any:
    if isinstance(value, Value):
        name = quoted(getattr(value, "name", "nightly"))
        raise ValueError(f"expected the name of a workflow, got a {type(value).__name__}; use {name}")  # noqa: TRY004 -- pydantic collects ValueError
    return value


class WorkflowTarget(TargetValue, frozen=True):
    """Runs a workflow that is stored in the backend. The run of the job ends when that of the workflow does.

    The job's input is the input of the workflow's run; ``{}`` means that of its definition. Every further
    attempt restarts the workflow where it failed, and so does ``redrive``. Only ``redrive`` restarts one that
    was cancelled.
    """

    kind: Literal["workflow"] = "workflow"
    workflow: Annotated[str, BeforeValidator(_read_name)] = Field(min_length=1, max_length=256, strict=True)
    """The name of the workflow, as :meth:`WorkflowClient.put` or ``start`` has stored it."""

    def __init__(self, workflow: str, *, kind: Literal["workflow"] = "workflow") -> None:
        self._assign(workflow=workflow, kind=kind)
