"""A dead letter as plain data, fit for JSON: what `replay` prints and the dashboard shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.entries import parse_entry
from service.reconcile.model import MailboxKey
from service.replay.reasons import explain_reason
from service.replay.selection import read_moment
from service.streams.dead_letters import DeadLetter

_DEAD = "dead_"
_SEALED = ("content", "tokens")
"""What a rich notification carries: cipher text and signed tokens, of use to nobody who reads them here."""
Shown = dict[str, Any]


def describe_letter(letter: DeadLetter, addresses: Mapping[MailboxKey, str]) -> Shown:
    """Give the entry, why it was given up, what that means and what to do.

    Args:
        addresses: of each mailbox that is read; the entry itself names it by its key.
    """
    meaning = explain_reason(letter.reason)
    fields = letter.fields
    return {
        "id": letter.id,
        "diedAt": read_moment(letter.id).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reason": letter.reason,
        "meaning": meaning.words,
        "remedy": meaning.remedy,
        "about": find_address(fields, addresses),
        "detail": fields.get("dead_detail", ""),
        "deliveries": fields.get("dead_deliveries", ""),
        "intakeEntry": fields.get("dead_entry", ""),
        "requeueable": is_requeueable(fields),
        "entry": {
            name: f"({len(text)} characters, not shown)" if name in _SEALED else text
            for name, text in sorted(fields.items())
            if not name.startswith(_DEAD)
        },
    }


def find_address(entry: Mapping[str, str], addresses: Mapping[MailboxKey, str]) -> str:
    """Give whose mailbox an entry is about, by its key where the address is not known; may be empty."""
    key = MailboxKey(entry.get("mailbox") or entry.get("owner") or "")
    return addresses.get(key, key)


def is_requeueable(fields: Mapping[str, str]) -> bool:
    """Tell whether the entry can be read, and so be tried again."""
    try:
        parse_entry(fields)
    except ValueError:
        return False
    return True
