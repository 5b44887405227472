"""Packing of entries: what Redis reads is what was given, whatever the texts hold."""

from __future__ import annotations

from typing import Any

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from service.entries import IntakeEntry, Kind, Origin
from service.intake.resp import pack_command, pack_entries, pack_entry

names = st.sampled_from(sorted(IntakeEntry.__dataclass_fields__))
flat_fields = st.dictionaries(names, st.text(), min_size=1)


def read_all(raw: bytes) -> list[Any]:
    """Read commands as a server does."""
    reader = hiredis.Reader(encoding="utf-8")
    reader.feed(raw)
    commands = []
    while (command := reader.gets()) is not False:
        commands.append(command)
    return commands


@given(st.text(min_size=1, max_size=30), flat_fields)
def test_an_entry_is_one_xadd_of_exactly_its_fields(stream: str, flat: dict[str, str]) -> None:
    words = [word for pair in flat.items() for word in pair]
    assert read_all(pack_entry(stream, flat)) == [["XADD", stream, "*", *words]]


def test_what_an_entry_gives_can_be_packed() -> None:
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.SWEEP, mailbox="ü@contoso.com", attempt="3")
    (command,) = read_all(pack_entry("s:intake", entry.to_fields()))
    assert dict(zip(command[3::2], command[4::2], strict=True)) == entry.to_fields()


@given(st.lists(flat_fields, min_size=2, max_size=5))
def test_several_entries_stand_in_one_transaction(entries: list[dict[str, str]]) -> None:
    packed, replies = pack_entries("s:intake", entries)
    commands = read_all(packed)
    assert len(commands) == replies == len(entries) + 2
    assert (commands[0], commands[-1]) == (["MULTI"], ["EXEC"])
    assert [command[0] for command in commands[1:-1]] == ["XADD"] * len(entries)


def test_a_single_entry_needs_no_transaction() -> None:
    packed, replies = pack_entries("s:intake", [{"kind": "due"}])
    assert (read_all(packed), replies) == ([["XADD", "s:intake", "*", "kind", "due"]], 1)


@given(st.lists(st.text(), min_size=1))
def test_no_word_ends_another(words: list[str]) -> None:
    assert read_all(pack_command(*words)) == [words]
