"""Which resources may be watched, and how they may be spelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.subscription_resource import ResourcePath, parse_resource
from service.sandbox.wire import GraphFault

INBOX = ResourcePath(user="a@b.org", kind="message", folder="inbox", options={})


@pytest.mark.parametrize(
    "text",
    [
        "users/a@b.org/mailFolders/inbox/messages",
        "/users/a@b.org/mailFolders('inbox')/messages",
        "Users('a@b.org')/mailfolders('inbox')/Messages",
        "users/a%40b.org/mailFolders('inbox')/messages/",
    ],
)
def test_every_spelling_means_the_same(text: str) -> None:
    assert parse_resource(text) == INBOX


def test_me_stands_for_the_signed_in_person() -> None:
    assert parse_resource("me/events") == ResourcePath(user=None, kind="event", folder=None, options={})
    assert parse_resource("/Me/messages").user is None


def test_an_apostrophe_is_doubled_within_quotes() -> None:
    assert parse_resource("users('o''hara@b.org')/events").user == "o'hara@b.org"


def test_options_are_read_in_any_case_and_order() -> None:
    path = parse_resource("me/messages?$Filter=isRead eq false&%24select=subject, from")
    assert path.options == {"$filter": "isRead eq false", "$select": "subject, from"}
    assert path.select == ("subject", "from")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "users",
        "users/a@b.org",
        "users//messages",
        "users/a@b.org/calendar/events",
        "users/a@b.org/calendars/x/events",
        "users/a@b.org/mailFolders/inbox",
        "users/a@b.org/contacts",
        "groups/x/conversations",
        "https://graph.microsoft.com/v1.0/me/messages",
        "me/messages?$top=5",
        "me/messages?$orderby=subject",
        "me/messages?$skip=1",
        "me/messages?$select=",
        "me/messages?$select=a&$select=b",
        "me/messages?$expand=attachments",
        "me/events?x=y",
    ],
)
def test_what_outlook_cannot_watch_is_refused_in_its_words(text: str) -> None:
    with pytest.raises(
        GraphFault, match=r"Operation: Create; Exception: \[Status Code: BadRequest;"
    ) as caught:
        parse_resource(text)
    assert (caught.value.status, caught.value.code) == (400, "ExtensionError")


@given(st.text())
def test_no_text_is_too_odd_to_be_judged(text: str) -> None:
    try:
        parse_resource(text)
    except GraphFault as fault:
        assert fault.status == 400
