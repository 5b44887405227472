"""Checks the members of a body that the control API was sent. Pure.

Must never let an unknown member pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def check_members(
    body: Any, known: Mapping[str, type | tuple[type, ...]], *, needed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Check the members of a body.

    Raises:
        ValueError: a member that is unknown or missing.
        TypeError: a member of the wrong type.
    """
    if not isinstance(body, Mapping):
        raise TypeError("expected an object")
    if unknown := sorted(set(body) - set(known)):
        raise ValueError(f"there is no member '{unknown[0]}'; known are {', '.join(sorted(known))}")
    for name in needed:
        if name not in body:
            raise ValueError(f"'{name}' is missing")
    for name, value in body.items():
        is_wrong_bool = isinstance(value, bool) and known[name] is not bool
        if is_wrong_bool or not isinstance(value, known[name]):
            raise TypeError(f"'{name}' is of the wrong type")
    return dict(body)


def check_addresses(name: str, addresses: Sequence[Any]) -> None:
    """Check that all of these could be addresses.

    Raises:
        ValueError: one of them could not.
    """
    if not all(isinstance(item, str) and "@" in item.strip("@") for item in addresses):
        raise ValueError(f"'{name}' must be an address, or a list of them")
