"""What holds for every test: on the server, a test that is skipped has failed."""

from __future__ import annotations

import os

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run fails although nothing is red."""
    if _has_forbidden_skips(terminalreporter.config):
        terminalreporter.write_line("CI: tests were skipped, which counts as a failure here.", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn skips into a failure of the run."""
    if exitstatus == pytest.ExitCode.OK and _has_forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _has_forbidden_skips(config: pytest.Config) -> bool:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    return bool(os.environ.get("CI")) and bool(skipped)
