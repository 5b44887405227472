"""The tokens of delta queries: opaque to the caller, kept here, and forgotten when told to or too many."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from random import Random
from typing import Final

from service.sandbox.wire import GraphFault

_TOKENS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class DeltaState:
    """Where a delta query stands.

    Attributes:
        query: what the round was asked for; a link may add nothing to it.
        position: what was seen when the round began; its form is the query's own affair.
        waiting: what is still to be given in this round.
    """

    query: object
    position: object
    waiting: tuple[object, ...] = ()


class DeltaTokens:
    """Hands out tokens and takes them back. A token may be used again until it expires."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._states: OrderedDict[str, DeltaState] = OrderedDict()
        self._expired: set[str] = set()

    def issue(self, state: DeltaState) -> str:
        """Give the token that brings this state back."""
        token = self._random.randbytes(24).hex()
        self._states[token] = state
        while len(self._states) > _TOKENS_MAX:
            self._states.popitem(last=False)
        return token

    def expire(self, count: int) -> int:
        """Forget the newest tokens; gives how many there were."""
        gone = [self._states.popitem(last=True)[0] for _ in range(min(count, len(self._states)))]
        self._expired.update(gone)
        return len(gone)

    def redeem(self, token: str, *, fresh_url: str) -> DeltaState:
        """Give the state behind a token.

        Args:
            fresh_url: where a new round begins, for the `Location` of the refusal.

        Raises:
            GraphFault: 410 or 400, in one of the ways in which Exchange says that a token is no longer known.
        """
        state = self._states.get(token)
        if state is not None:
            return state
        if token in self._expired and int(token[:2], 16) % 2 == 0:
            raise GraphFault(
                410,
                "syncStateNotFound",
                "The sync state generation is not found; please perform a full sync.",
                headers={"Location": fresh_url},
            )
        raise GraphFault(400, "SyncStateInvalid", "The sync state generation is invalid or has expired.")
