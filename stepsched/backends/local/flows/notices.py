"""What the topic of a workflow is told about the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from stepsched.workflows.histories import facts, known_texts
from stepsched.workflows.model import Workflow
from stepsched.workflows.records import WorkflowRun


def notice(workflow: Workflow, run: WorkflowRun, failed: Sequence[str]) -> dict[str, JsonValue]:
    """Returns the message about a run that has ended.

    Args:
        workflow: The definition, whose ``notification`` says the form.
        run: The run.
        failed: The names of the steps that have failed.

    Returns:
        The JSON object; in the form ``batch-scheduler`` the texts for ``default``, ``sms`` and ``email``.
    """
    if workflow.notification == "json":
        return facts(run, failed)
    text, sms = known_texts(workflow, run)
    return {"default": text, "sms": sms, "email": text}
