"""A store of sign-ins in memory, and tokens without Entra ID."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from service.errors import StreamError, TokenError
from service.reconcile.model import Address, MailboxKey
from service.sign_ins.record import SignIn, encode_sign_in
from service.sign_ins.sealing import Sealer
from service.sign_ins.source import Wallet

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SEALER = Sealer(["k" * 40], deployment="default", registration="tenant\0client")


@dataclass(kw_only=True)
class MemoryStore:
    """Sign-ins by person.

    Attributes:
        is_away: everything fails.
    """

    texts: dict[str, str] = field(default_factory=dict)
    counter: int = 0
    is_away: bool = False

    def _touch(self, *, changes: bool = False) -> None:
        if self.is_away:
            raise StreamError("Redis is away")
        self.counter += changes

    async def read_all(self) -> dict[str, str]:
        self._touch()
        return dict(self.texts)

    async def read_one(self, person: str) -> str | None:
        self._touch()
        return self.texts.get(person)

    async def read_counter(self) -> int:
        self._touch()
        return self.counter

    async def put(self, person: str, text: str) -> None:
        self._touch(changes=True)
        self.texts[person] = text

    async def replace(self, person: str, expected: str, text: str) -> bool:
        self._touch()
        if self.texts.get(person) != expected:
            return False
        self._touch(changes=True)
        self.texts[person] = text
        return True

    async def drop(self, person: str) -> bool:
        self._touch(changes=True)
        return self.texts.pop(person, None) is not None


@dataclass(kw_only=True)
class FakeTokens:
    """Tokens of one sign-in; each is made of what the wallet holds, which is then another."""

    sign_in: SignIn
    wallet: Wallet
    fault: TokenError | None = None
    is_closed: bool = False

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        if self.fault is not None:
            raise self.fault
        token = f"access of {self.wallet.read()}"
        self.wallet.keep(f"{self.wallet.read()}+")
        return token

    def close(self) -> None:
        self.is_closed = True


class Mint:
    """Builds tokens and remembers them by person."""

    def __init__(self) -> None:
        self.made: dict[str, FakeTokens] = {}

    def build(self, sign_in: SignIn, wallet: Wallet) -> FakeTokens:
        self.made[sign_in.person] = FakeTokens(sign_in=sign_in, wallet=wallet)
        return self.made[sign_in.person]


def build_sign_in(
    name: str, *, at: datetime = NOW, sealer: Sealer = SEALER, cache: str = "", fault: str = ""
) -> SignIn:
    """Give the sign-in of `id-{name}`, of `{name}@contoso.com` and `{name}.alias@contoso.com`."""
    return SignIn(
        person=MailboxKey(f"id-{name}"),
        address=f"{name}@contoso.com",
        aliases=(Address(f"{name}.alias@contoso.com"),),
        name=name,
        scopes=("Mail.Read",),
        signed_in_at=at,
        used_at=at,
        sealed=sealer.seal(cache or f"refresh of {name}", person=f"id-{name}"),
        fault=fault,
    )


async def keep(store: MemoryStore, *sign_ins: SignIn) -> None:
    """Put sign-ins into a store."""
    for one in sign_ins:
        await store.put(one.person, encode_sign_in(one))
