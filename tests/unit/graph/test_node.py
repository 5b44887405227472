"""How texts of a payload are read where they are blank."""

from __future__ import annotations

import pytest

from service.graph.node import Node


@pytest.mark.parametrize("given", ["", "  "])
def test_a_blank_title_stays_as_it_was_given_and_a_blank_text_is_none(given: str) -> None:
    assert Node(given).title() == given
    assert Node(given).text() is None


@pytest.mark.parametrize("given", [None, 7, ["x"]])
def test_what_is_no_text_is_none_and_noted_unless_it_is_absent(given: object) -> None:
    notes: list[str] = []

    assert Node(given, "subject", notes).title() is None
    assert bool(notes) == (given is not None)
