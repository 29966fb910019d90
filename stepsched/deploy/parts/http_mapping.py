"""The mapping templates of the API of one-shot tasks, in the Velocity Template Language.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

from stepsched.machines.shared.one_shot import MOST_ENCODED
from stepsched.machines.shared.one_shot_words import CANCEL, NOT_CANCELLED, NOT_SCHEDULED

IDEMPOTENCY_KEY = "Idempotency-Key"

REQUEST = rf"""#set($body = $util.urlEncode($input.body))
#set($large = "false")
#if($body.length() > {MOST_ENCODED})
#set($large = "true")
#set($body = "")
#end
#set($key = $input.params("{IDEMPOTENCY_KEY}"))
#if("$!key" == "")
#set($key = $input.params("{IDEMPOTENCY_KEY.lower()}"))
#end
{{"stateMachineArn": "MACHINE", "input": "{{\"path\": \"$context.resourcePath\", \
\"body\": \"$!body\", \"key\": \"$!util.urlEncode($key)\", \"large\": $large}}"}}""".replace("\\\n", "")
"""The request of ``StartSyncExecution``. ``MACHINE`` stands for the ARN of the machine.

What a client has sent is encoded as in a form, which leaves no character that would end a JSON text."""

RESPONSE = f"""#set($done = $input.path("$"))
#if("$!done.status" == "SUCCEEDED")
#set($answer = $util.parseJson($done.output))
#set($context.responseOverride.status = $answer.status)
$answer.body
#else
#set($context.responseOverride.status = 500)
#if($context.resourcePath == "{CANCEL}")
{{"msg": "{NOT_CANCELLED}"}}
#else
{{"msg": "{NOT_SCHEDULED}"}}
#end
#end"""
"""The response to a client. ``StartSyncExecution`` responds with 200 whatever the end of the execution:
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html"""

EMPTY = '#set($nothing = "")'
"""A response without a body."""
