"""What MSAL and its HTTP session raise, as our own errors. Must never pass a text on that holds a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import requests
from msal.exceptions import MsalError  # type: ignore[import-untyped]

from service.errors import TokenError
from service.graph.token_remedies import build_discovery_error

_REACH: Final = "Check that AUTHORITY_URL can be reached from here, and that CA_BUNDLE names its authority."


@contextmanager
def told_as_token_errors() -> Iterator[None]:
    """Raise `TokenError` for what MSAL raises within."""
    try:
        yield
    except (requests.RequestException, MsalError, OSError, RuntimeError) as error:
        reason = type(error).__name__
        raise TokenError(f"no answer from Entra ID ({reason})", code="unreachable", remedy=_REACH) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # So MSAL reports a discovery that was refused or makes no sense; the refusal is the context.
        raise build_discovery_error(f"{error} {error.__context__ or ''}") from error
