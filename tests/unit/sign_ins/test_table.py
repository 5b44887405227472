"""Who has signed in, followed in Redis: whose token it is, what is kept of it, and who was first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.errors import SignInError, TokenError
from service.sign_ins.record import decode_sign_in
from service.sign_ins.sealing import Sealer
from service.sign_ins.table import SignInTable
from tests.unit.graph.held_clock import HeldClock
from tests.unit.sign_ins.fakes import SEALER, MemoryStore, Mint, build_sign_in, keep

REVOKED = TokenError("invalid_grant: revoked", code="AADSTS50173", is_permanent=True, needs_sign_in=True)


def build_table(store: MemoryStore, mint: Mint, sealer: Sealer = SEALER) -> SignInTable:
    return SignInTable(store, sealer=sealer, build=mint.build, clock=HeldClock())


async def test_each_mailbox_has_the_token_of_its_own_person_by_any_of_their_names() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"), build_sign_in("alex"))
    table = build_table(store, mint)
    await table.refresh()
    for name in ("id-adele", "adele@contoso.com", "Adele@Contoso.COM", "adele.alias@contoso.com"):
        assert table.find(name) == "id-adele"
    assert [table.find(name) for name in ("", "id-megan", "megan@contoso.com")] == [None, None, None]
    assert await table.source_of("id-adele").fetch_token() == "access of refresh of adele"
    assert await table.source_of("id-alex").fetch_token() == "access of refresh of alex"


async def test_who_signs_in_or_out_is_followed_without_a_restart() -> None:
    store, mint = MemoryStore(), Mint()
    table = build_table(store, mint)
    await table.refresh()
    before = table.logins
    await keep(store, build_sign_in("adele"))
    await table.refresh()
    assert table.list_people() == ("id-adele",)
    assert table.logins != before
    await store.drop("id-adele")
    await table.refresh()
    assert table.list_people() == ()
    assert mint.made["id-adele"].is_closed


async def test_a_renewed_refresh_token_is_sealed_and_kept() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    await table.source_of("id-adele").fetch_token()
    kept = decode_sign_in(store.texts["id-adele"])
    assert SEALER.open(kept.sealed, person="id-adele").text == "refresh of adele+"
    assert "refresh of adele" not in store.texts["id-adele"]
    assert table.logins == frozenset({("id-adele", kept.signed_in_at.isoformat())})


async def test_what_was_sealed_with_a_former_key_is_sealed_again_at_once() -> None:
    former = Sealer(["f" * 40], deployment="default", registration="tenant\0client")
    both = Sealer(["k" * 40, "f" * 40], deployment="default", registration="tenant\0client")
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele", sealer=former))
    await build_table(store, mint, both).refresh()
    kept = decode_sign_in(store.texts["id-adele"])
    assert SEALER.open(kept.sealed, person="id-adele").is_current


async def test_a_seal_that_no_key_opens_asks_for_a_new_sign_in() -> None:
    other = Sealer(["x" * 40], deployment="default", registration="tenant\0client")
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele", sealer=other))
    table = build_table(store, mint)
    await table.refresh()
    with pytest.raises(SignInError, match="FORMER_SECRET_KEYS") as caught:
        await table.source_of("id-adele").fetch_token()
    assert "response-sync login ADDRESS" in caught.value.remedy


async def test_the_record_of_one_person_under_anothers_name_gives_nobody_a_token() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    store.texts["id-alex"] = store.texts["id-adele"]
    stolen = replace(decode_sign_in(store.texts["id-adele"]), person=build_sign_in("megan").person)
    await keep(store, stolen)
    table = build_table(store, mint)
    await table.refresh()
    assert table.list_people() == ("id-adele", "id-megan")
    with pytest.raises(SignInError):
        await table.source_of("id-megan").fetch_token()


async def test_a_revoked_sign_in_is_written_down_once_and_a_token_makes_it_good_again() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    mint.made["id-adele"].fault = REVOKED
    for _ in range(2):
        with pytest.raises(SignInError) as caught:
            await table.source_of("id-adele").fetch_token()
        assert caught.value.code == "AADSTS50173"
    assert decode_sign_in(store.texts["id-adele"]).fault == "AADSTS50173"
    assert store.counter == 2
    mint.made["id-adele"].fault = None
    await table.source_of("id-adele").fetch_token()
    assert decode_sign_in(store.texts["id-adele"]).fault == ""


async def test_an_authority_that_is_away_is_no_fault_of_the_sign_in() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    mint.made["id-adele"].fault = TokenError("no answer", code="unreachable")
    with pytest.raises(TokenError) as caught:
        await table.source_of("id-adele").fetch_token()
    assert not isinstance(caught.value, SignInError)
    assert decode_sign_in(store.texts["id-adele"]).fault == ""


async def test_a_renewal_does_not_undo_that_somebody_signed_out() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    source = table.source_of("id-adele")
    await store.drop("id-adele")
    await source.fetch_token()
    assert store.texts == {}


async def test_a_renewal_does_not_write_over_a_later_sign_in() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    again = build_sign_in("adele", at=build_sign_in("adele").signed_in_at + timedelta(days=1), cache="new")
    await keep(store, again)
    await table.source_of("id-adele").fetch_token()
    assert decode_sign_in(store.texts["id-adele"]) == again
    await table.refresh()
    assert await table.source_of("id-adele").fetch_token() == "access of new"


async def test_two_processes_learn_of_each_others_renewals() -> None:
    store, one, other = MemoryStore(), Mint(), Mint()
    await keep(store, build_sign_in("adele"))
    first, second = build_table(store, one), build_table(store, other)
    await first.refresh()
    await second.refresh()
    await first.source_of("id-adele").fetch_token()
    await second.source_of("id-adele").fetch_token()
    assert other.made["id-adele"].wallet.read() == "refresh of adele+"  # that of the first, kept before
    await second.source_of("id-adele").fetch_token()
    kept = decode_sign_in(store.texts["id-adele"])
    assert SEALER.open(kept.sealed, person="id-adele").text == "refresh of adele++"


async def test_a_redis_that_is_away_costs_nobody_the_token() -> None:
    store, mint = MemoryStore(), Mint()
    await keep(store, build_sign_in("adele"))
    table = build_table(store, mint)
    await table.refresh()
    store.is_away = True
    assert await table.source_of("id-adele").fetch_token()
    store.is_away = False
    await table.source_of("id-adele").fetch_token()
    kept = decode_sign_in(store.texts["id-adele"])
    assert SEALER.open(kept.sealed, person="id-adele").text == "refresh of adele++"
