"""What a stack is about to become, has become, or was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from stepsched.core.masking import without_secrets
from stepsched.core.values import Value
from stepsched.display.results import Displayed

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Cell, Table, Tone

Action = Literal["create", "change", "replace", "may replace", "remove", "release", "import"]
"""What happens to a resource. ``release``: it leaves the stack and is kept."""
_SIGNS: dict[Action, str] = {
    "create": "+",
    "change": "~",
    "replace": "-/+",
    "may replace": "~?",
    "remove": "-",
    "release": ">",
    "import": "<",
}
_WORDS: dict[Action, str] = {
    "create": "",
    "change": "in place",
    "replace": "replaced by a new one",
    "may replace": "in place, or replaced by a new one: CloudFormation finds out when it does it",
    "remove": "deleted",
    "release": "leaves the stack and is kept",
    "import": "becomes part of the stack",
}
_TONES: dict[Action, Tone] = {
    "create": "good",
    "import": "good",
    "change": "busy",
    "may replace": "warn",
    "replace": "warn",
    "release": "warn",
    "remove": "bad",
}
_TABLE, _MACHINE = "AWS::DynamoDB::Table", "AWS::StepFunctions::StateMachine"
_PROPERTIES_SHOWN = 5


class ResourceChange(Displayed, Value, frozen=True):
    """What happens to one resource of a stack."""

    action: Action
    """What happens to it."""
    name: str
    """Its logical ID in the template."""
    type: str
    """Its type, such as ``AWS::DynamoDB::Table``."""
    physical_id: str | None = None
    """Its physical ID, such as the name of a table. None: it does not exist yet."""
    properties: tuple[str, ...] = ()
    """The names of the properties that change, sorted."""
    keeps_old: bool = False
    """Whether the old resource is kept if it is replaced."""

    @property
    def words(self) -> str:
        """What happens, in words."""
        shown = ", ".join(self.properties[:_PROPERTIES_SHOWN])
        more = len(self.properties) - _PROPERTIES_SHOWN
        changed = shown + (f" and {more} more" if more > 0 else "")
        return ": ".join(filter(None, (_WORDS[self.action], changed)))

    @property
    def kind(self) -> str:
        """Its type, shortened, such as ``DynamoDB Table``."""
        return self.type.removeprefix("AWS::").replace("::", " ")

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        titles = ("change", "resource", "type", "what", "physical ID", "warning")
        cells = (*_cells_of(self), self.physical_id or "", self.warning() or "")
        return record_table(pair for pair in zip(titles, cells, strict=True) if pair[1])

    def warning(self) -> str | None:
        """Returns what becomes of the jobs if this is their table or their state machine. None: nothing."""
        if self.action not in ("replace", "may replace", "remove", "release"):
            return None
        verb = {
            "replace": "is replaced",
            "may replace": "may be replaced",
            "remove": "is deleted",
            "release": "leaves the stack",
        }[self.action]
        if self.type == _MACHINE:
            end = (
                "and no job of it runs any more"
                if self.action in ("remove", "release")
                else ("and the executions of its jobs end with the old one; repair the jobs afterwards")
            )
            return f"{self.name}: the state machine {verb}, {end}"
        if self.type == _TABLE:
            if self.action == "remove":
                return f"{self.name}: the table {verb}, with all jobs and their history"
            old = "the old table is kept" if self.keeps_old else "the old table is deleted"
            if self.action == "release":
                return f"{self.name}: the table {verb} and is kept, with all jobs and their history"
            return f"{self.name}: the table {verb}, and jobs and history are not moved; {old}"
        return None


def _cells_of(change: ResourceChange) -> tuple[str | Cell, ...]:
    from stepsched.display.table import Cell

    return Cell(change.action, tone=_TONES[change.action]), change.name, change.kind, change.words


class StackPlan(Displayed, Value, frozen=True):
    """The changes that make a stack what a template says. ``stepsched.deploy.apply(plan)`` makes them."""

    stack: str
    """The name of the stack."""
    stack_id: str
    """The ARN of the stack. The stack of a plan that creates one exists already, without resources, until the
    plan is applied or discarded."""
    change_set_id: str | None
    """The ARN of the change set that CloudFormation keeps. None: there is nothing to change."""
    is_new: bool
    """Whether the plan creates the stack."""
    changes: tuple[ResourceChange, ...] = ()
    """What happens to each resource that changes, sorted by logical ID."""
    tags: Mapping[str, str] | None = None
    """The tags of the stack, which its resources get too. None: they stay as they are."""
    capabilities: tuple[str, ...] = ()
    """The capabilities that applying the plan grants, such as ``CAPABILITY_IAM``: the stack has roles."""
    identities: tuple[str, ...] = ()
    """The logical IDs of the IAM resources of the template, sorted."""
    template_size: int
    """The size of the template, in bytes."""
    template_url: str | None = None
    """The address of the template in S3. None: it was sent in the request."""

    @property
    def region(self) -> str:
        """The Region of the stack."""
        return self.stack_id.split(":")[3]

    @property
    def account(self) -> str:
        """The number of the account of the stack."""
        return self.stack_id.split(":")[4]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return self.change_set_id is None

    def warnings(self) -> tuple[str, ...]:
        """Returns what becomes of jobs whose table or state machine is replaced or removed."""
        found = (change.warning() for change in self.changes)
        return tuple(each for each in found if each is not None)

    def __str__(self) -> str:
        """Returns a line for the stack, one for each resource that changes, then warnings, the permissions,
        the way of the template, and the totals."""
        width = max((len(change.name) for change in self.changes), default=0)
        kinds = max((len(change.kind) for change in self.changes), default=0)
        lines = [
            f"{_SIGNS[each.action]:<3} {each.name:<{width}}  {each.kind:<{kinds}}  {each.words}".rstrip()
            for each in self.changes
        ]
        warnings = [f"!   {each}" for each in self.warnings()]
        return "\n".join([self._title(), *lines, *warnings, *self._notes(), self._totals()])

    def _title(self) -> str:
        what = "a new stack" if self.is_new else "changes" if self.changes else "no changes"
        if not (self.is_new or self.changes or self.is_empty):
            what = "changes of tags or outputs"
        return f"stack {self.stack} in {self.region}, account {self.account}: {what}"

    def _notes(self) -> Iterator[str]:
        if self.is_empty:
            return
        if self.capabilities:
            names = ", ".join(self.identities)
            yield f"permissions: {', '.join(self.capabilities)}, for {names}"
        if self.tags:
            tags = without_secrets(self.tags)
            yield f"tags: {', '.join(f'{key}={value}' for key, value in tags.items())}"
        way = "in the request" if self.template_url is None else f"through {self.template_url}"
        yield f"template: {self.template_size:,} bytes, {way}"

    def _totals(self) -> str:
        if self.is_empty:
            return "nothing to change"
        counts = dict.fromkeys(("create", "change", "replace", "remove"), 0)
        also: dict[str, str] = {"may replace": "replace", "release": "remove", "import": "create"}
        for change in self.changes:
            counts[also.get(change.action, change.action)] += 1
        return ", ".join(f"{count} to {verb}" for verb, count in counts.items())

    def _shown_table(self) -> Table:
        from stepsched.display.table import table_of

        return table_of(
            self.changes,
            ("change", "resource", "type", "what"),
            _cells_of,
            caption=self._title(),
            total=len(self.changes),
            notes=[*(f"! {each}" for each in self.warnings()), *self._notes(), self._totals()],
        )


class DeployedStack(Displayed, Value, frozen=True):
    """A stack that was created or changed. ``SchedulerClient.from_stack(name)`` uses its jobs."""

    name: str
    """The name of the stack."""
    stack_id: str
    """The ARN of the stack."""
    status: str
    """The status of the stack, such as ``CREATE_COMPLETE``."""
    outputs: Mapping[str, str]
    """The outputs of the stack by their names, such as ``TableName``."""
    is_changed: bool
    """Whether this call has changed the stack."""

    @property
    def region(self) -> str:
        """The Region of the stack."""
        return self.stack_id.split(":")[3]

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        what = "is ready" if self.is_changed else "is ready, nothing was changed"
        return record_table(self.outputs.items(), caption=f"stack {self.name} in {self.region} {what}")


class DestroyedStack(Displayed, Value, frozen=True):
    """A stack that was removed."""

    name: str
    """The name of the stack."""
    stack_id: str
    """The ARN of the stack."""
    paused_jobs: tuple[str, ...] = ()
    """The jobs that were paused before, by ``force``."""
    kept_tables: tuple[str, ...] = ()
    """The tables that were kept, with all jobs and their history."""
    deleted_tables: tuple[str, ...] = ()
    """The tables that were deleted, with all jobs and their history."""

    def _shown_table(self) -> Table:
        from stepsched.display.table import Cell, table_of

        rows = [
            *(("table", each, Cell("kept, with all jobs and their history")) for each in self.kept_tables),
            *(
                ("table", each, Cell("deleted, with all jobs and their history", tone="warn"))
                for each in self.deleted_tables
            ),
            *(("job", each, Cell("paused before")) for each in self.paused_jobs),
        ]
        caption = f"stack {self.name} in {self.stack_id.split(':')[3]} is deleted"
        return table_of(
            rows, ("resource", "name", "outcome"), lambda row: row, caption=caption, total=len(rows)
        )
