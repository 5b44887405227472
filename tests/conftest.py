"""What holds for every test: logging is as it was before, and what it wrote is kept until the last one.

On the server, a skipped test has failed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import ClassVar

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.test_secrets_of_the_suite import CAPTURED

# Nothing is asserted of real time: how long an example takes tells of the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give the process its logging back, whatever a test or a command set up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the tests that look back on all others run last, whatever the order."""
    config.stash[CAPTURED] = _Recorder.captured
    config.pluginmanager.register(_Recorder(), "recorder-of-what-tests-write")
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


class _Recorder:
    """Keeps what each test wrote."""

    captured: ClassVar[dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what was captured up to now; of the last phase that has everything."""
        text = "\n".join(content for _, content in report.sections)
        if text:
            self.captured[f"what {report.nodeid} wrote"] = text


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
