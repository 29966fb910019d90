"""The mistakes in files of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import stepsched as ss
from stepsched.cli.failures import located
from stepsched.cli.input import job_files
from stepsched.cli.output.views import View
from stepsched.cli.wording import on_a_command_line
from stepsched.core.masking import text_without_secrets
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.backends import Backend


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """What was found in a file."""

    file: str
    names: Sequence[str]
    """The names of its jobs; empty if a job was refused."""
    problems: Sequence[tuple[int | None, str]]
    """The line, or None, and the text of each mistake."""


def check_file(
    file: str, *, earlier: Sequence[FileCheck], now: datetime, backend: Backend | None
) -> FileCheck:
    """Looks for all mistakes of a file.

    Args:
        file: The file, as the command line names it.
        earlier: The files before it, whose names may not occur again.
        now: The present instant.
        backend: The backend that is to check each job too. None: none.
    """
    try:
        text = job_files.read_text(file) if job_files.is_document(file) else None
        jobs = job_files.jobs_in(file, text)
    except ss.errors.JobFileError as error:
        return FileCheck(file=file, names=(), problems=error.problems)
    homes = {name: check.file for check in earlier for name in check.names}
    found = list[tuple[int, str]]()
    for number, job in enumerate(jobs):
        if job.name in homes:
            found.append((number, f"the name also occurs in {job_files.source_of(homes[job.name])}"))
        reason = _why_refused(job, now, backend)
        if reason:
            found.append((number, reason))
    lines = job_files.lines_in(file, text) if found and text is not None else [None] * len(jobs)
    problems = [
        (lines[number], f"job {number + 1} ({jobs[number].name!r}): {words}") for number, words in found
    ]
    return FileCheck(file=file, names=[job.name for job in jobs], problems=problems)


def _why_refused(job: ss.Job, now: datetime, backend: Backend | None) -> str:
    """Returns why a job would not be stored; empty if it would."""
    over = job.why_never_runs(now)
    if over is not None:
        return f"it would never run: {over}"
    if backend is None:
        return ""
    try:
        backend.check(job)
    except ss.errors.UnsupportedError as error:
        instead = f" (instead: {'; '.join(error.alternatives)})" if error.alternatives else ""
        return on_a_command_line(f"the {error.backend} backend refuses it: {error.reason}{instead}")
    return ""


def checks_view(found: Sequence[FileCheck]) -> View:
    """Returns the view of what was found in files."""
    return View(
        document=lambda: [
            {
                "file": each.file,
                "jobs": len(each.names),
                "problems": [
                    {"line": line, "text": text_without_secrets(text)} for line, text in each.problems
                ],
            }
            for each in found
        ],
        names=[each.file for each in found if each.problems],
        text="\n".join(line for each in found for line in _lines(each)),
    )


def _lines(check: FileCheck) -> list[str]:
    source = job_files.source_of(check.file)
    if not check.problems:
        count = len(check.names)
        return [visible(f"{source}: {count} job{'' if count == 1 else 's'}, no mistake")]
    return [visible(located(source, line, " ".join(text.split()))) for line, text in check.problems]
