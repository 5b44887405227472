"""Every event name that the service logs, and what it tells. README lists them; a test holds all three equal.

A name is `noun.past_verb` and holds no value; values are keys.
"""

from __future__ import annotations

from typing import Final

EVENTS: Final[dict[str, str]] = {
    "admin.listening": "the admin listener is up",
    "authority.fetch_failed": "issuers and signing keys could not be fetched; those held serve on",
    "authority.fetched": "issuers and signing keys of validation tokens were fetched",
    "consumer.fell_behind": (
        "a consumer group has less than `CONSUMER_HEADROOM_MIN_FRACTION` left before it loses updates"
    ),
    "consumer.lost_updates": (
        "updates were trimmed before a consumer group had read them; `trimmed` says how many"
    ),
    "entry.dead_lettered": "an entry was given up; `reason` and `detail` say why",
    "entry.deferred": "an entry failed and is tried again after `wait_s`",
    "generation.begun": "there was no state, or it was lost: all is read anew, under new epochs",
    "generation.went_back": "Redis holds an older state, as of a backup; `evidence`: memory or graph",
    "graph.part_answered": "a part of a `$batch` was answered (debug)",
    "graph.payload_noted": "members of an answer of Graph could not be understood; `notes` names them",
    "graph.request_answered": "Graph answered a request (debug)",
    "graph.request_held_back": "a request was not sent: a mailbox has to wait, or a budget is spent (debug)",
    "graph.request_throttled": "Graph asked to wait",
    "intake.connected": "web is connected to Redis and stores what comes",
    "intake.disconnected": "web lost Redis: notifications are answered with 503",
    "key.refused": "a file of `ENCRYPTION_KEY_FILE` cannot be used; `fault` says why",
    "keeper.duty_failed": "a duty met an error that nobody foresaw; it is tried again",
    "keeper.left_late": "a stopping keeper could not end everything in time",
    "keeper.outage_met": "Redis is away; the keeper waits",
    "keeper.term_begun": "this keeper leads now",
    "library.logged": "a library had something to say; `logger`, `message`",
    "lifecycle.received": "Graph sent a lifecycle notification, or a baseline ended",
    "lifecycle.unknown": "Graph sent a lifecycle notification of a kind that is not known",
    "mailbox.accessed": "audit: Graph answered a request about a mailbox; `mailbox`, `kind`, `status`",
    "mailbox.read": "a round of delta queries over a mailbox is complete",
    "mailbox.read_failed": "a mailbox could not be read; `words` says why and what to do",
    "notification.forged": "no good validation token vouches for a notification; `reason`; it was dropped",
    "notification.processed": "an entry came to its end; this line tells its whole story",
    "notification.refused": "a request or an item of it was refused; `reason` (debug)",
    "notification.unread": "an item that was to come along is fetched; `reason`, and in `words` what to do",
    "owner.baselined": "an owner's first full read is complete",
    "owner.lookup_failed": "an entry of the roster could not be looked up; `words` says why",
    "owner.removed": "an owner left the roster and is purged",
    "pulse.chore_failed": "old dead letters or idle consumers could not be taken away this minute (debug)",
    "pulse.lost": "this process could not tell of itself in Redis; the dashboard does not see it",
    "redis.awaited": "a starting role waits for Redis",
    "role.started": "a role does its work",
    "role.stopped": "a role ended; `outcome`",
    "role.stopping": "a signal came: what was taken is finished",
    "setting.not_known": "a variable looks like a setting and is none: most likely misspelt",
    "subscription.adopted": "a subscription in Graph was ours already",
    "subscription.asked_less": "Graph refused what was to come along; less is asked for, the rest is fetched",
    "subscription.created": "a subscription was made",
    "subscription.deleted": "a subscription was ended",
    "subscription.failed": "a subscription could not be made, renewed or ended; `words` says why",
    "subscription.fell_silent": "notifications stay away although things change; it is made anew",
    "subscription.renewed": "a subscription's end was moved",
    "subscriptions.comparison_failed": "Graph could not be asked what it holds",
    "token.acquired": "an access token was got",
    "token.refused": "no access token was to be had; `outcome` is the code",
    "tracing.left_late": "a process that ended could not send all spans within `TRACES_FLUSH_S`",
    "tracing.left_off": "traces are asked for and cannot be sent; `words` says why and what to do",
    "tracing.started": "spans are recorded and sent",
    "web.files_limited": "the system allows too few open files for CONNECTIONS_MAX",
    "web.listening": "the public listener is up",
    "web.request_failed": "a request met an error that nobody foresaw",
    "worker.catching_up": "after an outage notifications wait until inboxes were read in order",
    "worker.caught_up": "no notification waits any more; `put_off` says how often one did",
    "worker.outage_met": "Redis is away; the worker waits, what it took stays pending",
}
