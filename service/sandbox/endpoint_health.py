"""How quick an endpoint answers, and what Graph does to a slow one: delays or drops its notifications. Pure.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks (text of 2026-04)
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

WINDOW: Final = timedelta(minutes=10)
PENALTY: Final = timedelta(minutes=10)
SLOW_S: Final = 3.0
LATE_S: Final = 10.0
SLOW_SHARE: Final = 0.10
LATE_SHARE: Final = 0.15
ANSWERS_MIN: Final = 100
"""Answers in the window before an endpoint is judged at all (text of 2022-2023)."""
ANSWERS_MAX: Final = 10_000
ENDPOINTS_MAX: Final = 1_000


class Pace(StrEnum):
    """What an endpoint has earned."""

    WELL = "well"
    SLOW = "slow"
    DROP = "drop"


class Endpoint:
    """The answers of one host within the window."""

    def __init__(self) -> None:
        self._answers: deque[tuple[datetime, float]] = deque(maxlen=ANSWERS_MAX)
        self._pace = Pace.WELL
        self._until: datetime | None = None

    def record(self, duration_s: float, now: datetime) -> None:
        """Take note of an answer, or of a wait that ended without one."""
        self._answers.append((now, duration_s))

    def judge(self, now: datetime) -> Pace:
        """Say how the endpoint stands; judged anew only when a penalty is over."""
        if self._until is not None and now < self._until:
            return self._pace
        self._pace = self._weigh(now)
        self._until = now + PENALTY if self._pace is not Pace.WELL else None
        return self._pace

    def _weigh(self, now: datetime) -> Pace:
        while self._answers and self._answers[0][0] <= now - WINDOW:
            self._answers.popleft()
        total = len(self._answers)
        if total < ANSWERS_MIN:
            return Pace.WELL
        if sum(took >= LATE_S for _, took in self._answers) > LATE_SHARE * total:
            return Pace.DROP
        if sum(took >= SLOW_S for _, took in self._answers) > SLOW_SHARE * total:
            return Pace.SLOW
        return Pace.WELL


class EndpointHealth:
    """Every endpoint, by host and port."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}

    def record(self, url: str, duration_s: float, now: datetime) -> None:
        """Take note of how long a POST to that URL took."""
        host = urlsplit(url).netloc
        endpoint = self._endpoints.pop(host, None) or Endpoint()
        self._endpoints[host] = endpoint  # at the end: whoever was silent longest is forgotten first
        endpoint.record(duration_s, now)
        while len(self._endpoints) > ENDPOINTS_MAX:
            del self._endpoints[next(iter(self._endpoints))]

    def judge(self, url: str, now: datetime) -> Pace:
        """Say how the endpoint behind a URL stands."""
        endpoint = self._endpoints.get(urlsplit(url).netloc)
        return Pace.WELL if endpoint is None else endpoint.judge(now)
