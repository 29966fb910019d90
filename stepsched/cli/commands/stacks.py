"""Commands about stacks on AWS: ``deploy`` and ``destroy``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

import stepsched as ss
from stepsched.cli.declaring import CHANGES, DETAILED, PlanCommand, command, read_tags
from stepsched.cli.failures import Failure, mistake_of
from stepsched.cli.input.addresses import SECRET, read_secret
from stepsched.cli.input.job_files import FILE, jobs_of, refuse_repeats
from stepsched.cli.input.parameters import RESOURCES, TASK_ROLES, read_resources
from stepsched.cli.input.workflow_files import workflows_in
from stepsched.cli.output.stack_views import deployed_view, destroyed_view, plan_text, plan_view
from stepsched.cli.session import Session, pass_session

if TYPE_CHECKING:
    from stepsched.deploy import StackPlan

_PARTS = (
    *("register", "express-register", "http", "workflows", "group", "dead-letters", "topic", "queue"),
    *("fifo-queue", "alarms", "dashboard"),
)
"""The values of ``stepsched.deploy.Part``, which is not loaded for help."""


@command(
    "deploy",
    cls=PlanCommand,
    is_on_aws=True,
    examples=(
        "stepsched deploy jobs aws.yaml --dry-run",
        "stepsched deploy jobs aws.yaml --with alarms --yes",
    ),
)
@click.argument("name")
@click.argument("files", metavar="[FILE...]", type=FILE, nargs=-1)
@click.option(
    "--workflow",
    "flow_files",
    metavar="FILE",
    type=FILE,
    multiple=True,
    help="A file of workflows, whose steps are allowed too; with the part workflows. May be repeated.",
)
@click.option(
    "--with",
    "parts",
    metavar="PART",
    type=click.Choice(_PARTS),
    multiple=True,
    help=f"A further part of the stack: {', '.join(_PARTS)}. May be repeated.",
)
@click.option(
    "--secret-file",
    metavar="FILE",
    help=f"A file whose first line is the secret of requests to the part http; or {SECRET}. The stack has "
    "its hash. Without a secret, requests are signed with credentials of AWS.",
)
@click.option(
    "--subscriber",
    metavar="ADDRESS",
    help="An https URL or an e-mail address to which tasks of the part http are delivered.",
)
@click.option("--prefix", metavar="TEXT", help="The beginning of all names, so that several fit in a stack.")
@click.option("--table", metavar="NAME", help="An existing table of jobs; a new one, if not given.")
@click.option("--boundary", metavar="ARN", help="The permissions boundary of the roles of the stack.")
@TASK_ROLES
@RESOURCES
@click.option(
    "--tag", "tags", metavar="KEY=VALUE", multiple=True, help="A tag of the stack. May be repeated."
)
@click.option("--bucket", metavar="NAME", help="The bucket for a template of more than 51,200 bytes.")
@click.option("--dry-run", is_flag=True, help="Show the plan, and change nothing.")
@click.option(
    DETAILED,
    "is_detailed",
    is_flag=True,
    help="With --dry-run, exit with 0: no change, 1: error, 2: changes.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def deploy(
    session: Session,
    *,
    name: str,
    files: tuple[str, ...],
    flow_files: tuple[str, ...],
    tags: tuple[str, ...],
    bucket: str | None,
    dry_run: bool,
    is_detailed: bool,
    yes: bool,
    secret_file: str | None,
    subscriber: str | None,
    **options: Any,
) -> None:
    """Create or change the stack that runs jobs of files.

    It has a table and a state machine that may invoke the targets of the jobs in the files. What would change
    is shown first. The jobs themselves are stored by `stepsched apply FILE --backend stack:NAME`, and
    workflows by `stepsched workflow put FILE --backend stack:NAME`.
    """
    has_http = "http" in options["parts"]
    if not files and not flow_files and not has_http:
        raise click.UsageError("expected FILE... with jobs, or --workflow FILE, got neither")
    if is_detailed and not dry_run:
        raise click.UsageError(f"expected {DETAILED} with --dry-run, got it alone")
    refuse_repeats([*files, *flow_files])
    flows = [flow for file in flow_files for flow in workflows_in(file)]
    http = _http(secret_file, subscriber, has_http=has_http)
    template = _template(jobs_of(files), flows, http=http, **options)
    connection = session.connection()
    made = ss.deploy.plan(name, template, bucket=bucket, tags=read_tags(tags) if tags else None, **connection)
    if dry_run:
        ss.deploy.discard(made, **connection)
        session.show(plan_view(made))
        if is_detailed and not made.is_empty:
            raise Failure("", CHANGES)
        return
    session.tell(plan_text(made))
    if not made.is_empty:
        _confirm(session, made, connection, yes=yes)
    done = ss.deploy.apply(made, progress=session.tell, **connection)
    session.show(deployed_view(done))
    place = f"stack:{name}" + (f"?prefix={prefix}" if (prefix := options["prefix"]) else "")
    stored = [("apply", files)] * bool(files) + [("workflow put", [file]) for file in flow_files]
    for verb, given in stored:
        session.tell(f"next: stepsched {verb} {shlex.join(given)} --backend {shlex.quote(place)}")


def _http(secret_file: str | None, subscriber: str | None, *, has_http: bool) -> ss.deploy.HttpPart | bool:
    """Returns the options of the part http; False without it.

    Raises:
        UsageError: An option is given without the part, or is malformed.
    """
    if not has_http:
        given = {"--secret-file": secret_file, "--subscriber": subscriber}
        if named := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"expected --with http with {named[0]}, got none")
        return False
    try:
        return ss.deploy.HttpPart(
            secret=read_secret(secret_file, SECRET, "--secret-file"),
            subscriber=subscriber,
        )
    except ValueError as error:
        raise click.UsageError(f"--with http: {mistake_of(error)}") from error


def _template(
    jobs: Sequence[ss.Job],
    flows: Sequence[ss.Workflow],
    *,
    http: ss.deploy.HttpPart | bool,
    parts: Sequence[str],
    prefix: str | None,
    table: str | None,
    boundary: str | None,
    task_roles: Sequence[str],
    resources: Sequence[str],
) -> dict[str, Any]:
    """Returns the template for the targets of jobs, and for workflows.

    Raises:
        UsageError: The state machine cannot invoke the target of one.
    """
    try:
        return ss.deploy.template(
            [*(job.target for job in jobs), *flows],
            dead_letters=[job.dead_letter for job in jobs if job.dead_letter is not None],
            topics=[job.notify for job in jobs if job.notify is not None],
            task_roles=task_roles,
            resources=read_resources(resources),
            table_name=table,
            parts=[*parts, *(["workflows"] if flows else [])],
            prefix=prefix,
            permissions_boundary=boundary,
            http=http,
        )
    except (ValueError, TypeError) as error:
        raise click.UsageError(_with_names(str(error), jobs, flows)) from error


def _with_names(text: str, jobs: Sequence[ss.Job], flows: Sequence[ss.Workflow]) -> str:
    """Returns an error of a template with the names of jobs and workflows in place of their numbers."""
    names = [f"the target of {job.name!r}" for job in jobs] + [f"workflow {flow.name!r}" for flow in flows]
    return re.sub(r"\btargets\[(\d+)\]", lambda match: names[int(match[1])], text)


def _confirm(session: Session, plan: StackPlan, connection: Mapping[str, Any], *, yes: bool) -> None:
    """Asks before a plan is applied. If the answer is no, or nobody can be asked, the plan is dropped."""
    verb = "Create" if plan.is_new else "Change"
    try:
        session.confirm(f"{verb} stack {plan.stack} in {plan.region}?", yes=yes)
    except (click.Abort, click.UsageError):
        ss.deploy.discard(plan, **connection)
        raise


@command(
    "destroy",
    is_on_aws=True,
    examples=("stepsched destroy old --yes", "stepsched destroy old --delete-table --force --yes"),
)
@click.argument("name")
@click.option("--delete-table", is_flag=True, help="Delete the table too, with all jobs and their history.")
@click.option(
    "--force", is_flag=True, help="Pause jobs that wait in the stack, stop what runs, and then delete it."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def destroy(session: Session, *, name: str, delete_table: bool, force: bool, yes: bool) -> None:
    """Delete a stack. Its table is kept.

    A stack in which jobs wait, or whose queues hold messages, is not deleted without --force.
    """
    ends = "its table, with all jobs and their history," if delete_table else ""
    what = f"stack {name} and {ends}".removesuffix(" and ").rstrip(",")
    session.confirm(f"Delete {what}?", yes=yes)
    done = ss.deploy.destroy(
        name, keep_table=not delete_table, force=force, progress=session.tell, **session.connection()
    )
    session.show(destroyed_view(done))


COMMANDS = (deploy, destroy)
