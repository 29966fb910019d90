"""What one process of the command line was told: where jobs are, and how to print."""

from __future__ import annotations

import os
import select
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

import stepsched as ss
from stepsched.cli import places, stdio
from stepsched.cli.failures import READER_GONE, Failure, show_log_records
from stepsched.core.clock import Clock, SystemClock

if TYPE_CHECKING:  # loaded by the commands that need them
    from datetime import datetime

    from stepsched.cli.output.views import View

_UNCUT = 10_000
"""More columns than any table has."""
FORMATS = ("table", "json", "yaml", "name")


class Session:
    """The settings and the streams of one command line."""

    def __init__(self, clock: Clock | None = None, *, pause: Callable[[float], object] | None = None) -> None:
        """Creates a session.

        Args:
            clock: The clock of the command line. None: the clock of this computer.
            pause: A function that pauses for a number of seconds. None: the calling thread waits; Ctrl-C
                ends the pause at once.
        """
        self.clock = clock or SystemClock()
        self.pause = pause or threading.Event().wait
        self.backend: str | None = None
        self.region: str | None = None
        self.profile: str | None = None
        self.endpoint_url: str | None = None
        self.output: str | None = None
        self.no_color = False
        self.quiet = False
        self.yes = False
        self.cleanup = ExitStack()
        """What is closed at the end of the command."""
        self._shows_log_records = False

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
        if isinstance(client.backend, ss.LocalBackend):
            places.import_from_here()
        self.cleanup.callback(client.backend.close)
        if not self._shows_log_records:
            show_log_records(self.cleanup)
            self._shows_log_records = True
        return client

    def workflows(self, *, creates: bool = False) -> ss.WorkflowClient:
        """Returns the client of workflows of the backend that this command line was told.

        Args:
            creates: As for :meth:`client`.

        Raises:
            UnsupportedError: The backend does not run workflows.
            Exception: As for :meth:`client`.
        """
        return ss.WorkflowClient(self.client(creates=creates).backend)

    def connection(self) -> dict[str, Any]:
        """Returns the arguments ``session`` and ``endpoint_url`` of what calls AWS without a backend.

        Raises:
            BackendError: There is no such profile.
        """
        return places.connection_of(self.region, self.profile, self.endpoint_url)

    # -- output --------------------------------------------------------------------------------------

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads the output."""
        return sys.stdout.isatty()

    @property
    def is_error_terminal(self) -> bool:
        """Whether a person reads the standard error stream."""
        return sys.stderr.isatty()

    @property
    def is_reader_gone(self) -> bool:
        """Whether the output is a pipe that nobody reads any more. False where that cannot be observed."""
        try:
            poll = select.poll()
            poll.register(sys.stdout.fileno(), 0)
        except (AttributeError, OSError, ValueError):  # such as on Windows, and for a stream in memory
            return False
        return any(event & select.POLLERR for _, event in poll.poll(0))

    @property
    def is_colored(self) -> bool:
        """Whether the output has colors."""
        is_plain = self.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return self.is_terminal and not is_plain

    @property
    def format(self) -> str:
        """The form of the output, one of ``FORMATS``."""
        return self.output or ("table" if self.is_terminal else "json")

    @property
    def width(self) -> int:
        """The number of columns of the terminal. Without one, as on a pipe, nothing is cut, unless COLUMNS is
        set."""
        return shutil.get_terminal_size((_UNCUT, 25)).columns

    def show(self, view: View) -> None:
        """Prints a result in the form that was asked for."""
        match self.format:
            case "json":
                self.write(view.to_json(is_ascii=not stdio.is_unicode()))
            case "yaml":
                self.write(view.to_yaml(is_ascii=not stdio.is_unicode()))
            case "name":
                self.write("".join(f"{name}\n" for name in view.names))
            case _:
                self.write(view.to_table(width=self.width, is_colored=self.is_colored))

    def write(self, text: str) -> None:
        """Writes text to the standard output.

        Raises:
            Failure: It cannot be written. If its reader has gone, the process ends quietly, with the code
                that shells give a program that a closed pipe has ended.
        """
        try:
            stdio.write(text)
        except BrokenPipeError as error:
            stdio.abandon("stdout")
            raise Failure("", READER_GONE) from error
        except OSError as error:
            stdio.abandon("stdout")
            raise Failure(f"cannot write the output: {error.strerror}") from error

    def tell(self, text: str) -> None:
        """Writes a line about what happens to the standard error stream, unless ``--quiet`` was given."""
        if not self.quiet:
            stdio.tell(text)

    def show_progress(self, text: str) -> None:
        """Replaces the line of progress on the standard error stream, if that is a terminal. An empty text
        removes it."""
        if self.is_error_terminal and not self.quiet:
            try:  # the output may be a pipe, of another width
                width = os.get_terminal_size(sys.stderr.fileno()).columns or self.width
            except (OSError, ValueError):  # such as of a stream in memory
                width = self.width
            stdio.tell(f"\r\x1b[2K{text[: width - 1]}", ends_line=False)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks before something is destroyed: on a terminal, unless ``--yes`` was given.

        Raises:
            UsageError: Nobody can be asked.
            Abort: The answer was no.
        """
        if yes or self.yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.UsageError(f"{question} Nobody can be asked here; use --yes to do it.")
        if not click.confirm(question, err=True):
            self.tell("nothing was changed")
            raise click.Abort


def pass_session(function: Any) -> Any:
    """Passes the session to a command, as its first argument."""
    return click.make_pass_decorator(Session)(function)
