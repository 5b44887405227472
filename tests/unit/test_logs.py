"""What a log entry looks like, and what never gets into one."""

from __future__ import annotations

import errno
import io
import json
import logging

import pytest
import structlog

from service.logs import Scrubber, configure_logs
from service.settings import LogFormat, LogLevel


def configure(
    level: LogLevel = LogLevel.INFO, log_format: LogFormat = LogFormat.AUTO, secrets: tuple[str, ...] = ()
) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(level=level, format=log_format, stream=stream, secrets=secrets)
    return stream


def test_an_entry_is_one_line_of_json_where_there_is_no_terminal() -> None:
    stream = configure()

    structlog.get_logger().info("role.started", role="web", port=8080)

    entry = json.loads(stream.getvalue())
    assert entry.pop("at").endswith("Z")
    assert entry == {"event": "role.started", "level": "info", "role": "web", "port": 8080}
    assert stream.getvalue().count("\n") == 1


def test_a_level_below_the_threshold_is_not_written() -> None:
    stream = configure(LogLevel.WARNING)

    structlog.get_logger().info("role.started")

    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"access_token": "abc"}, {"access_token": "***"}),
        ({"client_state": "abc", "Authorization": "x"}, {"client_state": "***", "Authorization": "***"}),
        ({"subject": "Let's have lunch", "body": "text"}, {"subject": "***", "body": "***"}),
        ({"deep": {"client_secret": "abc", "n": 1}}, {"deep": {"client_secret": "***", "n": 1}}),
        ({"header": "Bearer abc.def-ghi"}, {"header": "***"}),
        ({"text": "got eyJhbGciOi.eyJzdWIi.c2ln today"}, {"text": "got *** today"}),
        ({"url": "redis://user:pass@host:1/0"}, {"url": "redis://***@host:1/0"}),
        ({"mailbox": "Adele.V@contoso.com"}, {"mailbox": "A...@contoso.com"}),
        ({"paths": ["a@contoso.com", 3]}, {"paths": ["a...@contoso.com", 3]}),
        ({"resource": "users/adele@contoso.com/events"}, {"resource": "users/a...@contoso.com/events"}),
        ({"duration_ms": 1.5, "ok": True, "none": None}, {"duration_ms": 1.5, "ok": True, "none": None}),
    ],
)
def test_what_no_log_may_hold_is_taken_out(given: dict[str, object], expected: dict[str, object]) -> None:
    assert Scrubber()(None, "info", dict(given)) == expected


def test_known_secrets_are_taken_out_wherever_they_stand() -> None:
    stream = configure(secrets=("the-client-secret-itself", "the-client-secret"))

    structlog.get_logger().info("role.stopped", outcome="failed at the-client-secret-itself, then x")

    assert json.loads(stream.getvalue())["outcome"] == "failed at ***, then x"


def test_whole_addresses_are_shown_at_debug_only() -> None:
    stream = configure(LogLevel.DEBUG)

    structlog.get_logger().info("role.started", mailbox="adele@contoso.com")

    assert json.loads(stream.getvalue())["mailbox"] == "adele@contoso.com"


def test_an_exception_is_written_without_its_secrets() -> None:
    stream = configure()

    error = RuntimeError("no luck with adele@contoso.com and Bearer abc")
    structlog.get_logger().error("role.stopped", outcome="failed", exc_info=error)

    entry = json.loads(stream.getvalue())
    assert "RuntimeError: no luck with a...@contoso.com and ***" in entry["exception"]


def test_libraries_log_through_the_same_chain() -> None:
    stream = configure()

    logging.getLogger("aiohttp.server").warning("refused %s", "Bearer abc")
    logging.getLogger("aiohttp.access").info("not of interest")

    entry = json.loads(stream.getvalue())
    entry.pop("at")
    assert entry == {
        "event": "library.logged",
        "level": "warning",
        "logger": "aiohttp.server",
        "message": "refused ***",
    }


def test_foreign_text_cannot_move_the_cursor_of_a_terminal() -> None:
    stream = configure(log_format=LogFormat.TEXT)

    structlog.get_logger().info("role.started", role="\x1b[2Jweb\r\u202e")

    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_a_full_disk_costs_lines_and_stops_nobody() -> None:
    class FullDisk(io.StringIO):
        """Takes lines again once there is room."""

        has_room = False

        def write(self, text: str) -> int:
            if not self.has_room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

    stream = FullDisk()
    configure_logs(level=LogLevel.INFO, format=LogFormat.AUTO, stream=stream)

    structlog.get_logger().info("role.started", role="lost")
    stream.has_room = True
    structlog.get_logger().info("role.started", role="web")

    assert json.loads(stream.getvalue())["role"] == "web"
