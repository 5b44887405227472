"""The published schemas hold for the published example, and refuse what the contract forbids."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from tests.schema import check_entries, check_entry

ASYNCAPI = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "asyncapi.yaml").read_text())
EXAMPLE = ASYNCAPI["components"]["messages"]["update"]["examples"][0]


def build_entry(**fields: str | None) -> dict[str, str]:
    """Give the published example, changed as given; None takes a field away."""
    flat = {**EXAMPLE["headers"], "data": json.dumps(EXAMPLE["payload"]), **fields}
    return {name: value for name, value in flat.items() if value is not None}


def test_the_published_example_is_an_entry() -> None:
    assert check_entry(build_entry())["tally"]["tentativelyAccepted"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"specversion": "1"},
        {"sequence": "3"},
        {"id": "1766000000000-4"},
        {"epoch": "1"},
        {"type": "responsesync.response.seen"},
        {"type": "responsesync.event.cancelled"},
        {"type": "responsesync.response.confirmed"},
        {"type": "responsesync.newtime.proposed"},
        {"type": "responsesync.attendee.added"},
        {"source": "/owners/alex@contoso.com/meetings/1"},
        {"source": "/owners/a/meetings/1/instances/2025-12-18"},
        {"subject": None},
        {"subject": "megan@contoso.com"},
        {"time": "0001-01-01T00:00:00Z"},
        {"traceparent": None},
        {"data": "{}"},
    ],
)
def test_an_entry_that_breaks_the_contract_is_refused(fields: dict[str, str | None]) -> None:
    with pytest.raises(AssertionError):
        check_entry(build_entry(**fields))


def test_sequences_have_no_gaps_within_an_epoch_and_begin_again_in_the_next() -> None:
    def number(epoch: int, sequence: int) -> dict[str, str]:
        return build_entry(epoch=f"{epoch}", sequence=f"{sequence:020}", id=f"{epoch}-{sequence}")

    first, later = 1766000000000, 1766000000001
    check_entries([number(first, 1), number(first, 2), number(later, 1)])
    for broken in (
        [number(first, 2)],
        [number(first, 1), number(first, 3)],
        [number(first, 1), number(first, 1)],
        [number(later, 1), number(first, 2)],
        [number(first, 1), number(later, 2)],
    ):
        with pytest.raises(AssertionError):
            check_entries(copy.deepcopy(broken))
