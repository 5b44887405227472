"""Any bytes at all: verdicts or a refusal, nothing else, and never an entry that we did not vouch for."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.entries import parse_entry
from service.errors import NotificationError
from service.intake.notification import Accepted, BodyFault, Refused, parse_notifications
from tests.unit.intake.graph_items import ADELE, ARRIVED, RULES, build_body, build_item, build_lifecycle

GOOD = build_body(build_item(), build_lifecycle("missed"))
NAMES = st.sampled_from(
    ["value", "clientState", "resourceData", "id", "lifecycleEvent", "tenantId", "changeType", "@odata.type"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def judge(body: bytes) -> tuple[Accepted | Refused, ...]:
    """Judge, and hold the result to what every result must be."""
    try:
        verdicts = parse_notifications(body, RULES, arrived_at=ARRIVED)
    except NotificationError as error:
        assert error.reason in set(BodyFault)
        return ()
    for verdict in verdicts:
        if isinstance(verdict, Accepted):
            assert parse_entry(verdict.fields).mailbox == ADELE
            assert all(isinstance(text, str) and text.isprintable() for text in verdict.fields.values())
    return verdicts


@given(st.binary(max_size=400))
def test_any_bytes(body: bytes) -> None:
    assert judge(body) == ()


@given(json_values)
def test_any_json(value: Any) -> None:
    assert not any(isinstance(one, Accepted) for one in judge(json.dumps(value).encode()))


@given(st.lists(json_values, max_size=5))
def test_any_items_are_each_refused(items: list[Any]) -> None:
    body = json.dumps({"value": items}, allow_nan=False) if _is_finite(items) else '{"value":[]}'
    verdicts = judge(body.encode())
    assert len(verdicts) in (0, len(items))
    assert all(isinstance(one, Refused) for one in verdicts)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_good_body_with_some_bytes_changed(place: int, put_in: bytes, taken_out: int) -> None:
    judge(GOOD[:place] + put_in + GOOD[place + taken_out :])


@given(st.dictionaries(NAMES | st.text(max_size=8), json_values, max_size=4))
def test_a_good_item_with_members_replaced_by_anything(changes: dict[str, Any]) -> None:
    if _is_finite(changes):
        judge(json.dumps({"value": [build_item() | changes, build_item()]}).encode())


def _is_finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
