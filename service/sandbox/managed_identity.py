"""The endpoints at which code that runs in Azure gets tokens without a secret. No I/O.

Sources: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any, Final

from service.sandbox.access_tokens import Order, TokenMint
from service.sandbox.entra_wire import EntraRequest, EntraResponse
from service.sandbox.registration import GRAPH_ROOTS, Application
from service.sandbox.wire import SandboxClock

APP_SERVICE_PATH: Final = ("msi", "token")
IMDS_PATH: Final = ("metadata", "identity", "oauth2", "token")
_APP_SERVICE_VERSION: Final = "2019-08-01"
_IMDS_VERSION: Final = "2018-02-01"


class ManagedIdentity:
    """The identity of the machine that the service would run on: the registered application itself.

    Attributes:
        header: what App Service would put into IDENTITY_HEADER.
    """

    def __init__(self, *, mint: TokenMint, application: Application, clock: SandboxClock) -> None:
        self._mint = mint
        self._application = application
        self._clock = clock
        self.header = secrets.token_hex(16)

    def answer(self, request: EntraRequest) -> EntraResponse:
        """Answer a request to one of the two endpoints."""
        form = request.form
        if request.segments == APP_SERVICE_PATH:
            shown, version = request.headers.get("x-identity-header", ""), _APP_SERVICE_VERSION
            if not hmac.compare_digest(shown.encode(), self.header.encode()):
                return _refuse(401, "unauthorized_client", "The identity header is missing or wrong.")
        else:
            version = _IMDS_VERSION
            if request.headers.get("metadata", "").lower() != "true":
                return _refuse(400, "invalid_request", "Required metadata header not specified.")
        if form.get("api-version") != version:
            return _refuse(400, "invalid_request", f"The api-version must be {version}.")
        if form.get("client_id", self._application.app_id) != self._application.app_id:
            return _refuse(400, "invalid_request", "Identity not found.")
        if form.get("resource", "").rstrip("/") not in GRAPH_ROOTS:
            return _refuse(400, "invalid_resource", "The resource principal was not found in the tenant.")
        return EntraResponse(body=self._describe(request))

    def _describe(self, request: EntraRequest) -> dict[str, Any]:
        resource = request.form["resource"].rstrip("/")
        order = Order(audience=resource, permissions=self._application.roles, origin=request.origin)
        lifetime_s = self._mint.lifetime_s
        return {
            "access_token": self._mint.issue_for_app(self._application, order),
            "client_id": self._application.app_id,
            "expires_in": str(lifetime_s),
            "expires_on": str(int(self._clock.machine_now().timestamp()) + lifetime_s),
            "resource": resource,
            "token_type": "Bearer",
        }


def _refuse(status: int, error: str, message: str) -> EntraResponse:
    return EntraResponse(status=status, body={"error": error, "error_description": message})
