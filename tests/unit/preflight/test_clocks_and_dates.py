"""Clocks that differ, certificates that end, and addresses that nobody outside can reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from service.preflight.addresses import find_addresses, judge_addresses
from service.preflight.certificate import judge_end
from service.preflight.clocks import judge_clock
from service.preflight.credential import check_client_certificate, judge_certificate
from service.preflight.finding import State

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ahead_s", "state"),
    [(0, State.OK), (-5, State.OK), (6, State.WARNING), (-60, State.WARNING), (61, State.FAULT)],
)
def test_a_clock_is_judged_by_how_far_it_is_from_ours(ahead_s: float, state: State) -> None:
    finding = judge_clock("Graph", NOW + timedelta(seconds=ahead_s), NOW)
    assert finding.state is state
    assert ("NTP" in finding.remedy) is (state is not State.OK)


def test_a_clock_says_on_which_side_it_is() -> None:
    assert judge_clock("Graph", NOW + DAY, NOW).detail == "86400 s ahead of ours"
    assert judge_clock("Redis", NOW - DAY, NOW).detail == "86400 s behind ours"


@pytest.mark.parametrize(
    ("begins", "ends", "state"),
    [
        (NOW - DAY, NOW + 31 * DAY, State.OK),
        (NOW - DAY, NOW + 29 * DAY, State.WARNING),
        (NOW - DAY, NOW, State.FAULT),
        (NOW + DAY, NOW + 99 * DAY, State.FAULT),
    ],
)
def test_a_client_certificate_is_judged_by_its_dates(begins: datetime, ends: datetime, state: State) -> None:
    assert judge_certificate("client certificate", begins, ends, NOW).state is state


def test_the_client_certificate_is_read_from_the_file_that_holds_its_key_too(tmp_path: Path) -> None:
    leaf = trustme.CA().issue_cert("app", not_after=NOW - DAY, not_before=NOW - 9 * DAY)
    both = tmp_path / "both.pem"
    both.write_bytes(leaf.private_key_pem.bytes() + leaf.cert_chain_pems[0].bytes())

    assert check_client_certificate(both, now=NOW).detail == "ended on 2026-03-01"

    both.write_text("nothing of the kind")
    assert check_client_certificate(both, now=NOW).state is State.FAULT
    assert check_client_certificate(tmp_path / "none.pem", now=NOW).state is State.FAULT


def test_a_certificate_that_ends_soon_is_told_before_it_does() -> None:
    assert judge_end(NOW + 15 * DAY, NOW, "TLSv1.3").state is State.OK
    assert judge_end(NOW + 13 * DAY, NOW, "TLSv1.3").state is State.WARNING


@pytest.mark.parametrize(
    ("addresses", "is_local", "state"),
    [
        ((), False, State.FAULT),
        (("20.190.128.1",), False, State.OK),
        (("10.0.0.1", "20.190.128.1"), False, State.OK),
        (("10.0.0.1",), False, State.WARNING),
        (("fe80::1%eth0",), False, State.WARNING),
        (("127.0.0.1",), True, State.OK),
    ],
)
def test_an_address_must_be_one_of_the_internet_unless_graph_is_here(
    addresses: tuple[str, ...], is_local: bool, state: State
) -> None:
    assert judge_addresses(addresses, is_local=is_local).state is state


async def test_a_name_that_nobody_knows_has_no_address() -> None:
    assert await find_addresses("nobody.invalid", 443, timeout_s=10) == ()
    assert "127.0.0.1" in await find_addresses("127.0.0.1", 443, timeout_s=10)
