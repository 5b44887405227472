"""How an update names the event that it is about, read or known by its series or an occurrence only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.cloud_events import Redactor, build_fields
from service.reconcile.model import WHOLE, Fact
from tests.unit.reconcile.build import MEETING, event, gone, row
from tests.unit.reconcile.published import ALEX
from tests.unit.reconcile.story import play

DAY2 = "2026-03-03"
SERIES = event(1, row("ann"), is_series=True)
OCCURRENCE = event(2, row("ann"), instance=DAY2, place=24)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            [SERIES],
            {"id": "id-", "seriesMasterId": None, "type": "seriesMaster", "originalStart": None},
        ),
        (
            [OCCURRENCE],
            {
                "id": f"id-{DAY2}",
                "seriesMasterId": "id-",
                "type": "exception",
                "originalStart": f"{DAY2}T00:00:00Z",
            },
        ),
        (
            [SERIES, gone(9, instance=DAY2)],
            {
                "id": None,
                "seriesMasterId": "id-",
                "type": "occurrence",
                "originalStart": f"{DAY2}T00:00:00Z",
                "start": {"dateTime": f"{DAY2}T00:00:00.0000000", "timeZone": "UTC"},
            },
        ),
        (
            [OCCURRENCE, gone(9, instance=WHOLE)],
            {"id": "id-", "seriesMasterId": None, "type": "seriesMaster", "originalStart": None},
        ),
    ],
    ids=["series", "occurrence", "occurrence known by its series", "series known by an occurrence"],
)
def test_the_event_is_named_as_what_it_is(facts: list[Fact], expected: dict[str, Any]) -> None:
    step = play([facts])[-1]
    said = step.said[-1]
    fields = build_fields(
        said,
        step.derived.instances[said.instance],
        owner=ALEX,
        meeting=MEETING,
        traceparent="",
        redactor=Redactor(),
    )
    told = json.loads(fields["data"])["event"]
    assert {member: told[member] for member in expected} == expected
