"""Errors of the client library become ours, and values take the form that Redis wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from redis import exceptions as redis_errors

from service.errors import ConflictingVersionError, FencedError, GenerationMissingError, StreamError
from service.streams.link import GroupMissingError, pair_up, to_duration_ms, to_ms, translate_error

_REFUSED = {GenerationMissingError, ConflictingVersionError, FencedError, GroupMissingError}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis_errors.ResponseError("GENERATIONMISSING the state was lost"), GenerationMissingError),
        (redis_errors.ResponseError("VERSIONCONFLICT the state has changed"), ConflictingVersionError),
        (redis_errors.ResponseError("FENCED another holds the lease"), FencedError),
        (redis_errors.ResponseError("NOGROUP No such key 'a' or consumer group 'b'"), GroupMissingError),
        (redis_errors.ResponseError("UNBLOCKED the stream key no longer exists"), GroupMissingError),
        (redis_errors.ResponseError("WRONGTYPE of a key"), StreamError),
        (redis_errors.ResponseError(""), StreamError),
        (redis_errors.ReadOnlyError("You can't write against a read only replica."), StreamError),
        (redis_errors.OutOfMemoryError("command not allowed"), StreamError),
        (redis_errors.ConnectionError("Error 111"), StreamError),
        (redis_errors.TimeoutError("Timeout reading"), StreamError),
        (redis_errors.AuthenticationError("WRONGPASS"), StreamError),
        (TimeoutError(), StreamError),
        (redis_errors.ClusterDownError("CLUSTERDOWN"), StreamError),
        (redis_errors.RedisClusterException("no node"), StreamError),
        (OSError("unreachable"), StreamError),
    ],
)
def test_error_of_redis_becomes_ours(error: Exception, expected: type[StreamError]) -> None:
    translated = translate_error(error)
    assert isinstance(translated, expected)
    assert isinstance(translated, tuple(_REFUSED)) == (expected in _REFUSED)


def test_error_tells_a_full_server_from_one_that_is_away() -> None:
    full = translate_error(redis_errors.OutOfMemoryError("used memory > 'maxmemory'"))
    away = translate_error(redis_errors.ConnectionError("Connection refused"))
    assert str(full) == "Redis is full and takes no writes: used memory > 'maxmemory'"
    assert str(away) == "Redis is away: Connection refused"


def test_instants_are_cut_to_milliseconds_without_float_error() -> None:
    at = datetime(2026, 11, 24, 5, 16, 48, 893999, tzinfo=UTC)
    assert to_ms(at) == 1795497408893
    assert to_ms(at.astimezone(timezone(timedelta(hours=5, minutes=30)))) == 1795497408893


@pytest.mark.parametrize(("seconds", "ms"), [(0, 1), (0.0001, 1), (0.0015, 2), (1.5, 1500), (-1, 1)])
def test_durations_are_whole_milliseconds_and_never_zero(seconds: float, ms: int) -> None:
    assert to_duration_ms(seconds) == ms


def test_flat_fields_are_paired_up() -> None:
    assert pair_up(["a", "1", "b", ""]) == {"a": "1", "b": ""}
