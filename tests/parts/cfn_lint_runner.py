"""Runs inside cfn-lint's own environment: lints a template on standard input, as parsed JSON.

The command line would refuse every ``null`` in a template, which a definition may well hold; the check of
definitions does not mind it. Writes a list of findings: rule, path, message.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    template = json.load(sys.stdin)
    config = importlib.import_module("cfnlint.config").ConfigMixIn([], regions=["eu-west-1"])
    found = importlib.import_module("cfnlint.runner").Runner(config).validate_template(template)
    json.dump([[match.rule.id, list(match.path or []), match.message] for match in found], sys.stdout)


if __name__ == "__main__":
    main()
