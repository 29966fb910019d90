"""Commands about Amazon States Language: ``asl render``, ``asl check`` and ``asl draw``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import stepsched as ss
from stepsched.cli import stdio
from stepsched.cli.declaring import Group, command
from stepsched.cli.failures import FAILED, USAGE, Failure
from stepsched.cli.input.job_files import FILE, content_of, job_named, read_text, source_of
from stepsched.cli.input.parameters import JOB_IN_FILE
from stepsched.cli.output.views import View
from stepsched.cli.session import Session, pass_session
from stepsched.cli.wording import visible_json
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.asl import StateMachine

_PICTURES = {
    ".svg": "to_svg",
    ".mmd": "to_mermaid",
    ".mermaid": "to_mermaid",
    ".dot": "to_dot",
}
"""The methods of a state machine that draw, by the suffix of the file."""


@command(
    "render",
    is_offline=True,
    examples=(
        "stepsched asl render aws.yaml nightly-report",
        "stepsched asl render aws.yaml closing-books -o yaml",
    ),
)
@click.argument("file", type=FILE)
@click.argument("job", type=JOB_IN_FILE, metavar="[JOB]", required=False)
@pass_session
def render(session: Session, file: str, job: str | None) -> None:
    """Print the state machine that runs a job all by itself.

    JOB may be left out if the file has one job. The output is JSON, also on a terminal, as CreateStateMachine
    takes it.
    """
    machine = ss.render_asl(job_named(file, job))
    if session.format == "yaml" or not stdio.is_unicode():
        session.show(View(document=machine.to_dict))
    else:
        session.write(visible_json(f"{machine.to_json()}\n"))


@command(
    "check",
    is_offline=True,
    examples=("stepsched asl check machine.json", "stepsched asl check machine.json --type EXPRESS"),
)
@click.argument("file", type=FILE)
@click.option(
    "--type",
    "kind",
    type=click.Choice(("STANDARD", "EXPRESS"), case_sensitive=False),
    default="STANDARD",
    show_default=True,
    help="The type of the state machine.",
)
@click.option(
    "--ignore",
    metavar="CODE",
    multiple=True,
    help="A code to leave out, such as NO_DEFAULT, or 'NO_DEFAULT at /States/Large?'. May be repeated.",
)
@pass_session
def check(session: Session, file: str, kind: Any, ignore: Sequence[str]) -> None:
    """Find what AWS would refuse in a definition, and what would fail.

    The file is JSON or YAML, and - the standard input. The exit code is 2 if there is an error, and 0 if
    there are warnings only.
    """
    found = ss.asl.check(_definition(file), type=kind, ignore=ignore)
    lines = [
        f"{source_of(file)}: {each.code} {each.severity.value}{f' at {each.path}' if each.path else ''}: "
        f"{each.message}"
        for each in found
    ]
    session.show(
        View(
            document=lambda: [each.model_dump(mode="json") for each in found],
            names=[f"{each.code} at {each.path}" if each.path else each.code for each in found],
            text="\n".join(map(visible, lines)) or f"{source_of(file)}: no problem was found",
        )
    )
    if any(each.is_error for each in found):
        raise Failure("", USAGE)


@command(
    "draw",
    is_offline=True,
    has_form=False,
    examples=(
        "stepsched asl draw machine.json -o machine.svg",
        "stepsched asl draw aws.yaml nightly-report",
    ),
)
@click.argument("file", type=FILE)
@click.argument("job", type=JOB_IN_FILE, metavar="[JOB]", required=False)
@click.option(
    "-o",
    "--output",
    "picture",
    metavar="PICTURE",
    type=click.Path(dir_okay=False),
    help="The file to write: .svg, .mmd or .mermaid, or .dot; Mermaid on the standard output, if not given.",
)
@pass_session
def draw(session: Session, file: str, job: str | None, picture: str | None) -> None:
    """Draw a definition, or the state machine of a job.

    FILE is a definition as JSON or YAML, or a file of jobs with the name of one of them.
    """
    suffix = ".mmd" if picture is None else Path(picture).suffix.lower()
    if suffix not in _PICTURES:
        raise click.UsageError(f"expected a file that ends in {', '.join(_PICTURES)} for -o, got {picture}")
    text: str = getattr(_machine(file, job), _PICTURES[suffix])().rstrip("\n") + "\n"
    if picture is None:
        session.write(text)
        return
    try:
        Path(picture).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {picture}: {error.strerror or error}", FAILED) from error


def _definition(file: str) -> Any:
    """Returns a definition: JSON as text, in which a check finds more, and YAML as an object.

    Raises:
        UsageError: The file cannot be read.
    """
    from stepsched.jobs.files import format_of, read_document

    try:
        text = read_text(file)
    except ss.errors.JobFileError as error:
        raise click.UsageError(f"cannot read {source_of(file)}: {error.reason}") from error
    is_yaml = file.lower().endswith((".yaml", ".yml"))
    if not is_yaml and (file.lower().endswith(".json") or format_of(text) == "json"):
        return text
    return read_document(text, "yaml", source_of(file))


def _machine(file: str, name: str | None) -> StateMachine:
    """Returns the state machine of a definition, or of a job of a file."""
    content = content_of(file)
    if not isinstance(content.document, dict) or "States" not in content.document:
        return ss.render_asl(content.job(name))
    if name is not None:
        raise click.UsageError(f"{source_of(file)} is a definition, which has no jobs; leave {name!r} out")
    return ss.asl.parse(content.document)


asl = Group(
    "asl",
    sections={"Commands": (render, check, draw)},
    help="Render, check and draw state machines (States Language).",
)
COMMANDS = (asl,)
