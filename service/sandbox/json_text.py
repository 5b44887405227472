"""Reads JSON that clients send. Pure; must never let anything in that no answer could hold."""

from __future__ import annotations

import json
from typing import Any


def read_json(raw: bytes) -> Any:
    """Read JSON whose every text can be written again.

    Raises:
        ValueError: no JSON, or half of a surrogate pair in it.
        RecursionError: nested too deeply.
    """
    value = json.loads(raw)
    json.dumps(value, ensure_ascii=False).encode()
    return value
