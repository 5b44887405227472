"""The roster as a TOML file, and what applying it would change. No I/O.

[[owners]]
address = "alex@contoso.com"

[[owners]]
address = "megan@contoso.com"
delegates = ["adele@contoso.com"]   # only if they are not to be discovered
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.errors import ConfigError
from service.reconcile.matching import normalize_address
from service.reconcile.model import Address
from service.roster import RosterEntry

_MEMBERS: Final = {"address", "delegates"}
_ADDRESS_MAX: Final = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterDiff:
    """What makes the roster what is wanted; each part in address order."""

    added: tuple[RosterEntry, ...]
    changed: tuple[RosterEntry, ...]
    removed: tuple[Address, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether the roster is as wanted already."""
        return not (self.added or self.changed or self.removed)


def parse_roster(text: str, name: str) -> tuple[RosterEntry, ...]:
    """Read the file's text; entries in the order of the file.

    Args:
        name: of the file, for the faults.

    Raises:
        ConfigError: one sentence for each thing that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{name} is no TOML: {error}."]) from error
    if unknown := sorted(document.keys() - {"owners"}):  # misspelt, it would remove everybody
        raise ConfigError([f"{name}: there is no table {unknown[0]!r}: only owners."])
    tables = document.get("owners", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError([f"{name}: owners must be an array of tables, each beginning with [[owners]]."])
    faults: list[str] = []
    entries: dict[Address, RosterEntry] = {}
    for number, table in enumerate(tables, start=1):
        try:
            entry = _parse_table(table)
        except ValueError as error:
            faults.append(f"{name}, owner {number}: {error}.")
            continue
        if entry.address in entries:
            faults.append(f"{name}, owner {number}: {entry.address} stands there twice.")
        entries[entry.address] = entry
    if faults:
        raise ConfigError(faults)
    return tuple(entries.values())


def parse_address(given: object) -> Address:
    """Give an address in normal form.

    Raises:
        ValueError: it is none; says so in words that end a sentence.
    """
    if not isinstance(given, str):
        raise ValueError("address must be a text")  # noqa: TRY004 - the file is wrong, not the caller
    address = normalize_address(given)
    local, _, domain = address.rpartition("@")
    if not local or not domain or len(address) > _ADDRESS_MAX or not address.isprintable() or " " in address:
        raise ValueError(f"{given!r} is no address")
    return address


def build_entry(address: object, delegates: Iterable[object] | None) -> RosterEntry:
    """Make a roster entry of what a person typed.

    Raises:
        ValueError: an address is none.
    """
    named = None if delegates is None else tuple(dict.fromkeys(parse_address(one) for one in delegates))
    return RosterEntry(address=parse_address(address), delegates=named)


def diff_roster(wanted: Iterable[RosterEntry], held: Mapping[Address, RosterEntry]) -> RosterDiff:
    """Compare what is wanted with what is held."""
    by_address = {entry.address: entry for entry in wanted}
    return RosterDiff(
        added=tuple(entry for address, entry in sorted(by_address.items()) if address not in held),
        changed=tuple(
            entry
            for address, entry in sorted(by_address.items())
            if address in held and held[address] != entry
        ),
        removed=tuple(sorted(set(held) - set(by_address))),
    )


def _parse_table(table: Mapping[str, Any]) -> RosterEntry:
    if unknown := sorted(set(table) - _MEMBERS):
        raise ValueError(f"there is no member {unknown[0]!r}: only address and delegates")
    if "address" not in table:
        raise ValueError("address is missing")
    delegates = table.get("delegates")
    if delegates is not None and not isinstance(delegates, list):
        raise ValueError("delegates must be a list of addresses")
    return build_entry(table["address"], delegates)
