"""Meetings are known by their global object id, in each form in which it comes."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reconcile.matching import (
    find_attendee,
    is_legacy_address,
    normalize_address,
    parse_global_object_id,
    parse_ical_uid,
)
from service.reconcile.model import Address
from tests.unit.pipeline.world import message
from tests.unit.reconcile.build import response

HEADER = bytes.fromhex("040000008200E00074C5B7101A82E008")


def blob(*, date: bytes = bytes(4), data: bytes = b"\x01" * 16) -> bytes:
    return HEADER + date + bytes(8) + bytes(8) + struct.pack("<I", len(data)) + data


def test_the_date_of_an_occurrence_is_taken_out_of_the_key() -> None:
    whole = parse_global_object_id(blob())
    occurrence = parse_global_object_id(blob(date=struct.pack(">HBB", 2026, 11, 24)))
    assert whole is not None
    assert occurrence is not None
    assert (occurrence.meeting, occurrence.instance) == (whole.meeting, "2026-11-24")
    assert whole.instance == ""


def test_an_ical_uid_of_either_case_names_the_same_meeting_as_the_bytes() -> None:
    identity = parse_global_object_id(blob())
    assert identity is not None
    assert parse_ical_uid(blob().hex()) == parse_ical_uid(blob().hex().upper()) == identity
    assert identity.meeting == blob().hex().upper()


def test_a_foreign_meeting_is_known_by_its_uid_in_both_forms() -> None:
    uid = "7kukuqrfedlm2f9t0vr3q8@google.example"
    wrapped = blob(data=b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\0")
    identity = parse_global_object_id(wrapped)
    assert identity is not None
    assert identity.meeting == uid
    assert parse_ical_uid(uid).meeting == parse_ical_uid(wrapped.hex()).meeting == uid


@pytest.mark.parametrize("text", ["040000008200FEFE0BA532444B5FD89BDE22BA103", "a uid", "zz", "0400"])
def test_what_is_no_global_object_id_is_kept_as_it_is(text: str) -> None:
    assert parse_ical_uid(text).meeting == text


@pytest.mark.parametrize("date", [b"\xff\xff\x0d\x01", b"\x07\xe6\x02\x1e", b"\0\0\x01\x01"])
def test_an_impossible_date_is_no_occurrence(date: bytes) -> None:
    identity = parse_global_object_id(blob(date=date))
    assert identity is not None
    assert identity.instance == ""


@given(st.binary(max_size=200))
def test_no_bytes_at_all_upset_the_reader(data: bytes) -> None:
    parse_global_object_id(data)
    parse_global_object_id(HEADER + data)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MeganB@contoso.OnMicrosoft.com", "meganb@contoso.onmicrosoft.com"),
        ("SMTP:MeganB@contoso.com", " meganb@contoso.com "),
        ("/O=EXCHANGELABS/CN=ANN", "/o=ExchangeLabs/cn=ann"),
    ],
)
def test_addresses_compare_in_one_form(one: str, other: str) -> None:
    assert normalize_address(one) == normalize_address(other)


def test_legacy_addresses_are_told_apart() -> None:
    assert is_legacy_address("/O=EXCHANGELABS/OU=X/CN=RECIPIENTS/CN=ANN")
    assert not is_legacy_address("o=x@contoso.com")


def test_bytes_that_are_no_global_object_id_name_no_meeting() -> None:
    assert parse_global_object_id(blob()[:19]) is None
    assert parse_global_object_id(b"\x05" + blob()[1:]) is None
    shortest = parse_global_object_id(blob(date=struct.pack(">HBB", 2026, 11, 24))[:20])
    assert shortest is not None
    assert shortest.instance == "2026-11-24"


def test_a_foreign_meeting_without_a_uid_is_known_by_its_bytes() -> None:
    nameless = blob(data=b"vCal-Uid\x01\x00\x00\x00\x00")
    identity = parse_global_object_id(nameless)
    assert identity is not None
    assert identity.meeting == nameless.hex().upper()


LEGACY = Address("/o=exchangelabs/cn=recipients/cn=ann")
SMTP = Address("ann@contoso.com")


@pytest.mark.parametrize(
    ("given_as", "smtp", "expected"),
    [
        (SMTP, None, SMTP),
        (SMTP, Address("other@contoso.com"), SMTP),
        (LEGACY, SMTP, SMTP),
        (LEGACY, None, LEGACY),
        (None, SMTP, SMTP),
        (None, None, None),
    ],
)
def test_who_answered_is_the_sender_of_the_answer_or_who_a_legacy_address_stands_for(
    given_as: Address | None, smtp: Address | None, expected: Address | None
) -> None:
    answer = replace(message(response("ann", "accepted", 1)), attendee=given_as, attendee_smtp=smtp)
    assert find_attendee(answer) == expected
