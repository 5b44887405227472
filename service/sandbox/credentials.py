"""Control routes that hand out credentials, so that every way to a token can be tried. No I/O.

Beyond design section 2.5: none of them is needed for the main job. Must never keep a private key.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from service.sandbox.access_tokens import Order
from service.sandbox.assembly import Parts, describe_person
from service.sandbox.keys import KEY_BITS
from service.sandbox.members import check_addresses, check_members
from service.sandbox.registration import (
    DELEGATED_SCOPES,
    GRAPH_ROOTS,
    KNOWN_PERMISSIONS,
    FederatedCredential,
)

ASSERTION_LIFETIME_S: Final = 3600
CERTIFICATE_LIFETIME: Final = datetime.timedelta(days=365)


class CredentialDesk:
    """Hands out what a client would otherwise get from an administrator.

    Attributes:
        handlers: by path; all take POST.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.handlers: dict[str, Callable[[Any, str], Any]] = {
            "tokens": self._issue_token,
            "certificates": self._register_certificate,
            "assertions": self._issue_assertion,
            "refresh-tokens": self._issue_refresh_token,
            "device-codes": self._decide_device_code,
            "managed-identity": self._describe_managed_identity,
            "signing-keys": self._rotate_keys,
            "application": self._change_application,
            "revocations": self._revoke,
        }

    def _issue_token(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"user": address}`, or `"app"` for the application's."""
        members = check_members(body, {"user": str}, needed=("user",))
        if members["user"] == "app":
            application = self._parts.tenant.application
            order = Order(audience=GRAPH_ROOTS[0], permissions=application.roles, origin=origin)
            return {"token": self._parts.tenant.mint.issue_for_app(application, order)}
        user = self._parts.tenant.world.find_user(members["user"])
        return {"token": self._parts.tenant.issue_persona_token(user, origin)}

    def _register_certificate(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"certificate": PEM}` to register one; `{}` to have one made, with its key."""
        members = check_members(body, {"certificate": str})
        private_key = ""
        if "certificate" in members:
            certificate = x509.load_pem_x509_certificate(members["certificate"].encode())
        else:
            certificate, private_key = _make_certificate(
                self._parts.tenant.application.app_id, self._parts.tenant.clock.machine_now()
            )
        self._parts.tenant.application.register(certificate)
        return {
            "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "thumbprint": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - Entra's name for it
            **({"private_key": private_key} if private_key else {}),
        }

    def _issue_assertion(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"subject"}`: an assertion of an issuer that the application trusts from now on."""
        members = check_members(body, {"subject": str})
        trusted = FederatedCredential(
            issuer=f"{origin}/federation",
            subject=members.get("subject", "system:serviceaccount:default:response-sync"),
        )
        if trusted not in self._parts.tenant.application.federated:
            self._parts.tenant.application.federated.append(trusted)
        now_s = int(self._parts.tenant.clock.machine_now().timestamp())
        claims = {
            "iss": trusted.issuer,
            "sub": trusted.subject,
            "aud": trusted.audience,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + ASSERTION_LIFETIME_S,
            "jti": str(uuid.uuid4()),
        }
        return {"assertion": self._parts.tenant.entra.clients.federation_keys.sign(claims)}

    def _issue_refresh_token(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"user": address}`: as if that person had signed in."""
        members = check_members(body, {"user": str}, needed=("user",))
        person = describe_person(self._parts.tenant.world.find_user(members["user"]))
        return {"refresh_token": self._parts.tenant.entra.keep_refresh_token(person, DELEGATED_SCOPES)}

    def _decide_device_code(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"user_code", "user": address, "approve": bool}`: what the person does on the other device."""
        members = check_members(
            body, {"user_code": str, "user": str, "approve": bool}, needed=("user_code", "user")
        )
        person = describe_person(self._parts.tenant.world.find_user(members["user"]))
        is_approved = members.get("approve", True)
        if not self._parts.tenant.entra.grants.decide_device(
            members["user_code"], person, is_approved=is_approved
        ):
            raise ValueError("there is no such code, or it was decided already")
        return {"user": person.address, "approved": is_approved}

    def _describe_managed_identity(self, body: Any, origin: str) -> dict[str, Any]:
        """`{}`: the environment that App Service, and the host that a virtual machine would give."""
        check_members(body, {})
        return {
            "IDENTITY_ENDPOINT": f"{origin}/msi/token",
            "IDENTITY_HEADER": self._parts.tenant.managed_identity.header,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": origin,
        }

    def _rotate_keys(self, body: Any, origin: str) -> dict[str, Any]:
        """`{}`: sign with a new key from now on, as Entra does every day."""
        check_members(body, {})
        kid = self._parts.tenant.keys.rotate()
        self._parts.deliveries.validation_tokens.forget()
        return {"kid": kid}

    def _change_application(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"roles", "client_secret", "denied_mailboxes"}`: consent, secret and access policy."""
        members = check_members(body, {"roles": list, "client_secret": str, "denied_mailboxes": list})
        application = self._parts.tenant.application
        if "roles" in members:
            if unknown := sorted(set(members["roles"]) - KNOWN_PERMISSIONS):
                raise ValueError(f"there is no permission '{unknown[0]}'")
            application.roles = frozenset(members["roles"])
        application.secret = members.get("client_secret", application.secret)
        if "denied_mailboxes" in members:
            check_addresses("denied_mailboxes", members["denied_mailboxes"])
            found = [self._parts.tenant.world.find_user(address) for address in members["denied_mailboxes"]]
            application.denied_mailboxes = frozenset(user.id for user in found)
        return {"roles": sorted(application.roles), "denied_mailboxes": sorted(application.denied_mailboxes)}

    def _revoke(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"user": address or "app", "sign_ins": bool}`: refuse the tokens issued so far, by a claims
        challenge if need be; with `sign_ins` a person's refresh tokens too.
        """
        members = check_members(body, {"user": str, "sign_ins": bool}, needed=("user",))
        is_app = members["user"] == "app"
        subject = (
            self._parts.tenant.application.object_id
            if is_app
            else self._parts.tenant.world.find_user(members["user"]).id
        )
        self._parts.tenant.mint.revoke(subject)
        if members.get("sign_ins"):
            self._parts.tenant.entra.grants.revoke(subject, self._parts.tenant.clock.machine_now())
        return {"revoked": members["user"]}


def _make_certificate(name: str, now: datetime.datetime) -> tuple[x509.Certificate, str]:
    """Make a self-signed certificate; gives it with its private key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + CERTIFICATE_LIFETIME)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, pem.decode()
