"""A workflow of AWS Batch jobs: its graph, its picture, and the stack that runs it on Step Functions."""

from __future__ import annotations

from datetime import timedelta

import stepsched as ss
from stepsched.workflows import When, input_of

QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/low"
TELL = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:tell")


def job(name: str) -> ss.targets.BatchTarget:
    return ss.targets.BatchTarget(
        f"arn:aws:batch:eu-west-1:123456789012:job-definition/{name}:1", job_queue=QUEUE
    )


fetch = ss.Step("fetch", target=job("fetch"), input={"day": input_of("day")}, retry=ss.Retry(max_attempts=2))
clean = ss.Step("clean", target=job("clean"), needs=[fetch], timeout=timedelta(hours=2))
convert = ss.Step("convert", target=job("convert"), needs=[fetch])
load = ss.Step("load", target=job("load"), needs=[clean, convert])
tell = ss.Step("tell", target=TELL, needs=[load], when=When.DONE)
flow = ss.Workflow("daily-load", steps=[fetch, clean, convert, load, tell], wait_time=timedelta(seconds=30))


def main() -> None:
    print(flow, end="\n\n")
    print(flow.to_mermaid())
    template = ss.deploy.template([flow], parts=["workflows"])
    for name, resource in template["Resources"].items():
        print(f"{name:14}  {resource['Type']}")
    # Once the stack "daily" is deployed: ss.WorkflowClient.from_stack("daily").start(flow)


if __name__ == "__main__":
    main()
