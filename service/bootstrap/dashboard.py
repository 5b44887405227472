"""Builds the dashboard. It needs Redis alone: whichever role serves it, it shows the whole system."""

from __future__ import annotations

from service.bootstrap.deciding import take_redactor
from service.bootstrap.pulse import build_vitals_reader
from service.bootstrap.redis_side import Streams
from service.bootstrap.sign_in_side import take_terms
from service.clock import Clock, SystemClock
from service.cloud_events import Redactor
from service.dashboard.letters import Letters
from service.dashboard.live import LiveFeed
from service.dashboard.meetings import Meetings
from service.dashboard.observing import Observer, Sources
from service.dashboard.pages import load_pages
from service.dashboard.routes import Dashboard
from service.dashboard.sessions import Sessions
from service.limits.dashboard import take_live_limits, take_meeting_limits
from service.limits.deciding import take_decision_limits
from service.limits.keeper import take_message_kind
from service.replay.desk import DeadLetterDesk
from service.settings import Settings
from service.streams.server_facts import fetch_server_facts, probe_writes
from service.subscriptions.status_reader import StatusReader


def build_dashboard(settings: Settings, streams: Streams) -> Dashboard:
    """Build the dashboard; nothing is read before a page asks."""
    clock = SystemClock()
    redactor = take_redactor(settings)
    sessions = Sessions(
        settings.admin_token.get_secret_value(),
        clock,
        hours=settings.dashboard_session_hours,
        wrong_per_minute_max=settings.dashboard_logins_max,
    )
    observer = Observer(
        _build_sources(settings, streams, clock),
        redactor=redactor,
        sweep_interval_s=settings.sweep_interval_s,
        rows_max=settings.dashboard_rows_max,
    )
    return Dashboard(
        pages=load_pages(can_sign_out=sessions.is_needed),
        sessions=sessions,
        observer=observer,
        feed=LiveFeed(observer.look, clock, take_live_limits(settings)),
        meetings=_build_meetings(settings, streams, redactor),
        letters=Letters(
            DeadLetterDesk(streams.dead_letters, streams.intake),
            streams.records,
            redactor=redactor,
            entries_max=settings.replay_entries_max,
        ),
    )


def _build_sources(settings: Settings, streams: Streams, clock: Clock) -> Sources:
    return Sources(
        vitals=build_vitals_reader(settings, streams, minutes=settings.pulse_minutes),
        facts=lambda: fetch_server_facts(streams.link, streams.keys),
        probe_writes=lambda: probe_writes(streams.link, streams.keys),
        intake=streams.intake,
        status=StatusReader(
            records=streams.records,
            clock=clock,
            messages=take_message_kind(settings),
            terms=take_terms(settings),
            kept_s=settings.dashboard_interval_s,
        ),
        generation=streams.generation,
        updates=streams.updates,
    )


def _build_meetings(settings: Settings, streams: Streams, redactor: Redactor) -> Meetings:
    return Meetings(
        states=streams.states,
        records=streams.records,
        updates=streams.updates,
        keys=streams.keys,
        redactor=redactor,
        tolerance_ns=take_decision_limits(settings).tolerance_ns,
        limits=take_meeting_limits(settings),
    )
