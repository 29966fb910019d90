"""Render a one-time job as a state machine, even for an instant years ahead, over several executions."""

from __future__ import annotations

import stepsched as ss

LAUNCH = ss.Job(
    name="launch",
    schedule=ss.OneTime("2033-03-27T09:30:15", timezone="Asia/Tokyo"),
    target=ss.LambdaTarget("arn:aws:lambda:ap-northeast-1:123456789012:function:launch"),
    input={"mission": "{% is plain text %}"},  # what looks like code is never run
)


def main() -> None:
    machine = ss.render_asl(LAUNCH)
    assert machine.check() == []
    states = machine.to_dict()["States"]
    print(f"{LAUNCH.schedule.describe()} is {states['Init']['Assign']['due']}")
    print(f"The function gets {states['Run']['Arguments']['Payload']}\n")
    print(machine.to_mermaid())


if __name__ == "__main__":
    main()
