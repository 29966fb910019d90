"""What the package exports, as griffe reads it from the source, which is never run."""

from __future__ import annotations

import ast

import griffe

PACKAGE = "stepsched"
SPACES = (
    "schedules",
    "targets",
    "jobs",
    "errors",
    "context",
    "backends",
    "eventbridge",
    "iam",
    "deploy",
    "estimates",
    "asl",
    "testing",
    "workers",
    "workflows",
    "http",
    "cdk",
)
"""The public namespaces, in the order of their pages."""


def homes(package: griffe.Module) -> dict[str, str]:
    """The names that the package itself exports, and the modules that define them."""
    found = ast.literal_eval(str(package["_HOMES"].value))
    return {name: home for home, names in found.items() for name in names}


def exports(package: griffe.Module, space: str) -> list[str]:
    """The names that a namespace exports."""
    return [str(name) for name in package[space].exports]


def public_names(package: griffe.Module) -> dict[str, griffe.Object]:
    """All that the package exports by its shortest path, such as ``stepsched.Cron``, each object once."""
    paths = [f"{PACKAGE}.{name}" for name in homes(package)]
    paths += [f"{PACKAGE}.{space}.{name}" for space in SPACES for name in exports(package, space)]
    found = dict[str, griffe.Object]()
    for path in paths:
        definition = definition_of(package, path)
        if definition is None:
            raise LookupError(f"expected a definition of {path}, got none")
        if definition not in found.values():
            found[path] = definition
    return found


def definition_of(near: griffe.Object, path: str) -> griffe.Object | None:
    """What defines a path, wherever that is; None: nothing in the package does.

    Where a module and what it defines have one name, such as ``estimates.estimate``, it is the latter.
    """
    try:
        found = near.modules_collection.get_member(path)
        found = found.final_target if isinstance(found, griffe.Alias) else found
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
    same = found.members.get(found.name) if isinstance(found, griffe.Module) else None
    return same if isinstance(same, griffe.Object) else found
