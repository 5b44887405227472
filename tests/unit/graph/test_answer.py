"""Waits, dates, challenges, and what an error may say."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import GoneError, GraphError, RefusedError
from service.graph.answer import build_refusal, parse_claims_challenge, parse_http_date, parse_retry_after
from service.graph.requests import RequestKind
from tests.unit.graph.replies import NOW, refusal, reply

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'


def challenge(claims: str, error: str = "insufficient_claims") -> dict[str, str]:
    """Give a WWW-Authenticate header as Graph sends it, its name in lower case."""
    return {
        "www-authenticate": f'Bearer realm="", authorization_uri="https://login.example/authorize", '
        f'error="{error}", claims="{claims}"'
    }


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (None, None),
        ("120", 120.0),
        ("0", 0.0),
        (" 2.128 ", 2.128),
        ("Sat, 21 Dec 2019 05:21:30 GMT", 90.0),
        ("Sat, 21 Dec 2019 05:19:00 GMT", 0.0),
        ("Saturday, 21-Dec-19 05:21:30 GMT", 90.0),
        ("999999999", 86_400.0),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("nan", None),
        ("٣", None),
    ],
)
def test_a_wait_is_read_in_every_form_that_graph_uses(value: str | None, wait_s: float | None) -> None:
    assert parse_retry_after(value, NOW) == wait_s


@given(value=st.text())
def test_no_retry_after_is_ever_negative_or_endless(value: str) -> None:
    wait_s = parse_retry_after(value, NOW)
    assert wait_s is None or 0 <= wait_s <= 86_400


@given(value=st.text())
def test_a_date_that_is_none_is_no_error(value: str) -> None:
    moment = parse_http_date(value)
    assert moment is None or moment.utcoffset() == timedelta(0)


def test_an_answer_without_date_was_seen_when_it_came() -> None:
    assert reply({}, headers={"Date": "yesterday"}).at.to_datetime() == NOW


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(CLAIMS.encode()).decode(),
        base64.urlsafe_b64encode(CLAIMS.encode()).decode().rstrip("="),
    ],
)
def test_a_claims_challenge_is_decoded(encoded: str) -> None:
    assert json.loads(parse_claims_challenge(challenge(encoded))) == json.loads(CLAIMS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"www-authenticate": 'Bearer realm="", error="invalid_token"'},
        challenge(base64.b64encode(CLAIMS.encode()).decode(), error="invalid_token"),
        challenge("%%%"),
        challenge(base64.b64encode(b"[1]").decode()),
        challenge(base64.b64encode(b"\xff\xfe").decode()),
        challenge(base64.b64encode(b"[" * 100_000).decode()),
    ],
)
def test_what_is_no_claims_challenge_asks_for_nothing(headers: dict[str, str]) -> None:
    assert parse_claims_challenge(headers) == ""


def test_an_error_names_no_address_and_stays_on_one_line() -> None:
    answer = refusal(400, "BadRequest", "no\r\nmailbox 'AlexW@contoso.example'\x1b[31m\u202e" + "x" * 5_000)
    text = str(build_refusal(answer, RequestKind.EVENT))
    assert "contoso" not in text
    assert text.isprintable()
    assert len(text) < 400


@given(
    status=st.integers(300, 599),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "code", "message", "innerError", "request-id"]), inner
            )
        ),
        max_leaves=8,
    ),
    kind=st.sampled_from(RequestKind),
)
def test_every_refusal_is_an_error_of_ours(status: int, body: object, kind: RequestKind) -> None:
    error = build_refusal(reply(body, status=status), kind)
    assert isinstance(error, GraphError)
    assert error.status == status
    assert error.code


@pytest.mark.parametrize("kind", [RequestKind.MESSAGE, RequestKind.EVENT])
def test_an_id_that_can_be_none_is_that_of_nothing_and_not_asked_for_again(kind: RequestKind) -> None:
    answer = refusal(400, "ErrorInvalidIdMalformed")
    assert isinstance(build_refusal(answer, kind), GoneError)
    assert isinstance(build_refusal(answer, RequestKind.INSTANCES), RefusedError)
