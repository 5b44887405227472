"""The whole service from outside: separate processes, judged by what people did, never by its own rules."""

import pytest

pytest.register_assert_rewrite("tests.endtoend.judging", "tests.endtoend.people", "tests.endtoend.settling")
