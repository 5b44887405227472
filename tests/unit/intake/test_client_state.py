"""Client states: what is made is understood again, and nothing else is."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ConfigError
from service.intake.client_state import (
    CLIENT_STATE_CHARS_MAX,
    ClientStateFault,
    MailboxKeyError,
    ResourceKind,
    WatchedResource,
    build_client_state,
    derive_client_state_keys,
    is_ours,
    judge_client_state,
    lifecycle_url,
    notification_url,
    parse_resource_path,
    resource_path,
)
from service.reconcile.model import MailboxKey
from tests.unit.intake.graph_items import CALENDAR, INBOX, KEYS

SECRET = "0123456789abcdef0123456789abcdef"
addresses = st.builds(
    lambda local, domain: MailboxKey(f"{local}@{domain}.example"),
    st.text(string.ascii_lowercase + string.digits + "'+._-é", min_size=1, max_size=30),
    st.text(string.ascii_lowercase, min_size=1, max_size=20),
).filter(lambda address: len(address.encode()) <= 79)
guids = st.uuids().map(lambda guid: MailboxKey(str(guid)))
resources = st.builds(
    lambda kind, mailbox: WatchedResource(kind=kind, mailbox=mailbox),
    st.sampled_from(ResourceKind),
    guids | addresses,
)


@given(resources)
def test_a_client_state_tells_the_resource_it_was_made_for_within_graphs_limit(
    resource: WatchedResource,
) -> None:
    text = build_client_state(KEYS, resource)
    assert judge_client_state(text, KEYS) == resource
    assert judge_client_state(text, KEYS) == resource, "the second time it comes from memory"
    assert len(text) <= CLIENT_STATE_CHARS_MAX
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


@given(resources, st.data())
def test_any_changed_character_makes_a_client_state_wrong(
    resource: WatchedResource, data: st.DataObject
) -> None:
    text = build_client_state(KEYS, resource)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[place]))
    forged = text[:place] + other + text[place + 1 :]
    assert judge_client_state(forged, KEYS) is ClientStateFault.WRONG


@given(st.text())
def test_no_foreign_text_passes(text: str) -> None:
    expected = ClientStateFault.WRONG if text else ClientStateFault.MISSING
    assert judge_client_state(text, KEYS) is expected


@given(st.binary(max_size=90))
def test_no_foreign_bytes_pass(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert isinstance(judge_client_state(text, KEYS), ClientStateFault)


def test_a_missing_client_state_is_told_from_a_wrong_one() -> None:
    assert judge_client_state(None, KEYS) is ClientStateFault.MISSING
    assert judge_client_state("", KEYS) is ClientStateFault.MISSING


def test_a_client_state_for_one_resource_does_not_open_another() -> None:
    inbox, calendar = (base64.urlsafe_b64decode(build_client_state(KEYS, one)) for one in (INBOX, CALENDAR))
    mixed = base64.urlsafe_b64encode(calendar[:-16] + inbox[-16:]).rstrip(b"=").decode()
    assert judge_client_state(mixed, KEYS) is ClientStateFault.WRONG


def test_another_deployment_with_the_same_secret_is_not_ours() -> None:
    text = build_client_state(derive_client_state_keys([SECRET], "blue"), INBOX)
    assert judge_client_state(text, derive_client_state_keys([SECRET], "green")) is ClientStateFault.WRONG


def test_a_former_secret_is_honoured_while_it_is_listed_and_never_signs() -> None:
    old = derive_client_state_keys([SECRET], "default")
    both = derive_client_state_keys(["f" * 32, SECRET], "default")
    new = derive_client_state_keys(["f" * 32], "default")
    made_before = build_client_state(old, INBOX)
    assert judge_client_state(made_before, both) == INBOX
    assert judge_client_state(made_before, new) is ClientStateFault.WRONG
    assert build_client_state(both, INBOX) == build_client_state(new, INBOX)


@pytest.mark.parametrize("secrets", [[], ["short"], [SECRET, "short"], ["é" * 15]])
def test_secrets_that_could_be_guessed_are_refused(secrets: list[str]) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        derive_client_state_keys(secrets, "default")


def test_keys_show_no_secret_when_printed() -> None:
    keys = derive_client_state_keys([SECRET], "default")
    build = build_client_state(keys, INBOX)
    judge_client_state(build, keys)
    assert build not in repr(keys)
    assert str(keys.current) not in repr(keys)


@pytest.mark.parametrize("mailbox", ["", "a" * 70 + "@contoso.com"])
def test_a_mailbox_key_that_does_not_fit_is_refused_with_the_remedy(mailbox: str) -> None:
    with pytest.raises(MailboxKeyError, match="object id"):
        build_client_state(KEYS, WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey(mailbox)))


def test_a_guid_in_another_spelling_comes_back_letter_for_letter() -> None:
    odd = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey(INBOX.mailbox.upper()))
    assert judge_client_state(build_client_state(KEYS, odd), KEYS) == odd


# --- resource paths ---


@pytest.mark.parametrize(
    ("kind", "mailbox", "path"),
    [
        ("inbox", "a1", "users/a1/mailFolders('inbox')/messages"),
        ("mailbox-messages", "a1", "users/a1/messages"),
        ("calendar", "a1", "users/a1/events"),
        ("inbox", "o'brien@contoso.com", "users/o%27brien@contoso.com/mailFolders('inbox')/messages"),
        ("calendar", "a/b?c#d@contoso.com", "users/a%2Fb%3Fc%23d@contoso.com/events"),
    ],
)
def test_a_resource_is_named_as_graph_does_with_its_mailbox_encoded(
    kind: str, mailbox: str, path: str
) -> None:
    resource = WatchedResource(kind=ResourceKind(kind), mailbox=MailboxKey(mailbox))
    assert resource_path(resource) == path
    assert parse_resource_path(path) == resource


@given(resources)
def test_every_resource_path_is_read_back(resource: WatchedResource) -> None:
    assert parse_resource_path(resource_path(resource)) == resource


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/users/a1/mailfolders/Inbox/messages", ResourceKind.INBOX),
        ("Users('a1')/mailFolders('Inbox')/Messages?$select=id", ResourceKind.INBOX),
        ("users/A1/messages", ResourceKind.MAILBOX_MESSAGES),
        ("/Users/a1/Events", ResourceKind.CALENDAR),
    ],
)
def test_spellings_that_graph_uses_are_understood(path: str, kind: ResourceKind) -> None:
    assert parse_resource_path(path) == WatchedResource(kind=kind, mailbox=MailboxKey("a1"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "me/messages",
        "users/a1/mailFolders('drafts')/messages",
        "users/a1/contacts",
        "users/a1",
        "teams/a1/messages",
    ],
)
def test_resources_that_are_not_ours_to_watch_are_not_taken_for_ours(path: str) -> None:
    assert parse_resource_path(path) is None


# --- notification URLs ---


def test_the_deployment_tag_stands_in_the_query_of_both_urls() -> None:
    assert notification_url("https://x.example/sync/", "blue") == (
        "https://x.example/sync/graph/notifications?deployment=blue"
    )
    assert (
        lifecycle_url("https://x.example", "b&=ü")
        == "https://x.example/graph/lifecycle?deployment=b%26%3D%C3%BC"
    )


@pytest.mark.parametrize("deployment", ["default", "b&=ü", "a b+c"])
def test_a_url_that_we_made_is_ours_and_not_of_another_deployment(deployment: str) -> None:
    for build in (notification_url, lifecycle_url):
        url = build("https://x.example/sync", deployment)
        assert is_ours(url, deployment)
        assert is_ours(url, deployment, public_url="https://X.example:443/sync/")
        assert not is_ours(url, "other")


def test_a_changed_public_url_leaves_a_subscription_ours_but_not_current() -> None:
    url = notification_url("https://old.example", "default")
    assert is_ours(url, "default")
    assert not is_ours(url, "default", public_url="https://new.example")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://x.example/graph/notifications",
        "https://x.example/other?deployment=default",
        "https://x.example/graph/notifications?deployment=default&deployment=other",
        "https://x.example/graph/notifications?x=" + "&x=" * 50 + "&deployment=default",
        "https://[broken/graph/notifications?deployment=default",
    ],
)
def test_urls_of_other_subscriptions_are_not_ours(url: str) -> None:
    assert not is_ours(url, "default")
