"""The base classes of targets."""

from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from stepsched.aws.arns import Arn
from stepsched.core.values import PositionalValue
from stepsched.display.results import Displayed

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class ApiCall(NamedTuple):
    """An AWS API call."""

    service: str
    """The name of the service in the SDK, such as ``sfn``."""
    action: str
    """The action in lower camel case, such as ``startExecution``."""
    named_by: tuple[str, ...] = ()
    """The parameters that can name the resource of the call, by ARN or name. Empty: no single one does."""

    @property
    def name(self) -> str:
        """Service and action, such as ``sfn:startExecution``."""
        return f"{self.service}:{self.action}"


class TargetValue(Displayed, PositionalValue, frozen=True):
    """A target, which shows its fields without secrets."""

    def _shown_table(self) -> "Table":
        from stepsched.display.table import record_table
        from stepsched.targets.words import target_rows

        return record_table(target_rows(self))

    def _shown_in_cell(self) -> str:
        from stepsched.targets.words import target_text

        return target_text(self)


# Each class defines its own constructor. A generated one would be typed with tuples and dicts where any
# sequence and mapping is accepted, and not every editor would see that the ARN needs no keyword.
class ServiceTarget(TargetValue, frozen=True):
    """A target class that always makes the same API call."""

    api_call: ClassVar[ApiCall]
    """The call that invokes the target."""
    follows_from_arn: ClassVar[bool] = True
    """Whether an ARN of the service stands for a target of this class. If not, its kind must be given."""
    takes_input: ClassVar[bool] = True
    """Whether the call passes the job's input. If not, it passes values of the target's fields."""


@cache
def arn_field(kind: type[ServiceTarget]) -> tuple[str, Arn]:
    """Returns the first field of a target class that holds an ARN, and its form; there must be one."""
    fields = kind.model_fields.items()
    return next((name, form) for name, field in fields for form in field.metadata if isinstance(form, Arn))


def arn_of(target: ServiceTarget) -> str:
    """Returns the first ARN of a target, which must have one: the resource that it invokes, or the cluster of
    an ECS task."""
    return str(getattr(target, arn_field(type(target))[0]))
