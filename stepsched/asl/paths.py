"""JSONPath, reference paths and intrinsic functions: the query language of a definition without JSONata.

The dialect is Jayway's, with ``$$`` for the context object and ``$name`` for variables.
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding, Reading, unknown_context_field

CODE = "SCHEMA_VALIDATION_FAILED"

_ROOT = re.compile(r"\$(?:\$|(?P<variable>[^\W\d]\w*))?")
_NAME = re.compile(r"(?:\\.|&(?!&)|[^\s.\[\]()'\"\\,=<>!?*&|])+")
"""Jayway accepts more characters, such as ``=``, which are more likely a mistake than a key."""
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_INDEX = re.compile(r"\[(0|[1-9][0-9]*)\]")
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
_SPACE = re.compile(r"\s*")
_COMPARISON = re.compile(
    r"==|!=|<=|>=|=~|<|>|(?:in|nin|subsetof|anyof|noneof|size|empty|contains|type)(?![\w-])", re.IGNORECASE
)
_LITERAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.])|(?:true|false|null)\b")
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

_FUNCTION = re.compile(r"States\.(\w*)\s*\(")
_TEXT = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NESTED = 10
"""The maximum nesting of functions."""
_MOST = 10_000
_INTRINSICS = {
    "Format": (1, _MOST), "StringToJson": (1, 1), "JsonToString": (1, 1), "Array": (0, _MOST),
    "ArrayPartition": (2, 2), "ArrayContains": (2, 2), "ArrayRange": (3, 3), "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1), "ArrayUnique": (1, 1), "Base64Encode": (1, 1), "Base64Decode": (1, 1),
    "Hash": (2, 2), "JsonMerge": (3, 3), "MathRandom": (2, 3), "MathAdd": (2, 2), "StringSplit": (2, 2),
    "UUID": (0, 0),
}  # fmt: skip
"""The minimum and maximum numbers of arguments."""
_ALGORITHMS = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")


class _PathError(ValueError):
    """A text that cannot be parsed."""


class _Scanner:
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

    def warn(self, message: str) -> None:
        self.findings.append(Finding(Severity.WARNING, CODE, message))

    def fail(self, reason: str) -> _PathError:
        return _PathError(f"{reason} (at character {self.at + 1})")

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def take_text(self, text: str) -> bool:
        """Consumes the text if it comes next, ignoring spaces; returns whether it did."""
        self.take(_SPACE)
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
                self.warn(f"$${unknown}")

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
        if self.take(_FILTER) is None:
            raise self.fail("brackets hold a quoted name, an index, a slice, * or a filter ?(...)")
        self.alternatives()
        self.expect(")", "a filter ends with )]")
        self.expect("]", "a filter ends with )]")
        return None

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
        self.take(_SPACE)
        if self.take(_COMPARISON) is not None:
            self.take(_SPACE)
            self.operand()
        elif self.peek("="):
            raise self.fail("a filter compares with ==")

    def operand(self) -> None:
        self.take(_SPACE)
        if self.peek("@") or self.peek("$"):
            self.path(in_filter=True)
        elif self.peek("[") or self.peek("{"):
            self.json()
        elif not (self.take(_QUOTED) or self.take(_LITERAL) or self.take(_PATTERN)):
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

    # -- intrinsic functions -------------------------------------------------------------------------------

    def intrinsic(self, level: int = 0) -> None:
        if level > _NESTED:
            raise self.fail(f"functions nest at most {_NESTED} deep; assign a part in a state before")
        call = self.take(_FUNCTION)
        if call is None:
            raise self.fail("a function such as States.Format('{}', $.name) is expected")
        name = call[1]
        if name not in _INTRINSICS:
            close = get_close_matches(name, _INTRINSICS, n=1)
            hint = f"did you mean States.{close[0]}?" if close else f"there are {', '.join(_INTRINSICS)}"
            raise self.fail(f"States.{name} does not exist; {hint}")
        arguments: list[str | None] = []
        if not self.take_text(")"):
            while True:
                arguments.append(self.argument(level))
                if not self.take_text(","):
                    break
            self.expect(")", f"the arguments of States.{name} are separated by commas and end with )")
        self.arguments(name, arguments)

    def argument(self, level: int) -> str | None:
        """Parses one argument; returns its text if it is a literal."""
        self.take(_SPACE)
        if self.peek("States."):
            self.intrinsic(level + 1)
            return None
        if self.peek("$"):
            self.path()
            return None
        literal = self.take(_LITERAL)
        if literal is not None:
            return literal[0]
        text = self.take(_TEXT)
        if text is not None:
            self.escapes(text[1])
            return text[0]
        if self.peek("'"):
            raise self.fail("a text is never closed; a quote inside is written \\'")
        if self.peek('"'):
            raise self.fail("text stands in single quotes")
        found = repr(self.rest()[:10]) if self.rest() else "the end"
        raise self.fail(
            f"an argument is 'text', a number, true, false, null, a path or States..., not {found}"
        )

    def escapes(self, text: str) -> None:
        for escape in _ESCAPE.findall(text):
            if escape not in "'{}\\":
                reason = "only \\', \\{, \\} and \\\\ are escapes; write \\\\ for a backslash"
                self.warn(f"Doubtful text '{text}' in {self.text!r}: \\{escape} is unknown, {reason}")

    def arguments(self, name: str, arguments: list[str | None]) -> None:
        least, most = _INTRINSICS[name]
        given = len(arguments)
        if not least <= given <= most:
            wanted = (
                f"{least}" if least == most else f"{least} or more" if most == _MOST else f"{least} to {most}"
            )
            raise self.fail(
                f"States.{name} takes {wanted} {'argument' if wanted == '1' else 'arguments'}, not {given}"
            )
        first = arguments[0] if arguments else None
        if name == "Format" and first is not None:
            self.template(first, given - 1)
        if name == "Hash" and arguments[1] is not None and arguments[1].strip("'") not in _ALGORITHMS:
            raise self.fail(
                f"States.Hash knows no algorithm {arguments[1]}; it takes {', '.join(_ALGORITHMS)}"
            )
        if name == "JsonMerge" and arguments[2] not in (None, "false"):
            raise self.fail(
                f"the last argument of States.JsonMerge is false, not {arguments[2]}; merging is shallow"
            )

    def template(self, template: str, given: int) -> None:
        if not template.startswith("'"):
            raise self.fail(f"the template of States.Format is text, not {template}")
        bare = _ESCAPE.sub("", template)
        places = bare.count("{}")
        if bare.count("{") != places or bare.count("}") != places:
            raise self.fail(f"braces other than {{}} are written \\{{ and \\}} in the template {template}")
        if places != given:
            raise self.fail(f"the template {template} has {places} places {{}} for {given} values")


def _refused(scanner: _Scanner, what: str, error: object) -> Reading:
    finding = Finding(Severity.ERROR, CODE, f"Invalid {what} {scanner.text!r}: {error}")
    scanner.findings.insert(0, finding)
    return scanner.reading()


@lru_cache(maxsize=4096)
def read_path(text: str) -> Reading:
    """Parses a JSONPath, such as ``$.items[?(@.price > 3)].id`` or ``$$.Execution.Id``.

    ``states`` of the result contains ``context`` if it begins with ``$$``.
    """
    scanner = _Scanner(text)
    try:
        scanner.path()
        if scanner.rest():
            raise scanner.fail(f"{scanner.rest()[:10]!r} is out of place; quote odd names: $['my key']")
    except _PathError as error:
        return _refused(scanner, "path", error)
    return scanner.reading()


@lru_cache(maxsize=4096)
def read_reference_path(text: str) -> Reading:
    """Parses a path that names one place to write to, as in ``ResultPath``: ``$.a.b[0]['c']``."""
    scanner = _Scanner(text)
    try:
        _reference_path(scanner)
    except _PathError as error:
        return _refused(scanner, "reference path", error)
    return scanner.reading()


def _reference_path(scanner: _Scanner) -> None:
    cure = "it names one place in the state's data, such as '$.result' or '$.items[0].id'"
    if not scanner.peek("$"):
        raise scanner.fail(f"{cure} and begins with $")
    if scanner.take(_ROOT)[0] != "$":  # type: ignore[index]  # it begins with $
        raise scanner.fail(f"neither the context object nor a variable can be written to; {cure}")
    while scanner.rest():
        if scanner.take(_INDEX) is not None:
            continue
        at = scanner.at
        is_name = (scanner.peek(".") or scanner.peek("[")) and _step(scanner) is not None
        if not is_name:
            part = scanner.text[at : max(scanner.at, at + 1)]
            raise scanner.fail(f"{part!r} may name several places or none; {cure}")


def _step(scanner: _Scanner) -> str | None:
    return scanner.bracket() if scanner.peek("[") else scanner.dotted()


@lru_cache(maxsize=4096)
def read_intrinsic(text: str) -> Reading:
    """Parses a call such as ``States.Format('run {} of {}', $.id, States.UUID())``."""
    scanner = _Scanner(text)
    try:
        scanner.intrinsic()
        if scanner.rest().strip():
            raise scanner.fail(f"{scanner.rest()[:10]!r} stands behind the function")
    except _PathError as error:
        return _refused(scanner, "intrinsic function", error)
    return scanner.reading()
