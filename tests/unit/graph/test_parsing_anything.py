"""Whatever JSON comes, the parsers give a value or a PayloadError, and say nothing of the content."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import PayloadError
from service.graph.node import require_object
from service.graph.parse_delta import parse_delta_page
from service.graph.parse_event import parse_event, parse_instance_key
from service.graph.parse_message import parse_message
from service.graph.parse_people import parse_delegates, parse_delivery_option, parse_people
from service.graph.parse_subscription import parse_subscription
from service.reconcile.instant import parse_instant
from service.reconcile.model import MailboxKey
from tests.unit.graph.case_runner import CASES, list_cases

SEEN = parse_instant("2019-12-21T05:20:00Z")
SECRET = "squeamish ossifrage"

PARSERS: dict[str, Callable[[object, list[str]], object]] = {
    "message": lambda payload, notes: parse_message(payload, mailbox=MailboxKey("adele"), notes=notes),
    "event": lambda payload, notes: parse_event(payload, seen=SEEN, notes=notes),
    "instance": lambda payload, notes: parse_instance_key(require_object(payload, notes), zone="Asia/Tokyo"),
    "delta page": lambda payload, notes: parse_delta_page(payload, at=SEEN, notes=notes),
    "delegates": parse_delegates,
    "people": parse_people,
    "delivery option": parse_delivery_option,
    "subscription": lambda payload, notes: parse_subscription(require_object(payload, notes)),
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(
        [
            SECRET,
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.9999999-14:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31",
            "Pacific/Kiritimati",
            "Dateline Standard Time",
            "tzone://Microsoft/Custom",
            "numbered",
            "endDate",
            "exception",
            "occurrence",
            "seriesMaster",
            "IPM.Schedule.Meeting.Resp.Pos",
            "9" * 5000,
            "-1",
        ]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES = {
    name: json.loads(file.read_text())
    for name in list_cases()
    if (file := CASES / name / "body.json").exists() and isinstance(json.loads(file.read_text()), dict)
}


def list_places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Give the path of everything within a JSON value, itself left out."""
    members: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    return [place for key, member in members for place in ((*path, key), *list_places(member, (*path, key)))]


@st.composite
def clouded(draw: st.DrawFn) -> object:
    """A body of the corpus in which some members became something else, or went missing."""
    body = copy.deepcopy(BODIES[draw(st.sampled_from(sorted(BODIES)))])
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(list_places(body)))
        parent = body
        for key in way:
            parent = parent[key]
        if draw(st.booleans()):
            del parent[last]
        else:
            parent[last] = draw(anything)
        if not list_places(body):
            break
    return body


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150, deadline=None)
@given(payload=anything | clouded())
def test_any_json_gives_a_value_or_an_error_with_a_path(name: str, payload: object) -> None:
    notes: list[str] = []
    try:
        PARSERS[name](payload, notes)
    except PayloadError as error:
        assert error.path
        assert SECRET not in str(error)
    assert SECRET not in " ".join(notes)


@settings(max_examples=150, deadline=None)
@given(payload=clouded())
def test_what_a_parsed_event_says_can_be_stored_as_text(payload: object) -> None:
    try:
        event = parse_event(payload, seen=SEEN)
    except PayloadError:
        return
    for row in event.rows:
        (row.address + row.name + row.given_address).encode()
    if event.details.ends_at is not None:
        event.details.ends_at.to_datetime()
    assert [row.address for row in event.rows] == sorted({row.address for row in event.rows})
