"""The commands ``list``, ``describe``, ``activate`` and ``deactivate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from stepsched.cli.failures import Failure
from stepsched.cli.session import Session
from stepsched.cli.solutions.stacks import Stack
from stepsched.cli.solutions.tasks import Task

pass_stack = click.make_pass_decorator(Stack)
"""Passes the stack to a command, as its first argument."""
_task_option: Callable[[Any], Any] = click.option("-t", "--task", required=True, help="The name of the task.")


@click.command("list")
@pass_stack
def list_tasks(stack: Stack) -> None:
    """List all scheduled tasks."""
    show({"tasks": sorted(set(stack.tasks().names()))})


@click.command("describe")
@_task_option
@pass_stack
def describe(stack: Stack, task: str) -> None:
    """Describe a scheduled task."""
    _show_task(task, stack.tasks().read(task))


@click.command("activate")
@_task_option
@pass_stack
def activate(stack: Stack, task: str) -> None:
    """Activate a scheduled task, and describe it."""
    _show_task(task, stack.tasks().activate(task))


@click.command("deactivate")
@_task_option
@pass_stack
def deactivate(stack: Stack, task: str) -> None:
    """Deactivate a scheduled task, and describe it. A run that goes on is left to end."""
    _show_task(task, stack.tasks().deactivate(task))


def show(document: object) -> None:
    """Prints a document as JSON with two blanks, as the AWS Solutions scheduler does. Characters that would
    steer a terminal, and those that the encoding of the output lacks, are written as escapes."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    Session().write(
        "".join(each if each == "\n" or _can_be_shown(each) else _escaped(each) for each in text) + "\n"
    )


def _can_be_shown(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return character.isprintable() and character.encode(encoding, "ignore") != b""


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def _show_task(name: str, task: Task | None) -> None:
    if task is None:
        raise Failure(f"task {name} does not exist")
    show(task.document())


COMMANDS = (list_tasks, describe, activate, deactivate)
