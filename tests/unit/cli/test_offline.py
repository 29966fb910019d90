"""What needs no backend opens no connection and loads no SDK: seen in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = textwrap.dedent(
    """
    import json, sys

    def refuse_connections(event, _):
        if event.startswith("socket."):
            raise AssertionError(event)

    sys.addaudithook(refuse_connections)
    from stepsched.cli.app import run

    codes = [run(arguments) for arguments in json.loads(sys.argv[1])]
    loaded = {name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "sqlite3", "rich"}
    print(json.dumps([codes, sorted(loaded)]), file=sys.stderr)
    """
)
JOBS = """
- {name: a, schedule: rate(1 hour), target: 'arn:aws:sns:eu-west-1:123456789012:t'}
- {name: b, every: 1 month, start: 2030-01-31T09:00, target: ['true']}
"""
COMMANDS = {
    "next": ["next", "0 9 * * 1-5", "--timezone", "Europe/Paris", "-n", "1000"],
    "next of a step": ["next", "every month", "--start", "2030-01-31T09:00"],
    "next of a job": ["next", "--document", "jobs.yaml", "a"],
    "explain": ["explain", "cron(30 2 ? * SUN *)", "--timezone", "Europe/Paris"],
    "timeline": ["timeline", "jobs.yaml"],
    "crontab": ["crontab", "crontab"],
    "check": ["check", "jobs.yaml"],
    "plan": ["plan", "jobs.yaml", "--offline"],
    "plan against a file": ["plan", "jobs.yaml", "--stored", "jobs.yaml", "--prune"],
}


def test_the_offline_commands_open_no_socket_and_load_no_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.yaml").write_text(JOBS, encoding="utf-8")
    (tmp_path / "crontab").write_text("0 9 * * 1-5 backup\n", encoding="utf-8")
    monkeypatch.setenv("STEPSCHED_BACKEND", "stack:never-asked")
    root = Path(__file__).resolve().parents[3]
    monkeypatch.setenv("PYTHONPATH", str(root))
    arguments = [sys.executable, "-c", PROGRAM, json.dumps(list(COMMANDS.values()))]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    codes, loaded = json.loads(done.stderr.splitlines()[-1])
    assert dict(zip(COMMANDS, codes, strict=True)) == dict.fromkeys(COMMANDS, 0)
    assert loaded == []
