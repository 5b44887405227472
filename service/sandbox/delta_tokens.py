"""The tokens of delta queries: opaque to the caller, kept here, and forgotten when told to or too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
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
        self._expired: dict[str, object] = {}

    def issue(self, state: DeltaState) -> str:
        """Give the token that brings this state back."""
        token = self._random.randbytes(24).hex()
        self._states[token] = state
        while len(self._states) > _TOKENS_MAX:
            self._states.popitem(last=False)
        return token

    def expire(self, count: int) -> int:
        """Forget the newest tokens; gives how many there were."""
        gone = dict(self._states.popitem(last=True) for _ in range(min(count, len(self._states))))
        self._expired |= {token: state.query for token, state in gone.items()}
        for forgotten in list(self._expired)[: max(len(self._expired) - _TOKENS_MAX, 0)]:
            del self._expired[forgotten]
        return len(gone)

    def redeem(self, token: str, *, build_link: Callable[[str], str]) -> DeltaState:
        """Give the state behind a token.

        Args:
            build_link: makes the URL that goes with a token, for the `Location` of the refusal.

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
                headers={"Location": build_link(self.issue(DeltaState(self._expired[token], None)))},
            )
        raise GraphFault(400, "SyncStateInvalid", "The sync state generation is invalid or has expired.")
