"""Render a job for the last day of each month until June as a state machine.

EventBridge Scheduler has no expression for this window; a state machine computes each next run itself.
"""

from __future__ import annotations

import stepsched as ss

CLOSING = ss.Job(
    name="closing",
    schedule=ss.Windowed(
        "2030-01-31T18:00",
        end="2030-06-30T18:00",
        every=ss.Frequency(months=1),
        timezone="Europe/Paris",
    ),
    target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:close-the-books"),
    input={"ledger": "main"},
    overlap=ss.Overlap.SKIP,  # the machine waits for the function
)


def main() -> None:
    machine = ss.render_asl(CLOSING)
    assert machine.check() == []

    print(f"{CLOSING.schedule.describe()}:")
    for run in CLOSING.schedule.runs(after=ss.OneTime("2030-01-01T00:00").instant):
        print(f"    {run:%a %d %B %Y, %H:%M %z}")

    states = machine.to_dict()["States"]
    print(f"\nThe machine has {len(states)} states: {', '.join(states)}")
    print(f"Its definition is {len(machine.to_json(indent=None)):,} characters long.")
    print("Deploy it as a Standard workflow and start one execution with the input {}.")


if __name__ == "__main__":
    main()
