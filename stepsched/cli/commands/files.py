"""Commands about files of jobs: ``check``, ``plan``, ``apply``, ``export``."""

from __future__ import annotations

import click

COMMANDS: tuple[click.Command, ...] = ()
