"""The commands of the AWS Solutions scheduler: ``aws-solutions-scheduler``, with its options, output and exit
codes, for a stack of that system and for a stack of stepsched.

- ``app``: the command and how a process of it ends
- ``commands``: ``list``, ``describe``, ``activate`` and ``deactivate``
- ``imports``: ``import-dataset-group``; ``personalize``: dataset groups of Amazon Personalize and their jobs
- ``stacks``: reads the outputs and the metadata of a stack, and tells which system it is of
- ``tasks``: what the commands ask of a system; ``jobs``: a stack of stepsched; ``original``: the table and
  the state machine of the AWS Solutions scheduler

https://github.com/aws-solutions/maintaining-personalized-experiences-with-machine-learning
"""

from __future__ import annotations

from typing import NoReturn

from stepsched.cli import start

__all__ = ["main"]


def main(program: str = "aws-solutions-scheduler") -> NoReturn:
    """Runs the command line with the arguments of this process, and ends the process.

    Args:
        program: The name of the program in help and errors.
    """
    start("stepsched.cli.solutions.app", program)
