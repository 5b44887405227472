"""Every limit and wait as a setting, the unit last in its name; the defaults are what the tests run with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class WebLimitSettings(BaseSettings):
    """What the public listener and one request may cost."""

    body_bytes_max: Count = Field(4_000_000, description="of one request's body; more is 413")
    bodies_bytes_max: Count = Field(
        16_000_000, description="of all bodies that are arriving, together; beyond, the slowest is given up"
    )
    body_timeout_s: Seconds = Field(10.0, description="from a request's head to the end of its body")
    large_body_bytes: Count = Field(
        65_536,
        description="a body that costs more to read than one long text of so many bytes waits for its turn",
    )
    large_bodies_bytes_per_s: Count = Field(
        4_000_000, description="such bodies are read no faster, all together"
    )
    items_max: Count = Field(1000, description="notifications in one request")
    depth_max: Count = Field(32, description="levels of nesting in a body")
    validation_token_chars_max: Count = Field(2048, description="of a handshake's token")
    web_retry_after_s: Count = Field(10, description="what a 503 asks Graph to wait")
    connections_max: Count = Field(
        2000, description="open at the public listener; who keeps us waiting goes first"
    )
    tls_connections_max: Count = Field(
        64, description="the same where TLS ends here; each costs ten times as much"
    )
    keepalive_timeout_s: Seconds = Field(60.0, description="of a connection without a complete head")
    header_bytes_max: Count = Field(8190, description="of the request line and of one header")
    headers_max: Count = Field(64, description="headers of one request")
    heads_bytes_max: Count = Field(
        4_000_000, description="of all heads that are arriving, together; beyond, the largest is given up"
    )
    chunks_max: Count = Field(4096, description="pieces in which a body without a length may come")
    refusal_delay_s: Wait = Field(0.25, description="how long a refusal is held back; slows floods down")
    refusals_waiting_max: Count = Field(256, description="refusals held back at one time")
    answer_timeout_s: Seconds = Field(10.0, description="for a client to read what it is answered")
    tls_handshake_timeout_s: Seconds = Field(10.0, description="at the public listener")
    handshakes_max: Count = Field(
        64, description="TLS handshakes under way at one time; beyond, the oldest is broken off"
    )
    backlog_max: Count = Field(512, description="connections that the system holds before we take them")
    receive_buffer_bytes: Count = Field(
        65_536, description="what the system holds of what a connection brings; Linux takes it twice"
    )
    append_timeout_s: Seconds = Field(2.5, description="for storing a batch; after that it is 503")
    append_waiting_max: Count = Field(10_000, description="requests that wait to be stored; more are 503")


class RedisLimitSettings(BaseSettings):
    """What Redis may cost, and how long it keeps what."""

    redis_connect_timeout_s: Seconds = Field(2.0, description="to connect to Redis")
    redis_timeout_s: Seconds = Field(5.0, description="for one command")
    redis_reconnect_wait_max_s: Seconds = Field(1.0, description="between two tries to connect")
    redis_retries_max: Annotated[int, Field(ge=0)] = Field(
        3, description="more tries after a broken connection"
    )
    redis_connections_max: Count = Field(50, description="open at one time, per process")
    redis_idle_check_s: Seconds = Field(1.0, description="how long a silent connection is believed in")
    dead_letters_max: Count = Field(10_000, description="dead letters kept; the oldest go first")
    dead_letter_days: Count = Field(14, description="days that a dead letter is kept")
    forgotten_kept_s: Seconds = Field(
        3600.0, description="work begun before an owner was removed is refused for so long"
    )
    gone_kept_s: Seconds = Field(
        14_400.0, description="that an event was not found is remembered for so long"
    )
    state_lifetime_min_s: Seconds = Field(86_400.0, description="a meeting's state lives at least so long")


class WorkerLimitSettings(BaseSettings):
    """How the worker takes, retries and gives up."""

    in_flight_max: Count = Field(256, description="entries taken and not yet done, per worker")
    read_entries_max: Count = Field(64, description="entries asked for at once")
    read_block_s: Seconds = Field(1.0, description="how long a read waits for new entries")
    claim_idle_s: Seconds = Field(10.0, description="what another worker left for so long is taken over")
    claim_interval_s: Seconds = Field(2.0, description="how often that is looked for")
    due_interval_s: Seconds = Field(0.5, description="how often the due list is looked at")
    due_entries_max: Count = Field(200, description="entries released from the due list at once")
    deliveries_max: Count = Field(
        10, description="an entry handed out more often is dead-lettered: it kills workers"
    )
    outage_wait_s: Seconds = Field(1.0, description="pause after Redis failed")
    retry_attempts_max: Count = Field(20, description="tries while Graph is away or throttles")
    retry_doomed_attempts_max: Count = Field(4, description="tries where waiting seldom helps")
    retry_first_wait_s: Seconds = Field(0.5, description="before the first retry; doubles from there")
    retry_wait_max_s: Seconds = Field(300.0, description="before any retry: the largest back-off")
    retry_after_max_s: Seconds = Field(3600.0, description="Graph's own wish is honoured up to this")
    catch_up_wait_max_s: Wait = Field(
        60.0,
        description="after an outage, how long notifications wait until inboxes are read in order; 0: not",
    )
    backlog_lag_s: Seconds = Field(
        2.0, description="how old what waits for a worker is when messages go before events"
    )
    races_max: Count = Field(20, description="lost commits that are joined again before a retry")
    look_again_s: Seconds = Field(
        1800.0, description="after which a meeting that an answer made known is read again: two sweeps"
    )
    occurrences_read_max: Count = Field(50, description="held occurrences that are read along with a series")
    people_kept_max: Count = Field(10_000, description="people of the directory that a worker remembers")
    people_kept_s: Seconds = Field(900.0, description="how long they are, and a directory that is closed")
    people_lookups_max: Count = Field(20, description="people looked up for one entry")
    waiting_hours: Seconds = Field(72.0, description="how long answers wait for the event they answer")
    journal_max: Count = Field(12, description="answers of one attendee whose fate `explain` can tell")
    answers_held_max: Count = Field(
        32, description="slots of one event to which answers of one address are held; the oldest go first"
    )
    loose_answers_held_max: Count = Field(
        500, description="answers to one meeting of all who are on no event of it; the oldest go first"
    )


class GraphLimitSettings(BaseSettings):
    """What Graph and Entra ID may cost."""

    graph_timeout_s: Seconds = Field(30.0, description="for one request to Graph")
    graph_connect_timeout_s: Seconds = Field(10.0, description="to connect to Graph, TLS included")
    graph_requests_max: Count = Field(64, description="in flight at one time, all mailboxes together")
    mailbox_requests_max: Annotated[int, Field(ge=1, le=4)] = Field(
        4, description="in flight at one time for one mailbox; Graph allows 4"
    )
    mailbox_budget_max: Count = Field(
        4000,
        description="requests to one mailbox in 10 minutes, per process; Graph allows all of ours 10,000",
    )
    graph_budget_max: Count = Field(
        10_000, description="requests to all mailboxes in 10 seconds, per process; Graph allows 20,000"
    )
    graph_slow_s: Seconds = Field(5.0, description="a mailbox that takes longer shares no $batch with others")
    batch_window_s: Wait = Field(
        0.25, description="how long a fetch waits for others to share a $batch; 0 sends each alone"
    )
    subscribe_window_s: Wait = Field(
        0.05, description="how long a change of a subscription waits for others to share a $batch"
    )
    known_messages_max: Count = Field(
        10_000, description="messages a worker remembers to have read; announced again they are not read"
    )
    newest_messages_min: Annotated[int, Field(ge=2)] = Field(
        2, description="messages of one inbox in a window that are read as one list of its newest"
    )
    newest_messages_max: Count = Field(50, description="messages in one such list")
    newest_pause_s: Wait = Field(
        60.0, description="no such list after one that was refused, or was full and held less than half"
    )
    token_timeout_s: Seconds = Field(15.0, description="for one request to the authority")
    token_renew_margin_s: Seconds = Field(300.0, description="a token is renewed so long before its end")
    token_denied_pause_s: Seconds = Field(
        60.0, description="a token older than this is renewed where Graph denies access"
    )
    sign_in_look_s: Seconds = Field(1.0, description="between two looks at whether somebody signed in or out")
    sign_in_check_interval_s: Seconds = Field(
        3600.0, description="between two uses of each sign-in, so that none ends for want of use"
    )
    sign_in_idle_days: Seconds = Field(90.0, description="days unused after which Entra ID ends a sign-in")
    sign_in_warn_days: Seconds = Field(14.0, description="days before its end that a sign-in is warned of")
    token_error_memory_s: Seconds = Field(
        5.0, description="a refusal of the authority is not asked for again"
    )
    answer_bytes_max: Count = Field(16_777_216, description="of one answer of Graph")


class RichLimitSettings(BaseSettings):
    """What rich notifications may cost, and how long keys and tokens are kept."""

    content_chars_max: Count = Field(
        262_144, description="of one item's ciphertext; of a larger the item is fetched"
    )
    tokens_max: Count = Field(10, description="validation tokens of one request; with more it is dropped")
    tokens_chars_max: Count = Field(32_768, description="characters of all of them together")
    tokens_kept_s: Seconds = Field(86_400.0, description="how long they wait for the worker")
    tokens_read_kept_s: Seconds = Field(600.0, description="how long they stay once one was judged")
    token_verdicts_max: Count = Field(1000, description="validation tokens whose verdict a worker remembers")
    token_skew_s: Wait = Field(300.0, description="by how much the authority's clock may differ from ours")
    decryptions_max: Count = Field(4, description="items decrypted at one time, per worker")
    keys_look_s: Wait = Field(10.0, description="how often `ENCRYPTION_KEY_FILE` is looked at for new keys")
    signing_keys_fresh_s: Seconds = Field(
        3600.0, description="how long the authority's keys are not asked for again"
    )
    signing_keys_pause_s: Seconds = Field(30.0, description="between two fetches because a key is not known")
    signing_keys_kept_s: Seconds = Field(
        14_400.0, description="how long a key is honoured that the authority shows no more"
    )


class KeeperLimitSettings(BaseSettings):
    """How the keeper subscribes, reads and tries again."""

    lease_s: Seconds = Field(5.0, description="a keeper that dies is succeeded after at most so long")
    keeper_tick_s: Seconds = Field(0.5, description="between two looks at what is due")
    keeper_put_off_s: Seconds = Field(0.5, description="how long a duty waits that cannot begin yet")
    resolves_max: Count = Field(16, description="owners looked up at one time")
    subscribes_max: Count = Field(80, description="subscriptions made or renewed at one time")
    deletes_max: Count = Field(4, description="subscriptions deleted at one time")
    inbox_reads_max: Count = Field(16, description="inboxes read by delta query at one time")
    calendar_reads_max: Count = Field(16, description="calendars read by delta query at one time")
    resolve_interval_s: Seconds = Field(900.0, description="between two looks at an owner's delegates")
    forget_again_s: Seconds = Field(
        5.0, description="between two purges of a removed owner, until their subscriptions are deleted"
    )
    compare_interval_s: Seconds = Field(900.0, description="the longest between two comparisons with Graph")
    compare_interval_min_s: Seconds = Field(60.0, description="the shortest between two, with few held")
    compare_per_subscription_s: Wait = Field(
        0.5, description="so long for each that the last comparison listed, in between"
    )
    clock_jump_s: Seconds = Field(60.0, description="a jump of Graph's clock that makes the keeper compare")
    witness_interval_s: Seconds = Field(1.0, description="how often web and worker look for an older state")
    evidence_interval_s: Seconds = Field(
        3600.0, description="after so long without a renewal one is renewed, as evidence against old backups"
    )
    evidence_slack_s: Seconds = Field(300.0, description="how late a renewal may be without being evidence")
    outcome_kept_s: Seconds = Field(3600.0, description="of a command's request, where nobody reads it")
    outcome_failures_max: Count = Field(50, description="failures that a request's outcome says in words")
    reauthorize_quiet_s: Seconds = Field(600.0, description="between two touches of one subscription")
    renew_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="part of a lifetime that is always left"
    )
    renew_floor_s: Seconds = Field(3600.0, description="at least so much is left, up to half the lifetime")
    renew_jitter_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.15, description="part of a lifetime over which renewals are spread"
    )
    lifetime_margin_s: Seconds = Field(60.0, description="kept below Graph's limit, because clocks differ")
    window_days_back_max: Count = Field(30, description="how far back messages are read after a silence")
    mailbox_overlap_s: Wait = Field(
        600.0, description="with `MESSAGES=mailbox`, how far before the last sweep the next one begins"
    )
    pages_per_turn_max: Count = Field(50, description="pages of one mailbox before others get their turn")
    append_entries_max: Count = Field(200, description="entries that a delta query stores at once")
    mark_again_s: Seconds = Field(600.0, description="when the end of a baseline is marked once more")
    heard_interval_s: Seconds = Field(5.0, description="how often it is noted who was heard of")
    silence_after_s: Seconds = Field(300.0, description="a notification so late is taken not to come")
    silence_slack_s: Seconds = Field(15.0, description="how much older a note may be than its notification")
    passing_wait_s: Seconds = Field(1.0, description="first wait after what passes by itself; doubles")
    passing_wait_max_s: Seconds = Field(30.0, description="the longest of these")
    lasting_wait_s: Seconds = Field(30.0, description="first wait after what somebody must repair; doubles")
    lasting_wait_max_s: Seconds = Field(3600.0, description="the longest of these")


class RoleLimitSettings(BaseSettings):
    """How a process starts and stops."""

    drain_s: Seconds = Field(20.0, description="how long a stopping process waits for what it has taken")
    traces_flush_s: Seconds = Field(5.0, description="how long it then sends what is left of traces")


class PulseLimitSettings(BaseSettings):
    """What each process tells of itself, for the dashboard."""

    pulse_interval_s: Seconds = Field(5.0, description="how often a process tells of itself")
    pulse_forget_s: Seconds = Field(600.0, description="a process silent for so long is shown no more")
    pulse_processes_max: Count = Field(200, description="processes that are shown")
    pulse_minutes: Count = Field(60, description="minutes for which the dashboard has figures")
    consumer_groups_max: Count = Field(
        50, description="consumer groups, of all partitions together, that are measured; the furthest behind"
    )
    consumer_headroom_min_fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="of STREAM_MAXLEN; a consumer group that has less left before it loses updates is told",
    )


class DashboardLimitSettings(BaseSettings):
    """What the dashboard may cost."""

    dashboard_clients_max: Count = Field(20, description="pages that are kept up to date, per process")
    dashboard_interval_s: Seconds = Field(2.0, description="between two looks, and so two messages to a page")
    dashboard_rows_max: Count = Field(500, description="mailboxes or meetings that a page lists, worst first")
    dashboard_meetings_max: Count = Field(2000, description="meetings that one search looks at")
    dashboard_search_s: Seconds = Field(5.0, description="for one search")
    dashboard_session_hours: Seconds = Field(12.0, description="after signing in with ADMIN_TOKEN")
    dashboard_logins_max: Count = Field(10, description="wrong tokens per minute, then nobody may sign in")


class CommandLimitSettings(BaseSettings):
    """What a command may read."""

    explain_updates_max: Count = Field(100_000, description="updates in which `explain` looks for its own")
    replay_entries_max: Count = Field(
        1000, description="dead letters that one `replay` lists, requeues or drops"
    )


class LimitSettings(
    WebLimitSettings,
    RedisLimitSettings,
    WorkerLimitSettings,
    GraphLimitSettings,
    RichLimitSettings,
    KeeperLimitSettings,
    RoleLimitSettings,
    PulseLimitSettings,
    DashboardLimitSettings,
    CommandLimitSettings,
):
    """All of them."""
