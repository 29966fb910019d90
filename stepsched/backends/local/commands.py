"""Runs the programs of :class:`CommandTarget`, and kills their child processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile

from stepsched.backends.local.process import MARKER, end_commands
from stepsched.core.outcomes import OUTPUT_LIMIT, too_long
from stepsched.targets import CommandTarget


class CommandFailedError(Exception):
    """A command ended with an exit code other than 0."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(code, output)
        self.code = code
        self.output = output

    def __str__(self) -> str:
        return f"exit code {self.code}" + (f": {self.output.strip()}" if self.output.strip() else "")


class _Command:
    """A command in flight."""

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.process: subprocess.Popen[bytes] | None = None
        """The process. None: it is being started."""
        self.is_ended = False

    def end(self) -> None:
        """Kills it with its child processes, at once or as soon as it has started."""
        self.is_ended = True
        if self.process is not None and self.process.returncode is None:
            _kill(self.process, self.marker)


_IN_FLIGHT = set[_Command]()
"""The commands that this process waits for."""


def end_in_flight(markers: Collection[str]) -> None:
    """Kills the commands that this process waits for and that have one of these markers."""
    for command in _IN_FLIGHT.copy():
        if command.marker in markers:
            command.end()


def run_command(target: CommandTarget, payload: str, limit: timedelta | None, *, marker: str) -> str:
    """Runs a program and waits for its end.

    Args:
        target: The program, its arguments, working directory and additional variables.
        payload: The job's input, for the standard input of a target that has no other text for it.
        limit: The timeout, after which it is killed with its child processes. None: no timeout.
        marker: The value of an environment variable by which it can be found after the end of this process.

    Returns:
        The end of its output.

    Raises:
        CommandFailedError: The program ended with an exit code other than 0.
        TimeoutError: It took longer than ``limit``.
        OSError: It cannot be started.
    """
    running = _Command(marker)
    _IN_FLIGHT.add(running)
    try:
        return _run(running, target, payload if target.stdin is None else target.stdin, limit)
    finally:
        _IN_FLIGHT.discard(running)


def _run(running: _Command, target: CommandTarget, text: str, limit: timedelta | None) -> str:
    with TemporaryFile() as output:  # not in memory, since the output may be large
        process = subprocess.Popen(  # noqa: S603 -- an argument list, no shell
            target.command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it can be killed with its child processes
            cwd=None if target.cwd is None else str(Path(target.cwd).expanduser()),
            env={**os.environ, **target.env, MARKER: running.marker},
        )
        running.process = process
        try:
            if running.is_ended:
                running.end()
            process.communicate(text.encode(), timeout=None if limit is None else limit.total_seconds())
        except subprocess.TimeoutExpired as error:
            raise too_long(limit) from error
        finally:
            if process.poll() is None:
                _kill(process, running.marker)
                process.wait()
        size = output.seek(0, os.SEEK_END)
        output.seek(max(size - 4 * OUTPUT_LIMIT, 0))
        shown = output.read().decode(errors="replace")[-OUTPUT_LIMIT:]
    if process.returncode:
        raise CommandFailedError(process.returncode, shown)
    return shown


def _kill(process: subprocess.Popen[bytes], marker: str) -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        end_commands(lambda each: each == marker)  # processes that have left its group
    else:
        process.kill()
