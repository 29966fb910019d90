"""The page about definitions lists the codes of the check, and counts the recorded answers behind it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from stepsched.asl.diagnostics import ERROR_CODES, Doubt

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "asl.md").read_text("utf-8")


def codes_of(heading: str) -> list[str]:
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [code for row in table.splitlines() for code in re.findall(r"`([A-Z_]+)`", row.split("|")[1])]


def test_every_code_is_explained_once() -> None:
    assert sorted(codes_of("code of an error")) == sorted(ERROR_CODES)
    assert sorted(codes_of("code of a warning")) == sorted(Doubt)


def test_the_recorded_answers_are_counted() -> None:
    lines = (ROOT / "tests" / "data" / "asl_recorded.jsonl").read_text("utf-8").splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    accepted = answers.count("accepted")
    told = f"There are {len(answers)} recorded answers of AWS"
    assert told in PAGE
    assert f"none of the {accepted} that AWS accepted, and in all of the {len(answers) - accepted}" in PAGE
