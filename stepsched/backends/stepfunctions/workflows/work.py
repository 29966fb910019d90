"""Ends the work of steps that an operator has skipped or cancelled while they ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepsched.aws.sdk import Closed, camel_case, mapped
from stepsched.backends.stepfunctions.rows import key
from stepsched.backends.stepfunctions.service import DISABLED, Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.rows import hidden_job
from stepsched.core.errors import BackendError
from stepsched.machines.shared import table_schema as schema
from stepsched.targets import BatchTarget
from stepsched.workflows import Step, StepRun
from stepsched.workflows.machine.names import batch_job_name, runner_execution_name

_GONE = ("ClientException",)
"""The error codes of AWS Batch for a job, or a queue, that it does not know."""


class Work:
    """The jobs of AWS Batch and the executions of the runner that do the work of steps."""

    def __init__(self, table: Table, runner: Executions, connect: Callable[[], Any]) -> None:
        """The work of the steps of a table.

        Args:
            table: The table.
            runner: The executions of the runner.
            connect: Makes the client of AWS Batch, when it is first used.
        """
        self._table = table
        self._runner = runner
        self._connect = connect
        self._client: Any = None

    def close(self) -> None:
        """Closes the connections; closing again has no effect."""
        if self._client is not None:
            self._client.close()
        self._client = Closed("batch")

    def end(self, workflow: str, run_id: str, step: Step, state: StepRun, reason: str) -> bool:
        """Ends the work of a step. No effect if it has ended.

        Args:
            workflow: The name of the workflow.
            run_id: The ID of the run.
            step: The definition of the step.
            state: The record of the step.
            reason: Why, in words.

        Returns:
            Whether the work was found. False: nothing has been started yet, or it is not visible yet.
        """
        if isinstance(step.target, BatchTarget):
            return self._end_batch_jobs(workflow, run_id, step, step.target, state, reason)
        return self._end_executions(workflow, run_id, step, state, reason)

    def _end_batch_jobs(
        self, workflow: str, run_id: str, step: Step, target: BatchTarget, state: StepRun, reason: str
    ) -> bool:
        if state.job_id is not None:
            ids = [state.job_id]
        else:
            name = batch_job_name(workflow, run_id, step.name, state.attempt, base=target.job_name)
            ids = self._find_batch_jobs(target.job_queue, name)
        for job_id in ids:
            try:
                self._call("terminate_job", jobId=job_id, reason=reason)
            except BackendError as error:  # noqa: PERF203 -- each job may be gone
                if error.code not in _GONE:
                    raise
        return bool(ids)

    def _find_batch_jobs(self, queue: str, name: str) -> list[str]:
        """The IDs of the jobs with a name in a queue.

        https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
        """
        request: dict[str, Any] = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}
        found = list[str]()
        while True:
            try:
                page = self._call("list_jobs", **request)
            except BackendError as error:
                if error.code not in _GONE:
                    raise
                return found
            found += [
                each["jobId"] for each in page.get("jobSummaryList", ()) if each.get("jobName", name) == name
            ]
            if not page.get("nextToken"):
                return found
            request["nextToken"] = page["nextToken"]

    def _end_executions(self, workflow: str, run_id: str, step: Step, state: StepRun, reason: str) -> bool:
        """Stops the execution of the runner for a step, and deletes the job as which it ran: an execution
        that starts later finds nothing to run."""
        name = runner_execution_name(workflow, run_id, step.name, state.attempt)
        arns = dict.fromkeys([state.job_id or self._runner.arn(name), self._runner.arn(name)])
        is_found = any(self._runner.find(arn) is not None for arn in arns)
        for arn in arns:
            self._runner.stop(arn, DISABLED, reason)
        hidden = hidden_job(workflow, run_id, step.name)
        self._table.delete_rows([key(hidden), *map(_key_of, self._table.query(hidden, keys_only=True))])
        return is_found

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("batch", camel_case(operation)):
            if self._client is None:
                self._client = self._connect()
            return getattr(self._client, operation)(**arguments)


def _key_of(item: Any) -> dict[str, Any]:
    return {part: item[part] for part in (schema.NAME, schema.VERSION)}
