"""What one process of the command line was told: where jobs are, and how to print."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from stepsched.cli import places
from stepsched.core.clock import Clock, SystemClock

if TYPE_CHECKING:  # loaded by the commands that need them
    from datetime import datetime

    import stepsched as ss
    from stepsched.cli.views import View

FORMATS = ("table", "json", "yaml", "name")


class Session:
    """The settings and the streams of one command line."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Creates a session.

        Args:
            clock: The clock of the command line. None: the clock of this computer.
        """
        self.clock = clock or SystemClock()
        self.backend: str | None = None
        self.region: str | None = None
        self.profile: str | None = None
        self.endpoint_url: str | None = None
        self.output: str | None = None
        self.no_color = False
        self.cleanup = ExitStack()
        """What is closed at the end of the command."""

    def now(self) -> datetime:
        """Returns the present instant, in UTC."""
        return self.clock.now()

    def client(self, *, creates: bool = False, is_dry_run: bool = False) -> ss.SchedulerClient:
        """Returns the client of the backend that this command line was told.

        Args:
            creates: Whether a file of jobs that does not exist is created.
            is_dry_run: Whether such a file is taken for one without jobs, and not created.

        Raises:
            UsageError: No backend is named, or its text is malformed.
            BackendError: The backend cannot be opened.
        """
        client = places.open_client(
            self.backend,
            region=self.region,
            profile=self.profile,
            endpoint_url=self.endpoint_url,
            creates=creates,
            clock=self.clock,
            is_dry_run=is_dry_run,
        )
        self.cleanup.callback(client.backend.close)
        return client

    # -- output --------------------------------------------------------------------------------------

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads the output."""
        return sys.stdout.isatty()

    @property
    def is_colored(self) -> bool:
        """Whether the output has colors."""
        return self.is_terminal and not self.no_color and not os.environ.get("NO_COLOR")

    @property
    def format(self) -> str:
        """The form of the output, one of ``FORMATS``."""
        return self.output or ("table" if self.is_terminal else "json")

    @property
    def width(self) -> int:
        """The number of columns of the terminal."""
        return shutil.get_terminal_size((100, 25)).columns

    def show(self, view: View) -> None:
        """Prints a result in the form that was asked for."""
        match self.format:
            case "json":
                self.write(view.to_json())
            case "yaml":
                self.write(view.to_yaml())
            case "name":
                self.write("".join(f"{name}\n" for name in view.names))
            case _:
                self.write(view.to_table(width=self.width, is_colored=self.is_colored))

    def write(self, text: str) -> None:
        """Writes text to the standard output. A reader that has gone ends the process quietly, with the code
        that shells give a program that a closed pipe has ended."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError as error:
            # What is left in the buffer would raise again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from error

    def tell(self, text: str) -> None:
        """Writes a line about what happens to the standard error stream."""
        click.echo(text, err=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks before something is destroyed: on a terminal, unless ``--yes`` was given.

        Raises:
            UsageError: Nobody can be asked.
            Abort: The answer was no.
        """
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.UsageError(f"{question} Nobody can be asked here; use --yes to do it.")
        click.confirm(question, abort=True, err=True)


def pass_session(function: Any) -> Any:
    """Passes the session to a command, as its first argument."""
    return click.make_pass_decorator(Session)(function)
