"""The command line has a command for every verb of the client, and the options of the contract."""

from __future__ import annotations

import inspect

import click
import pytest

import stepsched as ss
from stepsched.cli.app import app
from stepsched.cli.declaring import ALIASES
from tests.docs import cli_folder
from tests.unit.cli.conftest import CommandLine

ELSEWHERE = {
    "close": "a process of the command line closes what it has opened",
    "from_stack": "--backend stack:NAME",
    "to_html": "notebooks show the client",
    "to_markdown": "notebooks show the client",
    "to_text": "print shows the client",
}
"""Names of the client that are no verbs, and what stands for them."""
OTHER_COMMAND = {
    "iterate": "list",
    "create_many": "apply",
    "pause_many": "pause",
    "resume_many": "resume",
    "cancel_many": "cancel",
}
"""Verbs whose command has another name."""
VERBS = [name for name, _ in inspect.getmembers(ss.SchedulerClient, callable) if not name.startswith("_")]
PLACES = ("--backend", "--region", "--profile", "--endpoint-url")
OUTPUT = ("-o", "--output", "--no-color")
SELECTION = ("--prefix", "--group", "--tag")
OPTIONS = {
    "next": "-n --number --timezone --after --start --end --document",
    "explain": "--timezone --start --end",
    "timeline": "--days --after",
    "crontab": "--timezone",
    "check": "",
    "plan": "--prune --prune-group --offline --stored --detailed-exitcode",
    "apply": "--prune --prune-group -y --yes",
    "export": " ".join(SELECTION),
    "list": " ".join(("--status", *SELECTION)),
    "get": "--group",
    "create": "--file",
    "update": "",
    "cancel": " ".join(("--all -y --yes --stop-run", *SELECTION)),
    "pause": " ".join(("--all --reason --stop-run", *SELECTION)),
    "resume": " ".join(("--all --from", *SELECTION)),
    "run-now": "--group --wait --timeout",
    "runs": "--status --since --until --limit",
    "upcoming": " ".join(("--until --limit", *SELECTION)),
    "versions": "--group",
    "backfill": "--since --until --group",
    "dead-letters": "",
    "redrive": "--run --all",
    "repair": "",
    "wait": "--run --timeout",
    "logs": "--since -f --follow",
    "watch": " ".join(("--interval --timeout", *SELECTION)),
    "serve": " ".join(
        (
            "--handlers-from --private-host --workers --grace",
            "--http --token-file --secret-file --allow-target --allow-host",
        )
    ),
    "play": "--from --until",
    "asl render": "",
    "asl check": "",
    "asl draw": "-o",
    "estimate": "",
    "iam policy": "",
    "iam trust": "",
    "iam client": "",
    "template": "--format --role --group --existing-group --names --passed --next-runs -o --output",
    "completion": "",
    "deploy": " ".join(
        (
            "--with --prefix --table --boundary --task-role --resource --tag --bucket",
            "--dry-run --detailed-exitcode -y --yes",
        )
    ),
    "destroy": "--delete-table --force -y --yes",
    "workflow put": "--document",
    "workflow list": "",
    "workflow draw": "--file --document --gantt -o",
    "workflow start": "--file --document --input --run-id --wait --timeout",
    "workflow status": "",
    "workflow runs": "--status --since --until --limit",
    "workflow wait": "--timeout",
    "workflow restart": " ".join(
        (
            "--from --only --skip --mark-succeeded --input --file --document --dry-run",
            "--wait --timeout",
        )
    ),
    "workflow skip": "--reason",
    "workflow cancel": "-y --yes",
}
"""The options of each command; those that say where jobs are and how to print come on top."""
OFFLINE = (
    "next",
    "explain",
    "timeline",
    "crontab",
    "play",
    "asl render",
    "asl check",
    "asl draw",
    "estimate",
    "iam policy",
    "iam trust",
    "iam client",
    "template",
    "completion",
)
"""The commands that never ask a backend."""
ON_STACKS = ("deploy", "destroy")
"""The commands about stacks, which are in AWS whatever the backend."""
OWN_FORM = ("serve", "watch", "asl draw", "workflow draw", "template", "completion")
"""The commands whose output has one form."""
COMMANDS = dict(cli_folder.commands())


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for each in command.params
        if isinstance(each, click.Option)
        for name in (*each.opts, *each.secondary_opts)
    }


OF_WORKFLOWS = [name for name, _ in inspect.getmembers(ss.WorkflowClient, callable) if name[0] != "_"]
ELSEWHERE_OF_WORKFLOWS = {
    **ELSEWHERE,
    "get": "workflow list -o json",
    "plan_restart": "workflow restart --dry-run",
    "repair": "repair",
    "take_over": "a program: it is done once",
}
"""Verbs of workflows that have no command of their own, and what stands for them."""


@pytest.mark.parametrize("verb", [verb for verb in OF_WORKFLOWS if verb not in ELSEWHERE_OF_WORKFLOWS])
def test_every_verb_of_workflows_has_a_command(verb: str) -> None:
    assert f"workflow {verb}" in COMMANDS


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ELSEWHERE])
def test_every_verb_of_the_client_has_a_command(verb: str) -> None:
    assert OTHER_COMMAND.get(verb, verb.replace("_", "-")) in COMMANDS


def test_the_exceptions_are_of_the_client() -> None:
    assert {*ELSEWHERE, *OTHER_COMMAND} <= {*VERBS}


def test_the_commands_are_those_of_the_contract() -> None:
    assert COMMANDS.keys() == OPTIONS.keys()
    assert {ALIASES[alias] for alias in ("ls", "describe", "delete")} == {"list", "get", "cancel"}


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_words_of_other_tools_are_taken(stepsched: CommandLine, alias: str, name: str) -> None:
    assert (
        stepsched(alias, "--help").out.partition("\n\n")[2]
        == (stepsched(name, "--help").out.partition("\n\n")[2])
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_has_its_options(name: str) -> None:
    places = () if name in OFFLINE else PLACES[1:] if name in ON_STACKS else PLACES
    wanted = {*OPTIONS[name].split(), *places}
    wanted |= {*(() if name in OWN_FORM else OUTPUT)}
    found = options_of(COMMANDS[name])
    assert wanted <= found
    assert name not in OFFLINE or found.isdisjoint({*PLACES} - {"--region"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is(name: str) -> None:
    silent = [
        each.name
        for each in COMMANDS[name].params
        if isinstance(each, click.Option) and not (each.help or "").rstrip().endswith((".", ")"))
    ]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_a_sentence_and_its_examples(name: str) -> None:
    command = COMMANDS[name]
    first = (command.help or "").partition("\n")[0]
    assert first.endswith(".")
    context = click.Context(command, info_name=name, parent=click.Context(app, info_name="stepsched"))
    text = command.get_help(context)
    assert "Examples:" in text
    assert all(example in text for example in command.examples)
