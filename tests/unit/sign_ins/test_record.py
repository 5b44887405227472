"""How much time a sign-in has left, and what is said of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.sign_ins.record import (
    SignInState,
    SignInTerms,
    decode_sign_in,
    encode_sign_in,
    judge_sign_in,
)
from tests.unit.sign_ins.fakes import NOW, build_sign_in

TERMS = SignInTerms(idle_days=90, warn_days=14)


@pytest.mark.parametrize(
    ("days", "state", "left"),
    [
        (0, SignInState.GOOD, 90),
        (76, SignInState.GOOD, 14),
        (77, SignInState.ENDING, 13),
        (89.5, SignInState.ENDING, 0),
        (90, SignInState.ENDED, 0),
        (400, SignInState.ENDED, 0),
    ],
)
def test_the_end_is_announced_before_it_comes(days: float, state: SignInState, left: int) -> None:
    status = judge_sign_in(build_sign_in("adele"), now=NOW + timedelta(days=days), terms=TERMS)
    assert (status.state, status.days_left) == (state, left)
    assert ("response-sync login adele@contoso.com" in status.words) == (state is not SignInState.GOOD)


def test_a_refusal_of_entra_ends_it_whatever_time_was_left() -> None:
    status = judge_sign_in(build_sign_in("adele", fault="AADSTS53003"), now=NOW, terms=TERMS)
    assert (status.state, status.left_s) == (SignInState.ENDED, 0)
    assert status.words == (
        "The sign-in of adele@contoso.com is no longer good (AADSTS53003): "
        "run `response-sync login adele@contoso.com`."
    )


def test_a_record_comes_back_as_it_was_written_and_shows_no_seal() -> None:
    sign_in = build_sign_in("adele")
    assert decode_sign_in(encode_sign_in(sign_in)) == sign_in
    assert sign_in.sealed not in repr(sign_in)
