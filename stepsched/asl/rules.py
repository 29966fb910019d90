"""The rules of a Choice, as Python expressions.

    asl.variable("$.count") > 3
    (asl.variable("$.state") == "ready") & ~asl.variable("$.error").is_present()
    asl.condition("$count > 3")

``.then("Next state")`` makes a test a rule. The first form is for JSONPath, the last for JSONata.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import JsonValue, ModelWrapValidatorHandler, model_validator
from typing_extensions import Self

from stepsched.asl.documents import AslValue, is_written, write
from stepsched.core.instants import utc_text

ValueType: TypeAlias = Literal["String", "Numeric", "Boolean", "Timestamp"]
_COMPARISONS = {
    "String": ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"),
    "Numeric": ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"),
    "Timestamp": ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"),
    "Boolean": ("Equals",),
}
_QUESTIONS = ("IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp")
OPERATORS = frozenset(
    [f"{kind}{word}{path}" for kind, words in _COMPARISONS.items() for word in words for path in ("", "Path")]
    + ["StringMatches", *_QUESTIONS]
)
"""All comparison operators of a JSONPath rule."""


class _Test(AslValue, frozen=True):
    comment: str | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _as_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Reads also the JSON form, in which an operator is a key."""
        if not is_written(data) or cls is Condition:
            return handler(data)
        test = read_test(data)
        if not isinstance(test, cls):
            raise ValueError(f"{dict(data)!r} is no {cls.__name__}")  # noqa: TRY004 -- pydantic collects ValueError
        return test

    def __and__(self, other: Test) -> Test:
        return _joined("and", self, other) if isinstance(other, _Test) else NotImplemented

    def __or__(self, other: Test) -> Test:
        return _joined("or", self, other) if isinstance(other, _Test) else NotImplemented

    def __bool__(self) -> bool:
        raise TypeError(
            "a test has no truth in Python: join tests with & | ~, not with and, or, not, and write "
            "(0 < x) & (x < 5) for 0 < x < 5"
        )

    def __invert__(self) -> Test:
        if isinstance(self, Condition):
            return Condition(condition=f"{{% $not({_inner(self)}) %}}")
        assert isinstance(self, (Comparison, And, Or, Not))
        return Not(test=self)

    def then(
        self,
        next: str,  # noqa: A002 -- the States Language's word
        *,
        assign: Mapping[str, Any] | None = None,
        output: JsonValue = None,
        comment: str | None = None,
    ) -> Rule:
        """Returns the rule that continues with a state if the test is true.

        Args:
            next: The name of the state.
            assign: The variables to assign if the rule matches.
            output: The output if the rule matches (JSONata). None: the input.
            comment: A comment for people.
        """
        given = {"assign": assign, "output": output, "comment": comment}
        extra = {key: value for key, value in given.items() if value is not None}
        assert isinstance(self, (Comparison, And, Or, Not, Condition))
        return Rule(test=self, next=next, **extra)


class Comparison(_Test, frozen=True):
    """A comparison of a variable with a value, in JSONPath."""

    variable: str
    """The path of the variable, such as ``$.count``."""
    operator: str
    """The operator, such as ``NumericGreaterThan``."""
    value: JsonValue
    """The value of the comparison; a path if the operator ends in ``Path``."""

    def to_dict(self) -> dict[str, Any]:
        return _comment(self) | {"Variable": self.variable, self.operator: write(self.value)}


class And(_Test, frozen=True):
    """A test that is true if all of its tests are true."""

    tests: tuple[Test, ...]

    def to_dict(self) -> dict[str, Any]:
        return _comment(self) | {"And": [test.to_dict() for test in self.tests]}


class Or(_Test, frozen=True):
    """A test that is true if at least one of its tests is true."""

    tests: tuple[Test, ...]

    def to_dict(self) -> dict[str, Any]:
        return _comment(self) | {"Or": [test.to_dict() for test in self.tests]}


class Not(_Test, frozen=True):
    """A test that is true if its test is false."""

    test: Test

    def to_dict(self) -> dict[str, Any]:
        return _comment(self) | {"Not": self.test.to_dict()}


class Condition(_Test, frozen=True):
    """A test that is true if a JSONata expression is true."""

    condition: str | bool
    """The expression in ``{% ... %}``, or a boolean."""


Test: TypeAlias = Comparison | And | Or | Not | Condition
"""Any test of a state's data."""


class Rule(AslValue, frozen=True):
    """A test and the state to continue with."""

    test: Test
    next: str
    assign: dict[str, JsonValue] | None = None
    output: JsonValue = None
    comment: str | None = None

    nullable = frozenset({"output"})

    def to_dict(self) -> dict[str, Any]:
        document = super().to_dict()
        del document["Test"]
        return document | self.test.to_dict()

    @model_validator(mode="wrap")
    @classmethod
    def _from_wire(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Reads also the JSON form, in which the fields of the test are among those of the rule."""
        if is_written(data):
            own = {key: data[key] for key in ("Next", "Assign", "Output", "Comment") if key in data}
            test = {key: value for key, value in data.items() if key not in own}
            data = own | {"Test": read_test(test)}
        return handler(data)


def read_test(document: Any) -> Test:
    """Reads the test of a rule of a definition.

    Raises:
        ValueError: It is not a rule.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"expected a choice rule, got {document!r}")  # noqa: TRY004 -- pydantic collects ValueError
    keys = document.keys() - {"Comment"}
    comment = {"comment": document["Comment"]} if "Comment" in document else {}
    if keys == {"And"} or keys == {"Or"}:
        (word,) = keys
        if not isinstance(document[word], list):
            raise ValueError(f"expected a list of rules for {word}")
        tests = tuple(read_test(each) for each in document[word])
        return And(tests=tests, **comment) if word == "And" else Or(tests=tests, **comment)
    if keys == {"Not"}:
        return Not(test=read_test(document["Not"]), **comment)
    if keys == {"Condition"}:
        return Condition(condition=document["Condition"], **comment)
    operators = keys - {"Variable"}
    if len(operators) != 1 or "Variable" not in keys or not operators <= OPERATORS:
        raise ValueError(f"expected Variable and one operator, got {', '.join(sorted(keys)) or 'nothing'}")
    (operator,) = operators
    return Comparison(variable=document["Variable"], operator=operator, value=document[operator], **comment)


class Variable:
    """A path whose value is compared; Python's operators return tests. See :func:`variable`."""

    __slots__ = ("path", "type")

    def __init__(self, path: str, type: ValueType | None) -> None:  # noqa: A002 -- the plain word
        self.path = path
        self.type = type

    def __repr__(self) -> str:
        return f"variable({self.path!r})"

    __hash__ = None  # type: ignore[assignment]  # == makes a test

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]
        return self._compare("Equals", other)

    def __ne__(self, other: object) -> Not:  # type: ignore[override]
        return Not(test=self._compare("Equals", other))

    def __lt__(self, other: object) -> Comparison:
        return self._compare("LessThan", other)

    def __le__(self, other: object) -> Comparison:
        return self._compare("LessThanEquals", other)

    def __gt__(self, other: object) -> Comparison:
        return self._compare("GreaterThan", other)

    def __ge__(self, other: object) -> Comparison:
        return self._compare("GreaterThanEquals", other)

    def matches(self, pattern: str) -> Comparison:
        """Returns a test: the value is a string that matches the pattern, in which ``*`` matches any
        characters."""
        return Comparison(variable=self.path, operator="StringMatches", value=pattern)

    def is_present(self) -> Comparison:
        """Returns a test: the path exists, even if its value is null."""
        return self._ask("IsPresent")

    def is_null(self) -> Comparison:
        """Returns a test: the value is null."""
        return self._ask("IsNull")

    def is_number(self) -> Comparison:
        """Returns a test: the value is a number."""
        return self._ask("IsNumeric")

    def is_text(self) -> Comparison:
        """Returns a test: the value is a string."""
        return self._ask("IsString")

    def is_boolean(self) -> Comparison:
        """Returns a test: the value is a boolean."""
        return self._ask("IsBoolean")

    def is_timestamp(self) -> Comparison:
        """Returns a test: the value is a timestamp such as ``2030-01-01T09:00:00Z``."""
        return self._ask("IsTimestamp")

    def _ask(self, question: str) -> Comparison:
        return Comparison(variable=self.path, operator=question, value=True)

    def _compare(self, word: str, other: object) -> Comparison:
        value: JsonValue
        if isinstance(other, Variable):
            kind = self.type or other.type
            if kind is None or (other.type or kind) != kind:
                raise ValueError(
                    f"expected the type of {self.path!r} or {other.path!r}, got none; "
                    f"use variable({self.path!r}, 'Numeric') or another type"
                )
            operator, value = f"{kind}{word}Path", other.path
        else:
            kind, literal = _typed(other)
            if (self.type, kind) == ("Timestamp", "String"):
                kind = "Timestamp"
            if (self.type or kind) != kind:
                raise ValueError(f"expected {self.type} to compare with {self.path!r}, got {kind} {other!r}")
            operator, value = f"{kind}{word}", literal
        if operator not in OPERATORS:
            raise ValueError(f"{self.path!r}: booleans can only be tested for equality, got {operator}")
        return Comparison(variable=self.path, operator=operator, value=value)


def variable(path: str, type: ValueType | None = None) -> Variable:  # noqa: A002 -- the plain word
    """Returns the value at a path, to be compared with Python's operators, in JSONPath.

    Args:
        path: The path, such as ``$.order.total`` or ``$$.State.RetryCount``.
        type: The type of the comparison; needed only for a comparison with another variable.

    Example:
        >>> (variable("$.total") >= 100).then("Big").to_dict()
        {'Next': 'Big', 'Variable': '$.total', 'NumericGreaterThanEquals': 100}
    """
    return Variable(path, type)


def condition(expression: str) -> Condition:
    """Returns a JSONata expression as a test.

    Args:
        expression: The expression, with or without ``{% %}``.

    Example:
        >>> condition("$count($xs) > 3").then("Many").to_dict()
        {'Next': 'Many', 'Condition': '{% $count($xs) > 3 %}'}
    """
    if not isinstance(expression, str):
        raise TypeError(f"expected the text of an expression, got {type(expression).__name__}")
    text = expression.strip()
    if text.startswith("{%") and text.endswith("%}"):
        text = text[2:-2].strip()
    if not text:
        raise ValueError("expected an expression, got an empty string")
    return Condition(condition=f"{{% {text} %}}")


def _typed(value: object) -> tuple[ValueType, JsonValue]:
    match value:
        case bool():
            return "Boolean", value
        case int() | float() if math.isfinite(value):
            return "Numeric", value
        case str():
            return "String", value
        case datetime() if value.tzinfo is not None:
            return "Timestamp", utc_text(value)
        case datetime():
            raise ValueError(f"expected an aware datetime, got {value!r}")
    raise ValueError(f"expected a string, finite number, boolean or datetime, got {value!r}")


def _joined(word: str, left: _Test, right: _Test) -> Test:
    if isinstance(left, Condition) and isinstance(right, Condition):
        return Condition(condition=f"{{% ({_inner(left)}) {word} ({_inner(right)}) %}}")
    if isinstance(left, Condition) or isinstance(right, Condition):
        raise ValueError(  # noqa: TRY004 -- as elsewhere
            "a JSONata condition and a JSONPath comparison cannot be combined in one rule"
        )
    cls: type[And | Or] = And if word == "and" else Or
    tests: list[Test] = []
    for each in (left, right):
        assert isinstance(each, (Comparison, And, Or, Not))
        tests += each.tests if isinstance(each, cls) and each.comment is None else [each]
    return cls(tests=tuple(tests))


def _inner(test: Condition) -> str:
    text = str(test.condition).lower() if isinstance(test.condition, bool) else test.condition
    return text[2:-2].strip() if text.startswith("{%") else text


def _comment(test: _Test) -> dict[str, Any]:
    return {} if test.comment is None else {"Comment": test.comment}


for _model in (And, Or, Not, Rule):
    _model.model_rebuild()
__all__ = ["And", "Comparison", "Condition", "Not", "Or", "Rule", "Test", "Variable", "condition", "variable"]
