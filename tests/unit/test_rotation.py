"""Secrets are changed without a gap: what was made with former ones is honoured, nothing new is made so."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.bootstrap.identity import derive_keys
from service.intake.client_state import (
    ClientStateFault,
    ResourceKind,
    WatchedResource,
    build_client_state,
    judge_client_state,
)
from service.reconcile.model import MailboxKey
from service.settings import Secret, Settings

OLD, OLDER, NEW = "o" * 32, "p" * 40, "n" * 32
INBOX = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey("adele@contoso.com"))


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def settings(present: str, former: str = "") -> Settings:
    return Settings(secret_key=Secret(present), former_secret_keys=Secret(former))


@pytest.mark.usefixtures("_alone")
def test_client_states_of_former_keys_are_ours_until_these_are_taken_away() -> None:
    before = build_client_state(derive_keys(settings(OLD)), INBOX)
    during = derive_keys(settings(NEW, f"{OLD}\n{OLDER}"))
    assert judge_client_state(before, during) == INBOX
    assert judge_client_state(build_client_state(derive_keys(settings(OLDER)), INBOX), during) == INBOX
    assert judge_client_state(before, derive_keys(settings(NEW))) is ClientStateFault.WRONG


@pytest.mark.usefixtures("_alone")
def test_nothing_new_is_made_with_a_former_key() -> None:
    during = derive_keys(settings(NEW, OLD))
    assert build_client_state(during, INBOX) == build_client_state(derive_keys(settings(NEW)), INBOX)
