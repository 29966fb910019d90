"""A notebook whose cells end with what shows itself."""

from __future__ import annotations

from pathlib import Path

import nbformat

from tests.notebooks.kernels import execute

FIRST = """
from datetime import datetime, timedelta, timezone

import stepsched as ss
from stepsched import estimates, workflows

now = datetime(2030, 1, 7, 8, tzinfo=timezone.utc)
clock = ss.testing.FakeClock(now)
backend = ss.LocalBackend(clock=clock, workers=1)
client = ss.SchedulerClient(backend)

def report(event):
    if event.get("fails"):
        raise ValueError("the source has no rows <b>&amp;</b>")
    return {"rows": 3}

morning = ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris")
jobs = [
    ss.Job(
        name=f"report-{number}",
        schedule=morning,
        target=ss.HandlerTarget(report),
        input={"fails": number == 2},
        retry=ss.Retry(max_attempts=0),
    )
    for number in range(4)
]
jobs += [
    ss.Job(name="pulse", schedule=ss.Rate(every=timedelta(hours=1)), target=ss.HandlerTarget(report)),
    ss.Job(
        name="<script>",
        schedule=ss.OneTime(at="2030-02-01T09:00", timezone="Asia/Tokyo"),
        target=ss.HandlerTarget(report),
    ),
]
client.create_many(jobs)
client.pause("report-3", reason="until the source is back")
backend.run_until(now + timedelta(days=2));
"""
CELLS = {
    "jobs": "client.list()",
    "record": "client.get('report-2')",
    "job": "jobs[0]",
    "schedule": "morning",
    "runs": "client.runs()",
    "run": "client.runs('report-2')[-1]",
    "upcoming": "client.upcoming(until=clock.now() + timedelta(days=7))",
    "plan": "client.plan([jobs[0].replace(description='new'), jobs[2]], prune=['report-1'])",
    "estimate": "ss.estimate(jobs, now, now + timedelta(days=30))",
    "machine": "ss.render_asl(ss.Job(name='aws', schedule=morning, target=ss.LambdaTarget("
    "'arn:aws:lambda:eu-west-1:123456789012:function:report')))",
    "workflow": "ss.Workflow('nightly', steps=[ss.Step('ftp', target=ss.HandlerTarget(report)), "
    "ss.Step('load', needs=['ftp'], target=ss.HandlerTarget(report))])",
    "client": "client",
}
"""The last line of each cell, by what it shows."""


def executed() -> nbformat.NotebookNode:
    """Returns the notebook with what its cells show."""
    cells = [nbformat.v4.new_code_cell(source) for source in (FIRST, *CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=cells)
    execute(notebook, Path())
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> dict[str, dict[str, str]]:
    """Returns the MIME types and the texts of each cell's result."""
    return {
        name: {kind: "".join(text) for kind, text in cell.outputs[0].data.items()}
        for name, cell in zip(CELLS, notebook.cells[1:], strict=True)
    }


def save(notebook: nbformat.NotebookNode, path: Path) -> None:
    nbformat.write(notebook, path)
