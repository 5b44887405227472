"""The limits and waits of the keeper, taken out of the settings."""

from __future__ import annotations

from typing import Final

from service.intake.client_state import ResourceKind
from service.settings import MessageScope, Settings
from service.subscriptions.answering import AnsweringLimits
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.comparing import ComparingLimits
from service.subscriptions.faults import Backoff
from service.subscriptions.keeper import KeeperLimits
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.plan import Margins
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.resync import Window
from service.subscriptions.schedule import DutyKind
from service.subscriptions.silence import SilenceLimits
from service.subscriptions.subscribing import SubscribingLimits

INBOX_READS_PER_SWEEP: Final = 20
"""So often at most is an inbox read in a sweep's interval because of the calendars it belongs to."""


def take_keeper_options(settings: Settings) -> KeeperOptions:
    """Give the limits and waits of the keeper."""
    return KeeperOptions(
        messages=take_message_kind(settings),
        lifetime_s=settings.subscription_minutes * 60.0,
        lifetime_margin_s=settings.lifetime_margin_s,
        lease_s=settings.lease_s,
        pages_per_turn=settings.pages_per_turn_max,
        entries_per_append=settings.append_entries_max,
        window=Window(
            days_back=settings.window_days_back,
            days_ahead=settings.window_days_ahead,
            days_back_max=max(settings.window_days_back_max, settings.window_days_back),
            overlap_s=settings.mailbox_overlap_s,
        ),
        backoff=Backoff(
            passing_s=settings.passing_wait_s,
            passing_max_s=settings.passing_wait_max_s,
            lasting_s=settings.lasting_wait_s,
            lasting_max_s=settings.lasting_wait_max_s,
        ),
        keeper=_take_keeper_limits(settings),
        owners=OwnerLimits(
            resolve_interval_s=settings.resolve_interval_s, forget_again_s=settings.forget_again_s
        ),
        subscribing=_take_subscribing_limits(settings),
        comparing=_take_comparing_limits(settings),
        answering=AnsweringLimits(
            outcome_kept_s=settings.outcome_kept_s, failures_max=settings.outcome_failures_max
        ),
        reading=_take_reading_limits(settings),
    )


def take_message_kind(settings: Settings) -> ResourceKind:
    """Give which messages of a mailbox are watched."""
    is_inbox = settings.messages is MessageScope.INBOX
    return ResourceKind.INBOX if is_inbox else ResourceKind.MAILBOX_MESSAGES


def _take_keeper_limits(settings: Settings) -> KeeperLimits:
    return KeeperLimits(
        tick_s=settings.keeper_tick_s,
        outage_wait_s=settings.outage_wait_s,
        put_off_s=settings.keeper_put_off_s,
        stop_s=settings.drain_s,
        inbox_fresh_s=settings.sweep_interval_s / INBOX_READS_PER_SWEEP,
        places={
            DutyKind.RESOLVE: settings.resolves_max,
            DutyKind.COMPARE: 1,
            DutyKind.SUBSCRIBE: settings.subscribes_max,
            DutyKind.DELETE: settings.deletes_max,
            DutyKind.READ_MESSAGES: settings.inbox_reads_max,
            DutyKind.READ_EVENTS: settings.calendar_reads_max,
        },
    )


def _take_subscribing_limits(settings: Settings) -> SubscribingLimits:
    return SubscribingLimits(
        margins=Margins(
            fraction=settings.renew_fraction,
            floor_s=settings.renew_floor_s,
            jitter_fraction=settings.renew_jitter_fraction,
        ),
        reauthorize_quiet_s=settings.reauthorize_quiet_s,
    )


def _take_comparing_limits(settings: Settings) -> ComparingLimits:
    return ComparingLimits(
        interval_s=settings.compare_interval_s,
        interval_min_s=settings.compare_interval_min_s,
        interval_per_subscription_s=settings.compare_per_subscription_s,
        clock_jump_s=settings.clock_jump_s,
        evidence_interval_s=settings.evidence_interval_s,
        evidence_slack_s=settings.evidence_slack_s,
    )


def _take_reading_limits(settings: Settings) -> ReadingLimits:
    return ReadingLimits(
        sweep_interval_s=settings.sweep_interval_s,
        full_resync_s=settings.full_resync_hours * 3600,
        mark_again_s=settings.mark_again_s,
        silence=SilenceLimits(after_s=settings.silence_after_s, slack_s=settings.silence_slack_s),
    )
