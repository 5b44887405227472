"""What a request to the token endpoint asks for: resource, scopes, claims. Pure.

Must never widen what was asked for.
"""

from __future__ import annotations

import json
from typing import Final

from service.sandbox.client_auth import missing_parameter
from service.sandbox.entra_wire import EntraFault, EntraRequest
from service.sandbox.registration import GRAPH_APP_ID, GRAPH_ROOTS, KNOWN_PERMISSIONS, Application

_SIGN_IN_SCOPES: Final = frozenset({"openid", "profile", "email", "offline_access"})
_DEFAULT: Final = "/.default"
REDIS_RESOURCE: Final = "https://redis.azure.com"
"""Azure's Redis as a resource; Graph takes no token for it."""


def read_scopes(asked: str, application: Application) -> frozenset[str]:
    """Give the permissions among the scopes; empty where only a sign-in was asked for.

    Raises:
        EntraFault: `invalid_scope` for a scope that nobody knows, AADSTS65001 for one without consent.
    """
    names = {_strip_resource(scope) for scope in asked.split() if scope not in _SIGN_IN_SCOPES}
    if ".default" in names:
        return application.scopes
    if unknown := sorted(names - KNOWN_PERMISSIONS):
        raise EntraFault(
            "invalid_scope",
            70011,
            f"The provided value for the input parameter 'scope' is not valid: {unknown[0][:200]}.",
        )
    if names - application.scopes:
        raise EntraFault(
            "invalid_grant",
            65001,
            "The user or administrator has not consented to use the application with ID "
            f"'{application.app_id}'. Send an interactive authorization request for this user and resource.",
        )
    return frozenset(names)


def _strip_resource(scope: str) -> str:
    for root in (*GRAPH_ROOTS, GRAPH_APP_ID):
        if scope.lower().startswith(f"{root}/"):
            return scope[len(root) :].lstrip("/")
    return scope


def read_resource(scope: str) -> str:
    """Give the resource of a client's scope, which must end in `/.default`.

    Raises:
        EntraFault: `invalid_scope` AADSTS1002012, or `invalid_resource` AADSTS500011.
    """
    if not scope:
        raise missing_parameter("scope")
    resource = scope.removesuffix(_DEFAULT)
    if resource == scope or " " in scope:
        raise EntraFault(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope[:200]} is not valid. Client credential flows must have a "
            "scope value with /.default suffixed to the resource identifier (application ID URI).",
        )
    resource = resource.rstrip("/").lower()
    if resource not in (*GRAPH_ROOTS, GRAPH_APP_ID, REDIS_RESOURCE):
        raise EntraFault(
            "invalid_resource",
            500011,
            f"The resource principal named {resource[:200]} was not found in the tenant named Contoso. This "
            "can happen if the application has not been installed by the administrator of the tenant.",
        )
    return resource


def read_capabilities(claims: str | None) -> tuple[str, ...]:
    """Give `xms_cc` of a claims request; empty where there is none.

    Raises:
        EntraFault: the parameter is no JSON object.

    Source: https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    try:
        asked = json.loads(claims or "{}")
        values = asked.get("access_token", {}).get("xms_cc", {}).get("values", [])
        return tuple(str(value).lower() for value in values)
    except (ValueError, AttributeError, TypeError) as error:
        raise EntraFault("invalid_request", 50146, "The claims parameter is not valid JSON.") from error


def shows_credential(request: EntraRequest) -> bool:
    return bool(
        {"client_secret", "client_assertion"} & request.form.keys()
        or request.headers.get("authorization", "").lower().startswith("basic ")
    )
