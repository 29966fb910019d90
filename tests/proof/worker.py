"""A program that fires the jobs of one file until it is told to end, or killed: ``worker.py FILE``."""

from __future__ import annotations

import signal
import sys
import threading

import stepsched as ss


def main() -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    backend = ss.LocalBackend(sys.argv[1])
    with backend:
        print("ready", flush=True)  # from here on it can be told to end
        while not told.wait(timeout=3_600):
            pass


if __name__ == "__main__":
    main()
