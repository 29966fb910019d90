"""Reads the docstrings of a class's fields from its source, on demand, for example for ``help``."""

from __future__ import annotations

import ast
import inspect
import textwrap
from contextlib import suppress
from functools import cache
from typing import NamedTuple

_TRIES = 20
"""How often a source is parsed before an error of the parser itself counts."""
_KIND = "The kind of the value, by which a document says what it describes."


class WrittenType(str):
    """A type as the source has it. ``help`` shows it without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class FieldText(NamedTuple):
    """The description of a field in the source."""

    type: str
    """The type of the field, without validators."""
    text: str
    """The docstring under the field; empty if there is none."""


@cache
def field_texts(owner: type) -> dict[str, FieldText]:
    """Returns the fields of a class and its bases by name, without those of a class whose source is not
    available."""
    found = dict[str, FieldText]()
    for each in reversed(owner.__mro__):
        if each.__module__.partition(".")[0] not in ("builtins", "abc", "pydantic", "typing"):
            found.update(_own_texts(each))
    return found


def described(owner: type, text: str) -> str:
    """Returns the docstring of a class, extended by the descriptions of its fields."""
    lines = [
        textwrap.indent(f"{name} ({field.type}){': ' * bool(field.text)}{field.text}", "        ")[4:]
        for name, field in field_texts(owner).items()
    ]
    return "\n".join([inspect.cleandoc(text), *(["", "Attributes:", *lines] if lines else [])])


def _own_texts(owner: type) -> dict[str, FieldText]:
    try:
        (node,) = _parsed(owner).body
    except (OSError, TypeError, SyntaxError):  # created at run time, or its source is not installed
        return {}
    assert isinstance(node, ast.ClassDef)
    found = dict[str, FieldText]()
    for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if name[0] != "_":
                kind = WrittenType(ast.unparse(_Plain().visit(annotation)))
                if not kind.startswith("ClassVar"):
                    found[name] = FieldText(kind, _text(after) or (_KIND if name == "kind" else ""))
    return found


def _parsed(owner: type) -> ast.Module:
    """Parses the source of a class.

    Python 3.11 fails by chance when another thread parses at that time, as one that writes a traceback does
    (https://github.com/python/cpython/issues/106905).
    """
    for _ in range(_TRIES - 1):
        with suppress(SystemError):
            return ast.parse(textwrap.dedent(inspect.getsource(owner)))
    return ast.parse(textwrap.dedent(inspect.getsource(owner)))


def _text(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
    return ""


class _Plain(ast.NodeTransformer):
    """Removes the metadata of a type: ``str`` for ``Annotated[str, Field(max_length=512)]``."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        match node:
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *_])):
                return self.visit(kind)  # type: ignore[no-any-return]
        self.generic_visit(node)
        return node
