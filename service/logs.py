"""Structured logs: the chain that every entry passes. Event names stand in `log_events.py`.

No entry carries a subject, a body, a token, a client state or a whole address: `Scrubber` is the last to
touch it, also for what libraries log.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog

from service.settings import LogFormat, LogLevel

_HIDDEN: Final = "***"
_SECRET_KEYS: Final = re.compile(
    r"token(?!_(count|endpoint))|secret|password|authorization|client_state|clientstate|assertion|subject|body|comment",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"(?i)\bbearer\s+\S+|\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?")
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_ADDRESS: Final = re.compile(r"([^\s@<>\"'(),;:=/\[\]]{1,64})@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Entry = MutableMapping[str, Any]


class Scrubber:
    """Takes out of an entry what no log may hold.

    Args:
        secrets: texts that are replaced wherever they stand.
        shows_addresses: leave whole addresses; for `debug` only.
    """

    def __init__(self, secrets: Iterable[str] = (), *, shows_addresses: bool = False) -> None:
        longest_first = sorted({text for text in secrets if len(text) >= 8}, key=len, reverse=True)
        alternatives = "|".join(re.escape(text) for text in longest_first)
        self._secrets = re.compile(alternatives) if alternatives else None
        self._shows_addresses = shows_addresses

    def __call__(self, _logger: Any, _method: str, entry: Entry) -> Entry:
        """Clean every value; keys that promise a secret lose theirs whole."""
        return {key: self._clean_member(key, value) for key, value in entry.items()}

    def clean_text(self, text: str) -> str:
        """Clean one text."""
        if self._secrets is not None:
            text = self._secrets.sub(_HIDDEN, text)
        text = _USERINFO.sub(f"{_HIDDEN}@", _TOKEN.sub(_HIDDEN, text))
        return text if self._shows_addresses else _ADDRESS.sub(_mask_address, text)

    def _clean_member(self, key: str, value: Any) -> Any:
        if _SECRET_KEYS.search(key) and isinstance(value, str | bytes | list | dict):
            return _HIDDEN
        return self._clean(value)

    def _clean(self, value: Any) -> Any:
        match value:
            case str():
                return self.clean_text(value)
            case None | bool() | int() | float():
                return value
            case dict():
                return {str(key): self._clean_member(str(key), member) for key, member in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(member) for member in value]
            case _:
                return self.clean_text(str(value))


def _mask_address(found: re.Match[str]) -> str:
    """Leave of an address its first letter and its domain: enough to recognise, too little to write to."""
    return f"{found[1][0]}...@{found[2]}"


def configure_logs(
    *,
    level: LogLevel,
    format: LogFormat,  # noqa: A002 - the setting's name
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Set up structlog and the standard library's logging alike; call once, first thing.

    Args:
        stream: standard output if not given.
        secrets: texts that must never be written.
    """
    stream = stream or sys.stdout
    shared = _build_chain(Scrubber(secrets, shows_addresses=level is LogLevel.DEBUG))
    renderer = _choose_renderer(format, stream)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Output(stream))),
        cache_logger_on_first_use=False,
    )
    _adopt_libraries(shared, renderer, stream, threshold)


class _Output:
    """Where lines go. One that cannot be written is lost: a full disk must not stop the work it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # full, or closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _build_chain(scrubber: Scrubber) -> list[structlog.typing.Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        scrubber,
    ]


def _choose_renderer(chosen: LogFormat, stream: TextIO) -> structlog.typing.Processor:
    if chosen is LogFormat.TEXT or (chosen is LogFormat.AUTO and stream.isatty()):
        return _TextRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(entry: object, **_: Any) -> str:
    return json.dumps(entry, ensure_ascii=True, default=str)


class _TextRenderer:
    """Lines for a person; foreign text cannot move the cursor or forge a line."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        )

    def __call__(self, logger: Any, method: str, entry: Entry) -> str:
        safe = {
            key: escape_controls(value) if isinstance(value, str) else value for key, value in entry.items()
        }
        return str(self._render(logger, method, safe))


def escape_controls(text: str) -> str:
    """Give the text with control characters written out; line breaks inside tracebacks and tabs stay."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _adopt_libraries(
    shared: list[structlog.typing.Processor],
    renderer: structlog.typing.Processor,
    stream: TextIO,
    threshold: int,
) -> None:
    """Send what libraries log through the same chain; theirs is shown from warning on."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_name_foreign, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def _name_foreign(_logger: Any, _method: str, entry: Entry) -> Entry:
    record = entry.get("_record")
    entry["message"] = entry.pop("event", "")
    entry["event"] = "library.logged"
    entry["logger"] = getattr(record, "name", "")
    return entry
