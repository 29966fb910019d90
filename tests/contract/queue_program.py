"""A program with a worker, as an application has one: tests end it in every way.

``python -m tests.contract.queue_program <way> <queue> <folder>``. Each handled text is noted in the folder's
file ``log`` with its begin and its end; ``long`` does not end before there is a file ``released``.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

import stepsched as ss

_WAIT = threading.Event()


def say(*words: object) -> None:
    """Prints a line in one write, so that lines of two processes do not mix."""
    print(f"{' '.join(map(str, words))}\n", end="", flush=True)


class Program:
    def __init__(self, queue: str, folder: Path) -> None:
        self.folder = folder
        self.worker = ss.QueueWorker(queue, self.handle, wait_time=1)

    def handle(self, text: str) -> None:
        self.note("begin", text)
        while text == "long" and not (self.folder / "released").exists():
            _WAIT.wait(0.01)
        self.note("end", text)

    def note(self, what: str, text: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(f"{what} {text}\n")
        say(what, text)

    # -- ways --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until a signal."""
        self.worker.listen(lambda event: say(event.kind.value, event.message.body))
        say("done", self.worker.run())

    def leave(self) -> None:
        """Ends without a stop, in the middle of a handler."""
        self.worker.start()
        while "begin long" not in self._log():
            _WAIT.wait(0.01)

    def fork(self) -> None:
        """Forks while a handler runs: the child ends as programs do, and then works for itself."""
        self.worker.start()
        while "begin long" not in self._log():
            _WAIT.wait(0.01)
        child = os.fork()
        if not child:
            say("in the child", self.worker.is_running, self.worker.stop())
            with ss.QueueWorker(f"{sys.argv[2]}-2", self.handle, wait_time=1):
                while "end of child" not in self._log():
                    _WAIT.wait(0.01)
            sys.exit(7)
        say("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        (self.folder / "released").touch()
        self.worker.stop()

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    way, queue, folder = sys.argv[1:]
    getattr(Program(queue, Path(folder)), way)()


if __name__ == "__main__":
    main()
