"""The sandbox's picture of a request to Entra ID, and of Entra's refusals. No I/O."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraRequest:
    """One request below the login origin.

    Attributes:
        segments: path, percent-decoded, such as `("<tenant>", "oauth2", "v2.0", "token")`.
        form: the form of a POST, the query of a GET; of a repeated name the last value.
        headers: names in lower case.
        origin: scheme, host and port as the caller sees them.
    """

    method: str
    segments: tuple[str, ...]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraResponse:
    """The answer, always JSON unless it is a redirect."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class EntraFault(Exception):  # noqa: N818 - it is Entra's answer, not an error of the sandbox
    """Entra refuses.

    Attributes:
        error: the OAuth error, such as `invalid_client`.
        number: Entra's own number, the digits after `AADSTS`.

    Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    """

    def __init__(self, error: str, number: int, message: str, *, status: int = 400) -> None:
        self.error = error
        self.number = number
        self.message = message
        self.status = status
        super().__init__(f"{error} AADSTS{number}: {message}")

    def build_response(self, now: datetime, origin: str) -> EntraResponse:
        """Give the error in Entra's JSON shape."""
        trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        description = (
            f"AADSTS{self.number}: {self.message} "
            f"Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {stamp}"
        )
        body = {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{origin}/error?code={self.number}",
        }
        return EntraResponse(status=self.status, body=body)
