"""Commands about stored jobs: ``list``, ``get``, ``create``, ``update``, ``pause``, ``resume`` and
``cancel``."""

from __future__ import annotations

import click

from stepsched.cli.declaring import command, selection_options
from stepsched.cli.session import Session, pass_session
from stepsched.cli.views import jobs_view


@command("list", examples=("stepsched list", "stepsched list --status paused -o name"))
@click.option("--status", metavar="STATUS", help="Only jobs with this status: active, paused or ended.")
@selection_options
@pass_session
def list_jobs(
    session: Session, status: str | None, prefix: str | None, group: str | None, tags: dict[str, str]
) -> None:
    """Show the stored jobs, with their next and last run."""
    found = session.client().list(status=status, name_prefix=prefix, group=group, tags=tags)
    session.show(jobs_view(found, session.now()))


COMMANDS = (list_jobs,)
