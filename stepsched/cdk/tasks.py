"""States that call the register from a state machine of the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
_INPUT = "{% $states.input %}"
_TEXT_OF_INPUT = sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$"))
_ANSWER = {
    **{name: f"{{% $states.input.{name} %}}" for name in ("ExecutionArn", "Name", "Status")},
    "Output": "{% $states.input.Output = 'null' ? null : $parse($states.input.Output) %}",
}
"""The result of ``startSyncExecution`` in the form of ``startExecution.sync:2``."""
_ERROR = (
    "{% $substring($states.input.Error, 0, 10) = 'Stepsched.' ? $states.input.Error : 'Stepsched.Failed' %}"
)
"""The error of the register. Those of the service begin with ``States.``, which a Fail state may not use."""
_CAUSE = (
    "{% $exists($states.input.Cause) ? $states.input.Cause"
    " : 'expected an execution of the register that succeeds, got ' & $states.input.Status %}"
)


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


class RegisterCalls(NamedTuple):
    """How state machines of the app call a register and wait for its answer."""

    register: sfn.IStateMachine
    express: bool

    def state(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        given: Mapping[str, Any] | None,
        language: sfn.QueryLanguage,
        options: Mapping[str, Any],
    ) -> sfn.TaskStateBase | sfn.Parallel:
        """A state that calls the register, and fails if the call fails.

        The state machine that contains it is allowed to do so.

        Args:
            scope: The scope of the state.
            id: The name of the state.
            given: The input of the register. None: the input of the state.
            language: The query language of the state machine.
            options: What becomes of the result, an object with the answer at ``Output``.
        """
        if self.express:
            return self._express(scope, id, given, language, options)
        is_jsonata = language is JSONATA
        whole = sfn.TaskInput.from_text(_INPUT) if is_jsonata else sfn.TaskInput.from_json_path_at("$")
        return tasks.StepFunctionsStartExecution(
            scope,
            id,
            state_machine=self.register,
            input=whole if given is None else sfn.TaskInput.from_object(given),
            integration_pattern=sfn.IntegrationPattern.RUN_JOB,
            associate_with_parent=False,
            query_language=language,
            **options,
        )

    def grant(self, machine: sfn.IStateMachine) -> None:
        """Allows the role of a state machine to call the register and wait for its answer."""
        if self.express:
            self.register.grant_start_sync_execution(machine)
            return
        self.register.grant_start_execution(machine)
        self.register.grant_execution(machine, "states:DescribeExecution", "states:StopExecution")

    def _express(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- as above
        given: Mapping[str, Any] | None,
        language: sfn.QueryLanguage,
        options: Mapping[str, Any],
    ) -> sfn.Parallel:
        """One branch of states, so that a failure of the execution is one of the call: it can be retried and
        caught.

        The service answers also for an execution that has failed, and its input and output are texts.
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
        """
        is_jsonata, given_options = language is JSONATA, dict(options)
        text = "{% $string($states.input) %}" if is_jsonata else _TEXT_OF_INPUT
        start = tasks.CallAwsService(
            scope,
            f"{id} Start",
            service="sfn",
            action="startSyncExecution",
            parameters={"StateMachineArn": self.register.state_machine_arn, "Input": text},
            iam_resources=[self.register.state_machine_arn],
            iam_action="states:StartSyncExecution",
            query_language=language,
        )
        branch = sfn.Chain.start(start)
        if given is not None:
            parameters, outputs = (None, given) if is_jsonata else (given, None)
            first = sfn.Pass(
                scope, f"{id} Input", query_language=language, parameters=parameters, outputs=outputs
            )
            branch = first.next(start)
        failed = sfn.Fail(scope, f"{id} Failed", query_language=JSONATA, error=_ERROR, cause=_CAUSE)
        answer = sfn.Pass(scope, f"{id} Answer", query_language=JSONATA, outputs=_ANSWER)
        if not is_jsonata:
            selector = given_options.get("result_selector")
            if selector is not None:
                answer.next(sfn.Pass(scope, f"{id} Result", query_language=language, parameters=selector))
            names = ("Output",) if selector is None else (key.removesuffix(".$") for key in selector)
            given_options["result_selector"] = {f"{name}.$": f"$[0]['{name}']" for name in names}
        check = sfn.Choice(scope, f"{id} Check", query_language=JSONATA)
        check.when(sfn.Condition.jsonata("{% $states.input.Status = 'SUCCEEDED' %}"), answer)
        check.otherwise(failed)
        call = sfn.Parallel(scope, id, query_language=language, **given_options)
        return call.branch(branch.next(check))


class ScheduledTask:
    """Makes states of one kind for the state machines of the app."""

    def __init__(self, calls: RegisterCalls, action: str | None, registration_of: Registering) -> None:
        self._calls, self._action, self._registration_of = calls, action, registration_of

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
    ) -> sfn.TaskStateBase | sfn.Parallel:
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
            result_path: The ``ResultPath`` of the state. The result is that of the call: the answer of the
                register is its ``Output``. None: the output of the state is the answer, unless
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
        given = self._given(payload, job, is_jsonata=is_jsonata)
        task = self._calls.state(scope, id, given, query_language, options)
        if retry:
            task.add_retry(**retry)
        if failure_state is not None:
            path = None if is_jsonata else "$.statesError"
            task.add_catch(failure_state, errors=["States.ALL"], result_path=path)
        return task

    def _given(
        self, payload: Mapping[str, Any] | None, job: Job | None, *, is_jsonata: bool
    ) -> dict[str, Any] | None:
        if payload is None and self._action is None and job is None:
            return None
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
        written: dict[str, Any] = with_nulls({**payload, **action, **literal})
        return written


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
