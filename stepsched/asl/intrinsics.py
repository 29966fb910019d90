"""Intrinsic functions: the calls in JSONPath states, such as ``States.Format('{}', $.name)``.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache

from stepsched.asl.diagnostics import Doubt
from stepsched.asl.expressions import Reading
from stepsched.asl.paths import LITERAL, LITERAL_NUMBER, SPACE, PathError, Scanner, refused

_FUNCTION = re.compile(r"States\.(\w*)\s*\(")
_TEXT = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NESTED = 10
"""The maximum nesting of functions."""
_MOST = 10_000
_FUNCTIONS: dict[str, tuple[int, int, str]] = {
    "Format": (1, _MOST, ""), "StringToJson": (1, 1, "t"), "JsonToString": (1, 1, ""),
    "Array": (0, _MOST, ""), "ArrayPartition": (2, 2, "an"), "ArrayContains": (2, 2, "a?"),
    "ArrayRange": (3, 3, "nnn"), "ArrayGetItem": (2, 2, "an"), "ArrayLength": (1, 1, "a"),
    "ArrayUnique": (1, 1, "a"), "Base64Encode": (1, 1, "t"), "Base64Decode": (1, 1, "t"),
    "Hash": (2, 2, "?t"), "JsonMerge": (3, 3, "oo?"), "MathRandom": (2, 3, "nnn"), "MathAdd": (2, 2, "nn"),
    "StringSplit": (2, 2, "tt"), "UUID": (0, 0, ""),
}  # fmt: skip
"""The minimum and maximum numbers of arguments, and their types: t for text, n for a number, a for an array
and o for an object, neither of which can be written as a literal."""
_ALGORITHMS = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")
_MOST_ITEMS = 1_000
"""The maximum number of items that ``States.ArrayRange`` returns."""
_LONGEST_TEXT = 10_000
"""The maximum length of what is encoded, decoded or hashed."""


class _Scanner(Scanner):
    """The parser of one call."""

    def intrinsic(self, level: int = 0) -> None:
        if level > _NESTED:
            raise self.fail(f"functions nest at most {_NESTED} deep; assign a part in a state before")
        call = self.take(_FUNCTION)
        if call is None:
            raise self.fail("a function such as States.Format('{}', $.name) is expected")
        name = call[1]
        if name not in _FUNCTIONS:
            close = get_close_matches(name, _FUNCTIONS, n=1)
            hint = f"did you mean States.{close[0]}?" if close else f"there are {', '.join(_FUNCTIONS)}"
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
        self.take(SPACE)
        if self.peek("States."):
            self.intrinsic(level + 1)
            return None
        if self.peek("$"):
            self.path()
            return None
        literal = self.take(LITERAL)
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
                raise self.fail(f"\\{escape} is unknown in '{text}', {reason}")

    def arguments(self, name: str, arguments: list[str | None]) -> None:
        least, most, types = _FUNCTIONS[name]
        given = len(arguments)
        if not least <= given <= most:
            wanted = (
                f"{least}" if least == most else f"{least} or more" if most == _MOST else f"{least} to {most}"
            )
            raise self.fail(
                f"States.{name} takes {wanted} {'argument' if wanted == '1' else 'arguments'}, not {given}"
            )
        for literal, kind in zip(arguments, types, strict=False):
            if literal is not None:
                self.check_type(name, literal, kind)
        self.check_limits(name, arguments)
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

    def check_type(self, name: str, literal: str, kind: str) -> None:
        """Checks a literal. Whether AWS converts between text and numbers is not known."""
        if kind in "ao":
            wanted = "an array" if kind == "a" else "an object"
            raise self.fail(f"States.{name} takes {wanted} here, not {literal}; pass a path or a function")
        is_number = LITERAL_NUMBER.fullmatch(literal) is not None
        if (kind == "t" and not literal.startswith("'")) or (kind == "n" and not is_number):
            wanted = "text" if kind == "t" else "a number"
            message = f"States.{name} takes {wanted} here, not {literal}, in {self.text!r}"
            self.warn(message, Doubt.DOUBTFUL_VALUE)

    def check_limits(self, name: str, arguments: list[str | None]) -> None:
        """Checks the literals of functions that fail beyond a documented limit."""
        numbers = [
            float(each) if each is not None and LITERAL_NUMBER.fullmatch(each) else None for each in arguments
        ]
        if name == "ArrayPartition" and numbers[1] is not None and numbers[1] < 1:
            raise self.fail(f"States.ArrayPartition makes parts of at least 1 item, not {arguments[1]}")
        if name == "ArrayRange" and None not in numbers:
            first, last, step = (number or 0.0 for number in numbers)
            if not step or (last - first) / step >= _MOST_ITEMS:
                raise self.fail(
                    f"States.ArrayRange makes at most {_MOST_ITEMS:,} items, with a step other than 0"
                )
        if name in ("Base64Encode", "Base64Decode", "Hash") and len(arguments[0] or "") > _LONGEST_TEXT + 2:
            raise self.fail(f"States.{name} takes at most {_LONGEST_TEXT:,} characters")

    def template(self, template: str, given: int) -> None:
        if not template.startswith("'"):
            raise self.fail(f"the template of States.Format is text, not {template}")
        bare = _ESCAPE.sub("", template)
        places = bare.count("{}")
        if bare.count("{") != places or bare.count("}") != places:
            raise self.fail(f"braces other than {{}} are written \\{{ and \\}} in the template {template}")
        if places != given:
            raise self.fail(f"the template {template} has {places} places {{}} for {given} values")


@lru_cache(maxsize=4096)
def read_intrinsic(text: str) -> Reading:
    """Parses a call such as ``States.Format('run {} of {}', $.id, States.UUID())``."""
    scanner = _Scanner(text)
    try:
        scanner.intrinsic()
        if scanner.rest().strip():
            raise scanner.fail(f"{scanner.rest()[:10]!r} stands behind the function")
    except PathError as error:
        return refused(scanner, "intrinsic function", error)
    return scanner.reading()
