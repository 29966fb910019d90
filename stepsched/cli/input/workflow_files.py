"""The workflows that a command line names: in files, in modules, and as documents of an AWS Batch
scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import stepsched as ss
from stepsched.cli.input.documents import read_document, read_file
from stepsched.cli.input.job_files import FILE, is_document, read_text, source_of
from stepsched.cli.places import import_from_here

if TYPE_CHECKING:
    from stepsched.workflows import Workflow

Function = TypeVar("Function", bound=Callable[..., Any])

DOCUMENT = click.option(
    "--document",
    "is_document",
    is_flag=True,
    help="The file is a schedule document of an AWS Batch scheduler.",
)


def workflows_in(file: str, *, is_schedule: bool = False) -> list[Workflow]:
    """Returns the workflows of a file, of the standard input, or of a module.

    Args:
        file: The file; ``-`` is the standard input; ``module``, ``module:name`` and ``flows.py:name`` are
            Python.
        is_schedule: Whether it holds a schedule document of an AWS Batch scheduler.

    Raises:
        JobFileError: It cannot be read, or a workflow is refused.
        UsageError: It is no document.
    """
    from stepsched.workflows.files import load_workflows, read_workflows

    if is_schedule:
        document = read_document(read_text(file), source=source_of(file))
        items = document if isinstance(document, list) else [document]
        return [ss.Workflow.from_document(item) for item in items]
    if file == "-":
        return read_workflows(read_document(read_text(file), source=source_of(file)), source=source_of(file))
    if not is_document(file):
        if Path(file).is_dir():
            raise ss.errors.JobFileError(file, "it is a folder; name its files", "load workflows from")
        import_from_here()
    return load_workflows(file)


def workflow_named(file: str, name: str | None, *, is_schedule: bool = False) -> Workflow:
    """Returns one workflow of a file.

    Args:
        file: The file.
        name: The name of the workflow. None: the only one of the file.
        is_schedule: As for :func:`workflows_in`.

    Raises:
        JobFileError: The file cannot be read, or a workflow is refused.
        UsageError: The file has no such workflow, or several, and none is named.
    """
    flows = {flow.name: flow for flow in workflows_in(file, is_schedule=is_schedule)}
    listed = ", ".join([*flows][:10]) + (f" and {len(flows) - 10} more" if len(flows) > 10 else "")
    if name is None and len(flows) == 1:
        return next(iter(flows.values()))
    if name is None:
        raise click.UsageError(f"expected the name of one of the workflows in {source_of(file)}: {listed}")
    if name not in flows:
        raise click.UsageError(
            f"expected the name of a workflow in {source_of(file)}, got {name!r}; it has {listed}"
        )
    return flows[name]


def file_option(words: str) -> Callable[[Function], Function]:
    """Adds the options that name a file with a workflow.

    Args:
        words: What the file is for, as the help says it.
    """

    def add(function: Function) -> Function:
        function = DOCUMENT(function)
        return click.option("--file", type=FILE, metavar="FILE", help=words)(function)

    return add


def read_input(text: str | None) -> Any:
    """Returns the value of ``--input``: JSON, or ``@FILE``, or ``@-`` for the standard input; None if there
    is none.

    Raises:
        UsageError: It is not JSON.
    """
    if text is None:
        return None
    source = "--input"
    if text.startswith("@"):
        source, text = f"--input {text}", read_file(text[1:], option="--input")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        cure = """use JSON such as '{"day": "monday"}', in single quotes, or @FILE"""
        raise click.UsageError(f"{source}: expected JSON, got {text[:60]!r}: {error}; {cure}") from error


def read_marks(texts: tuple[str, ...]) -> Any:
    """Returns the steps of ``--mark-succeeded`` as ``restart`` takes them: names, or a mapping if outputs are
    given.

    Raises:
        UsageError: An output is not JSON.
    """
    marks = dict[str, Any]()
    for text in texts:
        name, equals, output = text.partition("=")
        try:
            marks[name] = json.loads(output) if equals else None
        except (ValueError, RecursionError) as error:
            cure = "use STEP, or STEP=JSON"
            raise click.UsageError(
                f"--mark-succeeded: expected JSON after =, got {output[:60]!r}: {error}; {cure}"
            ) from error
    return marks if any("=" in text for text in texts) else tuple(marks)
