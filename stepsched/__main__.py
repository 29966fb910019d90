"""``python -m stepsched``: the command line."""

from stepsched.cli import main

if __name__ == "__main__":
    main("python -m stepsched")
