"""JSONPath and reference paths: the query language of a definition without JSONata.

The dialect is Jayway's, with ``$$`` for the context object and ``$name`` for variables.
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

from __future__ import annotations

import re
from functools import lru_cache

from stepsched.asl.diagnostics import Doubt, Severity
from stepsched.asl.expressions import Finding, Reading, unknown_context_field

CODE = "SCHEMA_VALIDATION_FAILED"

_ROOT = re.compile(r"\$(?:\$|(?P<variable>[^\W\d]\w*))?")
_NAME = re.compile(r"(?:\\.|&(?!&)|[^\s.\[\]()'\"\\,=<>!?*&|])+")
_ODD_NAME = re.compile(r"[=<>!?*&|,'\"]+")
"""What Jayway accepts in a name too, and is more likely a mistake than a key."""
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_INDEX = re.compile(r"\[(0|[1-9][0-9]*)\]")
_FROM_THE_END = re.compile(r"\[-[0-9]+\]")
_BRACKET = re.compile(
    r"""\[\s*(?:
      (?P<key>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\s*\]
    | (?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")(?:\s*,\s*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))+\s*\]
    | (?P<index>-?[0-9]+)\s*\]
    | -?[0-9]+(?:\s*,\s*-?[0-9]+)+\s*\]
    | (?:-?[0-9]+)?\s*:\s*(?:-?[0-9]+)?(?:\s*:\s*(?:-?[0-9]+)?)?\s*\]
    | \*\s*\]
    )""",
    re.VERBOSE | re.DOTALL,
)
_FILTER = re.compile(r"\[\s*\?\s*\(")
SPACE = re.compile(r"\s*")
_COMPARISON = re.compile(
    r"==|!=|<=|>=|=~|<|>|(?:in|nin|subsetof|anyof|noneof|size|empty|contains|type)(?![\w-])", re.IGNORECASE
)
LITERAL_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
LITERAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.])|(?:true|false|null)\b")
_PATTERN = re.compile(r"/(?:\\.|[^/\\])+/[a-zA-Z]*")
_PATH_FUNCTIONS = frozenset(
    (
        "min",
        "max",
        "avg",
        "stddev",
        "length",
        "size",
        "sum",
        "keys",
        "concat",
        "append",
        "first",
        "last",
        "index",
    )
)

_DEEPEST = 50
"""The maximum nesting of filters; a limit of this parser, not of AWS."""


class PathError(ValueError):
    """A text that cannot be parsed."""


class Scanner:
    """The parser of one text, from left to right. ``at`` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.level = 0
        self.variables: set[str] = set()
        self.states: set[str] = set()
        self.findings: list[Finding] = []

    def reading(self) -> Reading:
        findings = tuple(dict.fromkeys(self.findings))
        return Reading(frozenset(self.variables), frozenset(self.states), findings)

    def warn(self, message: str, code: Doubt = Doubt.DOUBTFUL_PATH) -> None:
        self.findings.append(Finding(Severity.WARNING, code.value, message))

    def fail(self, reason: str) -> PathError:
        return PathError(f"{reason} (at character {self.at + 1})")

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def take_text(self, text: str) -> bool:
        """Consumes the text if it comes next, ignoring spaces; returns whether it did."""
        self.take(SPACE)
        if not self.peek(text):
            return False
        self.at += len(text)
        return True

    def expect(self, text: str, reason: str) -> None:
        if not self.take_text(text):
            raise self.fail(reason)

    def rest(self) -> str:
        return self.text[self.at :]

    # -- paths -----------------------------------------------------------------------------------------

    def path(self, *, in_filter: bool = False) -> None:
        """Parses a path; in a filter it may begin with ``@``."""
        if in_filter and self.peek("@"):
            self.at += 1
            self.segments()
            return
        root = self.take(_ROOT)
        if root is None:
            raise self.fail("a path begins with $, as in '$.order.id'")
        if root["variable"]:
            self.variables.add(root["variable"])
        names = self.segments()
        if root[0] == "$$":
            self.states.add("context")
            unknown = unknown_context_field(names)
            if unknown is not None:
                self.warn(f"$${unknown}", Doubt.UNKNOWN_FIELD)

    def segments(self) -> list[str | None]:
        """Parses the steps after the root: returns names, and None for other steps."""
        names: list[str | None] = []
        while self.at < len(self.text):
            if self.peek("["):
                names.append(self.bracket())
            elif self.peek("."):
                names.append(self.dotted())
            else:
                break
        return names

    def dotted(self) -> str | None:
        is_deep = self.peek("..")
        self.at += 2 if is_deep else 1
        if self.peek("["):
            name = self.bracket()
            return None if is_deep else name
        if self.peek("*"):
            self.at += 1
            return None
        name_match = self.take(_NAME)
        if name_match is None:
            if self.at == len(self.text):
                raise self.fail("it ends with a dot; name a field or leave the dot out")
            raise self.fail(f"a field is missing before {self.rest()[:1]!r}; quote odd names: $['my key']")
        if self.peek("("):
            self.path_function(name_match[0])
            return None
        return None if is_deep else re.sub(r"\\(.)", r"\1", name_match[0])

    def path_function(self, name: str) -> None:
        if name not in _PATH_FUNCTIONS:
            known = ", ".join(sorted(_PATH_FUNCTIONS))
            raise self.fail(f"{name!r} is no function of a path; there are {known}")
        self.at += 1
        self.descend()
        while not self.take_text(")"):
            self.operand()
            self.take_text(",")
        self.level -= 1

    def bracket(self) -> str | None:
        match = self.take(_BRACKET)
        if match is not None:
            return match["key"][1:-1] if match["key"] is not None else None
        start, level = self.at, self.level
        if self.take(_FILTER) is None:
            raise self.fail("brackets hold a quoted name, an index, a slice, * or a filter ?(...)")
        try:
            self.alternatives()
            self.expect(")", "a filter ends with )]")
            self.expect("]", "a filter ends with )]")
        except PathError as error:
            # AWS stores a definition whatever its filters hold between the brackets.
            self.at, self.level = start, level
            if not self.skip_filter():
                raise
            self.warn(f"Doubtful filter {self.text[start : self.at]!r}, which may select nothing: {error}")
        return None

    def skip_filter(self) -> bool:
        """Skips ``[?(...)]`` up to its end; returns whether it has one."""
        depth = 0
        while self.at < len(self.text):
            if self.take(_QUOTED) is not None:
                continue
            depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
            if depth == 0:
                return self.text.endswith((")]", ") ]"), 0, self.at)
        return False

    # -- filters -----------------------------------------------------------------------------------------

    def alternatives(self) -> None:
        """Parses conditions joined by ``||`` and ``&&``; their precedence does not matter here."""
        self.descend()
        self.condition()
        while self.take_text("||") or self.take_text("&&"):
            self.condition()
        self.level -= 1

    def descend(self) -> None:
        self.level += 1
        if self.level > _DEEPEST:
            raise self.fail("it nests too deeply")

    def condition(self) -> None:
        while self.take_text("!"):
            pass
        if self.take_text("("):
            self.alternatives()
            self.expect(")", "a parenthesis of the filter is never closed")
            return
        self.operand()
        self.take(SPACE)
        if self.take(_COMPARISON) is not None:
            self.take(SPACE)
            self.operand()
        elif self.peek("="):
            raise self.fail("a filter compares with ==")

    def operand(self) -> None:
        self.take(SPACE)
        if self.peek("@") or self.peek("$"):
            self.path(in_filter=True)
        elif self.peek("[") or self.peek("{"):
            self.json()
        elif not (self.take(_QUOTED) or self.take(LITERAL) or self.take(_PATTERN)):
            found = repr(self.rest()[:10]) if self.rest() else "the end"
            raise self.fail(f"a path from @ or $, text in quotes or a number is expected, not {found}")

    def json(self) -> None:
        """Parses an array or an object; only brackets are checked."""
        depth = 0
        while self.at < len(self.text):
            if self.take(_QUOTED) is not None:
                continue
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(self.text[self.at], 0)
            self.at += 1
            if depth == 0:
                return
        raise self.fail("an array or object of the filter is never closed")


def refused(scanner: Scanner, what: str, error: object) -> Reading:
    finding = Finding(Severity.ERROR, CODE, f"Invalid {what} {scanner.text!r}: {error}")
    scanner.findings.insert(0, finding)
    return scanner.reading()


@lru_cache(maxsize=4096)
def read_path(text: str) -> Reading:
    """Parses a JSONPath, such as ``$.items[?(@.price > 3)].id`` or ``$$.Execution.Id``.

    ``states`` of the result contains ``context`` if it begins with ``$$``.
    """
    scanner = Scanner(text)
    try:
        scanner.path()
        odd: list[str] = []
        while scanner.rest():
            sign = None if text[scanner.at - 1] in "]$" else scanner.take(_ODD_NAME)
            if sign is None:
                raise scanner.fail(f"{scanner.rest()[:10]!r} is out of place; quote odd names: $['my key']")
            odd.append(sign[0])
            scanner.take(_NAME)
            scanner.segments()
        for each in odd:
            scanner.warn(f"{each!r} counts as a part of a name in {text!r}; quote odd names: $['my key']")
    except PathError as error:
        return refused(scanner, "path", error)
    return scanner.reading()


@lru_cache(maxsize=4096)
def read_reference_path(text: str, *, of_variables: bool = False, of_context: bool = False) -> Reading:
    """Parses a path that names one place, as in ``ResultPath``: ``$.a.b[0]['c']``.

    Args:
        of_variables: Whether it may begin with a variable, because it is only read.
        of_context: Whether it may begin with ``$$``, the context object.
    """
    scanner = Scanner(text)
    try:
        _reference_path(scanner, of_variables=of_variables, of_context=of_context)
    except PathError as error:
        return refused(scanner, "reference path", error)
    return scanner.reading()


def _reference_path(scanner: Scanner, *, of_variables: bool, of_context: bool) -> None:
    cure = "it names one place in the state's data, such as '$.result' or '$.items[0].id'"
    root = scanner.take(_ROOT)
    if root is None:
        raise scanner.fail(f"{cure} and begins with $")
    if root["variable"] and of_variables:
        scanner.variables.add(root["variable"])
    elif root[0] == "$$" and of_context:
        scanner.states.add("context")
    elif root[0] != "$":
        kinds = "neither the context object nor a variable can be written to"
        kinds = "the context object cannot be read here" if of_variables else kinds
        raise scanner.fail(f"{kinds}; {cure}")
    names: list[str | None] = []
    while scanner.rest():
        if scanner.take(_INDEX) is not None:
            names.append(None)
            continue
        at = scanner.at
        if of_variables and scanner.take(_FROM_THE_END) is not None:
            scanner.warn(f"{scanner.text[at : scanner.at]!r} counts from the end, which AWS may refuse here")
            names.append(None)
            continue
        name = _step(scanner) if scanner.peek(".") or scanner.peek("[") else None
        if name is None:
            part = scanner.text[at : max(scanner.at, at + 1)]
            raise scanner.fail(f"{part!r} may name several places or none; {cure}")
        names.append(name)
    unknown = unknown_context_field(names) if root[0] == "$$" else None
    if unknown is not None:
        scanner.warn(f"$${unknown}", Doubt.UNKNOWN_FIELD)


def _step(scanner: Scanner) -> str | None:
    return scanner.bracket() if scanner.peek("[") else scanner.dotted()
