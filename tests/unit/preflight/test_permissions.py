"""From a denied call and a look into the token to one sentence that helps."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from service.errors import AccessError
from service.preflight.permissions import (
    CALENDARS,
    MAIL,
    PERMISSIONS,
    USERS,
    choose_remedy,
    cite,
    read_consented,
)


def build_token(**claims: object) -> str:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl"


def test_a_token_tells_what_was_consented_to() -> None:
    assert read_consented(build_token(roles=["Mail.Read"])) == frozenset({"Mail.Read"})
    assert read_consented(build_token()) == frozenset()


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.!.c", build_token(roles="x"), "a.W10.c"])
def test_a_token_of_another_form_tells_nothing(token: str) -> None:
    assert read_consented(token) is None


@pytest.mark.parametrize(
    ("permission", "consented", "words"),
    [
        (MAIL, set(), "Grant the application permission Mail.Read with admin consent"),
        (MAIL, {"Mail.ReadBasic.All"}, "in place of Mail.ReadBasic"),
        (MAIL, {"Mail.Read"}, "take this mailbox into the scope"),
        (MAIL, {"Mail.ReadWrite"}, "take this mailbox into the scope"),
        (CALENDARS, {"Mail.Read"}, "Grant the application permission Calendars.Read"),
        (USERS, {"Directory.Read.All"}, "is consented to"),
        (MAIL, None, "Grant the application permission Mail.Read with admin consent, and take"),
    ],
)
def test_consent_that_is_missing_is_told_from_a_mailbox_out_of_scope(
    permission: str, consented: set[str] | None, words: str
) -> None:
    assert words in choose_remedy(permission, consented)


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("consented", [None, frozenset(), frozenset(PERMISSIONS)])
def test_a_remedy_is_one_sentence(permission: str, consented: frozenset[str] | None) -> None:
    sentence = choose_remedy(permission, consented)
    assert sentence.endswith(".")
    assert ". " not in sentence


def test_a_denial_is_cited_by_what_support_will_ask_for() -> None:
    error = AccessError("denied", status=403, code="ErrorAccessDenied", request_id="r-1")
    assert cite(error) == "access denied (403 ErrorAccessDenied r-1)"
