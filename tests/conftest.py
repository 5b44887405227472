"""What holds for every test: logging is as it was before, and nothing it wrote holds a secret.

On the server, a skipped test has failed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.leaks import find_leaks, read_secrets

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


class _Recorder:
    """Keeps what each test wrote to standard output and error and logged, by its name."""

    def __init__(self) -> None:
        self.captured: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what was captured up to now; of the last phase that has everything."""
        text = "\n".join(content for _, content in report.sections)
        if text:
            self.captured[f"what {report.nodeid} wrote"] = text


_RECORDER: Final = _Recorder()


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that every report reaches, of however many that run tests."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_RECORDER, "recorder-of-what-tests-write")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run fails although nothing is red."""
    for fault in _find_faults_of_the_run(terminalreporter.config):
        terminalreporter.write_line(fault, red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run whose every test passed, but that skipped some on the server or wrote a secret somewhere."""
    if exitstatus == pytest.ExitCode.OK and _find_faults_of_the_run(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _find_faults_of_the_run(config: pytest.Config) -> list[str]:
    if hasattr(config, "workerinput"):
        return []
    skips = "CI: tests were skipped, which counts as a failure here." if _has_forbidden_skips(config) else ""
    return [fault for fault in (skips, *_find_leaks_of_the_run(config)) if fault]


def _find_leaks_of_the_run(config: pytest.Config) -> list[str]:
    """Look at what every test wrote, and at every log of the processes that they started."""
    root: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    logs = {str(path.relative_to(root)): path.read_text(errors="replace") for path in root.rglob("*.log")}
    leaks = find_leaks(logs | _RECORDER.captured, read_secrets(root.rglob("*.env")))
    return [f"A secret was written: {leak}" for leak in leaks]


def _has_forbidden_skips(config: pytest.Config) -> bool:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    return bool(os.environ.get("CI")) and bool(skipped)
