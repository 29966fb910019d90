"""The diagnostics of a check, in the form of ``ValidateStateMachineDefinition``."""

from __future__ import annotations

from stepsched.core.enums import StrEnum
from stepsched.core.values import Value


class Severity(StrEnum):
    """The severity of a diagnostic."""

    ERROR = "ERROR"
    """AWS refuses the definition, or the state always fails at run time."""
    WARNING = "WARNING"
    """AWS accepts it, but it is probably a mistake."""


class Diagnostic(Value, frozen=True):
    """A problem in a definition.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
    """

    severity: Severity
    code: str
    """The code as on AWS, such as ``MISSING_TRANSITION_TARGET``."""
    message: str
    """A description of the problem, with the value and the correction."""
    path: str
    """The place in the definition, such as ``/States/Run/Next``; empty for the whole definition."""

    @property
    def is_error(self) -> bool:
        """Whether the severity is ``ERROR``."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        """Returns a text such as ``ERROR MISSING_TRANSITION_TARGET at /States/Run/Next: ...``."""
        place = f" at {self.path}" if self.path else ""
        return f"{self.severity.value} {self.code}{place}: {self.message}"
