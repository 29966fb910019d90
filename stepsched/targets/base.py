"""What the targets that call one API of AWS have in common."""

from functools import cache
from typing import ClassVar, NamedTuple

from stepsched.aws.arns import Arn
from stepsched.core.values import PositionalValue


class ApiCall(NamedTuple):
    """A call of an API of AWS."""

    service: str
    """Its name in the SDK, such as ``sfn``."""
    action: str
    """In lower camel case, such as ``startExecution``."""
    named_by: tuple[str, ...] = ()
    """The parameters of which one names, by ARN or name, what the call acts on. Empty: no single one does."""

    @property
    def name(self) -> str:
        """Both in one, such as ``sfn:startExecution``."""
        return f"{self.service}:{self.action}"


# Each class writes its constructor out. One made from the fields would take tuples and dicts where any
# sequence and mapping is taken, and not every editor would see that the ARN needs no keyword.
class ServiceTarget(PositionalValue, frozen=True):
    """A target whose every value makes the same call."""

    api_call: ClassVar[ApiCall]
    """The call that invokes the target."""
    takes_input: ClassVar[bool] = True
    """Whether the call carries the job's input; if not, fields of the target say what it carries."""


@cache
def arn_field(kind: type[ServiceTarget]) -> tuple[str, Arn]:
    """The first field of a target that holds an ARN, and its form; the target must have one."""
    fields = kind.model_fields.items()
    return next((name, form) for name, field in fields for form in field.metadata if isinstance(form, Arn))


def arn_of(target: ServiceTarget) -> str:
    """The first ARN of a target, which must have one: what it invokes, or, of a task, where."""
    return str(getattr(target, arn_field(type(target))[0]))
