"""What to do about a refusal of Entra ID, in one sentence per code. No I/O.

Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from service.errors import TokenError

_DESCRIPTION_MAX: Final = 300
_AADSTS: Final = re.compile(r"AADSTS(\d{4,9})")

_WANTS_CREDENTIAL: Final = (
    "Entra ID wants a credential: set a client secret, a certificate or a federated token."
)
_UPLOAD: Final = "Entra ID does not know the certificate: upload the public half of CLIENT_CERTIFICATE_FILE."
_TENANT: Final = "There is no such tenant: check TENANT_ID, CLOUD and AUTHORITY_URL."
_FEDERATED: Final = (
    "No federated credential fits: compare issuer, subject and audience with the application's."
)
_CONSENT: Final = "Consent is missing: let an administrator consent to the application's permissions."
_FORBIDDEN: Final = (
    "Conditional Access forbids it: exclude the application's workload identity, or allow the network."
)
_SIGN_IN: Final = "The sign-in is no longer good: sign in again."
_RESOURCE: Final = "The tenant does not know the resource: check CLOUD and GRAPH_URL."

_REMEDIES: Final[Mapping[str, str]] = {
    "7000215": "The client secret is wrong: put the secret's value, not its id, into CLIENT_SECRET.",
    "7000222": "The client secret has expired: make a new one in Entra ID and put it into CLIENT_SECRET.",
    "7000216": _WANTS_CREDENTIAL,
    "7000218": _WANTS_CREDENTIAL,
    "700016": "The tenant has no such application: check CLIENT_ID and TENANT_ID, or give admin consent.",
    "7000112": "The application is disabled in this tenant: enable its service principal in Entra ID.",
    "90002": _TENANT,
    "900021": _TENANT,
    "900023": _TENANT,
    "700027": _UPLOAD,
    "7000214": _UPLOAD,
    "700024": "The assertion is outside its time: set this machine's clock, or renew FEDERATED_TOKEN_FILE.",
    "70021": _FEDERATED,
    "700021": _FEDERATED,
    "700211": _FEDERATED,
    "700212": _FEDERATED,
    "700213": _FEDERATED,
    "700223": "Entra ID cannot reach the issuer of FEDERATED_TOKEN_FILE: check its discovery document.",
    "65001": _CONSENT,
    "650051": _CONSENT,
    "650052": "The tenant has no service principal for Graph or lacks the licence: ask its administrator.",
    "500011": _RESOURCE,
    "1002012": "The scope is not one for applications: check CLOUD.",
    "70011": "The scope is not valid: check CLOUD.",
    "53003": _FORBIDDEN,
    "530003": _FORBIDDEN,
    "90072": "The account is not of this tenant: check TENANT_ID.",
    "700082": _SIGN_IN,
    "50076": _SIGN_IN,
    "50173": _SIGN_IN,
}
# By the OAuth error where no AADSTS code is known.
_BY_ERROR: Final[Mapping[str, str]] = {
    "invalid_client": "Entra ID does not accept the credential: check CLIENT_ID and the credential.",
    "unauthorized_client": "The application may not sign in here: check CLIENT_ID, TENANT_ID and consent.",
    "invalid_grant": "Entra ID does not accept the grant: sign in again, or renew the credential.",
    "invalid_scope": "The scope is not valid: check CLOUD.",
    "invalid_resource": _RESOURCE,
}
_SIGN_IN_ERRORS: Final = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
_TEMPORARY_ERRORS: Final = frozenset({"temporarily_unavailable", "server_error"})
_TEMPORARY_CODES: Final = frozenset({"90033", "90006", "90055", "50196", "90036", "90090"})
_TRY_AGAIN: Final = "Entra ID is away for now: it is tried again."
_LOOK_UP: Final = (
    "Look the code up at https://login.microsoftonline.com/error and check the application's settings."
)


def build_token_error(result: Mapping[str, object]) -> TokenError:
    """Turn the error that Entra ID answered, in MSAL's form, into ours.

    Args:
        result: has `error`, and may have `error_description` and `error_codes`.
    """
    error = str(result.get("error") or "unknown_error")
    description = str(result.get("error_description") or "")
    number = _find_number(result.get("error_codes"), description)
    is_permanent = error not in _TEMPORARY_ERRORS and number not in _TEMPORARY_CODES
    remedy = _REMEDIES.get(number) or _BY_ERROR.get(error) or (_LOOK_UP if is_permanent else _TRY_AGAIN)
    return TokenError(
        f"{error}: {_first_line(description)}",
        code=f"AADSTS{number}" if number else error,
        remedy=remedy,
        is_permanent=is_permanent,
        needs_sign_in=is_permanent and error in _SIGN_IN_ERRORS,
    )


def build_discovery_error(description: str) -> TokenError:
    """Turn a refused discovery, which MSAL reports as text, into ours."""
    number = _find_number(None, description)
    remedy = (
        _REMEDIES.get(number)
        or "The authority does not answer as one: check TENANT_ID, CLOUD and AUTHORITY_URL."
    )
    code = f"AADSTS{number}" if number else "discovery"
    return TokenError(_first_line(description), code=code, remedy=remedy, is_permanent=True)


def _find_number(codes: object, description: str) -> str:
    if isinstance(codes, list) and codes:
        return str(codes[0])
    match = _AADSTS.search(description)
    return "" if match is None else match[1]


def _first_line(description: str) -> str:
    """Give the sentence, without the trace and correlation ids that follow it."""
    lines = description.partition("Trace ID:")[0].strip().splitlines()
    return lines[0][:_DESCRIPTION_MAX] if lines else "no description"
