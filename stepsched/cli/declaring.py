"""Commands with examples, groups with sections and aliases, and the options that commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

import stepsched as ss
from stepsched.cli.failures import FAILED, INTERRUPTED, Failure, lines_of
from stepsched.cli.session import FORMATS, Session

Function = TypeVar("Function", bound=Callable[..., Any])
ALIASES = {
    "ls": "list",
    "describe": "get",
    "inspect": "get",
    "delete": "cancel",
    "rm": "cancel",
    "unpause": "resume",
    "run": "run-now",
    "trigger": "run-now",
    "diff": "plan",
}
"""Other words for commands, which other tools use."""
_INSTEAD = {
    "add": "create",
    "disable": "pause",
    "edit": "update",
    "enable": "resume",
    "help": "--help",
    "history": "runs",
    "lint": "check",
    "remove": "cancel",
    "show": "get",
    "start": "serve",
    "status": "list",
    "stop": "pause",
    "tail": "logs --follow",
    "validate": "check",
}
"""Words of other tools that are no commands here, and what is meant by them."""


class Command(click.Command):
    """A command whose help ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        """Creates a command.

        Args:
            *args: Passed to click.
            examples: Command lines that work in a folder with the files of the documentation.
            **options: Passed to click.
        """
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options of the command, and below them those that most commands share."""
        _write_options(ctx, formatter, self.get_params(ctx))

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002 -- as click calls it
        formatter: click.HelpFormatter,
    ) -> None:
        """Writes the examples."""
        _write_examples(formatter, self.examples)


DETAILED = "--detailed-exitcode"
CHANGES = 2
"""The exit code of a plan with changes, as Terraform has it."""


class PlanCommand(Command):
    """A command whose exit code for every error is 1 with ``--detailed-exitcode``, since 2 says something
    else then."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Reads the arguments."""
        is_detailed = DETAILED in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if not is_detailed:
                raise
            raise Failure(error.format_message(), FAILED) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        if not ctx.params["is_detailed"]:
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise Failure(error.format_message(), FAILED) from error
        except (ss.StepschedError, ValueError, TypeError) as error:
            raise Failure("\n".join(lines_of(error)), FAILED) from error


class Group(click.Group):
    """A group that lists its commands in sections, and takes aliases."""

    command_class = Command

    def __init__(
        self,
        *args: Any,
        sections: Mapping[str, Sequence[click.Command]] | None = None,
        examples: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Creates a group.

        Args:
            *args: Passed to click.
            sections: The commands by the title of their section. None: commands are added later.
            examples: Command lines with which to begin.
            **options: Passed to click.
        """
        super().__init__(*args, **options)
        self.sections = sections or {}
        self.examples = tuple(examples)
        for commands in self.sections.values():
            for command in commands:
                self.add_command(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments. Without any, the help is shown: a wrong use, with the same code in every
        version of click."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. Ctrl-C is quiet: only on a terminal, which shows ``^C``, the line is ended."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if sys.stderr.isatty():
                raise  # click ends the line
            raise SystemExit(INTERRUPTED) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns the command of that name or alias."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, ""))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that is meant. Of words of other tools, the error names the one here."""
        meant = _INSTEAD.get(args[0], "")
        is_here = meant == "--help" or self.get_command(ctx, meant.partition(" ")[0]) is not None
        if is_here and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, and below them the options."""
        self.format_commands(ctx, formatter)
        _write_options(ctx, formatter, self.get_params(ctx))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes where to begin."""
        _write_examples(formatter, self.examples)
        formatter.write_paragraph()
        formatter.write(f"{ctx.command_path} COMMAND --help shows more, and examples.\n")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections."""
        if not self.sections:
            super().format_commands(ctx, formatter)
            return
        width = max(map(len, self.commands))
        for title, commands in self.sections.items():
            if not commands:
                continue
            with formatter.section(title):
                rows = [(f"{each.name or '':{width}}", each.get_short_help_str(80)) for each in commands]
                formatter.write_dl(rows)


def command(
    name: str,
    *,
    examples: Sequence[str],
    is_offline: bool = False,
    has_region: bool = False,
    is_on_aws: bool = False,
    has_form: bool = True,
    **options: Any,
) -> Callable[[Callable[..., Any]], Command]:
    """Declares a command, with the shared options last. The name is given as text, for click derives names
    from functions by rules that have changed between its versions.

    Args:
        name: The name of the command.
        examples: At least two command lines that work.
        is_offline: Whether the command never asks a backend, so that it has no options for one.
        has_region: Whether an offline command needs the AWS Region.
        is_on_aws: Whether the command calls AWS without a backend, so that it has no option for one.
        has_form: Whether the options for the form of the output apply; not if the command has one form.
        **options: Passed to click.
    """

    def declare(function: Callable[..., Any]) -> Command:
        kind: type[Command] = options.pop("cls", Command)
        made: Command = click.command(name, cls=kind, examples=examples, **options)(function)
        left_out = {"backend"} if is_on_aws else set[str | None]()
        if is_offline:
            left_out = {each.name for each in place_options()} - ({"region"} if has_region else set())
        places = [each for each in place_options() if each.name not in left_out]
        made.params += [*places, *(output_options() if has_form else [])]
        return made

    return declare


def place_options() -> list[click.Option]:
    """Returns the options that say where jobs are. They may stand before or after the name of a command; the
    later one counts."""
    return [
        _shared(
            "--backend",
            metavar="PLACE",
            help="local:FILE, eventbridge:ROLE[?group=NAME] or stack:NAME[?prefix=TEXT].",
        ),
        _shared("--region", metavar="NAME", help="The AWS Region."),
        _shared("--profile", metavar="NAME", help="The profile of the AWS configuration."),
        _shared("--endpoint-url", metavar="URL", help="The endpoint of every AWS service."),
    ]


def output_options() -> list[click.Option]:
    """Returns the options that say how to print, which may stand in both places too."""
    words = "The form of the output; if not given, a table on a terminal and JSON on a pipe."
    return [
        _shared("-o", "--output", type=click.Choice(FORMATS), help=words),
        _shared("--no-color", is_flag=True, help="Print no colors. NO_COLOR does the same."),
        _shared("-q", "--quiet", is_flag=True, help="Say nothing beside the output but errors and warnings."),
    ]


def yes_option() -> click.Option:
    """Returns the option that answers questions, for those who write it before the name of a command."""
    return _shared("-y", "--yes", is_flag=True, help="Do not ask before something is destroyed.")


class _SharedOption(click.Option):
    """An option that most commands have."""


def _shared(*names: str, **options: Any) -> click.Option:
    def keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        session = ctx.find_object(Session)  # None while a shell completes
        if session is not None and value is not None and value is not False:  # it was given
            setattr(session, parameter.name or "", value)

    return _SharedOption(names, callback=keep, expose_value=False, **options)


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    if examples:
        with formatter.section("Examples"):
            for example in examples:  # not wrapped: they are to be copied
                formatter.write(f"{' ' * formatter.current_indent}{example}\n")


def _write_options(
    ctx: click.Context, formatter: click.HelpFormatter, parameters: Sequence[click.Parameter]
) -> None:
    """Writes the options in two sections, for the few of the command are to be found among the many."""
    rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for each in parameters:
        record = each.get_help_record(ctx) if isinstance(each, click.Option) else None
        if record is not None:
            rows[isinstance(each, _SharedOption)].append(record)
    has_places = any(isinstance(each, _SharedOption) and each.name == "profile" for each in parameters)
    titles = ("Options", "Where jobs are, and how to print" if has_places else "How to print")
    for title, those in zip(titles, rows.values(), strict=True):
        if those:
            with formatter.section(title):
                formatter.write_dl(those)


def selection_options(function: Function) -> Function:
    """Adds the options that select stored jobs; all that are given must match."""
    for option in reversed(
        (
            click.option("--prefix", metavar="TEXT", help="Only jobs whose name begins with this text."),
            click.option("--group", metavar="NAME", help="Only jobs of this group."),
            click.option(
                "--tag",
                "tags",
                metavar="KEY=VALUE",
                multiple=True,
                callback=lambda _ctx, _parameter, texts: read_tags(texts),
                help="Only jobs with this tag. May be repeated.",
            ),
        )
    ):
        function = option(function)
    return function


def read_tags(texts: Sequence[str]) -> dict[str, str]:
    """Returns the tags that the values of ``--tag`` name.

    Raises:
        UsageError: One has another form.
    """
    tags = dict[str, str]()
    for text in texts:
        key, mark, value = text.partition("=")
        if not (key and mark):
            raise click.UsageError(f"--tag: expected KEY=VALUE, got {text!r}")
        tags[key] = value
    return tags
