"""Signs in to Redis with an access token of Entra ID instead of a password, as Azure Managed Redis wants it.

Each new connection is given the token of the moment. Redis ends a connection when its token does: the
command under way is then sent once more, over a new one, and every step may be taken twice.

Source: https://learn.microsoft.com/azure/redis/entra-for-authentication
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import jwt
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

from service.errors import TokenError

FetchToken = Callable[[], Awaitable[str]]
"""Gives a token that is good for a while yet; never blocks the event loop. Raises `TokenError`."""


class TokenSignIn(CredentialProvider):
    """The name and password of a connection: the object id that a token speaks for, and the token."""

    def __init__(self, fetch_token: FetchToken) -> None:
        self._fetch_token = fetch_token

    async def get_credentials_async(self) -> tuple[str, str]:
        """Give both, for one connection.

        Raises:
            AuthenticationError: no token was to be had; the link says so as a `StreamError`.
        """
        try:
            token = await self._fetch_token()
        except TokenError as error:
            raise AuthenticationError(f"no token for Redis: {error}") from error
        return read_object_id(token), token

    def get_credentials(self) -> tuple[str, str]:
        """Refuse: a client that blocks would block everything."""
        raise NotImplementedError("signing in to Redis is asynchronous")


def read_object_id(token: str) -> str:
    """Read whom a token speaks for; Redis itself checks that it may.

    Raises:
        AuthenticationError: it does not say.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise AuthenticationError("the token for Redis cannot be read") from error
    object_id = claims.get("oid")
    if not isinstance(object_id, str) or not object_id:
        raise AuthenticationError("the token for Redis names no object id")
    return object_id
