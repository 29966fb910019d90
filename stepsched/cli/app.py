"""The command ``stepsched``: its subcommands, and how a process of it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import click

import stepsched as ss
from stepsched.cli.commands import (
    costs,
    exports,
    files,
    here,
    jobs,
    machines,
    runs,
    schedules,
    shells,
    stacks,
    workflows,
)
from stepsched.cli.declaring import Group, output_options, place_options, yes_option
from stepsched.cli.failures import ending
from stepsched.cli.session import Session
from stepsched.core.clock import Clock


@click.group(
    cls=Group,
    name="stepsched",
    sections={
        "When (no backend needed)": schedules.COMMANDS,
        "Files of jobs": files.COMMANDS,
        "Jobs": jobs.COMMANDS,
        "Runs": runs.COMMANDS,
        "Workflows": workflows.COMMANDS,
        "Run jobs here": here.COMMANDS,
        "Stacks on AWS": stacks.COMMANDS,
        "AWS (no backend needed)": (*machines.COMMANDS, *costs.COMMANDS, *exports.COMMANDS),
        "Shells": shells.COMMANDS,
    },
    examples=(
        "stepsched next '0 9 * * 1-5' --timezone Europe/Paris",
        "export STEPSCHED_BACKEND=local:jobs.db",
        "stepsched create hello --schedule 'rate(1 minute)' -- echo hello",
        "stepsched list",
        "stepsched serve jobs.db",
    ),
    params=[*place_options(), *output_options(), yes_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(ss.__version__, "--version", prog_name="stepsched")
def app() -> None:
    """Model jobs, ask when they run, and manage them where they are stored."""


def run(
    arguments: Sequence[str],
    *,
    program: str = "stepsched",
    clock: Clock | None = None,
    pause: Callable[[float], object] | None = None,
) -> int:
    """Runs one command line, with the streams of this process.

    Args:
        arguments: The arguments, without the name of the program.
        program: The name of the program in help and errors.
        clock: The clock. None: the clock of this computer.
        pause: As for :class:`Session`.

    Returns:
        The exit code; :mod:`stepsched.cli.failures` lists them.
    """
    session = Session(clock, pause=pause)
    if shells.VARIABLE in os.environ:
        from stepsched.cli.input import bash

        bash.use()
    with ending(session.cleanup) as end:
        end.code = (
            app.main(
                list(arguments),
                prog_name=program,
                complete_var=shells.VARIABLE,
                standalone_mode=False,
                obj=session,
            )
            or 0
        )
        sys.stdout.flush()
    return end.code
