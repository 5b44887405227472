"""Rich notifications, opened as Microsoft describes it, by code that shares nothing with the sandbox."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from tests.integration.sandbox.asking import Asking, in_minutes, trust
from tests.integration.sandbox.hook import Hook, serve_hook

SELECT = "?$select=Subject,from,receivedDateTime,importance"
PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"


@dataclass(frozen=True, slots=True)
class OurKey:
    """A key pair with its certificate, as a subscriber makes one."""

    private: rsa.RSAPrivateKey
    der: bytes

    @property
    def encoded(self) -> str:
        return b64encode(self.der).decode()

    def open(self, content: dict[str, str]) -> dict[str, Any]:
        """Decrypt `encryptedContent` step by step, the signature first."""
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
        symmetric = self.private.decrypt(b64decode(content["dataKey"]), oaep)
        assert len(symmetric) == 32
        data = b64decode(content["data"])
        signature = hmac.new(symmetric, data, hashlib.sha256).digest()
        assert hmac.compare_digest(signature, b64decode(content["dataSignature"]))
        decryptor = Cipher(algorithms.AES(symmetric), modes.CBC(symmetric[:16])).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        opened: dict[str, Any] = json.loads(padded[: -padded[-1]])
        return opened


def certify(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ours")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))  # long over: Graph does not look
        .sign(private, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def our_key() -> OurKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return OurKey(private, certify(private))


def rich(asking: Asking, key: OurKey, **members: Any) -> dict[str, Any]:
    return {
        "changeType": "created",
        "resource": f"users/{asking.id_of('adele')}/messages{SELECT}",
        "includeResourceData": True,
        "encryptionCertificate": key.encoded,
        "encryptionCertificateId": "ours 1",
    } | members


def mail_adele(asking: Asking, subject: str = "Größe?") -> str:
    return asking.sandbox.world.send_mail(
        "adelev@contoso.onmicrosoft.com", "somebody@fabrikam.com", subject, "a body"
    ).id


async def test_the_content_opens_and_holds_what_was_selected_with_its_types(
    asking: Asking, hook: Hook, our_key: OurKey
) -> None:
    made = await asking.subscribe(hook.url, **rich(asking, our_key))
    assert made.status == 201
    assert (made.body["includeResourceData"], made.body["encryptionCertificateId"]) == (True, "ours 1")
    mail_adele(asking)
    (item,) = await hook.wait_for_items(1)
    content = item["encryptedContent"]
    assert content["encryptionCertificateId"] == "ours 1"
    assert content["encryptionCertificateThumbprint"] == hashlib.sha1(our_key.der).hexdigest().upper()
    opened = our_key.open(content)
    assert opened == {
        "subject": "Größe?",
        "from": {
            "@odata.type": "#microsoft.graph.recipient",
            "emailAddress": {
                "@odata.type": "#microsoft.graph.emailAddress",
                "name": "somebody",
                "address": "somebody@fabrikam.com",
            },
        },
        "receivedDateTime@odata.type": "#DateTimeOffset",
        "receivedDateTime": opened["receivedDateTime"],
        "importance@odata.type": "#microsoft.graph.importance",
        "importance": "normal",
    }
    assert item["resourceData"]["@odata.type"] == "#microsoft.graph.message"


async def test_every_item_has_a_key_of_its_own(asking: Asking, hook: Hook, our_key: OurKey) -> None:
    await asking.subscribe(hook.url, **rich(asking, our_key))
    for _ in range(4):
        mail_adele(asking)
    items = await hook.wait_for_items(4)
    assert len({item["encryptedContent"]["dataKey"] for item in items}) == 4
    assert len({item["encryptedContent"]["data"] for item in items}) == 4


async def read_validation_token(asking: Asking, token: str) -> dict[str, Any]:
    keys = await asking.send("GET", f"{asking.sandbox.ready.authority_url}/discovery/v2.0/keys")
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys.body["keys"] if key["kid"] == kid)).key
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=asking.sandbox.ready.client_id
    )
    return claims


async def test_a_validation_token_vouches_for_each_application_and_tenant(
    asking: Asking, hook: Hook, our_key: OurKey
) -> None:
    await asking.subscribe(hook.url, **rich(asking, our_key))
    mail_adele(asking)
    await hook.wait_for_items(1)
    (token,) = hook.posts[0][1]["validationTokens"]
    claims = await read_validation_token(asking, token)
    ready = asking.sandbox.ready
    assert claims["tid"] == ready.tenant_id
    if claims["ver"] == "1.0":
        assert claims["appid"] == PUBLISHER
        assert claims["iss"] == f"https://sts.windows.net/{ready.tenant_id}/"
    else:
        assert claims["azp"] == PUBLISHER
        discovery = await asking.send("GET", f"{ready.authority_url}/v2.0/.well-known/openid-configuration")
        assert claims["iss"] == discovery.body["issuer"]


async def test_the_issuer_is_the_one_by_which_the_subscriber_reached_entra(
    keys: KeyRing, our_key: OurKey
) -> None:
    options = SandboxOptions(keys=keys, validation_token_version="2.0")
    async with (
        Sandbox.start(options) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
        serve_hook(None) as hook,
    ):
        asking = await Asking.prepare(sandbox, session, proxy="proxy.example:8443")
        assert (await asking.subscribe(hook.url, **rich(asking, our_key))).status == 201
        mail_adele(asking)
        await hook.wait_for_items(1)
        claims = await read_validation_token(asking, hook.posts[0][1]["validationTokens"][0])
    assert claims["iss"] == f"https://proxy.example:8443/{sandbox.ready.tenant_id}/v2.0"


async def test_another_audience_may_be_asked_for(asking: Asking, hook: Hook, our_key: OurKey) -> None:
    await asking.subscribe(hook.url, **rich(asking, our_key, notificationUrlAppId="another-app"))
    mail_adele(asking)
    await hook.wait_for_items(1)
    claims = jwt.decode(hook.posts[0][1]["validationTokens"][0], options={"verify_signature": False})
    assert claims["aud"] == "another-app"


async def test_a_new_certificate_takes_over_at_once(asking: Asking, hook: Hook, our_key: OurKey) -> None:
    made = await asking.subscribe(hook.url, **rich(asking, our_key))
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    second = OurKey(private, certify(private))
    change = {"encryptionCertificate": second.encoded, "encryptionCertificateId": "ours 2"}
    changed = await asking.graph("PATCH", f"/subscriptions/{made.body['id']}", change)
    assert changed.status == 200
    assert changed.body["encryptionCertificateId"] == "ours 2"
    assert changed.body["expirationDateTime"] == made.body["expirationDateTime"]
    mail_adele(asking, "after the change")
    (item,) = await hook.wait_for_items(1)
    assert second.open(item["encryptedContent"])["subject"] == "after the change"


async def test_extended_properties_come_along_when_expanded(
    asking: Asking, hook: Hook, our_key: OurKey
) -> None:
    resource = (
        f"users/{asking.id_of('adele')}/messages?$select=subject"
        "&$expand=singleValueExtendedProperties($filter=id eq 'String 0x001A')"
    )
    assert (await asking.subscribe(hook.url, **rich(asking, our_key, resource=resource))).status == 201
    mail_adele(asking)
    (item,) = await hook.wait_for_items(1)
    opened = our_key.open(item["encryptedContent"])
    assert opened["singleValueExtendedProperties"] == [{"id": "String 0x1a", "value": "IPM.Note"}]


async def test_a_deletion_carries_no_content(asking: Asking, hook: Hook, our_key: OurKey) -> None:
    message_id = mail_adele(asking)
    await asking.subscribe(hook.url, **rich(asking, our_key, changeType="deleted"))
    box = asking.sandbox.world.mailbox(asking.id_of("adele"))
    box.delete_message(box.find_message(message_id))
    (item,) = await hook.wait_for_items(1)
    assert "encryptedContent" not in item


# --- what is refused ---


async def refusal(asking: Asking, hook: Hook, members: dict[str, Any]) -> str:
    refused = await asking.subscribe(hook.url, **members)
    assert refused.status == 400
    assert hook.handshakes == [], "refused before anybody is asked"
    return refused.message


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("", "The $select query option is required with resource data."),
        ("?$select=subject,body", "The property 'body' may not be selected."),
        ("?$select=uniqueBody", "The property 'uniqueBody' may not be selected."),
        ("?$select=meetingMessageType", "Could not find a property named 'meetingMessageType'."),
        ("?$select=subject&$top=5", "The query option '$top' is not supported for subscriptions."),
        ("?$select=subject&$expand=attachments", "Only extended properties may be expanded."),
    ],
)
async def test_a_resource_that_cannot_be_told_in_full_is_refused(
    asking: Asking, hook: Hook, our_key: OurKey, options: str, complaint: str
) -> None:
    resource = f"users/{asking.id_of('adele')}/messages{options}"
    message = await refusal(asking, hook, rich(asking, our_key, resource=resource))
    assert message == f"Operation: Create; Exception: [Status Code: BadRequest; Reason: {complaint}]"


async def test_only_one_day_is_granted_with_resource_data(
    asking: Asking, hook: Hook, our_key: OurKey
) -> None:
    members = rich(asking, our_key, expirationDateTime=in_minutes(1_441, asking.sandbox))
    assert "1440 minutes" in await refusal(asking, hook, members)
    members = rich(asking, our_key, expirationDateTime=in_minutes(1_440, asking.sandbox))
    assert (await asking.subscribe(hook.url, **members)).status == 201


async def test_a_certificate_must_be_one_and_hold_a_strong_rsa_key(
    asking: Asking, hook: Hook, our_key: OurKey
) -> None:
    weak = certify(rsa.generate_private_key(public_exponent=65537, key_size=1024))
    curve = certify(ec.generate_private_key(ec.SECP256R1()))
    for der in (weak, curve, b"no certificate"):
        encoded = b64encode(der).decode()
        members = rich(asking, our_key, encryptionCertificate=encoded)
        assert "encryptionCertificate" in await refusal(asking, hook, members)
    members = rich(asking, our_key, encryptionCertificateId=None)
    assert "belong together" in await refusal(asking, hook, members)
