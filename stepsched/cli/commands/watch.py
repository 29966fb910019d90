"""The command ``watch``: what happens now."""

from __future__ import annotations

from datetime import timedelta

import click

from stepsched.cli.declaring import command, selection_options
from stepsched.cli.input.parameters import LENGTH
from stepsched.cli.session import Session, pass_session
from stepsched.display.table import visible


@command(
    "watch",
    examples=("stepsched watch --timeout 0s", "stepsched watch --prefix nightly --timeout 0s"),
    has_form=False,
)
@click.option("--interval", type=LENGTH, help="The time between two pictures; 1s if not given, 5s on AWS.")
@click.option("--timeout", type=LENGTH, help="End after this time, such as 10m; 0s shows one picture.")
@selection_options
@pass_session
def watch(
    session: Session,
    interval: timedelta | None,
    timeout: timedelta | None,
    prefix: str | None,
    group: str | None,
    tags: dict[str, str],
) -> None:
    """Watch what runs now, what is next and what failed, until Ctrl-C.

    On a terminal the picture is replaced in place. On a pipe a line is printed for each change that is seen;
    `stepsched logs --follow` prints every one. SIGTERM ends it as Ctrl-C does.
    """

    from stepsched.watching.interrupts import ended_by_sigterm, put_aside_by_ctrl_z

    def write(line: str) -> None:
        session.write(f"{visible(line)}\n")

    watched = session.client()._watch(  # noqa: SLF001 -- the client would write to the other stream
        interval,
        timeout,
        write=None if session.is_terminal and session.is_error_terminal else write,
        name_prefix=prefix,
        group=group,
        tags=tags,
    )
    with put_aside_by_ctrl_z(watched.aside), ended_by_sigterm():
        watched.run()


COMMANDS = (watch,)
