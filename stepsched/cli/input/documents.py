"""Texts and documents that a command line names: files, the standard input, JSON and YAML."""

from __future__ import annotations

import json
from typing import Any

import click

import stepsched as ss
from stepsched.cli.input.job_files import read_text


def read_file(path: str, *, option: str) -> str:
    """Returns the text of a file, or of the standard input for ``-``.

    Args:
        path: The path.
        option: The option that names it, for errors.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return read_text(path)
    except ss.errors.JobFileError as error:
        raise click.UsageError(
            f"{option}: cannot read {path or 'a file without a name'}: {error.reason}"
        ) from error


def read_document(text: str, *, source: str) -> Any:
    """Returns the document of a text in JSON or YAML.

    Args:
        text: The text.
        source: What it is, for errors.

    Raises:
        UsageError: It is neither.
    """
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # it may be YAML, which has brackets too
    from stepsched.jobs.yaml_text import YamlError, read_yaml

    try:
        return read_yaml(text).document
    except (YamlError, ValueError, RecursionError) as error:
        raise click.UsageError(f"{source}: it is neither JSON nor YAML: {error}") from error
