"""parliament, a linter of IAM policies that is not ours, as a part for tests."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.gate import PARLIAMENT
from tests.parts.asl_validators import PATIENCE
from tests.parts.environments import PartFailedError, PartMissingError, python_of

RUNNER = Path(__file__).with_name("parliament_runner.py")


def parliament(policies: Sequence[dict[str, Any]]) -> list[list[str]]:
    """What parliament finds in each policy, as ``FINDING: detail``.

    Raises `PartMissingError` if its environment is missing.
    """
    python = python_of("parliament")
    if not python.exists():
        raise PartMissingError("parliament", PARLIAMENT)
    with tempfile.TemporaryDirectory(prefix="parliament-") as folder:
        ended = subprocess.run(
            [str(python), "-I", str(RUNNER)],
            input=json.dumps(policies),
            capture_output=True,
            text=True,
            cwd=folder,
            env={"HOME": folder, "TZ": "UTC"},
            timeout=PATIENCE,
            check=False,
        )
    if ended.returncode:
        raise PartFailedError(ended.stderr)
    return [list(found) for found in json.loads(ended.stdout)]
