"""Wait for a Batch job before the next run: no overlap, and no job longer than two hours."""

from __future__ import annotations

import json
from datetime import timedelta

import stepsched as ss

TRAIN = ss.Job(
    name="train",
    schedule=ss.Rate(timedelta(hours=1), start="2030-01-01T00:00Z"),
    target=ss.BatchTarget(
        "train", job_queue="arn:aws:batch:eu-west-1:123456789012:job-queue/gpu", parameters={"model": "small"}
    ),
    overlap=ss.Overlap.QUEUE,  # a run that is due meanwhile starts when the job has ended
    max_run_time=timedelta(hours=2),
)


def main() -> None:
    waiting = ss.render_asl(TRAIN)
    assert waiting.check() == []
    run = waiting.to_dict()["States"]["Run"]
    print(json.dumps({key: run[key] for key in ("Resource", "Arguments", "TimeoutSeconds")}, indent=2))

    starting = ss.render_asl(TRAIN.replace(overlap=ss.Overlap.ALLOW, max_run_time=None))
    print(f"\nwith Overlap.ALLOW: {starting.to_dict()['States']['Run']['Resource']}")
    try:
        ss.render_asl(TRAIN.replace(overlap=ss.Overlap.ALLOW))
    except ss.RenderError as error:
        print(f"with both:          {error.reason}")


if __name__ == "__main__":
    main()
