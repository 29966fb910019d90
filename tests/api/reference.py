"""Renders the reference of the public names from their docstrings: ``python -m tests.api.reference FOLDER``.

It needs pdoc, of the extra ``docs``; ``python3 tests/gate.py reference`` makes an environment with it.
"""

from __future__ import annotations

import importlib
import sys
import types
import typing
import warnings
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from pydantic_core import PydanticUndefined

import stepsched as ss


def pages() -> dict[str, types.ModuleType]:
    """The modules that have a page of their own, by their names."""
    found = [value for name in ss.__all__ if isinstance(value := getattr(ss, name), types.ModuleType)]
    return {module.__name__: module for module in (ss, *found)}


def readable(annotation: Any) -> Any:
    """An annotation without what pydantic checks by it: an ``Annotated`` becomes its type, at any depth.

    >>> readable(Annotated[dict[Annotated[str, "short"], int] | None, "checked"])
    dict[str, int] | None
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return readable(parts[0])
    if not parts or origin is typing.Literal or isinstance(parts[0], list):
        return annotation
    plain = tuple(readable(part) for part in parts)
    if origin in (typing.Union, types.UnionType):
        return reduce(or_, plain)
    return types.GenericAlias(origin, plain)


def tidy(namespace: Any, doc: Any) -> None:
    """Shows fields and parameters as their authors have written them.

    Args:
        namespace: A module or class of pdoc.
        doc: The module ``pdoc.doc``.
    """
    for member in namespace.members.values():
        if isinstance(member, doc.Class):
            tidy(member, doc)
        elif isinstance(member, doc.Function):
            had = member.signature
            parameters = [
                each.replace(annotation=readable(each.annotation)) for each in had.parameters.values()
            ]
            answer = readable(had.return_annotation)
            member.signature = had.replace(parameters=parameters, return_annotation=answer)
        elif isinstance(member, doc.Variable):
            member.annotation = readable(member.annotation)
            if member.default_value is PydanticUndefined:
                member.default_value = doc.empty


def main(folder: Path) -> None:
    doc, render = importlib.import_module("pdoc.doc"), importlib.import_module("pdoc.render")
    # A method that is called like a builtin, such as `SchedulerClient.list`, hides it from the annotations
    # beside it; they are then shown as they stand in the source.
    warnings.filterwarnings("ignore", "Error parsing type annotation", UserWarning)
    vars(ss).update({name: getattr(ss, name) for name in ss.__all__})  # pdoc looks for no lazy names
    modules = {name: doc.Module(module) for name, module in pages().items()}
    render.configure(docformat="google", show_source=False, footer_text=f"stepsched {ss.__version__}")
    files = {}
    for name, module in modules.items():
        tidy(module, doc)
        files[f"{name.replace('.', '/')}.html"] = render.html_module(module, modules)
    files |= {"index.html": render.html_index(modules), "search.js": render.search_index(modules)}
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    print(folder / "stepsched.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
