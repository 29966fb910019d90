"""States that call the register from a state machine of the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stepsched.cdk.arns import resolved_in
from stepsched.jobs import Job
from stepsched.machines.literals import literal

Registering = Callable[[Job], dict[str, Any]]
"""Gives the literal of a job for the register of a scheduler, which may then invoke what the job names."""
NULL = sfn.JsonPath.DISCARD
"""A null in a definition: the CDK leaves out what is None."""
JSON_PATH, JSONATA = sfn.QueryLanguage.JSON_PATH, sfn.QueryLanguage.JSONATA


def with_nulls(value: Any) -> Any:
    """A copy of JSON in which the CDK keeps what is null."""
    match value:
        case None:
            return NULL
        case dict():
            return {key: with_nulls(item) for key, item in value.items()}
        case list():
            return [with_nulls(item) for item in value]
    return value


def register_task(
    scope: Construct,
    id: str,  # noqa: A002 -- the name that every construct gives it
    register: sfn.IStateMachine,
    content: sfn.TaskInput,
    language: sfn.QueryLanguage,
    options: Mapping[str, Any],
) -> sfn.TaskStateBase:
    """A task that starts the register, waits for its end, and fails with its error.

    The state machine that contains the task is allowed to do so.
    """
    return tasks.StepFunctionsStartExecution(
        scope,
        id,
        state_machine=register,
        input=content,
        integration_pattern=sfn.IntegrationPattern.RUN_JOB,
        associate_with_parent=False,
        query_language=language,
        **options,
    )


class ScheduledTask:
    """Makes states of one kind for the state machines of the app."""

    def __init__(self, register: sfn.IStateMachine, action: str | None, registration_of: Registering) -> None:
        self._register, self._action, self._registration_of = register, action, registration_of

    def state(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        payload: Mapping[str, Any] | None = None,
        job: Job | None = None,
        query_language: sfn.QueryLanguage = JSON_PATH,
        input_path: str | None = None,
        result_path: str | None = None,
        result_selector: Mapping[str, Any] | None = None,
        output_path: str | None = None,
        outputs: Any = None,
        failure_state: sfn.IChainable | None = None,
        **retry: Any,
    ) -> sfn.TaskStateBase:
        """A state that calls the register. It fails with an error of the register, such as
        ``Stepsched.InvalidSchedule``, and one sentence as its cause.

        Args:
            scope: The scope of the state.
            id: The name of the state.
            payload: The input of the register, such as ``{"name.$": "$.name", "schedule.$": "$.cron"}``; see
                docs/register.md. None: the input of the state; to read or delete, its ``name``.
            job: A job with the target and the policies of the jobs that are created. None: the payload holds
                a ``registration``, or a ``state_machine`` with its ``arn`` and ``input``.
            query_language: The query language of the state: that of its state machine.
            input_path: The ``InputPath`` of the state.
            result_path: The ``ResultPath`` of the state. The result is that of ``startExecution.sync:2``: the
                answer of the register is its ``Output``. None: the output of the state is the answer, unless
                ``result_selector`` or ``output_path`` is given.
            result_selector: The ``ResultSelector`` of the state.
            output_path: The ``OutputPath`` of the state.
            outputs: With JSONata, the ``Output`` of the state. None: the answer of the register.
            failure_state: The state that follows a failure, with the error at ``$.statesError``. None: the
                execution fails.
            retry: The retries, as for ``add_retry``: ``errors``, ``interval``, ``max_attempts``,
                ``backoff_rate``. None is given: there are none.

        Raises:
            UnsupportedError: The scheduler cannot run the job.
        """
        is_jsonata = query_language is JSONATA
        options: dict[str, Any] = {"outputs": "{% $states.result.Output %}" if outputs is None else outputs}
        if not is_jsonata:
            is_plain = result_path is None and result_selector is None and output_path is None
            options = {
                "input_path": input_path,
                "result_path": result_path,
                "result_selector": result_selector,
                "output_path": "$.Output" if is_plain else output_path,
            }
        content = self._content(payload, job, is_jsonata=is_jsonata)
        task = register_task(scope, id, self._register, content, query_language, options)
        if retry:
            task.add_retry(**retry)
        if failure_state is not None:
            path = {} if is_jsonata else {"result_path": "$.statesError"}
            task.add_catch(failure_state, errors=["States.ALL"], **path)
        return task

    def _content(
        self, payload: Mapping[str, Any] | None, job: Job | None, *, is_jsonata: bool
    ) -> sfn.TaskInput:
        if payload is None and self._action is None and job is None:
            whole = sfn.TaskInput.from_text("{% $states.input %}")
            return whole if is_jsonata else sfn.TaskInput.from_json_path_at("$")
        if payload is None:
            names = ("name",) if self._action else ("name", "schedule", "input")
            payload = {
                name if is_jsonata else f"{name}.$": f"{{% $states.input.{name} %}}"
                if is_jsonata
                else f"$.{name}"
                for name in names
            }
        literal = (
            {}
            if job is None
            else {"registration": literal_of(self._registration_of, job, is_jsonata=is_jsonata)}
        )
        action = {} if self._action is None else {"action": self._action}
        return sfn.TaskInput.from_object(with_nulls({**payload, **action, **literal}))


def literal_of(registration_of: Registering, job: Job, *, is_jsonata: bool) -> dict[str, Any]:
    """The registration of a job as data in the definition of a state machine, which evaluates none of it.

    Raises:
        ValueError: A key ends in ``.$``, which JSONPath would evaluate.
    """
    found = registration_of(job)
    if is_jsonata:
        # An escape would break a token of the CDK, so the tokens come last.
        found = literal(found, {})
    else:
        _refuse_paths(found)
    written: dict[str, Any] = resolved_in(found)
    return written


def _refuse_paths(value: Any) -> None:
    match value:
        case dict():
            for key, item in value.items():
                if key.endswith(".$"):
                    raise ValueError(
                        f"expected no key that ends in '.$' in the job, got {key!r}: JSONPath would evaluate "
                        "it; rename it, or use query_language=QueryLanguage.JSONATA"
                    )
                _refuse_paths(item)
        case list():
            for item in value:
                _refuse_paths(item)
