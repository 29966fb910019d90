"""Files of workflows: JSON and YAML in the form of ``Workflow.model_dump(mode="json")``, and Python
modules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import quoted, shortened
from stepsched.core.text_files import path_of, read_text
from stepsched.jobs.documents import read_target
from stepsched.jobs.files import import_file, import_name, read_document
from stepsched.jobs.written import Mistakes, Place
from stepsched.workflows.model import Workflow

ACTION = "load workflows from"
_MOST = 100
"""The number of mistakes of a file that an error lists."""


def load_workflows(source: str | Path) -> list[Workflow]:
    """Reads all workflows of a file or module, in order.

    Args:
        source: A path ending in ``.json``, ``.yaml``, ``.yml`` or ``.py``, or the dotted name of a module.
            JSON and YAML hold a workflow in the form of ``Workflow.model_dump(mode="json")``, or a list of
            them, with targets also as in files of jobs, such as an ARN; YAML needs the extra
            ``stepsched[yaml]``. Of a module, every :class:`Workflow` at module level is read, and those in
            lists and tuples; ``module:name`` and ``flows.py:name`` read one of its values.

    Raises:
        JobFileError: The file cannot be read, holds no workflow, one is refused, or a name occurs twice.
    """
    text = str(path_of(source, "the path of a file or the dotted name of a module"))
    suffix = Path(text).suffix.lower()
    if suffix in (".json", ".yaml", ".yml"):
        form: Any = "json" if suffix == ".json" else "yaml"
        return read_workflows(_read(text, form), source=text)
    module, _, name = text.partition(":")
    return _distinct(text, _in_module(text, module, name))


def read_workflows(document: Any, *, source: str = "the document") -> list[Workflow]:
    """Reads the workflows of plain data: one, or a list of them.

    Args:
        document: The data, as read from JSON or YAML.
        source: Where it is from, for errors.

    Raises:
        JobFileError: It holds no workflow, one is refused, or a name occurs twice.
    """
    items = document if isinstance(document, list) else [document]
    flows, problems = list[Workflow](), list[tuple[int | None, str]]()
    for number, item in enumerate(items, 1):
        try:
            flows.append(_workflow(item))
        except ValueError as error:  # noqa: PERF203 -- each may be wrong for itself
            named = item.get("name") if isinstance(item, dict) else None
            label = f"workflow {number}" + (f" ({shortened(str(named))!r})" if named else "")
            problems += [(None, f"{label}: {text}") for text in _mistakes(error)]
    if problems:
        reason = "; ".join(text for _, text in problems[:_MOST])
        raise JobFileError(source, reason, ACTION, problems)
    return _distinct(source, flows)


def _read(source: str, form: Any) -> Any:
    try:
        return read_document(read_text(Path(source)), form, source)
    except JobFileError as error:
        raise JobFileError(error.source, error.reason, ACTION, error.problems) from error


def _workflow(item: Any) -> Workflow:
    if not isinstance(item, dict):
        raise ValueError(f"expected a mapping with name and steps, got {quoted(item)}")  # noqa: TRY004 -- as all
    if "jobList" in item:
        raise ValueError(
            "expected a workflow, got a schedule document of the AWS Batch scheduler; use --document, or "
            "Workflow.from_document(document)"
        )
    steps = item.get("steps")
    if isinstance(steps, list):
        item = {**item, "steps": [_step(step, number) for number, step in enumerate(steps)]}
    return Workflow.model_validate_json(json.dumps(item))  # durations and attributes are texts there


def _step(step: Any, number: int) -> Any:
    """Returns a step whose target is written in full: it may be as in files of jobs, such as an ARN.

    Raises:
        ValueError: The target is none.
    """
    if not isinstance(step, dict) or not step.get("target"):
        return step
    try:
        target = read_target(step["target"], ("steps", number, "target"))
    except Mistakes as error:
        raise ValueError(
            "; ".join(f"{_place(each.place)}: {each.text}" for each in error.problems)
        ) from error
    return {**step, "target": target.model_dump(mode="json")}


def _place(place: Place) -> str:
    return ".".join(map(str, place))


def _mistakes(error: ValueError) -> list[str]:
    """Returns what is wrong, without values, which may be secret."""
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))))
        for each in error.errors(include_url=False, include_input=False)
    ]


def _in_module(source: str, module: str, name: str) -> list[Workflow]:
    try:
        found = import_file(Path(module)) if module.lower().endswith(".py") else import_name(module)
    except JobFileError as error:
        raise JobFileError(error.source, error.reason, ACTION) from error
    if not name:
        return list(_flows_of(vars(found).values()))
    if not hasattr(found, name):
        raise JobFileError(source, f"the module has no value {name!r}", ACTION)
    return list(_flows_of([getattr(found, name)]))


def _flows_of(values: Iterable[object]) -> Iterable[Workflow]:
    """Returns the workflows among values, each once: it may occur as a variable and as an item of a list."""
    items: list[object] = []
    for value in values:
        items.extend(value if isinstance(value, (list, tuple)) else [value])
    return {id(item): item for item in items if isinstance(item, Workflow)}.values()


def _distinct(source: str, flows: list[Workflow]) -> list[Workflow]:
    if not flows:
        raise JobFileError(source, "expected at least one workflow, got none", ACTION)
    names = [flow.name for flow in flows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise JobFileError(source, f"expected distinct names of workflows, got {twice!r} twice", ACTION)
    return flows
