"""Runs inside parliament's own environment: lints the policies on standard input, a list in JSON.

Writes for each a list of findings as text.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    analyze = importlib.import_module("parliament").analyze_policy_string
    found = [
        [f"{each.issue}: {each.detail}" for each in analyze(json.dumps(policy)).findings]
        for policy in json.load(sys.stdin)
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
