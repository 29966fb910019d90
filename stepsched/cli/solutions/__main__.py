"""``python -m stepsched.cli.solutions``: the commands of the AWS Solutions scheduler."""

from stepsched.cli.solutions import main

if __name__ == "__main__":
    main("python -m stepsched.cli.solutions")
