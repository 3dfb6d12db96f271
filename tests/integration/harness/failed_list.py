"""Writes down which tests failed, for a second run of these alone (scripts/test.bash)."""

from __future__ import annotations

from pathlib import Path


class FailedList:
    """Registered as a plugin where tests are told of: the process that was started, not its workers. The ids of failed
    tests, a line each; one whose input is random is not among them, for it need not find again what it has found."""

    def __init__(self, file: Path, folder: Path):
        self._file = file
        self._folder = folder
        self._failed: dict[str, None] = {}

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and "random" not in report.keywords:
            self._failed[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        self._file.write_text("".join(f"{self._folder}/{each}\n" for each in self._failed))
