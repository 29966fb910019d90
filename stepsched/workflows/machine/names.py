"""Names that the driver of a run gives to what it starts: pure functions of the workflow, run, step and
attempt.

The driver computes them in JSONata, the client in Python, so that both find what the other has started.
"""

from __future__ import annotations

import re
from hashlib import sha256

from stepsched.machines.shared.table_schema import WORKFLOW_ROWS
from stepsched.workflows.model import Workflow

BATCH_BASE = 100
"""The maximum length of the first part of a Batch job's name."""
TOKEN_LENGTH = 12


def definition_name(workflow: str, digest: str) -> str:
    """The name of the rows of the steps of a definition. ``=`` is no character of the IDs of runs."""
    return f"{WORKFLOW_ROWS}{workflow}#={digest}"


def definition_digest(workflow: Workflow) -> str:
    """The digest of a definition: 16 hexadecimal digits. Equal definitions have the same."""
    return sha256(workflow.canonical().encode()).hexdigest()[:16]


def attempt_digest(workflow: str, run_id: str, step: str, attempt: int) -> str:
    """The text from which the names of an attempt are made: 64 hexadecimal digits."""
    return sha256(f"{workflow}/{run_id}/{step}/{attempt}".encode()).hexdigest()


def batch_base(name: str) -> str:
    """The first part of a Batch job's name: letters, digits, ``-`` and ``_``, the first a letter or digit."""
    text = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:BATCH_BASE]
    return text if re.match(r"[A-Za-z0-9]", text) else f"job{text}"


def batch_job_name(workflow: str, run_id: str, step: str, attempt: int, *, base: str | None = None) -> str:
    """The name of the Batch job of an attempt, which no other attempt has.

    Args:
        workflow: The name of the workflow.
        run_id: The ID of the run.
        step: The name of the step.
        attempt: The number of the attempt; the first is 1.
        base: The first part of the name. None: the name of the step.
    """
    digest = attempt_digest(workflow, run_id, step, attempt)
    return f"{batch_base(step if base is None else base)}-{digest[:10]}"


def attempt_token(workflow: str, run_id: str, step: str, attempt: int) -> str:
    """The token of the hidden run of an attempt, by which its row is found."""
    return attempt_digest(workflow, run_id, step, attempt)[:TOKEN_LENGTH]


def runner_execution_name(workflow: str, run_id: str, step: str, attempt: int) -> str:
    """The name of the runner's execution for an attempt, which makes its start idempotent."""
    return f"step-{attempt_digest(workflow, run_id, step, attempt)[:40]}"


DIGEST = "$hash($wf & '/' & $run & '/' & $step.n & '/' & $string($attempt), 'SHA-256')"
"""The expression of :func:`attempt_digest` in the driver."""


def batch_name() -> str:
    """The expression of :func:`batch_job_name`."""
    return f"$plan.base & '-' & $substring({DIGEST}, 0, 10)"


def token_of(step: str = "$step.n", attempt: str = "$attempt") -> str:
    """The expression of :func:`attempt_token`."""
    digest = f"$hash($wf & '/' & $run & '/' & {step} & '/' & $string({attempt}), 'SHA-256')"
    return f"$substring({digest}, 0, {TOKEN_LENGTH})"


def execution_of(step: str = "$step.n", attempt: str = "$attempt") -> str:
    """The expression of :func:`runner_execution_name`."""
    digest = f"$hash($wf & '/' & $run & '/' & {step} & '/' & $string({attempt}), 'SHA-256')"
    return f"'step-' & $substring({digest}, 0, 40)"
