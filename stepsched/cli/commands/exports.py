"""The command ``template``: jobs as a template of CloudFormation or Terraform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import stepsched as ss
from stepsched.aws.stacks import MAX_INLINE_TEMPLATE_BYTES
from stepsched.cli.declaring import command
from stepsched.cli.failures import FAILED, Failure
from stepsched.cli.input.job_files import files_argument, jobs_of
from stepsched.cli.input.parameters import RESOURCES, TASK_ROLES, read_resources
from stepsched.cli.session import Session, pass_session
from stepsched.cli.wording import visible_json

_FORMS = {"cloudformation": "jobs_to_cloudformation", "terraform": "jobs_to_terraform"}
_ROLE = "arn:aws:iam::123456789012:role/scheduler"


@command(
    "template",
    is_offline=True,
    has_form=False,
    examples=(
        f"stepsched template aws.yaml --role {_ROLE} --passed omit",
        "stepsched template aws.yaml --passed omit --format terraform -o jobs.tf.json",
    ),
)
@files_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(_FORMS), case_sensitive=False),
    default="cloudformation",
    show_default=True,
    help="The tool that reads the template.",
)
@click.option(
    "--role",
    "role_arn",
    metavar="ARN",
    help="The role that invokes the targets; if not given, the template makes one.",
)
@click.option(
    "--group", metavar="NAME", help="The schedule group of all jobs; that of each job, if not given."
)
@click.option(
    "--existing-group",
    "existing_groups",
    metavar="NAME",
    multiple=True,
    help="A group that exists already. May be repeated.",
)
@click.option("--dead-letter-arn", metavar="ARN", help="The queue for failed runs of jobs without one.")
@click.option("--kms-key-arn", metavar="ARN", help="The key that encrypts the inputs.")
@click.option(
    "--names", is_flag=True, help="Give schedules the names of the jobs, so that the client finds them."
)
@click.option(
    "--passed",
    type=click.Choice(("refuse", "omit")),
    default="refuse",
    show_default=True,
    help="What is done about jobs without a run left, and about starts that have passed.",
)
@click.option(
    "--next-runs",
    metavar="N",
    type=int,
    default=0,
    help="Write the next N runs of each job into the metadata.",
)
@TASK_ROLES
@RESOURCES
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="The file to write; the standard output, if not given.",
)
@pass_session
def template(
    session: Session,
    *,
    files: Sequence[str],
    form: str,
    resources: Sequence[str],
    target: str | None,
    **options: Any,
) -> None:
    """Write jobs as a template of CloudFormation or Terraform.

    It creates the schedules that apply would create on EventBridge Scheduler. The output is JSON: a template
    of CloudFormation, or the content of a file that ends in .tf.json.
    """
    make = getattr(ss.deploy, _FORMS[form])
    made = make(
        jobs_of(files),
        resources=read_resources(resources),
        now=session.now(),
        **options,
    )
    text = _written(made, indent=2)
    if form == "cloudformation" and len(text.encode()) > MAX_INLINE_TEMPLATE_BYTES:
        text = _written(made, separators=(",", ":"))
        size = len(text.encode())
        if size > MAX_INLINE_TEMPLATE_BYTES:
            session.tell(
                f"the template has {size:,} bytes, and a request holds {MAX_INLINE_TEMPLATE_BYTES:,}: use "
                "aws cloudformation deploy --s3-bucket NAME"
            )
    if target is None:
        session.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror or error}", FAILED) from error


def _written(made: dict[str, Any], **options: Any) -> str:
    """Returns a template as text. cfn-lint reads no pairs of surrogates, which JSON in ASCII has."""
    return visible_json(f"{json.dumps(made, ensure_ascii=False, **options)}\n")


COMMANDS = (template,)
