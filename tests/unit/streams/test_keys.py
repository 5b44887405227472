"""Key names: stable, unambiguous, bounded, and in one slot per partition."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redis.crc import key_slot

from service.ports import Book
from service.reconcile.model import Address, EventId, InstanceKey, MeetingKey, OwnerKey
from service.streams.keys import KEYS, KeyNames, encode_text, escape_glob, name_retry, name_timer

ODD = (
    "a:b",
    "a",
    "b",
    "{x}",
    "}",
    "#",
    "%3A",
    "a%3Ab",
    "*",
    "[a]",
    "é",
    "\ud800",
    "o'neil@x.y",
    "~",
    " ",
    "\n",
)
LONG = "A" * 201


def list_names(keys: KeyNames, owner: OwnerKey, meeting: MeetingKey, event: EventId) -> dict[str, str]:
    """Give one name of each kind, by the pattern under which it is listed."""
    p = keys.partition_of(owner)
    return {
        "PARTITION": keys.updates(p),
        "STREAM:intake": keys.intake,
        "{STREAM:intake}:token:<digest>": keys.token(event),
        "STREAM:dead": keys.dead,
        "{STREAM}:layout": keys.layout,
        "{STREAM}:book:<book>": keys.book(Book.ROSTER),
        "{STREAM}:counter:<book>": keys.counter(Book.ROSTER),
        "{STREAM}:processes": keys.processes,
        "{STREAM}:minute:<minute>": keys.minute(29_450_000),
        "{STREAM}:lease:<name>": keys.lease("keeper"),
        "{STREAM}:fence:<name>": keys.fence("keeper"),
        "{PARTITION}:generation": keys.generation(p),
        "{PARTITION}:watermark": keys.watermark(p),
        "{PARTITION}:newest": keys.newest(p),
        "{PARTITION}:meeting:<owner>:<meeting>": keys.meeting(owner, meeting),
        "{PARTITION}:meetings:<owner>": keys.meetings(owner),
        "{PARTITION}:event:<owner>:<event id>": keys.event(owner, event),
        "{PARTITION}:forgotten:<digest>": keys.forgotten(owner),
        "{PARTITION}:gone:<digest>": keys.gone(owner, event),
        "{PARTITION}:due": keys.due(p),
        "{PARTITION}:due-entries": keys.due_entries(p),
    }


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("stream", ["responses", "a.b*[c]", "responses-0"])
@pytest.mark.parametrize("text", ["plain", *ODD, LONG])
def test_each_name_is_listed_once_and_begins_with_the_stream(stream: str, partitions: int, text: str) -> None:
    keys = KeyNames(stream=stream, partitions=partitions)
    names = list_names(keys, OwnerKey(text), MeetingKey(text), EventId(text))
    for pattern, name in names.items():
        assert [key.pattern for key in KEYS if key.matches(name, stream, partitions)] == [pattern]
        assert name.startswith((stream, f"{{{stream}"))
    assert {key.pattern for key in KEYS} == set(names)


def test_names_are_those_of_the_contract() -> None:
    one, many = KeyNames(stream="responses"), KeyNames(stream="responses", partitions=3)
    assert (one.intake, one.dead, one.updates(0)) == ("responses:intake", "responses:dead", "responses")
    assert one.generation(0) == "{responses}:generation"
    assert (many.updates(2), many.generation(2)) == ("responses-2", "{responses-2}:generation")
    assert many.layout == "{responses}:layout"


def test_partition_of_an_owner_never_changes() -> None:
    keys = KeyNames(stream="responses", partitions=16)
    owners = ("alexw@contoso.com", "4ad93ab7-d3ab-4a0d-83ad-f9c1a3b2f3a1", "é")
    assert [keys.partition_of(owner) for owner in owners] == [4, 4, 3]


def test_owners_spread_over_all_partitions() -> None:
    keys = KeyNames(stream="responses", partitions=8)
    counts = [0] * 8
    for number in range(4000):
        counts[keys.partition_of(f"person{number}@contoso.com")] += 1
    assert min(counts) > 400
    assert max(counts) < 600


@pytest.mark.parametrize("partitions", [1, 5])
@pytest.mark.parametrize("text", ["plain", *ODD, LONG])
def test_all_keys_of_a_partition_share_the_slot_of_its_stream(partitions: int, text: str) -> None:
    keys = KeyNames(stream="responses", partitions=partitions)
    owner = OwnerKey(text)
    names = list_names(keys, owner, MeetingKey(text), EventId(text))
    slots = {key_slot(name.encode()) for pattern, name in names.items() if "PARTITION" in pattern}
    assert slots == {key_slot(keys.updates(keys.partition_of(owner)).encode())}


def test_all_keys_of_the_books_share_one_slot() -> None:
    keys = KeyNames(stream="responses", partitions=5)
    names = [keys.layout, keys.book(Book.OWNERS), keys.counter(Book.OWNERS), keys.lease("a"), keys.fence("b")]
    assert len({key_slot(name.encode()) for name in names}) == 1


@given(st.text(), st.text(), st.text(), st.text())
@example("a:b", "c", "a", "b:c")
@example("a", "", "", "a")
@example("x" * 300, "x", "x" * 301, "x")
def test_two_meetings_never_share_a_name(owner: str, meeting: str, owner2: str, meeting2: str) -> None:
    keys = KeyNames(stream="responses")
    first = keys.meeting(OwnerKey(owner), MeetingKey(meeting))
    second = keys.meeting(OwnerKey(owner2), MeetingKey(meeting2))
    assert (first == second) == ((owner, meeting) == (owner2, meeting2))


@given(st.text())
@example(LONG)
@example("#" + "0" * 64)
def test_encoded_text_is_short_and_plain(text: str) -> None:
    assert re.fullmatch(r"#[0-9a-f]{64}|[A-Za-z0-9_.~%-]{0,200}", encode_text(text))


def test_a_text_that_looks_like_a_digest_is_not_taken_for_one() -> None:
    assert encode_text(encode_text(LONG)) != encode_text(LONG)


def test_timers_and_retries_never_share_a_name() -> None:
    texts = ("a", "b", "a:b", "", "retry")
    names = [
        name_timer(OwnerKey(a), MeetingKey(b), InstanceKey(c), Address(d))
        for a, b, c, d in product(texts, repeat=4)
    ]
    names += [name_retry("1-0"), name_retry("1-1")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("stream", ["", "a{b", "a}b"])
def test_stream_with_a_brace_or_no_name_is_refused(stream: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        KeyNames(stream=stream)


def test_no_partition_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="partition"):
        KeyNames(stream="responses", partitions=0)


def test_glob_characters_are_escaped() -> None:
    assert escape_glob("a*?[b]^-\\c") == r"a\*\?\[b\]\^\-\\c"
