"""Ends the children of forks in user code, which must not continue as a second caller of it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeVar

Answer = TypeVar("Answer")


def only_here(call: Callable[[], Answer]) -> Answer:
    """Calls user code. If the user code forks, the child process is ended when the call returns in it, since
    it must not continue as a second caller.

    The child exits as a program does: with code 0 if the call returns, the code of :class:`SystemExit`, or 1
    with the traceback in its standard error. The calling process is not affected.
    """
    pid = os.getpid()
    try:
        answer = call()
    except BaseException as error:
        if os.getpid() != pid:
            end_child(error)
        raise
    if os.getpid() != pid:
        end_child(None)
    return answer


def end_child(error: BaseException | None) -> NoReturn:
    """Ends this process, the child of a fork during a call: see :func:`only_here`."""
    code = 0 if error is None else 1
    try:
        if isinstance(error, SystemExit):
            if isinstance(error.code, int) or error.code is None:
                code = error.code or 0
            else:
                sys.stderr.write(f"{error.code}\n")
        elif error is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)
