"""Which dead letters a filter means, and what their reasons mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.retry import Reason
from service.reconcile.model import MailboxKey
from service.replay.desk import build_replay
from service.replay.letter import describe_letter
from service.replay.reasons import MEANINGS, explain_reason
from service.replay.selection import Selection, parse_moment
from service.streams.dead_letters import DeadLetter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIELDS = {"kind": "message", "mailbox": "adele", "dead_reason": "no_access"}
README = Path(__file__).parents[3] / "README.md"


def id_of(moment: datetime) -> str:
    return f"{int(moment.timestamp() * 1000)}-0"


@pytest.mark.parametrize(
    ("selection", "is_taken"),
    [
        (Selection(), True),
        (Selection(reasons=frozenset({Reason.NO_ACCESS, Reason.REFUSED})), True),
        (Selection(reasons=frozenset({Reason.REFUSED})), False),
        (Selection(kinds=frozenset({Kind.MESSAGE})), True),
        (Selection(kinds=frozenset({Kind.EVENT})), False),
        (Selection(names=frozenset({"adele"})), True),
        (Selection(names=frozenset({"alex"})), False),
        (Selection(since=NOW), True),
        (Selection(since=NOW + timedelta(milliseconds=1)), False),
        (Selection(until=NOW), False),
        (Selection(until=NOW + timedelta(milliseconds=1)), True),
        (Selection(reasons=frozenset({Reason.NO_ACCESS}), kinds=frozenset({Kind.EVENT})), False),
    ],
)
def test_a_dead_letter_is_meant_if_every_filter_takes_it(selection: Selection, is_taken: bool) -> None:
    assert selection.takes(id_of(NOW), FIELDS) is is_taken


def test_a_timer_is_found_by_its_owner() -> None:
    assert Selection(names=frozenset({"alex"})).takes(id_of(NOW), {"kind": "due", "owner": "alex"})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("5m", NOW - timedelta(minutes=5)),
        ("12 h", NOW - timedelta(hours=12)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00+02:00", datetime(2026, 3, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_an_age(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "12", "-3h", "1w", "999999d", "9999999d"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_moment(text, NOW)


def test_every_reason_has_a_meaning_and_a_remedy_that_readme_lists() -> None:
    assert set(MEANINGS) == set(Reason)
    text = README.read_text()
    for reason, meaning in MEANINGS.items():
        assert f"| `{reason}` | {meaning.words} | {meaning.remedy} |" in text


def test_a_reason_of_another_release_is_shown_all_the_same() -> None:
    assert "does not know" in explain_reason("burnt").words


def test_another_try_begins_anew_and_a_baseline_stays_one() -> None:
    entry = IntakeEntry(
        kind=Kind.EVENT, origin=Origin.SWEEP, mailbox="alex", item="e", attempt="3", tries="no_access:3"
    )
    again = build_replay(entry)
    assert (again.origin, again.attempt, again.tries, again.item) == (Origin.REPLAY, "0", "", "e")
    baseline = IntakeEntry(kind=Kind.EVENT, origin=Origin.BASELINE, mailbox="alex", item="e", attempt="3")
    assert (build_replay(baseline).origin, build_replay(baseline).attempt) == (Origin.BASELINE, "0")


def test_a_letter_is_shown_with_its_entry_apart_from_why_it_died() -> None:
    fields = {**FIELDS, "dead_detail": "403", "dead_entry": "1-0", "dead_deliveries": "4", "tokens": "eyJ0"}
    letter = DeadLetter(id=id_of(NOW), fields=fields)
    shown = describe_letter(letter, {MailboxKey("adele"): "AdeleV@contoso.com"})
    assert shown["diedAt"] == "2026-03-02T12:00:00.000Z"
    tokens = "(4 characters, not shown)"
    assert shown["entry"] == {"kind": "message", "mailbox": "adele", "tokens": tokens}
    assert (shown["reason"], shown["detail"], shown["deliveries"]) == ("no_access", "403", "4")
    assert not shown["requeueable"]  # it has no origin
    assert (shown["about"], describe_letter(letter, {})["about"]) == ("AdeleV@contoso.com", "adele")
