"""The model of a job graph: steps and their needs, as frozen values."""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator
from typing_extensions import Self

from stepsched.core.clock import utc_now
from stepsched.core.errors import ScheduleWarning
from stepsched.core.payloads import Data, Payload, Text, to_json
from stepsched.core.quoting import closest, quoted, shortened
from stepsched.core.values import Duration, PositionalValue
from stepsched.display.results import Displayed
from stepsched.jobs.job import read_target, read_topic
from stepsched.jobs.names import Name, is_narrow
from stepsched.jobs.policies import OnFailure, Retry, read_retry
from stepsched.targets import (
    AnyTarget,
    BatchTarget,
    CommandTarget,
    HandlerTarget,
    HttpTarget,
    ParallelTarget,
    Target,
    TopicTarget,
    WorkflowTarget,
)
from stepsched.workflows import references
from stepsched.workflows.conditions import Condition, When, is_number, read_when
from stepsched.workflows.order import critical_path, dependents, find_cycle, order_of

if TYPE_CHECKING:
    from stepsched.display.table import Table
    from stepsched.workflows.documents import Document
    from stepsched.workflows.records import WorkflowRun

MAX_STEPS = 2_000
"""The maximum number of steps of a workflow (a policy of ours: their graph travels in one item of DynamoDB
and one variable of a state machine)."""
MAX_BATCH_NEEDS = 20
"""The maximum number of dependencies of a job of AWS Batch.

https://docs.aws.amazon.com/batch/latest/userguide/job_dependencies.html
"""
MAX_INPUTS_BYTES = 4 * 1024 * 1024
"""The maximum size of the inputs of all steps together, as compact JSON in UTF-8 (a policy of ours: whoever
drives a run reads all steps at once). One input holds up to 256 KiB."""
MAX_OUTPUT = 4_000
"""The maximum number of characters, as compact JSON, of an output that other steps can use."""
_GRAPH = "_graph_of_steps"


class _Graph(NamedTuple):
    """What follows from the steps of a workflow."""

    steps: tuple[Step, ...]
    needs: dict[str, tuple[str, ...]]
    by_name: dict[str, Step]
    order: tuple[str, ...]
    place: dict[str, int]
    dependents: dict[str, tuple[str, ...]]


def _items(value: Any, argument: str) -> Iterable[Any]:
    """Refuses what is no list of steps. A step or a mapping is not quoted: it may hold inputs."""
    if isinstance(value, (str, bytes, Step, Mapping)) or not isinstance(value, Iterable):
        got = f"a {type(value).__name__}" if isinstance(value, (Step, Mapping)) else quoted(value)
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            f"expected a list of steps for {argument}, got {got}; use {argument}=[...]"
        )
    return value


def _read_needs(value: Any) -> tuple[Any, ...]:
    return tuple(each.name if isinstance(each, Step) else each for each in _items(value, "needs"))


def _read_steps(value: Any) -> tuple[Any, ...]:
    steps = tuple(islice(_items(value, "steps"), MAX_STEPS + 1))
    if not steps:
        raise ValueError("expected at least one step, got none")
    if len(steps) > MAX_STEPS:
        raise ValueError(
            f"expected at most {MAX_STEPS:,} steps, got more; let one step do the work of several"
        )
    return steps


def _read_step(value: Any) -> Any:
    if isinstance(value, (Step, Mapping)):
        return value
    raise ValueError(f"expected a step, got {type(value).__name__}; use Step(name, target=...)")


def _checked_step_name(value: Any) -> str:
    if not isinstance(value, str) or not is_narrow(value):
        raise ValueError(f"expected 1 to 64 of A-Z a-z 0-9 - _ . as the name of a step, got {quoted(value)}")
    return value


StepName = Annotated[str, BeforeValidator(_checked_step_name)]


class Step(Displayed, PositionalValue, frozen=True, hide_input_in_errors=True):
    """A step of a workflow: a target, and the steps that must end before it starts."""

    name: StepName
    """The name: 1 to 64 of ``A-Z a-z 0-9 - _ .``, unique in its workflow."""
    target: Annotated[AnyTarget, BeforeValidator(read_target)]
    """What the step invokes. The step ends when the target does, where the service can tell."""
    needs: Annotated[tuple[StepName, ...], BeforeValidator(_read_needs)] = ()
    """The names of the steps that must end first. Steps without needs start at once."""
    input: Payload = Field(default_factory=dict)
    """The input of the target. It may hold references to outputs of needed steps (:meth:`output`) and to the
    input of the run (:func:`stepsched.workflows.input_of`). For a :class:`BatchTarget` it is an object whose
    members are added to the ``parameters`` of the job, as text."""
    retry: Annotated[Retry, BeforeValidator(read_retry)] = Retry(max_attempts=0)
    """The retries of the step, on top of those of the service. By default there are none."""
    timeout: Duration | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    """The longest time of an attempt: 1 second to 365 days; at least 60 seconds for a :class:`BatchTarget`,
    where AWS Batch holds it. None: no limit."""
    when: Annotated[When | Condition, BeforeValidator(read_when)] = When.SUCCEEDED
    """Which outcomes of the needs let the step start, or a condition on the output of one of them."""

    def __init__(
        self,
        name: str,
        *,
        target: Target,
        needs: Iterable[str | Step] = (),
        input: JsonValue = None,  # noqa: A002 -- the contract
        retry: Retry | None = None,
        timeout: timedelta | None = None,
        when: When | Condition | str = When.SUCCEEDED,
    ) -> None:
        self._assign(
            name=name,
            target=target,
            needs=needs,
            input={} if input is None else input,
            retry=Retry(max_attempts=0) if retry is None else retry,
            timeout=timeout,
            when=when,
        )

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import step_table

        return step_table(self)

    def output(self, *path: str | int) -> dict[str, JsonValue]:
        """Returns a reference to the output of this step, for the input of a step that needs it.

        Args:
            *path: The keys and positions of a part. Empty: the whole output.
        """
        return references.output_of(self.name, *path)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        twice = [need for need, count in Counter(self.needs).items() if count > 1]
        if twice:
            raise ValueError(
                f"expected each need of step {self.name!r} once, got {twice[0]!r} more than once"
            )
        if self.name in self.needs:
            raise ValueError(f"expected other steps as needs of step {self.name!r}, got the step itself")
        if isinstance(self.target, (ParallelTarget, WorkflowTarget)):
            kind = type(self.target).__name__
            cure = "one step for each part" if isinstance(self.target, ParallelTarget) else "its steps"
            raise ValueError(f"expected a single target, got a {kind}; use {cure}")  # noqa: TRY004 -- pydantic collects ValueError
        if isinstance(self.target, BatchTarget):
            self._check_batch()
        if isinstance(self.when, Condition) and self.when.step not in self.needs:
            raise ValueError(
                f"expected step {self.when.step!r} of the condition among the needs of step {self.name!r}, "
                f"got {quoted(list(self.needs))}; add it"
            )
        for each in references.references(self.input):
            if each.step is not None and each.step not in self.needs:
                raise ValueError(
                    f"expected step {each.step!r}, whose output is used, among the needs of step "
                    f"{self.name!r}, got {quoted(list(self.needs))}; add it"
                )
        return self

    def _check_batch(self) -> None:
        if len(self.needs) > MAX_BATCH_NEEDS:
            raise ValueError(
                f"expected at most {MAX_BATCH_NEEDS} needs of step {self.name!r} on AWS Batch, "
                f"got {len(self.needs)}; put a step in between that needs some of them"
            )
        if self.timeout is not None and self.timeout < timedelta(seconds=60):
            raise ValueError(
                f"expected a timeout of at least 60 seconds for step {self.name!r} on AWS Batch, "
                f"got {self.timeout}"
            )
        if not isinstance(self.input, dict):
            raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
                f"expected an object as input of step {self.name!r} on AWS Batch, got {quoted(self.input)}; "
                "its members are the parameters of the job"
            )


def _instead(need: str, known: Iterable[str], step: str) -> str:
    """Returns what to do about a need that is no step: it was misspelt, or left out of the steps."""
    others = [name for name in known if name != step]
    return f"{closest(need, others)}, or add it to steps" if others else "add it to steps"


class Workflow(Displayed, PositionalValue, frozen=True, hide_input_in_errors=True):
    """A job graph: steps that run in the order of their needs, as many at once as can.

    Example:
        >>> import stepsched as ss
        >>> extract = ss.Step("extract", target=ss.HandlerTarget(lambda: {"rows": 3}))
        >>> rows = extract.output("rows")
        >>> load = ss.Step("load", target=ss.HandlerTarget(print), needs=[extract], input=rows)
        >>> Workflow("nightly", steps=[load, extract]).order
        ('extract', 'load')
    """

    name: Name
    """The name: as that of a job; unique in its backend."""
    steps: Annotated[
        tuple[Annotated[Step, BeforeValidator(_read_step)], ...], BeforeValidator(_read_steps)
    ] = Field(json_schema_extra={"minItems": 1, "maxItems": MAX_STEPS})
    """The steps, in any order: 1 to 2,000, with distinct names."""
    input: Data = Field(default_factory=dict)
    """The input of a run that is started without one."""
    description: Text = Field(default="", max_length=512)
    """A description for people; up to 512 characters."""
    on_failure: OnFailure = OnFailure.CONTINUE
    """What happens when a step has failed for good. ``CONTINUE``: all steps that can still run do. ``STOP``:
    no further step starts, except those whose ``when`` is ``DONE`` or ``FAILED``; running ones are
    awaited."""
    wait_time: Duration = Field(default=timedelta(seconds=60), ge=timedelta(seconds=1), le=timedelta(days=1))
    """On Step Functions: the pause between two looks at running steps, 1 second to 1 day, in whole
    seconds."""
    notify: Annotated[TopicTarget | None, BeforeValidator(read_topic)] = None
    """The topic that is told the end of each run. None: no notification is sent."""
    notification: Literal["json", "batch-scheduler"] = "json"
    """The form of notifications: a JSON object with ``workflow``, ``run``, ``status``, ``started_at``,
    ``ended_at`` and ``failed``; or the texts of the AWS Batch scheduler, for e-mail and SMS."""
    category: Text = Field(default="", max_length=256)
    """The category of the workflow in the documents of the AWS Batch scheduler."""
    title: Text = Field(default="", max_length=256)
    """The name for people, ``scheduleName`` in the documents of the AWS Batch scheduler. Empty: ``name``."""

    def __init__(
        self,
        name: str,
        *,
        steps: Iterable[Step],
        input: JsonValue = None,  # noqa: A002 -- the contract
        description: str = "",
        on_failure: OnFailure | str = OnFailure.CONTINUE,
        wait_time: timedelta = timedelta(seconds=60),
        notify: TopicTarget | None = None,
        notification: Literal["json", "batch-scheduler"] = "json",
        category: str = "",
        title: str = "",
    ) -> None:
        self._assign(
            name=name,
            steps=steps,
            input={} if input is None else input,
            description=description,
            on_failure=on_failure,
            wait_time=wait_time,
            notify=notify,
            notification=notification,
            category=category,
            title=title,
        )

    @field_validator("wait_time")
    @classmethod
    def _is_whole(cls, value: timedelta) -> timedelta:
        if value % timedelta(seconds=1):
            raise ValueError(f"expected whole seconds for wait_time, got {value}")
        return value

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        counts = Counter(step.name for step in self.steps)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(
                f"expected distinct names of steps, got {quoted(twice)} more than once; rename them"
            )
        for step in self.steps:
            for need in step.needs:
                if need not in counts:
                    raise ValueError(
                        f"expected steps of the workflow as needs of {step.name!r}, got {need!r}; "
                        f"{_instead(need, counts, step.name)}"
                    )
        cycle = find_cycle({step.name: step.needs for step in self.steps})
        if cycle is not None:
            shown = shortened(" needs ".join(cycle), 400)
            raise ValueError(f"expected needs without a cycle, got {shown}; remove one of them")
        size = sum(len(to_json(step.input).encode()) for step in self.steps)
        if size > MAX_INPUTS_BYTES:
            raise ValueError(
                f"expected at most {MAX_INPUTS_BYTES:,} bytes of JSON as inputs of all steps, got {size:,}; "
                "store large data elsewhere and pass its location"
            )
        return self

    def _graph(self) -> _Graph:
        """The graph in forms that are fast to read, made once. A copy with other steps makes its own."""
        known: _Graph | None = self.__dict__.get(_GRAPH)
        if known is None or known.steps is not self.steps:
            needs = {step.name: step.needs for step in self.steps}
            by_name = {step.name: step for step in self.steps}
            order = order_of(needs)
            place = {name: number for number, name in enumerate(order)}
            direct = {name: tuple(each) for name, each in dependents(needs).items()}
            known = _Graph(self.steps, needs, by_name, order, place, direct)
            self.__dict__[_GRAPH] = known
        return known

    def __getstate__(self) -> dict[Any, Any]:
        """Returns the state for pickles and copies, without what follows from the fields."""
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name != _GRAPH}
        return {**state, "__dict__": fields}

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """The needs of each step, in the order of ``steps``."""
        return MappingProxyType(self._graph().needs)

    @property
    def by_name(self) -> Mapping[str, Step]:
        """The steps by name, in the order of ``steps``."""
        return MappingProxyType(self._graph().by_name)

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the steps, each after its needs; otherwise in the order of ``steps``."""
        return self._graph().order

    @property
    def place(self) -> Mapping[str, int]:
        """The place of each step in ``order``, from 0."""
        return MappingProxyType(self._graph().place)

    @property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """The steps that need each step directly, in the order of ``steps``."""
        return MappingProxyType(self._graph().dependents)

    def critical_path(self, durations: Mapping[str, float | timedelta] | None = None) -> tuple[str, ...]:
        """Returns the longest chain of steps, first step first: what a run cannot be shorter than.

        Args:
            durations: The duration of each step, in one unit; steps that are missing count 0. None: each step
                counts 1.

        Raises:
            TypeError: ``durations`` is not a mapping.
            ValueError: A name is unknown, or a duration is negative or not a number.
        """
        if durations is None:
            return critical_path(self.needs)
        if not isinstance(durations, Mapping):
            raise TypeError(f"expected a mapping of steps to durations, got {quoted(durations)}")
        seconds = dict[str, float]()
        for name, value in durations.items():
            if name not in self.by_name:
                raise ValueError(
                    f"expected steps of workflow {self.name!r} in durations, got {quoted(name)}; "
                    f"{closest(name, self.by_name)}"
                )
            length = value.total_seconds() if isinstance(value, timedelta) else value
            if not is_number(length) or not 0 <= length <= sys.float_info.max:
                raise ValueError(f"expected a duration of at least 0 for step {name!r}, got {quoted(value)}")
            seconds[name] = float(length)
        return critical_path(self.needs, seconds)

    def check(self) -> None:
        """Warns of what no backend can run, or will run other than its author may expect. A workflow itself
        is checked when it is made; what one backend cannot run, ``put`` and ``start`` of its client refuse.

        Warns:
            ScheduleWarning: Functions and commands, which only the embedded backend runs, are mixed with
                targets of AWS, which it hands to registered functions; or a part of the output of a step on
                AWS Batch is used that it does not have.
        """
        for text in _doubts(self):
            warnings.warn(text, ScheduleWarning, stacklevel=2)

    @classmethod
    def from_document(cls, document: Document, *, name: str | None = None) -> Self:
        """Returns the workflow of a schedule document of the AWS Batch scheduler, as it is stored in its
        table.

        Args:
            document: The document: a definition or the record of a run, plain or wrapped in ``{"output":
                ...}``.
            name: The name of the workflow. None: ``scheduleId`` of the document.

        Raises:
            ValueError: The document is none, or its graph cannot run; the error says where.
        """
        from stepsched.workflows.documents import workflow_of

        return cls(**workflow_of(document, name))

    def to_document(self) -> dict[str, JsonValue]:
        """Returns the schedule document of the AWS Batch scheduler: equal to the one that the workflow was
        read from.

        Raises:
            ValueError: The workflow has something that the AWS Batch scheduler does not know.
        """
        from stepsched.workflows.documents import document_of

        return document_of(self)

    def __eq__(self, other: object) -> bool:
        """Returns whether both workflows have the same JSON form: ``1`` is not ``true``."""
        if not isinstance(other, Workflow):
            return NotImplemented
        return super().__eq__(other) and self.canonical() == other.canonical()

    __hash__ = None  # type: ignore[assignment]  # payloads do not hash

    def canonical(self) -> str:
        """Returns the JSON form with sorted keys, by which definitions are compared."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import workflow_table

        return workflow_table(self)

    def _picture(self) -> str:
        from stepsched.display.table import MOST

        return self.to_svg() if len(self.steps) <= MOST else ""  # a large one would hide the table

    def to_svg(self, run: WorkflowRun | None = None) -> str:
        """Returns the graph as a self-contained SVG: a box for each step, a line for each need.

        More than 150 steps, or a picture wider than 3,000 pixels, become an overview: a small field for each
        step below the steps that it needs, without lines; tooltips name the needs.

        Args:
            run: A run whose states are drawn. A step that it does not have is drawn without a state.

        Raises:
            TypeError: ``run`` is not a :class:`WorkflowRun`.
            ValueError: It is a run of another workflow.
        """
        from stepsched.workflows.pictures import to_svg

        return to_svg(self, _own(self, run), utc_now())

    def to_mermaid(self, run: WorkflowRun | None = None) -> str:
        """Returns the graph in Mermaid's language, with all steps and needs.

        Viewers such as GitHub's refuse more than 500 lines, or 50,000 characters.

        Args:
            run: As for :meth:`to_svg`.
        """
        from stepsched.workflows.pictures import to_mermaid

        return to_mermaid(self, _own(self, run), utc_now())

    def to_dot(self, run: WorkflowRun | None = None) -> str:
        """Returns the graph in Graphviz's language, with all steps and needs.

        Args:
            run: As for :meth:`to_svg`.
        """
        from stepsched.workflows.pictures import to_dot

        return to_dot(self, _own(self, run), utc_now())


def _doubts(workflow: Workflow) -> Iterable[str]:
    """Yields what :meth:`Workflow.check` warns of."""
    kinds = {
        isinstance(step.target, (HandlerTarget, CommandTarget)): step
        for step in workflow.steps
        if not isinstance(step.target, HttpTarget)
    }
    if len(kinds) == 2:
        local, other = kinds[True], kinds[False]
        yield (
            f"workflow {workflow.name!r}: step {local.name!r} runs only on the embedded backend, which hands "
            f"the {type(other.target).__name__} of step {other.name!r} to a function; register one"
        )
    for step in workflow.steps:
        used = [(each.step, each.path) for each in references.references(step.input)]
        if isinstance(step.when, Condition):
            used.append((step.when.step, step.when.path))
        for name, path in used:
            batch = name is not None and isinstance(workflow.by_name[name].target, BatchTarget)
            if batch and path not in ((), ("job_id",)):
                yield (
                    f"workflow {workflow.name!r}: step {step.name!r} uses {to_json(list(path))} of the "
                    f"output of {name!r}, but a step on AWS Batch has only 'job_id'; let it write its "
                    "result elsewhere"
                )


def _own(workflow: Workflow, run: WorkflowRun | None) -> WorkflowRun | None:
    """Returns the run to draw.

    Raises:
        TypeError: It is not a run.
        ValueError: It is one of another workflow.
    """
    from stepsched.workflows.records import WorkflowRun

    if run is not None and not isinstance(run, WorkflowRun):
        raise TypeError(
            f"expected a WorkflowRun, got {quoted(run)}; use WorkflowClient.status({quoted(run)})"
        )
    if run is not None and run.workflow != workflow.name:
        raise ValueError(f"expected a run of workflow {workflow.name!r}, got one of {run.workflow!r}")
    return run


def no_workflow(value: object) -> TypeError:
    """Returns the error for a value that is not a :class:`Workflow`."""
    cure = 'Workflow("name", steps=[...])'
    if isinstance(value, Mapping):
        cure = "Workflow.from_document(document)"
    return TypeError(f"expected a Workflow, got {type(value).__name__}; use {cure}")
