"""A workflow of functions in this process: it fails, and is restarted where it failed."""

from __future__ import annotations

import stepsched as ss

DISK = {"is_full": True}


def extract() -> dict[str, int]:
    return {"rows": 1200}


def load(rows: int) -> int:
    if DISK["is_full"]:
        raise OSError("the disk is full")
    return rows


def report(rows: int) -> str:
    return f"{rows} rows were loaded"


def main() -> None:
    first = ss.Step("extract", target=ss.HandlerTarget(extract))
    second = ss.Step("load", target=ss.HandlerTarget(load), needs=[first], input=first.output("rows"))
    third = ss.Step("report", target=ss.HandlerTarget(report), needs=[second], input=second.output())
    nightly = ss.Workflow("nightly", steps=[first, second, third])

    with ss.WorkflowClient() as flows:
        run = flows.wait(flows.start(nightly, run_id="monday"), timeout=60)
        print(run, end="\n\n")

        plan = flows.plan_restart(run)
        print(plan, end="\n\n")

        DISK["is_full"] = False
        run = flows.wait(flows.restart(plan), timeout=60)
        print(run, end="\n\n")
        print(run.to_gantt_text(timezone="Europe/Paris"))


if __name__ == "__main__":
    main()
