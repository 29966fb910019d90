"""The diagnostics of a check, in the form of ``ValidateStateMachineDefinition``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from stepsched.core.enums import StrEnum
from stepsched.core.values import Value
from stepsched.display.results import Displayed, Results
from stepsched.display.table import visible

if TYPE_CHECKING:  # loaded when something is shown
    from datetime import tzinfo

    from stepsched.display.frames import Column
    from stepsched.display.table import Cell, Table, Tone


class Severity(StrEnum):
    """The severity of a diagnostic."""

    ERROR = "ERROR"
    """AWS refuses the definition, or the state always fails at run time."""
    WARNING = "WARNING"
    """AWS accepts it, or it is not known that AWS refuses it, but it is probably a mistake."""


ERROR_CODES = (
    "DUPLICATE_LABEL_NAME", "DUPLICATE_STATE_NAME", "INVALID_JSONATA_EXPRESSION", "INVALID_JSON_DESCRIPTION",
    "INVALID_LABEL_NAME", "INVALID_RESOURCE", "INVALID_STATE_NAME", "INVALID_VARIABLE_NAME",
    "MISSING_DESCRIPTION", "MISSING_END_STATE", "MISSING_TRANSITION_TARGET", "RESERVED_VARIABLE_NAME",
    "SCHEMA_VALIDATION_FAILED", "TOO_DEEPLY_NESTED", "UNSUPPORTED_JSONATA_EXPRESSION",
)  # fmt: skip
"""The codes of errors, which are those of AWS."""


class Doubt(StrEnum):
    """The codes of warnings. ``NO_DOLLAR`` and ``PASS_RESULT_IS_STATIC`` are AWS's; AWS does not report the
    others."""

    DOUBTFUL_EXPRESSION = "DOUBTFUL_EXPRESSION"
    DOUBTFUL_PATH = "DOUBTFUL_PATH"
    DOUBTFUL_VALUE = "DOUBTFUL_VALUE"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    NEVER_USED = "NEVER_USED"
    NO_DEFAULT = "NO_DEFAULT"
    NO_DOLLAR = "NO_DOLLAR"
    NO_EFFECT = "NO_EFFECT"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    NOT_EVALUATED = "NOT_EVALUATED"
    PASS_RESULT_IS_STATIC = "PASS_RESULT_IS_STATIC"  # noqa: S105 -- a code, not a password
    PLAIN_ATTRIBUTE = "PLAIN_ATTRIBUTE"
    TOKEN_NOT_PASSED = "TOKEN_NOT_PASSED"  # noqa: S105 -- a code, not a secret
    UNKNOWN_ERROR_NAME = "UNKNOWN_ERROR_NAME"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    UNKNOWN_VALUE = "UNKNOWN_VALUE"


class Diagnostic(Displayed, Value, frozen=True):
    """A problem in a definition.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
    """

    severity: Severity
    code: str
    """The code: AWS's for an error, such as ``MISSING_TRANSITION_TARGET``; stepsched's own for most warnings,
    such as ``NO_DEFAULT``. No code is used for both errors and warnings."""
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
        return visible(f"{self.severity.value} {self.code}{place}: {self.message}")

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        return record_table(zip(_HEAD, _cells_of(self), strict=True))


_HEAD = ("severity", "code", "where", "what", "how to mend")
_TONES: dict[Severity, Tone] = {Severity.ERROR: "bad", Severity.WARNING: "warn"}


def _cells_of(found: Diagnostic) -> tuple[str | Cell, ...]:
    from stepsched.display.table import Cell

    what, _, cure = found.message.rpartition("; ")
    severity = Cell(found.severity.value, tone=_TONES[found.severity])
    return severity, found.code, found.path or "the whole definition", what or cure, cure if what else ""


class Diagnostics(Results[Diagnostic]):
    """The problems of a definition, in document order. ``print()`` and notebooks show them as a table, of at
    most 60 problems."""

    _noun = ("problem", "problems")

    def _name_of(self, item: Diagnostic) -> str:
        return item.code

    def _caption(self) -> str:
        counts = Counter(each.severity for each in self)
        parts = [f"{counts[each]:,} {each.value.lower()}{'s' * (counts[each] > 1)}" for each in counts]
        return ", ".join(parts) or super()._caption()

    def _shown_table(self) -> Table:
        from stepsched.display.table import table_of

        return table_of(self, _HEAD, _cells_of, caption=self._caption(), total=len(self))

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.display.frames import choices, texts
        from stepsched.schedules.zones import shared_zone

        shared_zone((), timezone)  # refused as by the others, though it has no instants
        return [
            choices("severity", (each.severity for each in self), Severity),
            texts("code", (each.code for each in self)),
            texts("message", (each.message for each in self)),
            texts("path", (each.path for each in self)),
        ]
