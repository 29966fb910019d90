"""The calls of URLs that Step Functions makes, with the permission for them. Pure.

https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from stepsched.core.quoting import quoted
from stepsched.targets.http import HttpTarget

HTTP_INVOKE = "http:invoke"
"""The name of the integration of Step Functions that calls a URL."""
GONE = "States.Http.StatusCode.410"
"""The error by which a receiver says that it wants no further calls."""
_FORBIDDEN = re.compile(
    r"a-im|accept-(charset|datetime|encoding)|authorization|cache-control|connection"
    r"|content-(encoding|length|md5)|date|expect|forwarded|from|host|http2-settings"
    r"|if-(match|modified-since|none-match|range|unmodified-since)|max-forwards|origin|pragma"
    r"|proxy-authorization|range|referer|server|te|trailer|transfer-encoding|upgrade|user-agent|via|warning"
    r"|x-(amz|amzn|forwarded)-.*",
    re.IGNORECASE,
)
"""The headers that Step Functions does not accept, or sets itself."""
_BY_CONNECTION = frozenset({"authorization", "proxy-authorization"})
_MAKE_ONE = "make a connection with `aws events create-connection`"


class Endpoint(NamedTuple):
    """A URL as Step Functions calls it."""

    url: str
    """The URL without query."""
    parameters: dict[str, str]
    """The query, decoded."""


def endpoint_of(url: str) -> Endpoint:
    """Returns a URL in parts: Step Functions takes the query apart from the URL.

    Raises:
        ValueError: The query cannot be given as parameters.
    """
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs) or (parts.query and not pairs):
        raise ValueError(
            f"expected a query of one value for each name, got {quoted(parts.query)}; "
            "use names that differ, or LocalBackend"
        )
    return Endpoint(parts._replace(query="", fragment="").geturl(), parameters)


def why_not_by_step_functions(target: HttpTarget) -> str | None:
    """Why Step Functions cannot call the URL of a target; None if nothing is known against it."""
    if target.signing_secret is not None:
        return (
            "signing_secret: Step Functions has no HMAC, so it cannot sign; use the authorization of a "
            "connection (API key, basic or OAuth), a LambdaTarget whose function signs, or LocalBackend"
        )
    if target.connection_arn is None:
        return f"Step Functions calls a URL only with a connection; {_MAKE_ONE}, and use connection_arn="
    if not target.url.lower().startswith("https:"):
        return f"Step Functions calls only https, got {quoted(target.url)}; use https, or LocalBackend"
    if re.search(r"\$\{|[*?]", endpoint_of(target.url).url):
        return (
            f"the URL {quoted(target.url)} has characters that a policy would read as a pattern; write them "
            "percent-encoded"
        )
    if any(name.endswith(".$") for name in endpoint_of(target.url).parameters):
        return f"the query of {quoted(target.url)} has a name that ends in '.$'; rename it"
    for name in target.headers:
        if name.endswith(".$"):
            return f"headers: the name {name!r} ends in '.$'; rename it"
        if name.lower() in _BY_CONNECTION:
            return f"headers: Step Functions does not accept {name!r}; {_MAKE_ONE}, which authorizes"
        if _FORBIDDEN.fullmatch(name):
            return f"headers: Step Functions does not accept {name!r}; leave it out, or use LocalBackend"
    return None
