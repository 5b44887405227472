"""What goes wrong on purpose: the switches of `POST /faults`, drawn from one seed. No I/O.

Must never hold a switch that design section 2.5 does not name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final

from service.sandbox.access_tokens import build_challenge
from service.sandbox.wire import GraphFault, GraphRequest

REORDER_S: Final = (0.2, 2.0)
RETRY_AFTER_S: Final = (1, 2)
_PROBABILITIES: Final = (
    "drop",
    "duplicate",
    "reorder",
    "throttle",
    "unavailable",
    "unauthorized",
    "handshake",
)
_COUNTS: Final = ("expire_delta", "remove_subscriptions", "missed")
_COUNT_MAX: Final = 1_000_000
_SECONDS_MAX: Final = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults in force.

    Attributes:
        drop: notifications lost without a word.
        duplicate: notifications sent twice.
        reorder: notifications held back for a moment, so that later ones overtake them.
        throttle, unavailable, unauthorized: requests to Graph answered with 429, 503, 401.
        handshake: validations of a notification URL that fail although the endpoint is well.
        delay_s: how long every notification waits.
        lifetime_s: the longest lifetime of a subscription that is granted; None for Graph's own.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    throttle: float = 0.0
    unavailable: float = 0.0
    unauthorized: float = 0.0
    handshake: float = 0.0
    delay_s: float = 0.0
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """What is to happen once, now: how many delta tokens, subscriptions, `missed` events."""

    expire_delta: int = 0
    remove_subscriptions: int = 0
    missed: int = 0


def read_faults(body: Any) -> tuple[Faults, Mishaps]:
    """Read the body of `POST /faults`; what is not named is off.

    Raises:
        ValueError: a name that there is not, or a value out of range; says which.
    """
    if not isinstance(body, Mapping):
        raise TypeError("expected an object")
    known = {field.name for field in (*fields(Faults), *fields(Mishaps))}
    if unknown := sorted(set(body) - known):
        raise ValueError(f"there is no fault '{unknown[0]}'; known are {', '.join(sorted(known))}")
    values = {name: _check(name, value) for name, value in body.items()}
    counts = {name: int(values.pop(name)) for name in _COUNTS if name in values}
    return Faults(**values), Mishaps(**counts)


class FaultBoard:
    """Draws the faults that are in force.

    Attributes:
        active: replaced as a whole.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.active = Faults()

    def disturb_request(self, request: GraphRequest) -> None:
        """Let a request to Graph fail, or not.

        A `$batch` is never throttled itself, but its parts are; a part is never unauthorized, its batch is.

        Raises:
            GraphFault: 401, 429 or 503.
        """
        if not request.is_part and self._happens(self.active.unauthorized):
            raise build_challenge(request.base_url.rsplit("/", 1)[0], "Access token validation failure.")
        if self._happens(self.active.unavailable):
            raise GraphFault(
                503, "ServiceUnavailable", "The service is unavailable.", headers=self._build_retry_after()
            )
        if request.segments != ("$batch",) and self._happens(self.active.throttle):
            raise GraphFault(
                429, "TooManyRequests", "Please retry again later.", headers=self._build_retry_after()
            )

    def plan_delivery(self) -> tuple[float, ...]:
        """Say after how many seconds a notification is sent: once, twice, or never (empty)."""
        if self._happens(self.active.drop):
            return ()
        copies = 2 if self._happens(self.active.duplicate) else 1
        return tuple(self._draw_delay() for _ in range(copies))

    def fails_handshake(self) -> bool:
        """Say whether a validation fails although the endpoint is well."""
        return self._happens(self.active.handshake)

    def _draw_delay(self) -> float:
        held = self._random.uniform(*REORDER_S) if self._happens(self.active.reorder) else 0.0
        return self.active.delay_s + held

    def _build_retry_after(self) -> dict[str, str]:
        return {"Retry-After": str(self._random.randint(*RETRY_AFTER_S))}

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability


def _check(name: str, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name == "lifetime_s" and value is None:
        return None
    if not is_number or value < 0:
        raise ValueError(f"'{name}' must be a number of at least 0")
    if name in _PROBABILITIES and value > 1:
        raise ValueError(f"'{name}' is a probability: at most 1")
    if name in _COUNTS and (value != int(value) or value > _COUNT_MAX):
        raise ValueError(f"'{name}' must be a whole number of at most {_COUNT_MAX}")
    if name == "lifetime_s" and value == 0:
        raise ValueError("'lifetime_s' must be above 0")
    if value > _SECONDS_MAX:
        raise ValueError(f"'{name}' must be at most {_SECONDS_MAX}")
    return value
