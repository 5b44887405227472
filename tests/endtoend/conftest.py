"""Lets the judges' assertions say what differs."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.endtoend.judging", "tests.endtoend.people", "tests.schema")
