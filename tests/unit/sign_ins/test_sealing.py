"""The seal over what a sign-in is worth: bound to the key, the deployment, the application and the person."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from service.errors import SealError
from service.sign_ins.sealing import Sealer

KEY = "k" * 40
FORMER = "f" * 40
CACHE = '{"RefreshToken": "refresh-token-of-adele"}'


def build_sealer(*secrets: str, deployment: str = "default", registration: str = "tenant\0client") -> Sealer:
    return Sealer(secrets or (KEY,), deployment=deployment, registration=registration)


def test_what_was_sealed_is_opened_again() -> None:
    opened = build_sealer().open(build_sealer().seal(CACHE, person="adele"), person="adele")
    assert (opened.text, opened.is_current) == (CACHE, True)


def test_a_seal_shows_nothing_of_its_content_and_differs_each_time() -> None:
    sealer = build_sealer()
    first, second = sealer.seal(CACHE, person="adele"), sealer.seal(CACHE, person="adele")
    assert first != second
    raw = urlsafe_b64decode(first.removeprefix("1."))
    assert b"refresh" not in raw
    assert CACHE not in repr(sealer.open(first, person="adele"))


@pytest.mark.parametrize(
    ("sealer", "person"),
    [
        (build_sealer(), "alex"),
        (build_sealer(FORMER), "adele"),
        (build_sealer(deployment="other"), "adele"),
        (build_sealer(registration="tenant\0other"), "adele"),
    ],
    ids=["another person", "another key", "another deployment", "another application"],
)
def test_a_seal_is_worth_nothing_elsewhere(sealer: Sealer, person: str) -> None:
    with pytest.raises(SealError):
        sealer.open(build_sealer().seal(CACHE, person="adele"), person=person)


def test_each_changed_bit_is_noticed() -> None:
    sealed = build_sealer().seal(CACHE, person="adele")
    raw = bytearray(urlsafe_b64decode(sealed.removeprefix("1.")))
    for at in range(len(raw)):
        changed = bytes(raw[:at]) + bytes([raw[at] ^ 1]) + bytes(raw[at + 1 :])
        with pytest.raises(SealError):
            build_sealer().open("1." + urlsafe_b64encode(changed).decode(), person="adele")


@pytest.mark.parametrize("text", ["", "1.", "1.====", "1.AAAA", "no seal at all", "1." + "A" * 400])
def test_what_is_no_seal_opens_as_none(text: str) -> None:
    with pytest.raises(SealError):
        build_sealer().open(text, person="adele")


def test_a_former_key_opens_and_the_present_one_seals() -> None:
    old = build_sealer(FORMER).seal(CACHE, person="adele")
    both = build_sealer(KEY, FORMER)
    opened = both.open(old, person="adele")
    assert (opened.text, opened.is_current) == (CACHE, False)
    assert build_sealer(KEY).open(both.seal(CACHE, person="adele"), person="adele").is_current
