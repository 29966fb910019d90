"""The command ``workflow draw``."""

from __future__ import annotations

from pathlib import Path

import click

import stepsched as ss
from stepsched.cli.declaring import command
from stepsched.cli.failures import FAILED, Failure
from stepsched.cli.input.workflow_files import file_option, workflow_named
from stepsched.cli.session import Session, pass_session

_FORMS = {".svg": "to_svg", ".mmd": "to_mermaid", ".mermaid": "to_mermaid", ".dot": "to_dot"}
"""The methods that draw, by the suffix of the file."""
_MOST_COLUMNS = 160
"""The number of columns of a chart as text, where no terminal limits it."""


@command(
    "draw",
    has_form=False,
    examples=("stepsched workflow draw billing", "stepsched workflow draw billing/monday -o billing.svg"),
)
@click.argument("run", metavar="[RUN]", required=False)
@file_option("Draw the workflow of this file. RUN is its name, or left out if the file has one.")
@click.option(
    "--gantt", "is_gantt", is_flag=True, help="Draw the times of a run: as text, or as SVG into a file."
)
@click.option(
    "-o",
    "--output",
    "picture",
    metavar="PICTURE",
    type=click.Path(dir_okay=False),
    help="The file to write: .svg, .mmd or .mermaid, or .dot; Mermaid on the standard output, if not given.",
)
@pass_session
def draw(
    session: Session,
    run: str | None,
    file: str | None,
    picture: str | None,
    *,
    is_document: bool,
    is_gantt: bool,
) -> None:
    """Draw a workflow, or a run with the states of its steps.

    RUN is the key of a run, or the name of a workflow for its latest run; without a run, the workflow is
    drawn.
    """
    suffix = ".mmd" if picture is None else Path(picture).suffix.lower()
    if suffix not in _FORMS or (is_gantt and picture is not None and suffix != ".svg"):
        wanted = ".svg" if is_gantt else ", ".join(_FORMS)
        raise click.UsageError(f"expected a file that ends in {wanted} for -o, got {picture}")
    text = _drawn(session, run, file, _FORMS[suffix], is_document=is_document, is_gantt=is_gantt)
    text = text.rstrip("\n") + "\n"
    if picture is None:
        session.write(text)
        return
    try:
        Path(picture).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {picture}: {error.strerror or error}", FAILED) from error


def _drawn(
    session: Session, run: str | None, file: str | None, method: str, *, is_document: bool, is_gantt: bool
) -> str:
    """Returns the picture.

    Raises:
        UsageError: Nothing is named, or the times of a workflow without a run are asked for.
    """
    text: str
    if file is not None:
        if is_gantt:
            raise click.UsageError("expected a run with --gantt, got a file, which has no times")
        text = getattr(workflow_named(file, run, is_schedule=is_document), method)()
        return text
    if run is None:
        raise click.UsageError("expected a run, the name of a workflow, or --file FILE")
    flows = session.workflows()
    try:
        found = flows.status(run)
    except ss.errors.RunNotFoundError:
        if "/" in run or is_gantt:
            raise
        text = getattr(flows.get(run).definition, method)()  # it has no run yet
        return text
    if is_gantt:
        now = session.now()
        columns = min(session.width, _MOST_COLUMNS)
        is_svg = method == "to_svg"
        return found.to_gantt(now=now) if is_svg else found.to_gantt_text(now=now, columns=columns)
    text = getattr(flows.get(found.workflow, found.version).definition, method)(found)
    return text
