"""What the public listener and one request may cost, taken out of the settings."""

from __future__ import annotations

from service.intake.carried import CarriedLimits
from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from service.settings import Settings


def take_webhook_limits(settings: Settings) -> WebhookLimits:
    """Give what one request may cost."""
    return WebhookLimits(
        body_bytes_max=settings.body_bytes_max,
        bodies_bytes_max=settings.bodies_bytes_max,
        body_timeout_s=settings.body_timeout_s,
        large_body_bytes=settings.large_body_bytes,
        large_bodies_bytes_per_s=settings.large_bodies_bytes_per_s,
        token_chars_max=settings.validation_token_chars_max,
        retry_after_s=settings.web_retry_after_s,
    )


def take_carried_limits(settings: Settings) -> CarriedLimits:
    """Give what may be stored of resource data and of validation tokens."""
    return CarriedLimits(
        content_chars_max=settings.content_chars_max,
        tokens_max=settings.tokens_max,
        tokens_chars_max=settings.tokens_chars_max,
    )


def take_listener_limits(settings: Settings) -> ListenerLimits:
    """Give what connections may cost."""
    return ListenerLimits(
        connections_max=settings.connections_max,
        tls_connections_max=settings.tls_connections_max,
        keepalive_timeout_s=settings.keepalive_timeout_s,
        header_bytes_max=settings.header_bytes_max,
        headers_max=settings.headers_max,
        heads_bytes_max=settings.heads_bytes_max,
        chunks_max=settings.chunks_max,
        refusal_delay_s=settings.refusal_delay_s,
        refusals_waiting_max=settings.refusals_waiting_max,
        answer_timeout_s=settings.answer_timeout_s,
        tls_handshake_timeout_s=settings.tls_handshake_timeout_s,
        handshakes_max=settings.handshakes_max,
        stop_timeout_s=settings.drain_s,
        backlog=settings.backlog_max,
        receive_buffer_bytes=settings.receive_buffer_bytes,
    )
