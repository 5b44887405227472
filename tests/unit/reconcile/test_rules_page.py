"""The page of rules says what the table says, and its diagram what can follow on what."""

from __future__ import annotations

from pathlib import Path

import pytest

import service.reconcile
from service.reconcile import rules_page
from service.reconcile.attendee import Own
from service.reconcile.counting import Verdict
from service.reconcile.journal import Fate
from service.reconcile.rules import TABLE, Rule, Situation, Standing, Taken
from service.reconcile.rules_page import Cause, draw_page, find_edges
from service.reconcile.wording import FATES, OWNS, SITUATIONS, STANDINGS, TAKEN, VERDICTS

PAGE = Path(service.reconcile.__file__).with_name("RULES.md")


def test_the_page_is_what_the_code_draws() -> None:
    assert PAGE.read_text() == draw_page(), "run `make rules`"


def test_another_table_draws_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**TABLE, Situation.AGREED: Rule(taken=Taken.BOTH, standing=Standing.RECORDED)}
    monkeypatch.setattr(rules_page, "TABLE", other)
    page = draw_page()
    assert page != PAGE.read_text()
    assert "--> confirmed" not in page


def test_every_word_of_the_rules_is_explained() -> None:
    assert list(SITUATIONS) == list(TABLE) == list(Situation)
    assert (list(TAKEN), list(STANDINGS)) == (list(Taken), list(Standing))
    assert (list(VERDICTS), list(OWNS), list(FATES)) == (list(Verdict), list(Own), list(Fate))


def test_a_standing_follows_on_another_by_what_the_table_says_alone() -> None:
    edges = find_edges()
    assert edges[Standing.NONE, Standing.REPORTED] == {Cause.MESSAGE}
    assert edges[Standing.NONE, Standing.RECORDED] == {Cause.CALENDAR}
    assert edges[Standing.REPORTED, Standing.NONE] == {Cause.MOVE}
    assert edges[Standing.REPORTED, Standing.CONFLICTING] == {Cause.GRACE}
    assert edges[Standing.RECORDED, Standing.CONFLICTING] == {Cause.GRACE}
    assert (Standing.NONE, Standing.CONFIRMED) not in edges
    assert (Standing.NONE, Standing.CONFLICTING) not in edges
    assert Cause.GRACE not in edges[Standing.CONFIRMED, Standing.REPORTED]
