"""The pages of the reference: the names of a namespace in a table, then each of them from its docstrings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import griffe
from docstrings import Docstrings
from names import PACKAGE, SPACES, exports, homes, public_names

CLIENTS = {"clients": "Clients", "async-clients": "Asynchronous clients"}
"""Pages of names that are in no namespace, and their titles."""
PLACES = {
    "SchedulerClient": "clients",
    "WorkflowClient": "clients",
    "AsyncSchedulerClient": "async-clients",
    "AsyncWorkflowClient": "async-clients",
    "verify_webhook": "http",
}
"""The pages of names whose module does not tell it."""
PAGES = (PACKAGE, *CLIENTS, *SPACES)
"""The names of all pages, in order."""
START = f"""\
# stepsched {{#{PACKAGE}}}

The names that most programs need are in the package itself: `import stepsched as ss`. The others are in
namespaces, such as `ss.jobs`. `stepsched.http` and `stepsched.cdk` need an extra, and are imported by
themselves.
"""


def pages(root: Path) -> dict[str, str]:
    """The Markdown of all pages by their names.

    Args:
        root: The folder that holds the package, which is read and not imported.
    """
    package = griffe.load(
        PACKAGE, search_paths=[root], allow_inspection=False, extensions=griffe.Extensions(Docstrings())
    )
    assert isinstance(package, griffe.Module)
    names = public_names(package)
    places = {path: _place(package, path) for path in names}
    entries = {
        page: "".join(f"\n::: {path}\n" for path, place in places.items() if place == page) for page in PAGES
    }
    top = {path: found for path, found in names.items() if path.count(".") == 1}
    spaces = {f"{PACKAGE}.{space}": package[space] for space in SPACES}
    written = {PACKAGE: f"{START}\n## Names\n\n{_table(top)}\n## Namespaces\n\n{_table(spaces)}"}
    written |= {page: f"# {title}\n{entries[page]}" for page, title in CLIENTS.items()}
    for space in SPACES:
        path = f"{PACKAGE}.{space}"
        exported = {package[f"{space}.{name}"].canonical_path for name in exports(package, space)}
        rows = {each: it for each, it in names.items() if it.path in exported or places[each] == space}
        text = f"{_text(package[space])}\n\n{_table(rows)}"
        written[space] = f"# {path} {{#{path}}}\n\n{text}{entries[space]}"
    return written


def _place(package: griffe.Module, path: str) -> str:
    """The page on which a public name stands: that of its namespace, or of the package that defines it."""
    _, *spaces, name = path.split(".")
    found = [*spaces, *(space for space in SPACES if name in exports(package, space))]
    return PLACES.get(name) or (found or [homes(package)[name].split(".")[1]])[0]


def _table(rows: Mapping[str, griffe.Object]) -> str:
    """Names, sorted, with links to their entries, and the first sentences of their docstrings."""
    names = {path.rpartition(".")[2]: path for path in rows}
    lines = [f"| [`{name}`][{names[name]}] | {_summary(rows[names[name]])} |" for name in sorted(names)]
    return "\n".join(["| name | what it is |", "|---|---|", *lines, ""])


def _summary(of: griffe.Object) -> str:
    paragraph = " ".join(_text(of).partition("\n\n")[0].split())
    sentence = re.match(r".*?\.(?= |$)", paragraph)
    return (sentence[0] if sentence else paragraph).replace("|", "\\|")


def _text(of: griffe.Object) -> str:
    return of.docstring.value if of.docstring else ""
