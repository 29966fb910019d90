"""A program that fires the jobs of one file until it is told to end, or killed: ``worker.py FILE``."""

from __future__ import annotations

import sys

import stepsched as ss


def main() -> None:
    backend = ss.LocalBackend(sys.argv[1])
    backend.start()
    print("ready", flush=True)
    backend.serve()
    backend.close()


if __name__ == "__main__":
    main()
