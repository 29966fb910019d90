"""The command line: ``stepsched``, a thin front over the client and the functions of the package.

- ``app``: the command ``stepsched`` and how a process of it ends
- ``commands/``: the commands, a module a topic; each turns its arguments into calls of the public names of
  stepsched, and what they return into a view
- ``watching/``: what happens to runs while a command goes on
- ``input/``: what is typed: expressions, instants, files, options of jobs, selections, completion
- ``declaring``: commands with examples, and the options that commands share
- ``output/``: what is printed: views with four forms, tables, times
- ``session``: what one process of the command line was told: where jobs are, and how to print
- ``places``: where jobs are stored: options, environment, ``pyproject.toml``
- ``failures``: errors as one line and an exit code; ``wording``: their words; ``stdio``: the standard streams
- ``solutions/``: the commands of the AWS Solutions scheduler, a program of their own

A module imports only from those below it in this list, except ``solutions``, which stands on all. No
module loads pydantic or boto3 when it is imported: names of stepsched are read as ``ss.name`` where a command
needs them.
"""

from __future__ import annotations

import signal
import sys
from _thread import interrupt_main
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["main"]


def main(program: str = "stepsched") -> NoReturn:
    """Runs the command line with the arguments of this process, and ends the process.

    Args:
        program: The name of the program in help and errors.
    """
    start("stepsched.cli.app", program)


def start(application: str, program: str) -> NoReturn:
    """Runs a command line with the arguments of this process, and ends the process. Without click it says how
    to install it.

    Args:
        application: The module that has the command line as ``run``.
        program: The name of the program in help and errors.
    """
    interrupts = _watch_interrupts()
    try:
        run = import_module(application).run
        import_module("stepsched.cli.stdio").prepare()
        code = run(sys.argv[1:], program=program)
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("error: the command line needs the extra: pip install 'stepsched[cli]'")
    except OSError as error:
        code = import_module("stepsched.cli.failures").give_up(error)
    except BaseException:
        if not interrupts:
            raise
        code = 130
    # Everything is done and closed: from now on Ctrl-C has nothing to interrupt that could say so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(130 if interrupts and code else code)


def _watch_interrupts() -> list[int]:
    """Returns a list that grows with each Ctrl-C: other libraries may turn its exception into one of theirs,
    or lose it where nothing can be raised."""
    found = list[int]()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        found.append(number)
        raise KeyboardInterrupt

    def lost(unraisable: UnraisableHookArgs) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            interrupt_main()
        else:
            sys.__unraisablehook__(unraisable)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = lost
    return found
