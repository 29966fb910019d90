"""Commands about runs: ``run-now``, ``runs``, ``upcoming``, ``backfill``, ``wait`` and others."""

from __future__ import annotations

import click

COMMANDS: tuple[click.Command, ...] = ()
