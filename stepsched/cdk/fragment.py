"""The part of a state machine that creates a job when its input holds a schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stepsched.cdk.arns import arn_of, target_of
from stepsched.cdk.scheduler import BaseScheduler
from stepsched.cdk.tasks import JSON_PATH, JSONATA, literal_of, with_nulls
from stepsched.core.quoting import quoted
from stepsched.jobs import Job, Overlap, Retry
from stepsched.machines.literals import quoted as jsonata_text
from stepsched.schedules import Cron
from stepsched.targets import QueueTarget, TopicTarget

_PLAIN_PATH = re.compile(r"\$(\.[A-Za-z_]\w*|\[\d+\])*")
_EXPRESSION = re.compile(r"\{%(?P<code>.*)%\}", re.DOTALL)
_NAME_LENGTH = 80
"""The maximum length of the beginning of the names of jobs."""


class SchedulerFragment(sfn.StateMachineFragment):
    """The part of a state machine that creates, changes or cancels a job.

    If there is a value at ``schedule_path``, the job gets it as its schedule; the value ``delete`` cancels
    the job. If there is none, nothing happens. The output is the input.

    The name of the job is ``<schedule_for>-<suffix>``, in which characters other than ``A-Z a-z 0-9 - _``
    are replaced by ``-``. The input of the job is resolved once, when the job is created. A schedule that
    cannot be read fails the task with the error ``Stepsched.InvalidSchedule``.

    The state machine that contains the fragment is allowed to call the scheduler, and the scheduler to invoke
    the target.
    """

    def __init__(
        self,
        scope: Construct,
        id: str | None = None,  # noqa: A002 -- the name that every construct gives it
        *,
        schedule_for: str,
        schedule_for_suffix: str,
        scheduler: BaseScheduler,
        target: Any,
        schedule_path: str,
        schedule_input_path: str | None = None,
        schedule_input: Mapping[str, Any] | None = None,
        query_language: sfn.QueryLanguage = JSON_PATH,
        timezone: str = "UTC",
        overlap: Overlap | None = None,
        retry: Retry | None = None,
        jitter: timedelta = timedelta(0),
        notify: Any = None,
        dead_letter: Any = None,
        **policies: Any,
    ) -> None:
        """Creates the states.

        Args:
            scope: The construct that contains this one.
            id: The identifier, unique in the scope. None: ``Schedule <schedule_for>``.
            schedule_for: What is scheduled, such as ``dataset import``: the beginning of the job's name.
            schedule_for_suffix: The end of the name: a path such as ``$.group``, a text, or with JSONata an
                expression ``{% ... %}``.
            scheduler: The scheduler.
            target: What the job invokes: a state machine, function, queue, topic or event bus of ``aws_cdk``,
                or any target of stepsched.
            schedule_path: The path of the schedule in the input of the state, such as
                ``$.schedules.import``; with JSONata also an expression. The schedule is ``cron(...)``,
                ``rate(...)``, ``at(...)``, ``delete``, or an object; see docs/register.md.
            schedule_input_path: The path of the job's input; with JSONata also an expression.
            schedule_input: The job's input. The value of a key that ends in ``.$`` is a path, as in
                ``{"kind": "full", "group.$": "$.group"}``.
            query_language: The query language of the state machine that contains the fragment.
            timezone: The IANA name of the zone of the schedule.
            overlap: The overlap policy of the job. None: by ``sync`` of the scheduler.
            retry: The retry policy of the job. None: that of :class:`stepsched.Job`.
            jitter: The jitter of the job.
            notify: The topic for runs that failed: an ``ITopic`` or a :class:`TopicTarget`. None: none.
            dead_letter: The queue for runs that failed: an ``IQueue`` or a :class:`QueueTarget`. None: none.
            policies: Further fields of the job, such as ``max_run_time`` and ``tags``.

        Raises:
            ValueError: Both or none of ``schedule_input_path`` and ``schedule_input`` are given, or a path
                cannot be read.
            UnsupportedError: The scheduler cannot run such a job.
        """
        super().__init__(scope, f"Schedule {schedule_for}" if id is None else id)
        if (schedule_input_path in (None, "")) == (schedule_input is None):
            raise ValueError("schedule_input_path or schedule_input must be provided, not both")
        calls = scheduler.register_calls
        title = schedule_for.title()
        language = _JsonataWords() if query_language is JSONATA else _JsonPathWords()
        given: dict[str, Any] = {"overlap": scheduler.default_overlap if overlap is None else overlap}
        if retry is not None:
            given["retry"] = retry
        if notify is not None:
            given["notify"] = notify if isinstance(notify, TopicTarget) else TopicTarget(arn_of(notify))
        if dead_letter is not None:
            is_target = isinstance(dead_letter, QueueTarget)
            given["dead_letter"] = dead_letter if is_target else QueueTarget(arn_of(dead_letter))
        job = Job(
            name="sample",
            schedule=Cron("* * * * ? *", timezone=timezone),
            target=target_of(target),
            jitter=jitter,
            **given,
            **policies,
        )
        prefix = re.sub("[^0-9A-Za-z-_]", "-", schedule_for)[:_NAME_LENGTH]
        payload = {
            **language.name(prefix, schedule_for_suffix),
            **language.value("schedule", schedule_path),
            **(
                language.value("input", str(schedule_input_path))
                if schedule_input is None
                else {"input": language.mixed(schedule_input)}
            ),
            "registration": literal_of(scheduler.registration_of, job, is_jsonata=query_language is JSONATA),
        }
        create = calls.state(
            self, f"Create Schedule For {title}", with_nulls(payload), query_language, language.discarding
        )
        not_required = sfn.Pass(self, f"{title} Schedule Not Required", query_language=query_language)
        self._start = (
            sfn.Choice(self, f"Check if {title} Schedule Required", query_language=query_language)
            .when(language.is_present(schedule_path), create)
            .otherwise(not_required)
        )
        self._ends: list[sfn.INextable] = [create, not_required]
        self._calls = calls

    @property
    def start_state(self) -> sfn.State:
        """The state that looks for the schedule."""
        return self._start

    @property
    def end_states(self) -> list[sfn.INextable]:
        """The states after which the machine goes on."""
        return list(self._ends)

    def grant(self, machine: sfn.IStateMachine) -> None:
        """Allows the role of a state machine to call the scheduler. A ``StateMachine`` whose definition
        contains the fragment is allowed already; use this for one that is written otherwise.
        """
        self._calls.grant(machine)


class _JsonPathWords:
    """The parts of the states in JSONPath."""

    discarding: Mapping[str, Any] = {"result_path": sfn.JsonPath.DISCARD}

    def name(self, prefix: str, suffix: str) -> dict[str, Any]:
        if suffix.startswith("$"):
            return {"name.$": f"States.Format('{prefix}-{{}}', {suffix})"}
        return {"name": f"{prefix}-{_unquoted(suffix)}"}

    def value(self, key: str, path: str) -> dict[str, Any]:
        if not path.startswith("$"):
            raise ValueError(f"expected a path that begins with '$' for {key}, got {quoted(path)}")
        return {f"{key}.$": path}

    def mixed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return dict(value)

    def is_present(self, path: str) -> sfn.Condition:
        return sfn.Condition.is_present(path)


class _JsonataWords:
    """The same in JSONata."""

    discarding: Mapping[str, Any] = {"outputs": "{% $states.input %}"}

    def name(self, prefix: str, suffix: str) -> dict[str, Any]:
        if suffix.startswith("$") or _EXPRESSION.fullmatch(suffix):
            return {"name": f"{{% {jsonata_text(prefix + '-')} & {_code(suffix)} %}}"}
        return {"name": f"{prefix}-{_unquoted(suffix)}"}

    def value(self, key: str, path: str) -> dict[str, Any]:
        return {key: f"{{% {_code(path)} %}}"}

    def mixed(self, value: Any) -> Any:
        match value:
            case Mapping():
                return {
                    key.removesuffix(".$"): f"{{% {_code(item)} %}}"
                    if key.endswith(".$")
                    else self.mixed(item)
                    for key, item in value.items()
                }
            case list() | tuple():
                return [self.mixed(item) for item in value]
        return value

    def is_present(self, path: str) -> sfn.Condition:
        return sfn.Condition.jsonata(f"{{% $exists({_code(path)}) %}}")


def _unquoted(suffix: str) -> str:
    """A text; the original construct required quotes of Step Functions around it."""
    is_quoted = len(suffix) > 1 and suffix[0] == suffix[-1] == "'"
    return suffix[1:-1] if is_quoted else suffix


def _code(path: Any) -> str:
    """The JSONata of a path or of an expression.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(path, str):
        expression = _EXPRESSION.fullmatch(path.strip())
        if expression is not None:
            return f"({expression['code'].strip()})"
        if path.startswith("$states.") or path == "$states":
            return path
        if _PLAIN_PATH.fullmatch(path):
            return f"$states.input{path[1:]}"
    raise ValueError(
        f"expected a path such as '$.schedule', or an expression '{{% ... %}}', got {quoted(path)}"
    )
