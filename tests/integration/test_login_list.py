"""`login --list`: who signed in, and whose sign-in ends, without asking anybody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from service.bootstrap.redis_side import Streams
from service.sign_ins.record import encode_sign_in
from tests.integration.commanding import Run, with_streams
from tests.unit.sign_ins.fakes import build_sign_in


@pytest.fixture
def signed_in(environment: dict[str, str]) -> None:
    """Adele signed in today, Alex 80 days ago, Megan too long ago; what Christie gave was revoked."""
    assert environment
    now = datetime.now(UTC)
    people = [
        build_sign_in("adele", at=now),
        build_sign_in("alex", at=now - timedelta(days=80, hours=1)),
        build_sign_in("megan", at=now - timedelta(days=91)),
        build_sign_in("christie", at=now, fault="AADSTS50173"),
    ]

    async def fill(streams: Streams) -> None:
        for one in people:
            await streams.sign_ins.put(one.person, encode_sign_in(one))

    with_streams(fill)


@pytest.mark.usefixtures("signed_in")
def test_the_list_tells_whose_sign_in_is_ending_and_whose_has_ended(run: Run) -> None:
    rows = json.loads(run("login", "--list", "--json").stdout)
    told = {row["address"].partition("@")[0]: (row["state"], row["daysLeft"], row["fault"]) for row in rows}
    assert {name: shown[:2] for name, shown in told.items()} == {
        "adele": ("good", 89),
        "alex": ("ending", 9),
        "christie": ("ended", 0),
        "megan": ("ended", 0),
    }
    assert "AADSTS50173" in told["christie"][2]


@pytest.mark.usefixtures("signed_in")
def test_the_list_for_people_shows_no_secret(run: Run) -> None:
    text = run("login", "--list").stdout
    assert "ending" in text
    assert "ended" in text
    assert "refresh of" not in text


@pytest.mark.usefixtures("environment")
def test_the_list_is_empty_before_anybody_signed_in(run: Run) -> None:
    assert json.loads(run("login", "--list", "--json").stdout) == []
