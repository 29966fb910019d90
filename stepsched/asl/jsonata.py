"""Parses JSONata 2.0.6, the expression language of Amazon States Language; nothing is evaluated.

The grammar is that of the reference implementation in the version that AWS documents (``?:`` and ``??`` were
added later and are refused). Errors have the codes of the reference implementation. Not checked here: whether
a ``%`` has a parent, and the content of a pattern. https://docs.jsonata.org/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class JsonataError(ValueError):
    """An expression cannot be parsed."""

    def __init__(self, code: str, position: int, reason: str) -> None:
        super().__init__(code, position, reason)
        self.code = code
        """The code of the reference implementation, such as ``S0203``."""
        self.position = position
        """The number of characters before the error."""
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason} (at character {self.position + 1})"


class Token(NamedTuple):
    kind: str
    """The kind: operator, name, variable, string, number, value, regex or end."""
    text: str
    at: int


class Node(NamedTuple):
    """A part of an expression."""

    kind: str
    """The kind: path, name, variable, string, number, value, regex, unary, binary, function, partial, lambda,
    block, array, object, filter, sort, group, bind, condition, transform, focus, index, wildcard, descendant,
    parent, placeholder."""
    text: str
    at: int
    parts: tuple[Node, ...] = ()


_POWERS = {
    ".": 75, "[": 80, "]": 0, "{": 70, "}": 0, "(": 80, ")": 0, ",": 0, "@": 80, "#": 80, ";": 0, ":": 0,
    "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60, "|": 0, "=": 40, "<": 40, ">": 40, "^": 40,
    "**": 60, "..": 0, ":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40,
    "&": 50, "!": 0, "~": 0,
}  # fmt: skip
_DOUBLE = ("..", ":=", "!=", ">=", "<=", "**", "~>")
_INFIX = {"+", "-", "*", "/", "%", "=", "<", ">", "!=", "<=", ">=", "&", "and", "or", "in", "~>", "."}
_DEEPEST = 200
"""The maximum number of levels; AWS's engine stops near 100."""
_SPACE = " \t\n\r\v"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_ESCAPES = '"\\/bfnrt'


class _Lexer:
    """Splits an expression into tokens; whether a slash begins a pattern depends on the token before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def next(self, *, infix: bool) -> Token:
        """Returns the next token.

        Args:
            infix: Whether an operator may follow here, so that a slash means division.
        """
        self._skip()
        text, at = self.text, self.at
        if at >= len(text):
            return Token("end", "", at)
        character = text[at]
        if character == "/" and not infix:
            return self._regex()
        if text[at : at + 2] in _DOUBLE:
            return self._take("operator", text[at : at + 2])
        if character in _POWERS:
            return self._take("operator", character)
        if character in "\"'":
            return self._string(character)
        number = _NUMBER.match(text, at)
        if number is not None:
            if abs(float(number[0])) == float("inf"):
                raise JsonataError("S0102", at, f"the number {number[0]} is out of range")
            return self._take("number", number[0])
        if character == "`":
            end = text.find("`", at + 1)
            if end < 0:
                raise JsonataError("S0105", at, "a quoted name has no closing backquote")
            self.at = end + 1
            return Token("name", text[at + 1 : end], at)
        return self._word()

    def _take(self, kind: str, text: str) -> Token:
        token = Token(kind, text, self.at)
        self.at += len(text)
        return token

    def _skip(self) -> None:
        text = self.text
        while self.at < len(text):
            if text[self.at] in _SPACE:
                self.at += 1
            elif text.startswith("/*", self.at):
                end = text.find("*/", self.at + 2)
                if end < 0:
                    raise JsonataError("S0106", self.at, "a comment is never closed")
                self.at = end + 2
            else:
                return

    def _word(self) -> Token:
        text, at = self.text, self.at
        end = at
        while end < len(text) and text[end] not in _SPACE and text[end] not in _POWERS:
            end += 1
        self.at = end
        word = text[at:end]
        if word.startswith("$"):
            return Token("variable", word[1:], at)
        if word in ("or", "in", "and"):
            return Token("operator", word, at)
        return Token("value" if word in ("true", "false", "null") else "name", word, at)

    def _string(self, quote: str) -> Token:
        text, at = self.text, self.at
        parts: list[str] = []
        position = at + 1
        while position < len(text):
            character = text[position]
            if character == quote:
                self.at = position + 1
                return Token("string", "".join(parts), at)
            if character == "\\":
                position += 1
                escape = text[position : position + 1]
                if escape and escape in _ESCAPES:
                    parts.append({"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(escape, escape))
                elif escape == "u":
                    digits = text[position + 1 : position + 5]
                    if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                        raise JsonataError("S0104", position, "\\u is followed by four hexadecimal digits")
                    parts.append(chr(int(digits, 16)))
                    position += 4
                else:
                    raise JsonataError(
                        "S0103", position, f"\\{escape} is no escape; JSON's are the only ones"
                    )
            else:
                parts.append(character)
            position += 1
        raise JsonataError("S0101", len(text), "a string is never closed")

    def _regex(self) -> Token:
        text, start = self.text, self.at + 1
        depth, position = 0, start
        while position < len(text):
            character = text[position]
            escaped = text[position - 1] == "\\" and text[position - 2] != "\\"
            if character == "/" and not escaped and depth == 0:
                if position == start:
                    raise JsonataError("S0301", self.at, "an empty pattern")
                end = position + 1
                while text[end : end + 1] in ("i", "m") and text[end : end + 1]:
                    end += 1
                token = Token("regex", text[start:position], self.at)
                self.at = end
                return token
            if character in "([{" and not escaped:
                depth += 1
            if character in ")]}" and not escaped:
                depth -= 1
            position += 1
        raise JsonataError("S0302", self.at, "a pattern is never closed")


class _Parser:
    """A parser with top-down operator precedence, as in the reference implementation."""

    def __init__(self, text: str) -> None:
        self.lexer = _Lexer(text)
        self.token = Token("end", "", 0)
        self.depth = 0

    def parse(self) -> Node:
        self._advance(infix=False)
        tree = self.expression(0)
        if self.token.kind != "end":
            raise JsonataError("S0201", self.token.at, f"{self.token.text!r} is out of place")
        return tree

    def _advance(self, wanted: str | None = None, *, infix: bool = False) -> None:
        if wanted is not None and not self._is(wanted):
            if self.token.kind == "end":
                raise JsonataError("S0203", self.token.at, f"{wanted!r} is expected before the end")
            raise JsonataError("S0202", self.token.at, f"{wanted!r} is expected, not {self.token.text!r}")
        self.token = self.lexer.next(infix=infix)

    def _is(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def _power(self) -> int:
        return _POWERS[self.token.text] if self.token.kind == "operator" else 0

    def expression(self, power: int) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise JsonataError("U1001", self.token.at, "it is nested too deeply")
        token = self.token
        self._advance(infix=True)
        left = self._prefix(token)
        while power < self._power():
            token = self.token
            self._advance(infix=False)
            left = self._infix(token, left)
        self.depth -= 1
        return left

    # -- what begins an expression ---------------------------------------------------------------------

    def _prefix(self, token: Token) -> Node:
        if token.kind == "end":
            raise JsonataError("S0207", token.at, "the expression ends too early")
        if token.kind != "operator":
            return Node(token.kind, token.text, token.at)
        handler = _PREFIXES.get(token.text)
        if handler is None:
            raise JsonataError("S0211", token.at, f"{token.text!r} cannot begin an expression")
        return handler(self, token)

    def word(self, token: Token) -> Node:
        return Node("name", token.text, token.at)

    def minus(self, token: Token) -> Node:
        return Node("unary", "-", token.at, (self.expression(70),))

    def wildcard(self, token: Token) -> Node:
        kinds = {"*": "wildcard", "**": "descendant", "%": "parent", "?": "placeholder"}
        return Node(kinds[token.text], token.text, token.at)

    def block(self, token: Token) -> Node:
        parts: list[Node] = []
        while not self._is(")"):
            parts.append(self.expression(0))
            if not self._is(";"):
                break
            self._advance(";")
        self._advance(")", infix=True)
        return Node("block", "(", token.at, tuple(parts))

    def array(self, token: Token) -> Node:
        parts: list[Node] = []
        if not self._is("]"):
            while True:
                item = self.expression(0)
                if self._is(".."):
                    at = self.token.at
                    self._advance("..")
                    item = Node("binary", "..", at, (item, self.expression(0)))
                parts.append(item)
                if not self._is(","):
                    break
                self._advance(",")
        self._advance("]", infix=True)
        return Node("array", "[", token.at, tuple(parts))

    def _pairs(self) -> tuple[Node, ...]:
        parts: list[Node] = []
        if not self._is("}"):
            while True:
                parts.append(self.expression(0))
                self._advance(":")
                parts.append(self.expression(0))
                if not self._is(","):
                    break
                self._advance(",")
        self._advance("}", infix=True)
        return tuple(parts)

    def object(self, token: Token) -> Node:
        return Node("object", "{", token.at, self._pairs())

    def transform(self, token: Token) -> Node:
        parts = [self.expression(0)]
        self._advance("|")
        parts.append(self.expression(0))
        if self._is(","):
            self._advance(",")
            parts.append(self.expression(0))
        self._advance("|")
        return Node("transform", "|", token.at, tuple(parts))

    # -- what goes on ------------------------------------------------------------------------------------

    def _infix(self, token: Token, left: Node) -> Node:
        text = token.text
        if text == "(":
            return self._call(token, left)
        if text == "[":
            return self._predicate(token, left)
        if text == "{":
            if _is_grouped(left):
                raise JsonataError("S0210", token.at, "a step of a path is grouped once at most")
            return Node("group", "{", token.at, (left, *self._pairs()))
        if text == "^":
            return self._sort(token, left)
        if text == ":=":
            if left.kind != "variable":
                raise JsonataError("S0212", left.at, "the left side of := is a variable")
            return Node("bind", left.text, token.at, (left, self.expression(_POWERS[":="] - 1)))
        if text == "?":
            parts = [left, self.expression(0)]
            if self._is(":"):
                self._advance(":")
                parts.append(self.expression(0))
            return Node("condition", "?", token.at, tuple(parts))
        if text in "@#":
            return self._bound(token, left)
        if text in _INFIX:
            right = self.expression(_POWERS[text])
            if text == ".":
                for step in map(_bare, (left, right)):
                    is_negative = step.kind == "unary" and step.parts[0].kind == "number"
                    if is_negative or step.kind in ("number", "value"):
                        raise JsonataError("S0213", step.at, f"{step.text} is no step of a path")
            return Node("binary", text, token.at, (left, right))
        raise JsonataError("S0201", token.at, f"{text!r} is out of place")

    def _bound(self, token: Token, left: Node) -> Node:
        if token.text == "@" and left.kind in ("filter", "sort") and left.text != "[]":
            code = "S0215" if left.kind == "filter" else "S0216"
            raise JsonataError(code, token.at, "@ stands before predicates and sorting")
        right = self.expression(_POWERS[token.text])
        if right.kind != "variable":
            raise JsonataError("S0214", right.at, f"{token.text} is followed by a variable")
        return Node("focus" if token.text == "@" else "index", right.text, token.at, (left, right))

    def _predicate(self, token: Token, left: Node) -> Node:
        if self._is("]"):
            self._advance("]")
            return Node("filter", "[]", token.at, (left,))
        inner = self.expression(0)
        self._advance("]", infix=True)
        return Node("filter", "[", token.at, (left, inner))

    def _sort(self, token: Token, left: Node) -> Node:
        self._advance("(")
        parts = [left]
        while True:
            if self._is("<") or self._is(">"):
                self._advance()
            parts.append(self.expression(0))
            if not self._is(","):
                break
            self._advance(",")
        self._advance(")")
        return Node("sort", "^", token.at, tuple(parts))

    def _call(self, token: Token, left: Node) -> Node:
        parts: list[Node] = []
        partial = False
        if not self._is(")"):
            while True:
                if self._is("?"):
                    partial = True
                    parts.append(Node("placeholder", "?", self.token.at))
                    self._advance("?")
                else:
                    parts.append(self.expression(0))
                if not self._is(","):
                    break
                self._advance(",")
        self._advance(")", infix=True)
        if left.kind == "name" and left.text in ("function", "\u03bb"):
            return self._lambda(token, parts)
        return Node("partial" if partial else "function", "(", token.at, (left, *parts))

    def _lambda(self, token: Token, parameters: list[Node]) -> Node:
        for parameter in parameters:
            if parameter.kind != "variable":
                raise JsonataError("S0208", parameter.at, "the parameters of a function are variables")
        if self._is("<"):
            self._signature()
        self._advance("{")
        body = self.expression(0)
        self._advance("}")
        return Node("lambda", "function", token.at, (*parameters, body))

    def _signature(self) -> None:
        depth = 1
        while depth > 0:
            self._advance()
            if self._is("!") or self._is("~"):
                raise JsonataError("S0204", self.token.at, f"{self.token.text!r} is no operator")
            if self.token.kind == "end" or self._is("{"):
                raise JsonataError("S0401", self.token.at, "a signature is never closed")
            if self._is("<"):
                depth += 1
            if self._is(">"):
                depth -= 1
        self._advance(">")


_PREFIXES: dict[str, Callable[[_Parser, Token], Node]] = {
    **dict.fromkeys(("and", "or", "in"), _Parser.word),
    **dict.fromkeys(("*", "**", "%"), _Parser.wildcard),
    "-": _Parser.minus,
    "(": _Parser.block,
    "[": _Parser.array,
    "{": _Parser.object,
    "|": _Parser.transform,
}


def _bare(step: Node) -> Node:
    """Returns a step without its extensions."""
    while step.kind in ("filter", "sort", "focus", "index", "group"):
        step = step.parts[0]
    return step


def _is_grouped(node: Node) -> bool:
    """Returns whether a path contains a grouping."""
    while node.kind in ("filter", "sort", "focus", "index") or (node.kind, node.text) == ("binary", "."):
        node = node.parts[0]
    return node.kind == "group"


def parse(text: str) -> Node:
    """Parses an expression.

    Raises:
        JsonataError: The expression cannot be parsed.
    """
    return _Parser(text).parse()


def walk(node: Node) -> Iterator[Node]:
    """Yields the node and all nodes below it, in order."""
    yield node
    for part in node.parts:
        yield from walk(part)
