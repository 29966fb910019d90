"""What a check finds in a definition, in the words of ``ValidateStateMachineDefinition``."""

from __future__ import annotations

from stepsched.core.enums import StrEnum
from stepsched.core.values import Value


class Severity(StrEnum):
    """Whether AWS would refuse the definition."""

    ERROR = "ERROR"
    """AWS refuses it, or the state fails whenever it runs."""
    WARNING = "WARNING"
    """It is taken, and probably not what was meant."""


class Diagnostic(Value, frozen=True):
    """One finding.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
    """

    severity: Severity
    code: str
    """AWS's own, such as ``MISSING_TRANSITION_TARGET``."""
    message: str
    """What is wrong, with the value, and how to mend it."""
    path: str
    """Where, such as ``/States/Run/Next``; empty for the whole definition."""

    @property
    def is_error(self) -> bool:
        """Whether it is more than a warning."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        """Such as ``ERROR MISSING_TRANSITION_TARGET at /States/Run/Next: ...``."""
        place = f" at {self.path}" if self.path else ""
        return f"{self.severity.value} {self.code}{place}: {self.message}"
