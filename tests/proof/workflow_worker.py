"""A program that runs the workflows of one file until it is told to end, or killed:
``workflow_worker.py FILE``; and the functions of their steps, which write down that they were called."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading

import stepsched as ss


def step(given: dict[str, object]) -> dict[str, object]:
    """Writes its begin and its end into the log, with a pause between; returns its number."""
    write(str(given["log"]), f"begin {given['name']}")
    threading.Event().wait(float(str(given["pause"])))
    write(str(given["log"]), f"end {given['name']}")
    return {"number": given["number"]}


def write(path: str, line: str) -> None:
    """Appends a line at once, so that a kill cannot cut it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def main() -> None:
    faulthandler.dump_traceback_later(60, repeat=True)  # into the log of errors, if it hangs
    backend = ss.LocalBackend(sys.argv[1], max_restarts=1_000)
    backend.start()
    print("ready", flush=True)
    backend.serve()
    backend.close()


if __name__ == "__main__":
    main()
