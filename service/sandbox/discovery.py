"""Which tenant a path names, and the documents by which clients find Entra's endpoints. Pure.

Endpoints are built from where the caller reached us, so that a proxy may stand between.
"""

from __future__ import annotations

from typing import Any, Final

from service.sandbox.entra_wire import EntraFault

TENANT_DOMAINS: Final = ("contoso.onmicrosoft.com", "contoso.com")
SHARED_TENANTS: Final = ("common", "organizations")


def resolve_tenant(segment: str, tenant_id: str) -> str:
    """Give the tenant as it stands in endpoints: the id, or a word for all tenants.

    Raises:
        EntraFault: `invalid_tenant` AADSTS90002.
    """
    tenant = segment.lower()
    if tenant in SHARED_TENANTS:
        return tenant
    if tenant in (tenant_id.lower(), *TENANT_DOMAINS):
        return tenant_id
    raise EntraFault(
        "invalid_tenant",
        90002,
        f"Tenant '{segment[:64]}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may happen if "
        "there are no active subscriptions for the tenant.",
    )


def build_issuer(origin: str, tenant: str) -> str:
    """Give the issuer of version 2.0."""
    return f"{origin}/{tenant}/v2.0"


def build_issuer_v1(tenant: str) -> str:
    """Give the issuer of version 1.0, a name at which nothing answers."""
    return f"https://sts.windows.net/{tenant}/"


def describe_endpoints(origin: str, tenant: str) -> dict[str, Any]:
    """Give the OpenID configuration of version 2.0.

    Source: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
    """
    return _describe(f"{origin}/{tenant}", build_issuer(origin, _show(tenant)), "discovery/v2.0/keys")


def describe_endpoints_v1(origin: str, tenant: str) -> dict[str, Any]:
    """Give the OpenID configuration of version 1.0."""
    return _describe(f"{origin}/{tenant}", build_issuer_v1(_show(tenant)), "discovery/keys")


def _show(tenant: str) -> str:
    return "{tenantid}" if tenant in SHARED_TENANTS else tenant


def _describe(root: str, issuer: str, keys_path: str) -> dict[str, Any]:
    return {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{root}/{keys_path}",
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    }
