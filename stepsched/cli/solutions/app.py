"""The command ``aws-solutions-scheduler``: its subcommands, and how a process of it ends.

Exit codes are those of the AWS Solutions scheduler: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import StringIO
from typing import Any

import click

import stepsched as ss
from stepsched.cli.failures import FAILED, INTERRUPTED, Failure, lines_of
from stepsched.cli.solutions.commands import COMMANDS
from stepsched.cli.solutions.imports import import_dataset_group
from stepsched.cli.solutions.stacks import MACHINE_OUTPUT, TABLE_OUTPUT, Stack
from stepsched.display.table import visible


def _not_empty(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Refuses an empty text: AWS and boto3 would choose a stack or a Region themselves."""
    if not text.strip():
        raise click.BadParameter(f"expected a name, got {text!r}")
    return text


@click.group("aws-solutions-scheduler", commands=[*COMMANDS, import_dataset_group])
@click.option(
    "-s",
    "--stack",
    required=True,
    envvar="SCHEDULER_STACK",
    show_envvar=True,
    callback=_not_empty,
    help="The CloudFormation stack.",
)
@click.option(
    "-r",
    "--region",
    required=True,
    envvar="AWS_REGION",
    show_envvar=True,
    callback=_not_empty,
    help="The AWS Region.",
)
@click.option(
    "--scheduler-table-name-output",
    metavar="KEY",
    help=f"The output of the stack with the name of the table; {TABLE_OUTPUT}, if not given.",
)
@click.option(
    "--scheduler-stepfunction-arn-output",
    metavar="KEY",
    help=f"The output of the stack with the ARN of the state machine; {MACHINE_OUTPUT}, if not given.",
)
@click.pass_context
def app(
    context: click.Context,
    stack: str,
    region: str,
    scheduler_table_name_output: str | None,
    scheduler_stepfunction_arn_output: str | None,
) -> None:
    """Scheduler CLI: the commands of the AWS Solutions scheduler, for a stack of it or of stepsched."""
    context.obj = Stack(
        stack,
        region=region,
        table_output=scheduler_table_name_output,
        machine_output=scheduler_stepfunction_arn_output,
        session=context.obj,
    )
    context.call_on_close(context.obj.close)


def run(arguments: Sequence[str], *, program: str = "aws-solutions-scheduler", session: Any = None) -> int:
    """Runs one command line, with the streams of this process.

    Args:
        arguments: The arguments, without the name of the program.
        program: The name of the program in help and errors.
        session: A ``boto3.Session``. None: the default one, in the Region of the command line.

    Returns:
        The exit code.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", ss.ScheduleWarning)
        warnings.showwarning = _show_warning
        try:
            return app.main(list(arguments), prog_name=program, standalone_mode=False, obj=session) or 0
        except click.ClickException as error:
            shown = StringIO()
            error.show(shown)
            click.echo("\n".join(map(visible, shown.getvalue().rstrip("\n").split("\n"))), err=True)
            return error.exit_code
        except (KeyboardInterrupt, click.Abort):
            return INTERRUPTED
        except Failure as failure:
            return _fail([failure.message] if failure.message else [], failure.code)
        except (ss.StepschedError, ValueError, TypeError) as error:
            return _fail(lines_of(error))


def _fail(lines: Sequence[str], code: int = FAILED) -> int:
    for line in lines:
        click.echo(f"Error: {_visible_line(line)}", err=True)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"Warning: {_visible_line(str(message))}", err=True)


def _visible_line(text: str) -> str:
    return visible(" ".join(text.splitlines()))
