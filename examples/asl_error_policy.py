"""Render a job's error policies as states: four retries, then a notification and a stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import stepsched as ss

IMPORT = ss.Job(
    name="nightly-import",
    schedule=ss.Cron("30 2 * * ? *", timezone="America/New_York"),
    target=ss.LambdaTarget("arn:aws:lambda:us-east-1:123456789012:function:import"),
    overlap=ss.Overlap.QUEUE,  # wait for the function, so that its own failures count
    retry=ss.Retry(max_attempts=4, interval=timedelta(seconds=30), max_age=timedelta(hours=2)),
    dead_letter=ss.QueueTarget("arn:aws:sqs:us-east-1:123456789012:failed-imports"),
    notify=ss.TopicTarget("arn:aws:sns:us-east-1:123456789012:alarms"),
    on_failure=ss.OnFailure.STOP,
)


def targets(state: dict[str, Any]) -> list[str]:
    """Returns the transitions of a state, with their conditions."""
    found = [f"{rule['Next']} if {rule['Comment']}" for rule in state.get("Choices", [])]
    found += [f"{catcher['Next']} on {catcher['ErrorEquals'][0]}" for catcher in state.get("Catch", [])]
    return found + [state[key] for key in ("Default", "Next") if key in state]


def main() -> None:
    machine = ss.render_asl(IMPORT)
    assert machine.check() == []
    states = machine.to_dict()["States"]
    for name in ("Run", "Try again?", "Pause", "Dead letter", "Notify", "Stopped"):
        print(f"{name} ({states[name]['Type']})")
        for target in targets(states[name]):
            print(f"    -> {target}")


if __name__ == "__main__":
    main()
