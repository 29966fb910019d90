"""The command that makes shells complete command lines: ``completion``."""

from __future__ import annotations

import click

from stepsched.cli.declaring import command
from stepsched.cli.session import Session, pass_session

PROGRAM, VARIABLE = "stepsched", "_STEPSCHED_COMPLETE"
"""The program that is completed, and the environment variable in which a shell asks it."""


@command(
    "completion",
    is_offline=True,
    has_form=False,
    examples=("stepsched completion bash", "stepsched completion fish"),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@pass_session
@click.pass_context
def completion(ctx: click.Context, session: Session, shell: str) -> None:
    """Print the script with which a shell completes command lines.

    It completes commands, options, files and the names of stored jobs. Write this line into the start file
    of the shell:

    \b
    bash, in ~/.bashrc:                    eval "$(stepsched completion bash)"
    zsh, in ~/.zshrc, below compinit:      eval "$(stepsched completion zsh)"
    fish, in ~/.config/fish/config.fish:   stepsched completion fish | source

    The names of jobs are read from the backend that the command line, STEPSCHED_BACKEND or pyproject.toml
    names.
    """
    from click.shell_completion import get_completion_class

    from stepsched.cli.input import bash

    bash.use()
    kind = get_completion_class(shell)
    assert kind is not None
    session.write(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())


COMMANDS = (completion,)
