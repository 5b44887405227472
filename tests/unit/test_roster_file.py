"""The roster as a file: what is read, what is refused, and what applying it would change."""

from __future__ import annotations

import pytest

from service.errors import ConfigError
from service.reconcile.model import Address
from service.roster import RosterEntry
from service.roster_file import build_entry, diff_roster, parse_roster

ALEX = RosterEntry(address=Address("alex@contoso.com"))
MEGAN = RosterEntry(address=Address("megan@contoso.com"), delegates=(Address("adele@contoso.com"),))


def test_owners_are_read_in_normal_form_and_in_order() -> None:
    text = """
        [[owners]]
        address = "Megan@Contoso.com"
        delegates = ["ADELE@contoso.com", "adele@contoso.com"]
        [[owners]]
        address = " alex@contoso.com "
    """

    assert parse_roster(text, "owners.toml") == (MEGAN, ALEX)


def test_a_file_without_owners_is_an_empty_roster() -> None:
    assert parse_roster("", "owners.toml") == ()


def test_no_delegates_named_differs_from_none_to_be_discovered() -> None:
    entry = build_entry("alex@contoso.com", [])

    assert entry.delegates == ()
    assert entry != ALEX


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("owners = 3", "array of tables"),
        ("owners = ['a']", "array of tables"),
        ("[[owner]]\naddress = 'a@c.d'", "no table 'owner'"),
        ("[[owners]", "no TOML"),
        ("[[owners]]\nname = 'x'", "no member 'name'"),
        ("[[owners]]\ndelegates = []", "address is missing"),
        ("[[owners]]\naddress = 3", "must be a text"),
        ("[[owners]]\naddress = 'alex'", "no address"),
        ("[[owners]]\naddress = 'a b@c.d'", "no address"),
        ("[[owners]]\naddress = 'a@c.d'\ndelegates = 'x@y.z'", "list of addresses"),
        ("[[owners]]\naddress = 'a@c.d'\n[[owners]]\naddress = 'A@c.d'", "twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"owners\.toml") as caught:
        parse_roster(text, "owners.toml")

    assert words in caught.value.faults[0]


def test_every_fault_of_a_file_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_roster("[[owners]]\naddress = 1\n[[owners]]\nname = 2", "f")

    assert len(caught.value.faults) == 2


def test_the_difference_says_who_comes_changes_and_goes() -> None:
    held = {ALEX.address: ALEX, MEGAN.address: MEGAN}
    discovered = RosterEntry(address=MEGAN.address)
    new = RosterEntry(address=Address("new@contoso.com"))

    diff = diff_roster([new, discovered], held)

    assert (diff.added, diff.changed, diff.removed) == ((new,), (discovered,), (ALEX.address,))
    assert diff_roster([MEGAN, ALEX], held).is_empty
