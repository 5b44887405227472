"""Tells whether Graph sent the resource data of an entry: every validation token of its POST is judged.

The tokens of a POST lie once beside the intake stream, named by their digests. A token is judged once,
however many items it vouches for. Must never let an item pass because its tokens could not be judged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.entries import IntakeEntry
from service.errors import ForgedError
from service.reconcile.instant import parse_instant
from service.rich.authority import Authority
from service.rich.unread import Unread, UnreadError
from service.rich.validation_tokens import (
    Forgery,
    TokenRules,
    Vouched,
    judge_token,
    read_key_id,
)


class TokenStore(Protocol):
    """The validation tokens that lie beside the intake stream."""

    async def read_token(self, digest: str) -> str | None:
        """Give a token; None where it is gone.

        Raises:
            StreamError: Redis is away.
        """


Verdict = Vouched | Forgery


@dataclass(frozen=True, slots=True, kw_only=True)
class VouchingLimits:
    """Bounds.

    Attributes:
        verdicts_max: tokens whose verdict is remembered.
    """

    verdicts_max: int = 1000


class Vouching:
    """Judges the tokens of entries."""

    def __init__(
        self,
        *,
        authority: Authority,
        tokens: TokenStore,
        rules: TokenRules,
        limits: VouchingLimits | None = None,
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._rules = rules
        self._limits = limits or VouchingLimits()
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()
        self._judging: dict[str, asyncio.Lock] = {}

    async def vouch(self, entry: IntakeEntry) -> None:
        """Return where every token of the entry's POST is good, and one of them is for its tenant.

        Raises:
            ForgedError: one of them is not.
            UnreadError: there are none, or they are gone.
            SigningKeysError: that cannot be told now.
            StreamError: Redis is away.
        """
        digests = entry.tokens.split()
        if not digests:
            raise UnreadError(Unread.NO_TOKENS)
        arrived_at = parse_instant(entry.arrived_at).to_datetime()
        tenants = set()
        for digest in digests:
            verdict = await self._judge_once(digest, arrived_at)
            if isinstance(verdict, Forgery):
                raise ForgedError(verdict)
            if not verdict.covers(arrived_at, self._rules.skew_s):
                raise ForgedError(Forgery.NOT_IN_TIME)
            tenants.add(verdict.tenant)
        if entry.tenant not in tenants:
            raise ForgedError(Forgery.OTHER_TENANT)

    async def _judge_once(self, digest: str, arrived_at: datetime) -> Verdict:
        lock = self._judging.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                known = self._verdicts.get(digest)
                if known is None:
                    known = await self._judge(digest, arrived_at)
                    self._remember(digest, known)
                return known
        finally:
            if not lock.locked():
                self._judging.pop(digest, None)

    async def _judge(self, digest: str, arrived_at: datetime) -> Verdict:
        token = await self._tokens.read_token(digest)
        if token is None:
            raise UnreadError(Unread.TOKENS_GONE)
        try:
            issuers, key = await self._authority.find_key(read_key_id(token), arrived_at=arrived_at)
            if key is None:
                return Forgery.UNKNOWN_KEY
            return judge_token(token, key, issuers, self._rules)
        except ForgedError as error:
            return Forgery(error.reason)

    def _remember(self, digest: str, verdict: Verdict) -> None:
        self._verdicts[digest] = verdict
        if len(self._verdicts) > self._limits.verdicts_max:
            self._verdicts.popitem(last=False)
