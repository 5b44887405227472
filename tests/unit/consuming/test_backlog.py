"""How far groups are behind, out of what Redis tells of streams and groups."""

from __future__ import annotations

from typing import Any

import pytest

from service.consuming.backlog import GroupBacklog, list_backlogs
from service.streams.update_stream import UpdateStreamFacts


def build_facts(*groups: dict[str, Any], stream: str = "responses") -> UpdateStreamFacts:
    """A stream to which 100 entries were added, of which those from 61-0 to 100-0 are held."""
    return UpdateStreamFacts(
        stream=stream, length=40, first_id="61-0", last_id="100-0", added=100, groups=groups
    )


def build_group(last: str, read: int | None, lag: int | None, name: str = "crm") -> dict[str, Any]:
    return {"name": name, "last-delivered-id": last, "entries-read": read, "lag": lag}


@pytest.mark.parametrize(
    ("group", "unread", "trimmed", "headroom"),
    [
        (build_group("100-0", 100, 0), 0, 0, 1.0),
        (build_group("100-0", None, None), 0, 0, 1.0),
        (build_group("70-0", 70, 30), 30, 0, 0.25),
        (build_group("61-0", 61, 39), 39, 0, pytest.approx(0.025)),
        (build_group("60-0", 60, 40), 40, 0, 0.0),
        (build_group("50-0", 50, 50), 50, 10, 0.0),
        (build_group("0-0", None, None), 40, 60, 0.0),
        (build_group("50-0", None, None), 40, 1, 0.0),
    ],
    ids=[
        "all read",
        "all read, not counted",
        "some unread",
        "one left",
        "none left",
        "ten lost",
        "nothing read",
        "lost, not counted",
    ],
)
def test_a_group_is_judged_by_what_it_has_read(
    group: dict[str, Any], unread: int, trimmed: int, headroom: float
) -> None:
    assert list_backlogs([build_facts(group)], entries_max=40, groups_max=9) == (
        GroupBacklog(stream="responses", group="crm", unread=unread, trimmed=trimmed, headroom=headroom),
    )


def test_a_group_of_an_empty_stream_is_not_behind() -> None:
    facts = UpdateStreamFacts(stream="responses", last_id="0-0", groups=(build_group("0-0", None, 0),))
    (backlog,) = list_backlogs([facts], entries_max=40, groups_max=9)
    assert (backlog.unread, backlog.trimmed, backlog.headroom) == (0, 0, 1.0)


def test_of_too_many_groups_the_worst_are_shown() -> None:
    fine, behind, lost = (
        build_group("100-0", 100, 0, "a"),
        build_group("70-0", 70, 30, "b"),
        build_group("50-0", 50, 50, "c"),
    )
    streams = [build_facts(fine, behind, lost), build_facts(fine, stream="responses-1")]
    shown = list_backlogs(streams, entries_max=40, groups_max=2)
    assert [(one.stream, one.group) for one in shown] == [("responses", "c"), ("responses", "b")]
