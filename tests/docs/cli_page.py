"""The page of the command line: every command with its options and what its examples print.

    python -m tests.docs.cli_page     writes the parts of docs/cli.md between the comments

What stands outside the comments is written by hand.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from stepsched.cli import failures
from stepsched.cli.app import app
from stepsched.cli.declaring import ALIASES, Command, output_options, place_options
from tests.docs import cli_folder

PAGE = cli_folder.ROOT / "docs" / "cli.md"
LINES = 24
"""The number of lines that are shown of an output. Long lines are cut too."""
OF_CLICK = ("completion",)
"""Commands whose output is that of click, which differs between its versions."""
TOUR = (
    "stepsched next '0 9 * * 1-5' --timezone Europe/Paris -n 2",
    "stepsched create hello --schedule '*/5 * * * *' -- echo hello",
    "stepsched list",
    "stepsched pause hello --reason 'until the printer is back'",
)
"""The command lines with which the page begins."""
_WORDS = {"text": "TEXT", **dict.fromkeys(("integer", "integer range", "float", "float range"), "NUMBER")}
"""The placeholders of the types of click."""
_SHARED = {each.name for each in (*place_options(), *output_options())}


def page(before: str) -> str:
    """Returns the page with its parts made anew.

    Args:
        before: The page as it is.
    """
    text = before
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"expected {begin.strip()} and {end} in {PAGE.name}")
        text = f"{head}{begin}\n{make()}\n{end}{tail}"
    return text


def exit_codes() -> str:
    """Returns the table of exit codes."""
    return "".join(f"{line}\n" for line in _doc(failures).splitlines() if line.startswith("|"))


def shared_options() -> str:
    """Returns the table of the options that most commands share."""
    return options_table([*place_options(), *output_options()])


def files() -> str:
    """Returns the files that the examples read, as a console shows them."""
    shown = ("jobs.yaml", "crontab.txt", "job.json")
    return "".join(f"```console\n$ cat {name}\n{cli_folder.FILES[name]}```\n\n" for name in shown)[:-1]


def tour() -> str:
    """Returns the first commands of a newcomer, one after the other in a folder without jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        return "\n\n".join(_played(line, folder) for line in TOUR) + "\n"


def overview() -> str:
    """Returns a table of all commands, each with a link to its section."""
    lines = ["| command | |", "|---|---|"]
    for name, command in cli_folder.commands():
        link = name.replace(" ", "-")
        lines.append(f"| [`{name}`](#{link}) | {_cell(command.get_short_help_str(1_000))} |")
    return "".join(f"{line}\n" for line in lines)


def all_commands() -> str:
    """Returns the sections of all commands."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        cli_folder.make(template)
        return "\n".join(_sections(template))


def _sections(template: Path) -> Iterator[str]:
    listed = dict(cli_folder.commands())
    for title, members in app.sections.items():
        if members:
            yield f"## {title}\n"
        names = {each.name for each in members}
        for name, command in listed.items():
            if name.split()[0] in names:
                yield _section(name, command, template)


def _section(name: str, command: Command, template: Path) -> str:
    shared = _SHARED if any(each.name == "profile" for each in command.params) else _SHARED - {"region"}
    own = [each for each in command.params if isinstance(each, click.Option) and each.name not in shared]
    aliases = [alias for alias, of in ALIASES.items() if of == name]
    parts = [
        f"### {name}",
        _prose(command.help or ""),
        *([f"Also: {', '.join(f'`stepsched {each}`' for each in aliases)}."] if aliases else []),
        f"`{usage(name, command)}`",
        *([options_table(own).rstrip()] if own else []),
        *(_example(example, template, is_shown=name not in OF_CLICK) for example in command.examples),
    ]
    return "\n\n".join(parts) + "\n"


def usage(name: str, command: click.Command) -> str:
    """Returns how a command is written."""
    words = [f"stepsched {name}", "[OPTIONS]"]
    for each in command.params:
        if isinstance(each, click.Argument):
            word = each.metavar or (each.name or "").upper()
            many = "..." if each.nargs == -1 and not word.rstrip("]").endswith("...") else ""
            words.append(f"{word}{many}" if each.required or word.startswith("[") else f"[{word}{many}]")
    return " ".join(words)


def options_table(options: Iterable[click.Option]) -> str:
    """Returns a table of options."""
    lines = ["| option | |", "|---|---|"]
    for each in options:
        if not each.hidden:
            *others, long = [*each.opts, *each.secondary_opts]
            word = "" if each.is_flag else f" {_word(each)}"
            names = ", ".join([*(f"`{other}`" for other in others), f"`{long}{word}`"])
            lines.append(f"| {_cell(names)} | {_cell(_told(each))} |")
    return "".join(f"{line}\n" for line in lines)


def _word(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(each) for each in option.type.choices)
    return _WORDS.get(option.type.name, option.type.name.upper())


def _told(option: click.Option) -> str:
    text = (option.help or "").strip()
    if option.show_default and option.default is not None:
        text += f" Default: `{option.default}`."
    return text + (" Required." if option.required else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _prose(text: str) -> str:
    """Returns the text of a help as Markdown."""
    parts = inspect.cleandoc(text).partition("\f")[0].strip().split("\n\n")
    return "\n\n".join(
        f"```text\n{part.removeprefix(chr(8)).strip(chr(10))}\n```" if part.startswith("\b") else part
        for part in parts
    ).replace("<", "&lt;")


def _example(example: str, template: Path, *, is_shown: bool) -> str:
    if not is_shown:
        return _console(example, ["..."])
    with tempfile.TemporaryDirectory() as folder:
        return _played(example, cli_folder.fresh(template, Path(folder) / "folder"))


def _played(example: str, folder: Path) -> str:
    """Returns an example and what it prints in the folder."""
    ended = cli_folder.play(example, folder)
    return _console(example, [_cut(line) for line in ended.text.rstrip().splitlines()])


def _console(example: str, lines: Sequence[str]) -> str:
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "..."]
    return "\n".join(["```console", f"$ {example}", *(line.rstrip() for line in lines), "```"])


def _cut(line: str) -> str:
    return line if len(line) <= cli_folder.COLUMNS + 10 else f"{line[: cli_folder.COLUMNS]}..."


def _doc(module: object) -> str:
    return inspect.getdoc(module) or ""


PARTS: dict[str, Callable[[], str]] = {
    "tour": tour,
    "overview": overview,
    "shared options": shared_options,
    "exit codes": exit_codes,
    "files": files,
    "commands": all_commands,
}
"""The parts of the page that are made, by their name in the comments."""


def main(arguments: Sequence[str]) -> int:
    """Writes the page."""
    assert not arguments
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
