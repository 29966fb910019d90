"""The command line: ``stepsched``, a thin front over the client and the functions of the package.

- ``app``: the command ``stepsched`` and how a process of it ends
- ``commands``: one module a topic; every command turns its arguments into calls of the public names of
  stepsched, and what they return into a view
- ``session``: what one process of the command line was told: where, and how to print
- ``places``: where jobs are stored: options, environment, ``pyproject.toml``
- ``parameters``: the types of arguments; ``declaring``: commands with examples and shared options
- ``views``: results as tables, JSON, YAML and names; ``tables``: tables on a terminal; ``times``: instants
- ``failures``: errors as one line and an exit code; ``wording``: their words; ``stdio``: the standard streams
- ``solutions``: the commands of the AWS Solutions scheduler, a program of their own

Modules at this level load neither pydantic nor boto3 when they are imported: names of stepsched are read as
``ss.name`` where a command needs them.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import NoReturn

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
    except KeyboardInterrupt:  # before the command has begun, or after it has ended
        code = 130
    # Everything is done and closed: from now on Ctrl-C has nothing to interrupt that could say so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)
