"""Runs inside cfn-lint's own environment: lints templates on standard input, a list in JSON.

The command line would refuse every ``null`` in a template, which a definition may well hold; the check of
definitions does not mind it. Writes for each a list of findings: rule, path, message.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    config = importlib.import_module("cfnlint.config").ConfigMixIn([], regions=["eu-west-1"])
    runner = importlib.import_module("cfnlint.runner").Runner(config)
    found = [
        [
            [match.rule.id, list(match.path or []), match.message]
            for match in runner.validate_template(template)
        ]
        for template in json.load(sys.stdin)
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
