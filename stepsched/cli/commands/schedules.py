"""Commands about *when*, without a backend: ``next``, ``explain``, ``timeline``, ``crontab``."""

from __future__ import annotations

from datetime import datetime

import click

from stepsched.cli.declaring import command
from stepsched.cli.expressions import expression_options, read_expression
from stepsched.cli.parameters import INSTANT
from stepsched.cli.session import Session, pass_session
from stepsched.cli.views import runs_of_view


@command(
    "next",
    is_offline=True,
    examples=(
        "stepsched next 'cron(0 9 ? * MON-FRI *)' --timezone Europe/Paris",
        "stepsched next '*/5 9-17 * * 1-5' -n 3 --after 2030-01-31T00:00Z",
    ),
)
@expression_options
@click.option("-n", "--number", type=click.IntRange(0), default=5, show_default=True, help="How many runs.")
@click.option("--after", type=INSTANT, help="The runs after this instant, exclusive; now, if not given.")
@pass_session
def next_runs(
    session: Session,
    expression: str,
    timezone: str | None,
    start: str | None,
    end: str | None,
    number: int,
    after: datetime | None,
) -> None:
    """Show the next runs of an expression."""
    schedule = read_expression(expression, timezone=timezone, start=start, end=end)
    now = session.now()
    session.show(runs_of_view(schedule.upcoming(number, after=after or now), now))


COMMANDS = (next_runs,)
