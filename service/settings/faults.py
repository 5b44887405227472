"""What is wrong with settings that are each well formed: missing, contradictory, unsafe.

One generator per subject; each yields a field and one sentence that says what to do. Must never put a
secret into a sentence.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from service.settings.values import SCOPES, Settings, SignInKind, setting_name

Fault = tuple[str, str]
"""Field, and the sentence that follows the setting's name."""

SECRET_KEY_BYTES_MIN = 32
_CREDENTIALS = ("client_secret", "client_certificate_file", "federated_token_file", "managed_identity")
_TAG = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_STREAM = re.compile(r"[^\s{}]{1,128}")
_TENANT = re.compile(r"[A-Za-z0-9.-]{1,255}")


def list_redis_faults(settings: Settings) -> Iterator[Fault]:
    """Say what keeps a command from reaching Redis and finding its keys."""
    url = settings.redis_url.get_secret_value()
    if not url:
        yield "redis_url", "is missing: set it to the address of Redis, such as redis://localhost:6379/0."
    elif _scheme(url) not in ("redis", "rediss", "unix"):
        yield "redis_url", "must begin with redis://, rediss:// or unix://."
    elif not _is_url(url):
        yield "redis_url", "is no URL."
    if not _STREAM.fullmatch(settings.stream):
        yield "stream", "must be 1 to 128 characters without braces and white space."
    if settings.redis_cluster and settings.redis_sentinel:
        yield "redis_sentinel", "cannot go with RESPONSE_SYNC_REDIS_CLUSTER: choose one."


def list_redis_sign_in_faults(settings: Settings) -> Iterator[Fault]:
    """Say what keeps Redis from taking a token in place of a password.

    Source: https://learn.microsoft.com/azure/redis/entra-for-authentication
    """
    if not settings.redis_entra:
        return
    url = settings.redis_url.get_secret_value()
    if settings.redis_sentinel:
        yield "redis_entra", "cannot go with RESPONSE_SYNC_REDIS_SENTINEL: sentinels take no tokens."
    if url and _scheme(url) != "rediss":
        yield "redis_entra", "needs REDIS_URL to begin with rediss://, because tokens are sent to it."
    elif "@" in url.partition("://")[2].partition("/")[0]:
        yield "redis_entra", "needs REDIS_URL without name and password: the token takes their place."


def list_reader_faults(settings: Settings) -> Iterator[Fault]:
    """Say what keeps a command that only reads Redis from signing in to it."""
    if settings.redis_entra:
        yield from list_application_faults(settings)


def list_application_faults(settings: Settings) -> Iterator[Fault]:
    """Say what keeps the service from getting a token."""
    if not settings.tenant_id:
        yield "tenant_id", "is missing: set it to the directory (tenant) id of the application registration."
    elif not _TENANT.fullmatch(settings.tenant_id):
        yield "tenant_id", "must be a directory id or a domain name of the tenant."
    if not settings.client_id:
        yield "client_id", "is missing: set it to the application (client) id of the registration."
    if unknown := sorted(settings.sign_in_scopes - SCOPES):
        yield "sign_in_scopes", f"holds {unknown[0]!r}: choose among {', '.join(sorted(SCOPES))}."
    yield from _list_credential_faults(settings)


def _list_credential_faults(settings: Settings) -> Iterator[Fault]:
    given = [name for name in _CREDENTIALS if _is_set(settings, name)]
    if settings.sign_in is SignInKind.DELEGATED and not settings.redis_entra:
        if given:
            yield given[0], "cannot go with RESPONSE_SYNC_SIGN_IN=delegated: unset it, or SIGN_IN."
        return
    if len(given) != 1:
        names = ", ".join(setting_name(name) for name in given or _CREDENTIALS)
        problem = "is only one of several credentials" if given else "or another credential is missing"
        yield given[0] if given else "client_secret", f"{problem}: set exactly one of {names}."


def list_url_faults(settings: Settings) -> Iterator[Fault]:
    """Say which URLs cannot be used. Plain http is for loopback only: it carries tokens and answers."""
    if not settings.public_url:
        yield "public_url", "is missing: set it to the https base under which Graph reaches this service."
    elif sentence := _judge_url(settings.public_url):
        yield "public_url", sentence
    elif _scheme(settings.public_url) != "https" and not _is_local(settings.public_url, settings.graph_url):
        yield "public_url", "must begin with https:// (http is for a sandbox on this machine only)."
    if sentence := _judge_url(settings.graph_url):
        yield "graph_url", sentence
    elif _scheme(settings.graph_url) != "https" and not _is_local(settings.graph_url):
        yield "graph_url", "must begin with https://, because tokens are sent to it."
    elif not urlsplit(settings.graph_url).path.strip("/"):
        yield "graph_url", "must end in the version, such as /v1.0."
    if sentence := _judge_url(settings.authority_url):
        yield "authority_url", sentence
    elif _scheme(settings.authority_url) != "https":
        yield "authority_url", "must begin with https://, because the credential is sent to it."
    elif not urlsplit(settings.authority_url).path.strip("/"):
        yield "authority_url", "must end in the tenant."


def list_secret_key_faults(settings: Settings) -> Iterator[Fault]:
    """Say whether client states could be guessed."""
    key = settings.secret_key.get_secret_value()
    if not key:
        yield "secret_key", "is missing: set it to at least 32 random bytes, such as `openssl rand -hex 32`."
    elif len(key.encode()) < SECRET_KEY_BYTES_MIN:
        yield "secret_key", f"has {len(key.encode())} bytes: it needs at least {SECRET_KEY_BYTES_MIN}."


def list_redaction_faults(settings: Settings) -> Iterator[Fault]:
    """Say whether what is to be redacted could be: digests are keyed."""
    if settings.redact and not settings.secret_key.is_set:
        yield "secret_key", "is missing: RESPONSE_SYNC_REDACT puts digests made with it in place of texts."


def list_former_key_faults(settings: Settings) -> Iterator[Fault]:
    """Say whether client states made with an earlier key could be guessed."""
    former = settings.former_secret_keys.get_secret_value().split()
    if short := [key for key in former if len(key.encode()) < SECRET_KEY_BYTES_MIN]:
        yield (
            "former_secret_keys",
            f"holds {len(short)} of less than {SECRET_KEY_BYTES_MIN} bytes: give the former keys whole.",
        )


def list_encryption_key_faults(settings: Settings) -> Iterator[Fault]:
    """Say which places of keys are not there."""
    for place in filter(None, map(str.strip, settings.encryption_key_file.split(","))):
        if not os.access(place, os.R_OK):
            yield "encryption_key_file", f"names a place that is not there or may not be read: {place!r}."


def list_file_faults(settings: Settings) -> Iterator[Fault]:
    """Say which named files are not there or may not be read."""
    names = (
        "client_certificate_file",
        "federated_token_file",
        "ca_bundle",
        "tls_cert_file",
        "tls_key_file",
        "owners_file",
    )
    for name in names:
        path = getattr(settings, name)
        if path and not (Path(path).is_file() and os.access(path, os.R_OK)):
            yield name, f"names a file that is not there or may not be read: {path!r}."
    if bool(settings.tls_cert_file) != bool(settings.tls_key_file):
        missing = "tls_key_file" if settings.tls_cert_file else "tls_cert_file"
        yield missing, "is missing: certificate and key of the public listener go together."


def list_listener_faults(settings: Settings) -> Iterator[Fault]:
    """Say which listeners would be open to the wrong people, or in each other's way."""
    if not is_loopback(settings.admin_host) and not settings.admin_token.is_set:
        yield (
            "admin_token",
            "is missing: the admin listener is not on loopback; set a token or RESPONSE_SYNC_ADMIN_HOST.",
        )
    if settings.port and settings.port == settings.admin_port and settings.host == settings.admin_host:
        yield "admin_port", "is the port of the public listener: choose another."
    if not _TAG.fullmatch(settings.deployment):
        yield "deployment", "must be 1 to 64 letters, digits or any of . _ ~ -"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host of that name or address."""
    bare = host.strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


Rule = Callable[[Settings], Iterator[Fault]]
SERVICE_RULES: tuple[Rule, ...] = (
    list_application_faults,
    list_url_faults,
    list_secret_key_faults,
    list_former_key_faults,
    list_redis_faults,
    list_redis_sign_in_faults,
    list_file_faults,
    list_encryption_key_faults,
    list_listener_faults,
)
REDIS_RULES: tuple[Rule, ...] = (
    list_redis_faults,
    list_redis_sign_in_faults,
    list_reader_faults,
    list_redaction_faults,
)
FILE_RULES: tuple[Rule, ...] = (list_encryption_key_faults,)


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return bool(value if isinstance(value, str) else value.get_secret_value())


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _is_local(*urls: str) -> bool:
    return all(is_loopback(urlsplit(url).hostname or "") for url in urls)


def _is_url(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    return True


def _judge_url(url: str) -> str:
    return _judge_parts(urlsplit(url)) if _is_url(url) else "is no URL."


def _judge_parts(parts: SplitResult) -> str:
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "must be a URL such as https://host/path."
    if parts.username or parts.password:
        return "must not carry a user name or password."
    if parts.query or parts.fragment:
        return "must not carry a query or a fragment."
    return ""
