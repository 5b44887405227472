"""The bounds of the worker's loop, reads and retries, taken out of the settings."""

from __future__ import annotations

from service.pipeline.backlog import BacklogLimits
from service.pipeline.calendar import CalendarLimits
from service.pipeline.catching_up import CatchUpLimits
from service.pipeline.known import KnownLimits
from service.pipeline.people import PeopleLimits
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import WorkerLimits
from service.settings import Settings


def take_backlog_limits(settings: Settings) -> BacklogLimits:
    """Give how far behind a worker is when events go behind messages, and how long they do."""
    return BacklogLimits(lag_s=settings.backlog_lag_s, wait_max_s=settings.catch_up_wait_max_s)


def take_calendar_limits(settings: Settings) -> CalendarLimits:
    """Give the bounds of reading along."""
    return CalendarLimits(occurrences_max=settings.occurrences_read_max, tolerance_s=settings.tolerance_s)


def take_known_limits(settings: Settings) -> KnownLimits:
    """Give how many messages are remembered to have been read."""
    return KnownLimits(messages_max=settings.known_messages_max)


def take_catch_up_limits(settings: Settings) -> CatchUpLimits:
    """Give how long what came during an outage waits for the inboxes to be read."""
    return CatchUpLimits(wait_max_s=settings.catch_up_wait_max_s)


def take_people_limits(settings: Settings) -> PeopleLimits:
    """Give the bounds of looking people up."""
    return PeopleLimits(
        kept_max=settings.people_kept_max,
        kept_s=settings.people_kept_s,
        lookups_max=settings.people_lookups_max,
    )


def take_worker_limits(settings: Settings) -> WorkerLimits:
    """Give the bounds of the worker's loop."""
    return WorkerLimits(
        in_flight_max=settings.in_flight_max,
        read_count=settings.read_entries_max,
        block_s=settings.read_block_s,
        claim_idle_s=settings.claim_idle_s,
        claim_every_s=settings.claim_interval_s,
        due_every_s=settings.due_interval_s,
        due_count=settings.due_entries_max,
        deliveries_max=settings.deliveries_max,
        outage_wait_s=settings.outage_wait_s,
        drain_s=settings.drain_s,
        look_behind_s=settings.batch_window_s,
    )


def take_retry_limits(settings: Settings) -> RetryLimits:
    """Give the bounds of retrying."""
    return RetryLimits(
        attempts_max=settings.retry_attempts_max,
        doomed_attempts_max=settings.retry_doomed_attempts_max,
        first_wait_s=settings.retry_first_wait_s,
        wait_max_s=settings.retry_wait_max_s,
        retry_after_max_s=settings.retry_after_max_s,
    )
