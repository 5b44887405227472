"""Mutants that change nothing that could be observed, each with the reason. The key is `file: change`."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
