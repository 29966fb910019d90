"""Render a job with several targets: parallel branches, each with its own retries."""

from __future__ import annotations

import stepsched as ss

MORNING = ss.Job(
    name="morning",
    schedule=ss.Cron("0 7 ? * MON-FRI *", timezone="Europe/Berlin"),
    target=ss.ParallelTarget(
        [
            ss.LambdaTarget("arn:aws:lambda:eu-central-1:123456789012:function:warm-caches"),
            ss.QueueTarget("arn:aws:sqs:eu-central-1:123456789012:reports"),
            ss.StateMachineTarget("arn:aws:states:eu-central-1:123456789012:stateMachine:reconcile"),
        ]
    ),
    input={"due": ss.context.SCHEDULED_TIME},
    overlap=ss.Overlap.SKIP,
)


def main() -> None:
    machine = ss.render_asl(MORNING)
    assert machine.check() == []
    for branch in machine.to_dict()["States"]["Run"]["Branches"]:
        print(branch["StartAt"])
        for name, state in branch["States"].items():
            if state["Type"] == "Task":
                print(f"    {name}: {state['Resource']}")
                for field, value in state["Arguments"].items():
                    print(f"        {field} = {value}")

    budget = machine.budget()
    print(f"\nA run writes {budget.usual.events} events and takes {budget.usual.transitions} transitions;")
    print(f"about {budget.turns} such runs fit into one execution, then the next one goes on.")


if __name__ == "__main__":
    main()
