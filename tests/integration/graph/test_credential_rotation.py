"""The application's credential replaced at Entra ID and on disk: nobody who asks for a token meets a gap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.graph.credentials import ClientCertificate, ClientSecretFile, Credential
from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from tests.integration.graph.test_tokens import make_certificate, open_tokens, register
from tests.unit.graph.held_clock import HeldClock
from tests.unit.graph.replies import RecordingObserver

LIFETIME_S = 200
ERROR_MEMORY_S = 5.0
Rotate = Callable[[], None]


def begin_with_secret(sandbox: Sandbox, folder: Path) -> tuple[Credential, Rotate]:
    """Give a credential that is good, and what replaces it on both sides at once."""
    file = folder / "secret"
    file.write_text(sandbox.ready.client_secret)

    def rotate() -> None:
        sandbox.parts.tenant.application.secret = "the-next-one"
        file.write_text("the-next-one\n")

    return ClientSecretFile(file), rotate


def begin_with_certificate(sandbox: Sandbox, folder: Path) -> tuple[Credential, Rotate]:
    application = sandbox.parts.tenant.application
    file, certificate = make_certificate(folder)
    application.register(certificate)

    def rotate() -> None:
        application.certificates.clear()
        _, certificate = make_certificate(folder)  # the same file
        application.register(certificate)

    return ClientCertificate(file), rotate


@pytest.mark.parametrize("begin", [begin_with_secret, begin_with_certificate])
async def test_a_credential_is_replaced_without_a_moment_in_which_there_is_no_token(
    keys: KeyRing, tmp_path: Path, begin: Callable[[Sandbox, Path], tuple[Credential, Rotate]]
) -> None:
    clock, observer = HeldClock(), RecordingObserver()
    async with Sandbox.start(SandboxOptions(seed=7, keys=keys, token_lifetime_s=LIFETIME_S)) as sandbox:
        credential, rotate = begin(sandbox, tmp_path)
        async with open_tokens(
            register(sandbox, credential),
            sandbox.ca_file,
            observer,
            clock=clock,
            error_memory_s=ERROR_MEMORY_S,
        ) as tokens:
            first = await tokens.fetch_token()
            rotate()
            await clock.advance(LIFETIME_S / 2)
            assert await tokens.fetch_token() == first, (
                "it is good to its end, though the old credential is not"
            )
            await clock.advance(ERROR_MEMORY_S)
            assert await tokens.fetch_token() != first
    assert observer.tokens[0] == observer.tokens[-1] == "ok"
    assert len(observer.tokens) == 3


@pytest.mark.parametrize("begin", [begin_with_secret, begin_with_certificate])
async def test_where_its_tokens_are_refused_too_the_new_credential_is_read_at_once(
    sandbox: Sandbox, tmp_path: Path, begin: Callable[[Sandbox, Path], tuple[Credential, Rotate]]
) -> None:
    credential, rotate = begin(sandbox, tmp_path)
    observer = RecordingObserver()
    async with open_tokens(
        register(sandbox, credential), sandbox.ca_file, observer, renew_pause_s=0
    ) as tokens:
        first = await tokens.fetch_token()
        rotate()
        assert await tokens.fetch_token(rejected=first) != first
    assert observer.tokens == ["ok", "ok"]
