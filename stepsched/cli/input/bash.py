"""Completion in bash, which takes words apart at ``:`` and ``=``, and inserts what it is given as it is."""

from __future__ import annotations

import os
import re
from typing import Any

from click import shell_completion
from click.shell_completion import BashComplete, CompletionItem

_LINE = "STEPSCHED_LINE"
"""The environment variable with the line up to the cursor."""


class Bash(BashComplete):
    """The completion of click, with whole words: ``local:jobs.db`` is one."""

    source_template = (
        BashComplete.source_template.replace(
            "env COMP_WORDS=", f'env {_LINE}="${{COMP_LINE:0:$COMP_POINT}}" COMP_WORDS='
        )
        .replace("read type value", "read -r type value")
        .replace("COMPREPLY+=($value)", 'COMPREPLY+=("$value")')
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        """Returns the words before the cursor, and the word that is not complete."""
        line = os.environ.get(_LINE)
        if not line:
            try:
                return super().get_completion_args()
            except (KeyError, ValueError):  # not asked by a shell
                return [], ""
        words = shell_completion.split_arg_string(line)[1:]
        is_between = line[-1].isspace() and not line.endswith("\\ ")
        return (words, "") if is_between or not words else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Returns the completions; without the beginning that bash keeps, up to the last ``:`` or ``=``."""
        kept = max(incomplete.rfind(mark) for mark in ":=") + 1
        found = super().get_completions(args, incomplete)
        if kept:
            for each in found:
                each.value = each.value[kept:] if each.value.startswith(incomplete) else each.value
        return found

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Returns a completion as bash reads it."""
        value = re.sub(r"([^\w@%+=:,./-])", r"\\\1", item.value) if item.type == "plain" else item.value
        return f"{item.type},{value}"


def use() -> None:
    """Completes in bash this way."""
    shell_completion.add_completion_class(Bash)
