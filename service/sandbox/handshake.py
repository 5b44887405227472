"""The handshake: does an endpoint answer with the token that it is sent? One POST, no retry.

Must never follow a redirect, and never take an answer that is not exactly the token.
"""

from __future__ import annotations

import uuid
from typing import Final
from urllib.parse import quote_plus

import aiohttp
from yarl import URL

from service.sandbox.subscription_request import refuse
from service.sandbox.wire import GraphFault

HANDSHAKE_TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 16_384
_FAILED: Final = "Subscription validation request failed."


class Handshake:
    """Validates notification URLs as Graph does before it makes a subscription.

    Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
    """

    def __init__(self, session: aiohttp.ClientSession, *, timeout_s: float = HANDSHAKE_TIMEOUT_S) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def validate(self, url: str) -> None:
        """Ask the endpoint to give a token back.

        Raises:
            GraphFault: 400, with what was wrong.
        """
        token = _build_token()
        try:
            status, content_type, answer = await self._ask(add_query(url, "validationToken", token))
        except TimeoutError as error:
            raise build_timeout() from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise refuse(f"{_FAILED} The endpoint could not be reached: {type(error).__name__}.") from error
        if status != 200:
            raise refuse(
                f"{_FAILED} HTTP status code is '{status}'. Notification endpoint must respond with 200 OK "
                "to validation request."
            )
        if content_type != "text/plain" or answer != token.encode():
            raise refuse(f"{_FAILED} Response must exactly match validationToken query parameter.")

    async def _ask(self, url: str) -> tuple[int, str, bytes]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        async with self._session.post(
            URL(url, encoded=True), headers=headers, timeout=self._timeout, allow_redirects=False
        ) as response:
            return response.status, response.content_type, await _read_bounded(response)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    answer = b""
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > ANSWER_BYTES_MAX:
            break
    return answer


def build_timeout() -> GraphFault:
    """Give the refusal that clients see when an endpoint is slow, and now and then without a reason."""
    return refuse("Subscription validation request timed out.")


def add_query(url: str, name: str, value: str) -> str:
    """Add a parameter to a URL that may have some already; a space becomes `+`."""
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}{name}={quote_plus(value)}"


def _build_token() -> str:
    """Give a token that only comes back right if it was decoded: with spaces, signs and a literal `%20`."""
    return (
        "Validation: Testing client application reachability for subscription Request-Id: "
        f"{uuid.uuid4()} +/=&%20?#"
    )
