"""Sentences of the library in words of the command line: options in place of arguments and methods."""

from __future__ import annotations

import json
import re

_WORDS = (
    (r"set AWS_DEFAULT_REGION, or pass session=boto3\.Session\(region_name=\.\.\.\)",
     "use --region NAME, or set AWS_DEFAULT_REGION"),
    (r"set AWS_PROFILE or credentials, or pass session=boto3\.Session\(\.\.\.\)",
     "use --profile NAME, or set AWS_PROFILE or credentials"),
    (r"correct AWS_PROFILE or ~/\.aws/config", "correct --profile, AWS_PROFILE or ~/.aws/config"),
    (r"expected endpoint_url to be such as", "expected --endpoint-url to be such as"),
    (r"backend\.register\((\w+), function\)", r"a program that registers a handler for \1"),
    (r"\bclient\.apply\(\[job\], prune=True\), which", "`stepsched apply FILE --prune`, which"),
    (r"\bclient\.list\(\)", "`stepsched list`"),
    (r"\bclient\.(resume|runs|get)\((?:name|'[^']*')?\)", r"`stepsched \1 NAME`"),
    (r"\bruns\(status='failed'\)", "`stepsched runs --status failed`"),
    (r"\(instead: run_now\b", "(instead: `stepsched run-now`"),
    (r"\buse run_now\b", "use `stepsched run-now`"),
    (r"\bstop_run=False\b", "leave --stop-run out"),
    (r"expected the form (\S+) for role_arn, got '(.*)'",
     r"expected eventbridge:ROLE with a ROLE of the form \1, got 'eventbridge:\2'"),
    (r"\bon one line for reason, got", "on one line for --reason, got"),
    (r"\bbackend refuses job '\*'", "backend refuses this"),
    (r", or the names of its outputs as state_machine_output and table_output",
     ", or --backend 'stack:NAME?prefix=TEXT' for one that was deployed with --prefix"),
    (r"\bgive group=", "use --group NAME"),
    (r"\bpass group=(\S+?)(?=[ ,;.)]|$)", r"use --group \1"),
    (r"\bpass group\b", "use --group NAME"),
    (r"\buse account= and region=", "use --account and --region"),
    (r"\bresources\['", "--resource ['"),
    (r"\b(kms_key_arn|dead_letter_arn)\b", lambda found: f"--{found[1].replace('_', '-')}"),
    (r"\btask_roles:", "--task-role:"),
    (r"\brole_arns:", "--role:"),
    (r"\bput it on the import path\b",
     "run the command in the folder of its module, or name that folder in PYTHONPATH"),
    (r"\b(?:Overlap|CatchUp|Completion|OnFailure)\.([A-Z]+)\b", lambda found: found[1].lower()),
    (r"\bLocalBackend\(handlers_from=\[\.\.\.\]\)", "another value of --handlers-from"),
    (r"\bLocalBackend\(private_hosts=\['([^']*)'\]\)", r"--private-host \1"),
    (r"\bLocalBackend\(\) in memory", "a program that runs it in memory"),
    (r"\bmodules of handlers_from\b", "modules of --handlers-from"),
    (r"\bLocalBackend\b", "--backend local:FILE"),
    (r"\bEventBridgeBackend\b", "--backend eventbridge:ROLE"),
    (r"\bStepFunctionsBackend\b", "--backend stack:NAME"),
    (r"\ba HandlerTarget\b", "a function, module:function"),
    (r"\ba CommandTarget\b", "a command"),
    (r"\ban HttpTarget\b", "a URL"),
    (r"\ba LambdaTarget\b", "the ARN of a Lambda function"),
    (r"\ba StateMachineTarget\b", "the ARN of a state machine"),
    (r"\ba QueueTarget\b", "the ARN of a queue"),
    (r"\bstepsched\.deploy\.template\(\.\.\.\)", "stepsched.deploy.template"),
    (r"\bstepsched\.deploy\.destroy\('([^']*)'\)", r"`stepsched destroy \1`"),
    (r"\buse force=True\b", "use --force"),
    (r"\bfrom_\b=?", "--from"),
    (r"\b(for |in |and |or |, )(only|skip|mark_succeeded)(?=[,;]| and | or | too|$)",
     lambda found: f"{found[1]}--{found[2].replace('_', '-')}"),
    (r"\b(only|skip|mark_succeeded)=", lambda found: f"--{found[1].replace('_', '-')}"),
    (r"\buse keep_table=True, and\b", "leave --delete-table out, and"),
    (r"\buse bucket= with\b", "use --bucket with"),
    (r"\bor leave bucket out\b", "or leave --bucket out"),
)  # fmt: skip
"""Words about Python, and what a command line says instead."""


def on_a_command_line(text: str) -> str:
    """Returns a sentence of the library in words of the command line."""
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return text


_WORDS_OF_JOBS = (
    (
        r"expected max_delay of at least interval (\S+), got (\S+)",
        r"--max-delay: expected at least --retry-interval \1, got \2",
    ),
    (r"expected either pauses or interval", "expected either --retry-pause or --retry-interval"),
    (r"expected either pauses or backoff_rate", "expected either --retry-pause or --backoff-rate"),
    (r"expected either pauses or max_delay", "expected either --retry-pause or --max-delay"),
    (
        r"expected as many pauses as max_attempts, (\d+), got (\d+); leave max_attempts out",
        r"expected --retry-pause as often as --max-attempts, \1, got it \2 times; leave --max-attempts out",
    ),
    (r"or a command as a list", "or a command after --"),
    (r"; write \[([^\[\]]+)\]$", lambda found: f"; write -- {found[1].replace(', ', ' ')}"),
    (r"\bleave the field out\b", "leave the option out"),
    (r"\bwrite (\{kind: .*\})$", r"use --target '\1'"),
    (r"\bneeds a mapping: (\{kind: .*\})$", r"needs more; use --target '\1'"),
)
"""Words of errors about job files, and what a command line says instead."""


def of_a_job_on_a_command_line(text: str) -> str:
    """Returns what the reader of job files says of a mistake, in words of the command line."""
    for pattern, words in _WORDS_OF_JOBS:
        text = re.sub(pattern, words, text)
    return on_a_command_line(text)


_BEYOND_ASCII = re.compile(r"[^\n -~]")


def visible_json(text: str) -> str:
    """Returns JSON in which control characters are written as escapes: the same data, which cannot steer the
    terminal."""
    return _BEYOND_ASCII.sub(lambda found: _escaped(found[0], json.dumps(found[0])[1:-1]), text)


def visible_yaml(text: str) -> str:
    """Returns YAML of :func:`stepsched.jobs.yaml_text.write_yaml` in which control characters are written as
    escapes: the same data, which cannot steer the terminal. They stand in double quotes there."""
    return _BEYOND_ASCII.sub(lambda found: _escaped(found[0], f"\\U{ord(found[0]):08x}"), text)


def _escaped(character: str, escape: str) -> str:
    return character if character.isprintable() else escape
