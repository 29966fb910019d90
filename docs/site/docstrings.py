"""Docstrings as Markdown: an extension of griffe, which the hooks import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import griffe
from names import PACKAGE, SPACES, definition_of, public_names
from signatures import simplify

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")
_POLICY = re.compile(r"\bP-\d\d\b")
_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes the whole package once it is read."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **_: object) -> None:
        """Called by griffe."""
        if pkg.path != PACKAGE:
            return
        public = public_names(pkg)
        for path, found in public.items():
            _lead_to(pkg, path, found)
        simplify(list(_objects(pkg)), public.values())
        links = Links(public)
        for each in _objects(pkg):
            if each.docstring is not None:
                each.docstring.value = _readable(each.docstring.value, each, links)


def _lead_to(package: griffe.Module, path: str, to: griffe.Object) -> None:
    """Lets a public path lead to its object where griffe takes a module of the same name for it."""
    name = path.removeprefix(f"{PACKAGE}.")
    there = package[name]
    if isinstance(there, griffe.Alias) and there.final_target is not to:
        package.set_member(name, griffe.Alias(to.name, to))


def _objects(of: griffe.Module | griffe.Class) -> Iterator[griffe.Object]:
    """Every object that is defined in a module or class, and itself."""
    yield of
    for member in list(of.members.values()):
        if isinstance(member, (griffe.Module, griffe.Class)):
            yield from _objects(member)
        elif isinstance(member, griffe.Object):
            yield member


class Links:
    """Finds what a role of a docstring names."""

    def __init__(self, public: dict[str, griffe.Object]) -> None:
        self._shown = {found.path: path for path, found in public.items()}
        """The public paths of the objects of the reference, by those of their definitions."""
        self._short = {path.rpartition(".")[2]: path for path in reversed(public)}
        """The same by the names by which they are exported, the shortest paths first."""
        self._shown |= {path: path for path in (PACKAGE, *(f"{PACKAGE}.{space}" for space in SPACES))}

    def to(self, name: str, scope: griffe.Object) -> str | None:
        """The path under which the reference shows it; None: it does not."""
        first, _, rest = name.partition(".")
        candidates = [name] if first == PACKAGE else []
        owner = scope if isinstance(scope, griffe.Class) else scope.parent
        if isinstance(owner, griffe.Class) and first in owner.all_members:
            candidates.append(f"{owner.path}.{name}")
        with suppress(griffe.NameResolutionError):
            candidates.append(f"{scope.resolve(first)}.{rest}".rstrip("."))
        if first in self._short:
            candidates.append(f"{self._short[first]}.{rest}".rstrip("."))
        return next((path for each in candidates if (path := self._public(each, scope))), None)

    def _public(self, path: str, scope: griffe.Object) -> str | None:
        found = definition_of(scope, path)
        if found is not None and found.path in self._shown:
            return self._shown[found.path]
        owner, _, member = path.rpartition(".")
        holder = definition_of(scope, owner) if owner else None
        if isinstance(holder, griffe.Class) and holder.path in self._shown and member in holder.all_members:
            return f"{self._shown[holder.path]}.{member}"
        return None


def _readable(text: str, of: griffe.Object, links: Links) -> str:
    """A docstring as Markdown: with links to what its roles name and to the policies of time."""

    def link(role: re.Match[str]) -> str:
        path = links.to(role[1], of)
        return f"[`{role[1]}`][{path}]" if path else f"`{role[1]}`"

    text = _POLICY.sub(lambda policy: f"[{policy[0]}][{policy[0].lower()}]", _ROLE.sub(link, text))
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)  # the only name that griffe knows
    return _DOCTEST.sub(lambda example: f"```pycon\n{example[0]}\n```", text)
