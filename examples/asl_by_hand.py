"""Define a state machine with typed states: a chain, a choice, a retry, a map."""

from __future__ import annotations

from stepsched import asl

GENTLY = asl.Retrier(error_equals=("States.ALL",), max_attempts=2, backoff_rate=2)


def bill() -> asl.Processor:
    """Returns the states for each order. States are values, so a function can return them."""
    ask = asl.Task(
        resource=asl.integration("lambda", "invoke"),
        arguments={"FunctionName": "bill", "Payload": "{% $states.input %}"},
        output="{% $states.result.Payload %}",
        retry=(GENTLY,),
    )
    return asl.Processor(states=asl.chain({"Bill": ask}))


def machine() -> asl.StateMachine:
    load = asl.Task(
        resource=asl.sdk_integration("dynamodb", "scan"),
        arguments={"TableName": "orders"},
        assign={"orders": "{% $states.result.Items %}"},
        retry=(GENTLY,),
    )
    some = asl.condition("$count($orders) > 0")
    small = asl.condition("$count($orders) < 1000")
    return asl.StateMachine(
        comment="Bills the orders of the day",
        query_language="JSONata",
        states=asl.chain(
            {
                "Load": load,
                "Any?": asl.Choice(choices=((some & small).then("Bill all"),), default="Leave it"),
                "Bill all": asl.Map(items="{% $orders %}", item_processor=bill(), max_concurrency=5),
                "Rest": asl.Wait(seconds=60),
                "Tell": asl.Task(
                    resource=asl.integration("sns", "publish"),
                    arguments={
                        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:sales",
                        "Message": "{% $string($count($orders)) & ' orders billed' %}",
                    },
                ),
                "Done": asl.Succeed(),
                "Leave it": asl.Succeed(),
            }
        ),
    )


def main() -> None:
    billing = machine()
    assert billing.check() == []
    assert asl.parse(billing.to_json()) == billing  # what is written reads back as the same value
    print(billing.to_json())


if __name__ == "__main__":
    main()
