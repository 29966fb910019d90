"""Check a handwritten definition, and draw it, including its mistakes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stepsched import asl

DEFINITION = """{
  "QueryLanguage": "JSONata",
  "StartAt": "Load",
  "States": {
    "Load": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke",
      "Arguments": {"FunctioName": "load", "Payload": "{% $states.input.order %}"},
      "Assign": {"total": "{% $sum($states.result.Payload.items.price %}"},
      "Next": "Large?"
    },
    "Large?": {
      "Type": "Choice",
      "Choices": [{"Condition": "{% $totl > 100 %}", "Next": "Tell"}],
      "Default": "Done"
    },
    "Tell": {
      "Type": "Task",
      "Resource": "arn:aws:states:::sns:publish",
      "Arguments": {
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:sales",
        "Message": "{% total & ' euros' %}"
      },
      "Next": "Dne"
    },
    "Rest": {"Type": "Wait", "Timestamp": "2030-02-30T09:00:00Z", "Next": "Done"},
    "Done": {"Type": "Succeed"}
  }
}"""


def main() -> None:
    machine = asl.parse(DEFINITION)  # reads what is wrong too
    for found in machine.check():
        print(found)

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "machine.svg"
        picture.write_text(machine.to_svg(), encoding="utf-8")
        print(f"\nThe picture {picture.name} has {picture.stat().st_size:,} bytes. The same in Mermaid:\n")
    print(machine.to_mermaid())


if __name__ == "__main__":
    main()
