"""What a rich notification carries: ciphertext into the entry, tokens once per POST, both within bounds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from service.intake.carried import CarriedLimits
from service.intake.notification import (
    Accepted,
    ItemFault,
    NotificationRules,
    Refused,
    parse_notifications,
)
from tests.unit.intake.graph_items import ARRIVED, RULES, TENANT, build_body, build_item, build_lifecycle

CONTENT = {
    "data": "AAAA",
    "dataKey": "BBBB",
    "dataSignature": "CCCC",
    "encryptionCertificateId": "ours",
    "encryptionCertificateThumbprint": "AB" * 20,
}
TOKENS = ["e30.e30.e30", "e30.e30.e31"]


def judge(*items: Any, rules: NotificationRules = RULES, **more: Any) -> tuple[Accepted | Refused, ...]:
    return parse_notifications(build_body(*items, **more), rules, arrived_at=ARRIVED)


def accepted(verdict: Accepted | Refused) -> Accepted:
    assert isinstance(verdict, Accepted)
    return verdict


def test_the_ciphertext_goes_into_the_entry_and_the_tokens_beside_it() -> None:
    first, second = map(
        accepted,
        judge(build_item(encryptedContent=CONTENT), build_item(), validationTokens=TOKENS),
    )
    assert json.loads(first.entry.content) == CONTENT
    assert first.entry.tenant == TENANT
    assert first.entry.tokens.split() == list(first.tokens)
    assert list(first.tokens.values()) == TOKENS
    assert second.tokens is first.tokens
    assert (second.entry.content, second.entry.tokens) == ("", first.entry.tokens)


def test_members_that_nobody_needs_are_not_stored() -> None:
    (one,) = map(accepted, judge(build_item(encryptedContent=CONTENT | {"more": "x" * 100})))
    assert json.loads(one.entry.content) == CONTENT


def test_the_same_tokens_have_the_same_names_in_every_post() -> None:
    names = [
        accepted(judge(build_item(encryptedContent=CONTENT), validationTokens=TOKENS)[0]).entry.tokens
        for _ in range(2)
    ]
    assert names[0] == names[1]
    other = judge(build_item(encryptedContent=CONTENT), validationTokens=["e30.e30.e32"])
    assert accepted(other[0]).entry.tokens not in names


@pytest.mark.parametrize("tokens", [None, []])
def test_content_without_tokens_is_stored_for_the_worker_to_judge(tokens: Any) -> None:
    (one,) = map(accepted, judge(build_item(encryptedContent=CONTENT), validationTokens=tokens))
    assert (one.entry.tokens, dict(one.tokens)) == ("", {})
    assert one.entry.content


def test_a_basic_notification_stores_nothing_more_than_before() -> None:
    plain = accepted(judge(build_item())[0]).fields
    assert accepted(judge(build_item(encryptedContent=None), validationTokens=None)[0]).fields == plain
    assert {"tenant", "content", "tokens", "unread"}.isdisjoint(plain)


def test_lifecycle_notifications_carry_neither() -> None:
    (one,) = map(accepted, judge(build_lifecycle("missed"), validationTokens=TOKENS))
    assert (one.entry.tokens, one.tokens) == ("", {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT | {"data": 5}, "malformed"),
        ({"data": "AAAA"}, "malformed"),
        ([], "malformed"),
        ("text", "malformed"),
        (CONTENT | {"data": "A" * 2000}, "too_large"),
    ],
)
def test_content_that_cannot_be_stored_leaves_an_item_to_be_fetched(content: Any, reason: str) -> None:
    rules = replace(RULES, carried=CarriedLimits(content_chars_max=2000))
    first, second = map(
        accepted,
        judge(
            build_item(encryptedContent=content),
            build_item(encryptedContent=CONTENT),
            rules=rules,
            validationTokens=TOKENS,
        ),
    )
    assert (first.entry.content, first.entry.unread) == ("", reason)
    assert second.entry.content


@pytest.mark.parametrize(
    "tokens", ["text", {}, [5], [None], ["é"], [""], ["a\n"], ["x"] * 4, ["x" * 101], ["x" * 51, "y" * 50]]
)
def test_tokens_out_of_bounds_refuse_the_whole_post(tokens: Any) -> None:
    rules = replace(RULES, carried=CarriedLimits(tokens_max=3, tokens_chars_max=100))
    verdicts = judge(
        build_item(encryptedContent=CONTENT),
        build_item(),
        build_item(clientState="guess"),
        build_lifecycle("missed"),
        rules=rules,
        validationTokens=tokens,
    )
    assert verdicts[:2] == (Refused(fault=ItemFault.BAD_TOKENS),) * 2
    assert verdicts[2] == Refused(fault=ItemFault.WRONG_CLIENT_STATE)
    assert isinstance(verdicts[3], Accepted)


def test_a_tenant_that_is_not_said_is_ours() -> None:
    (one,) = map(
        accepted, judge(build_item(encryptedContent=CONTENT, tenantId=None), validationTokens=TOKENS)
    )
    assert one.entry.tenant == TENANT


def test_tokens_are_read_where_one_item_has_another_shape() -> None:
    first, second = judge(5, build_item(encryptedContent=CONTENT), validationTokens=TOKENS)
    assert first == Refused(fault=ItemFault.MALFORMED)
    assert accepted(second).entry.tokens
