"""Validation tokens signed by an outside authority: good ones vouch, whatever else comes is forged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from service.entries import IntakeEntry, Kind, Origin
from service.errors import ForgedError, SigningKeysError
from service.rich.authority import Authority, AuthorityLimits
from service.rich.unread import Unread, UnreadError
from service.rich.validation_tokens import Forgery, TokenRules, read_key_id
from service.rich.vouching import Vouching, VouchingLimits
from tests.interop import publisher
from tests.interop.publisher import Signer

TENANT = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
OTHER_TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
AUDIENCE = "8e460676-ae3f-4b1e-8790-ee0fb5d6148f"
URL = f"https://login.example/{TENANT}"
ISSUERS = {"1.0": f"https://sts.windows.net/{TENANT}/", "2.0": f"{URL}/v2.0"}
RULES = TokenRules(audience=AUDIENCE, publisher=publisher.PUBLISHER, skew_s=300)
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class MovedClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def go(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Entra:
    """An authority's documents; `fetched` lists what was asked for."""

    signers: list[Signer]
    has_v1: bool = True
    is_away: bool = False
    issuer: str = ISSUERS["2.0"]
    fetched: list[str] = field(default_factory=list)

    async def __call__(self, url: str) -> Mapping[str, Any] | None:
        self.fetched.append(url.removeprefix(URL))
        if self.is_away:
            raise SigningKeysError("away")
        match url.removeprefix(URL):
            case "/v2.0/.well-known/openid-configuration":
                return {"issuer": self.issuer, "jwks_uri": f"{URL}/keys"}
            case "/.well-known/openid-configuration":
                v1 = {"issuer": ISSUERS["1.0"], "jwks_uri": f"{URL}/keys"}
                return v1 if self.has_v1 else None
            case "/keys":
                return {"keys": [one.show() for one in self.signers]}
        raise AssertionError(url)

    @property
    def key_sets(self) -> int:
        return self.fetched.count("/keys")


@dataclass
class Tokens:
    """Tokens beside the stream, by digest."""

    held: dict[str, str] = field(default_factory=dict)
    reads: int = 0

    async def read_token(self, digest: str) -> str | None:
        self.reads += 1
        return self.held.get(digest)


class Scene:
    """Everything that judges, with an authority in memory."""

    def __init__(self, *signers: Signer, **options: Any) -> None:
        self.clock = MovedClock()
        self.entra = Entra(list(signers), **options)
        self.tokens = Tokens()
        self.authority = Authority(
            URL,
            tenant=TENANT,
            fetch=self.entra,
            clock=self.clock,
            limits=AuthorityLimits(fresh_s=3600, pause_s=30, kept_s=14_400),
        )
        self.vouching = Vouching(
            authority=self.authority, tokens=self.tokens, rules=RULES, limits=VouchingLimits(verdicts_max=3)
        )

    def keep(self, *tokens: str) -> str:
        digests = [f"digest-{len(self.tokens.held) + at}" for at in range(len(tokens))]
        self.tokens.held |= dict(zip(digests, tokens, strict=True))
        return " ".join(digests)

    async def vouch(self, *tokens: str, tenant: str = TENANT, arrived_at: datetime | None = None) -> None:
        await self.vouching.vouch(self.entry(self.keep(*tokens), tenant=tenant, arrived_at=arrived_at))

    def entry(self, digests: str, *, tenant: str = TENANT, arrived_at: datetime | None = None) -> IntakeEntry:
        at = arrived_at or self.clock.now()
        return IntakeEntry(
            kind=Kind.MESSAGE,
            origin=Origin.NOTIFICATION,
            tokens=digests,
            tenant=tenant,
            arrived_at=at.isoformat().replace("+00:00", "Z"),
        )

    async def why_not(self, *tokens: str, **entry: Any) -> str:
        with pytest.raises(ForgedError) as raised:
            await self.vouch(*tokens, **entry)
        return raised.value.reason


def claims(version: str = "2.0", **changes: Any) -> dict[str, Any]:
    return publisher.build_claims(
        tenant=TENANT,
        audience=AUDIENCE,
        version=version,
        issuer=ISSUERS[version],
        now_s=int(NOW.timestamp()),
        **changes,
    )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_a_token_of_either_version_vouches(signer: Signer, version: str) -> None:
    scene = Scene(signer)
    await scene.vouch(signer.sign(claims(version)))
    await scene.vouch(signer.sign(claims(version)))
    assert scene.entra.key_sets == 1


async def test_an_authority_without_version_1_has_its_usual_issuer(signer: Signer) -> None:
    await Scene(signer, has_v1=False).vouch(signer.sign(claims("1.0")))


async def test_the_issuer_of_an_authority_for_all_tenants_is_that_of_ours(signer: Signer) -> None:
    scene = Scene(signer, issuer="https://login.example/{tenantid}/v2.0")
    await scene.vouch(signer.sign(claims()))
    foreign = claims(iss=f"https://login.example/{OTHER_TENANT}/v2.0", tid=OTHER_TENANT)
    assert await scene.why_not(signer.sign(foreign)) == Forgery.WRONG_ISSUER


@pytest.mark.parametrize(
    ("version", "changes", "reason"),
    [
        ("2.0", {"aud": "another-application"}, Forgery.WRONG_AUDIENCE),
        ("2.0", {"aud": [AUDIENCE, "another"]}, Forgery.WRONG_AUDIENCE),
        ("2.0", {"aud": None}, Forgery.WRONG_AUDIENCE),
        ("2.0", {"azp": "11111111-2222-3333-4444-555555555555"}, Forgery.WRONG_PUBLISHER),
        ("2.0", {"azp": None, "appid": publisher.PUBLISHER}, Forgery.WRONG_PUBLISHER),
        ("1.0", {"appid": None, "azp": publisher.PUBLISHER}, Forgery.WRONG_PUBLISHER),
        ("1.0", {"iss": ISSUERS["2.0"]}, Forgery.WRONG_ISSUER),
        ("2.0", {"iss": ISSUERS["1.0"]}, Forgery.WRONG_ISSUER),
        ("2.0", {"iss": ISSUERS["2.0"] + "/"}, Forgery.WRONG_ISSUER),
        ("2.0", {"iss": None}, Forgery.WRONG_ISSUER),
        ("2.0", {"ver": "3.0"}, Forgery.WRONG_ISSUER),
        ("2.0", {"ver": None}, Forgery.WRONG_ISSUER),
        ("2.0", {"tid": OTHER_TENANT}, Forgery.OTHER_TENANT),
        ("2.0", {"tid": None}, Forgery.OTHER_TENANT),
        ("2.0", {"exp": None}, Forgery.MALFORMED),
        ("2.0", {"nbf": None}, Forgery.MALFORMED),
        ("2.0", {"exp": "tomorrow"}, Forgery.MALFORMED),
        ("2.0", {"exp": True}, Forgery.MALFORMED),
        ("2.0", {"exp": 10**400}, Forgery.MALFORMED),
    ],
)
async def test_every_claim_is_judged(
    signer: Signer, version: str, changes: dict[str, Any], reason: Forgery
) -> None:
    assert await Scene(signer).why_not(signer.sign(claims(version, **changes))) == reason


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "PS256"}, {"alg": ["RS256"]}])
async def test_no_other_algorithm_is_taken_whatever_the_token_says(
    signer: Signer, header: dict[str, Any]
) -> None:
    assert await Scene(signer).why_not(signer.sign(claims(), **header)) in (
        Forgery.OTHER_ALGORITHM,
        Forgery.MALFORMED,
    )


async def test_an_unsigned_token_is_forged(signer: Signer) -> None:
    head, body, _ = signer.sign(claims(), alg="none").split(".")
    assert await Scene(signer).why_not(f"{head}.{body}.") == Forgery.OTHER_ALGORITHM


async def test_the_public_key_is_no_secret_to_sign_with(signer: Signer) -> None:
    public = signer.key.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(signer.show()).encode(),
    ):
        token = publisher.sign_with_text(claims(), secret, kid=signer.kid)
        assert await Scene(signer).why_not(token) == Forgery.OTHER_ALGORITHM


async def test_headers_that_bring_their_own_key_or_rules_change_nothing(
    signer: Signer, other_signer: Signer
) -> None:
    forged = other_signer.sign(claims(), kid=signer.kid, jwk=other_signer.show(), jku="https://evil.example")
    assert await Scene(signer).why_not(forged) == Forgery.WRONG_SIGNATURE
    critical = signer.sign(claims(), crit=["exp"])
    assert await Scene(signer).why_not(critical) in (Forgery.OTHER_ALGORITHM, Forgery.MALFORMED)


async def test_what_was_changed_after_it_was_signed_is_forged(signer: Signer) -> None:
    head, _, signature = signer.sign(claims(exp=1)).split(".")
    body = publisher.encode_json(claims())
    assert await Scene(signer).why_not(f"{head}.{body}.{signature}") == Forgery.WRONG_SIGNATURE


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "eyJhbGciOiJSUzI1NiJ9..", "é", "x" * 5000, "{}"])
async def test_what_is_no_token_is_forged(signer: Signer, token: str) -> None:
    assert await Scene(signer).why_not(token) == Forgery.MALFORMED


@given(token=st.text() | st.builds(lambda *parts: ".".join(parts), st.text(), st.text(), st.text()))
def test_any_text_is_judged_and_nothing_else_is_raised(token: str) -> None:
    try:
        read_key_id(token)
    except ForgedError as error:
        assert error.reason in set(Forgery)


async def test_one_bad_token_spoils_the_post(signer: Signer, other_signer: Signer) -> None:
    good, bad = signer.sign(claims()), other_signer.sign(claims(), kid=signer.kid)
    for order in ((good, bad), (bad, good)):
        assert await Scene(signer).why_not(*order) == Forgery.WRONG_SIGNATURE


async def test_the_tenant_must_be_the_items(signer: Signer) -> None:
    assert await Scene(signer).why_not(signer.sign(claims()), tenant=OTHER_TENANT) == Forgery.OTHER_TENANT


# --- times ---


async def test_a_backlog_does_not_turn_good_into_bad(signer: Signer) -> None:
    scene = Scene(signer)
    digests = scene.keep(signer.sign(claims()))
    scene.clock.go(2 * 3600)
    await scene.vouching.vouch(scene.entry(digests, arrived_at=NOW))
    with pytest.raises(ForgedError, match=Forgery.NOT_IN_TIME.value):
        await scene.vouching.vouch(scene.entry(digests))  # replayed now: it ended an hour ago


@pytest.mark.parametrize(
    ("after_s", "is_good"), [(-601, False), (-599, True), (3600 + 299, True), (3600 + 301, False)]
)
async def test_a_token_is_good_from_its_begin_to_its_end_give_or_take_the_skew(
    signer: Signer, after_s: float, is_good: bool
) -> None:
    arrived_at = NOW + timedelta(seconds=after_s)
    scene = Scene(signer)
    token = signer.sign(claims())
    if is_good:
        await scene.vouch(token, arrived_at=arrived_at)
    else:
        assert await scene.why_not(token, arrived_at=arrived_at) == Forgery.NOT_IN_TIME


# --- what is missing ---


async def test_items_without_tokens_are_a_fault_with_its_remedy(signer: Signer) -> None:
    with pytest.raises(UnreadError) as raised:
        await Scene(signer).vouch()
    assert raised.value.reason is Unread.NO_TOKENS
    assert "appRoleAssignmentRequired" in raised.value.reason.remedy


async def test_tokens_that_were_kept_too_short_are_told_of(signer: Signer) -> None:
    scene = Scene(signer)
    with pytest.raises(UnreadError) as raised:
        await scene.vouching.vouch(scene.entry("gone"))
    assert raised.value.reason is Unread.TOKENS_GONE


async def test_a_token_is_read_and_judged_once_for_all_its_items(signer: Signer) -> None:
    scene = Scene(signer)
    digests = scene.keep(signer.sign(claims()))
    for _ in range(5):
        await scene.vouching.vouch(scene.entry(digests))
    assert scene.tokens.reads == 1


async def test_verdicts_are_forgotten_beyond_a_number(signer: Signer) -> None:
    scene = Scene(signer)
    for _ in range(5):
        await scene.vouch(signer.sign(claims()))
    await scene.vouching.vouch(scene.entry("digest-0"))
    await scene.vouching.vouch(scene.entry("digest-4"))
    assert scene.tokens.reads == 6


# --- signing keys ---


async def test_a_key_that_is_not_known_is_fetched(signer: Signer, other_signer: Signer) -> None:
    scene = Scene(signer)
    await scene.vouch(signer.sign(claims()))
    scene.clock.go(60)
    scene.entra.signers.append(other_signer)
    await scene.vouch(other_signer.sign(claims()))
    assert scene.entra.key_sets == 2


async def test_a_flood_of_unknown_keys_is_fetched_for_at_a_bounded_rate(
    signer: Signer, other_signer: Signer
) -> None:
    scene = Scene(signer)
    await scene.vouch(signer.sign(claims()))
    scene.clock.go(1)
    postponed = []
    for at in range(50):
        digests = scene.keep(other_signer.sign(claims(), kid=f"unknown-{at}"))
        with pytest.raises(SigningKeysError) as raised:
            await scene.vouching.vouch(scene.entry(digests))
        assert raised.value.retry_after_s is not None
        assert 0 < raised.value.retry_after_s <= 30
        postponed.append(scene.entry(digests))
    assert scene.entra.key_sets == 1
    await scene.vouch(signer.sign(claims()))  # honest ones go on meanwhile
    scene.clock.go(30)
    for entry in postponed:
        with pytest.raises(ForgedError, match=Forgery.UNKNOWN_KEY.value):
            await scene.vouching.vouch(entry)
    assert scene.entra.key_sets == 2


async def test_a_key_that_is_shown_no_more_is_honoured_for_a_while(
    signer: Signer, other_signer: Signer
) -> None:
    scene = Scene(signer)
    await scene.vouch(signer.sign(claims()))
    scene.entra.signers[:] = [other_signer]
    scene.clock.go(4000)
    await scene.vouch(other_signer.sign(claims(exp=2**33)))
    await scene.vouch(signer.sign(claims(exp=2**33)))
    scene.clock.go(14_400)
    assert await scene.why_not(signer.sign(claims(exp=2**33))) == Forgery.UNKNOWN_KEY


async def test_an_authority_that_is_away_postpones_and_condemns_nobody(signer: Signer) -> None:
    scene = Scene(signer, is_away=True)
    digests = scene.keep(signer.sign(claims()))
    for _ in range(3):
        with pytest.raises(SigningKeysError):
            await scene.vouching.vouch(scene.entry(digests))
    assert len(scene.entra.fetched) == 1
    scene.entra.is_away = False
    scene.clock.go(31)
    await scene.vouching.vouch(scene.entry(digests))


async def test_keys_at_hand_serve_on_while_the_authority_is_away(signer: Signer) -> None:
    scene = Scene(signer)
    await scene.vouch(signer.sign(claims()))
    scene.entra.is_away = True
    scene.clock.go(7200)
    await scene.vouch(signer.sign(claims(exp=2**33)))


@pytest.mark.parametrize("change", [{"kty": "EC"}, {"use": "enc"}, {"n": "AQAB"}, {"n": 5}, {"kid": 5}])
async def test_keys_that_sign_nothing_are_passed_over(signer: Signer, change: dict[str, Any]) -> None:
    shown = Signer(key=signer.key, kid=signer.kid)
    scene = Scene(shown)

    async def fetch(url: str) -> Mapping[str, Any] | None:
        document = await Entra([shown])(url)
        if document is not None and "keys" in document:
            return {"keys": [signer.show() | change, 5, {}]}
        return document

    scene.authority._fetch = fetch
    assert await scene.why_not(signer.sign(claims())) == Forgery.UNKNOWN_KEY


def test_a_weak_key_is_passed_over() -> None:
    from service.rich.authority import _read_key

    weak = Signer(key=rsa.generate_private_key(public_exponent=65537, key_size=1024), kid="weak")
    assert _read_key(weak.show()) is None
