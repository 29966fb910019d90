"""The command line of the CDK as a part for tests, against an emulator."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.gate import VENVS
from tests.parts.environments import PartFailedError, PartMissingError
from tests.parts.ministack import REGION, Ministack

PATIENCE = 180
PROGRAM = VENVS / "cdk" / "packages" / "node_modules" / "aws-cdk" / "bin" / "cdk"


class CdkCli:
    """Runs commands in an account of the emulator. Raises `PartMissingError` if the program is missing."""

    def __init__(self, server: Ministack, account: str, folder: Path) -> None:
        if not PROGRAM.exists():
            raise PartMissingError("cdk", "the packages of tests/parts/cdk_cli")
        self._folder = folder
        self._environment = {
            "PATH": f"{Path(os.environ['JSII_NODE']).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    def run(self, command: str, *arguments: str) -> str:
        """Runs a command, and returns what it has written.

        Raises:
            PartFailedError: It failed.
        """
        node = os.environ["JSII_NODE"]
        options = ("--no-notices", "--no-version-reporting", "--ci", "--no-color")
        told = subprocess.run(
            [node, str(PROGRAM), command, *arguments, *options],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if told.returncode:
            raise PartFailedError(f"cdk {command}: {told.returncode}\n{told.stdout}\n{told.stderr}")
        return told.stdout + told.stderr
