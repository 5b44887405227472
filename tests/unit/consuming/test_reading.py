"""What cannot be read is said before Redis is asked for anything."""

from __future__ import annotations

from typing import Any

import pytest

from service.consuming.reading import updates
from service.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"redis_url": "htp://localhost"}, "REDIS_URL"),
        ({"stream": "a{b}"}, "no braces"),
        ({"partitions": 0}, "one partition"),
    ],
)
async def test_what_names_no_stream_is_refused_in_words(given: dict[str, Any], words: str) -> None:
    reading: Any = updates(**({"redis_url": "redis://localhost", "group": "planner"} | given))
    with pytest.raises(ConfigError, match=words):
        await anext(reading)
