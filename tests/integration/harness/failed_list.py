"""Writes down which tests failed, for a second run of these alone (scripts/test.bash)."""

from __future__ import annotations

from pathlib import Path

from harness.gateway import BAD_END, SANITIZED_END


class FailedList:
    """The ids of failed tests, a line each. Not among them, for one failure says enough: a test with random input, and
    one whose gateway crashed or was told of by a sanitizer. A plugin of the process that was started, not of its
    workers."""

    def __init__(self, file: Path, folder: Path):
        self._file = file
        self._folder = folder
        self._failed: dict[str, None] = {}
        self._final: set[str] = set()

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self._failed[report.nodeid] = None
            text = report.longreprtext
            if "random" in report.keywords or SANITIZED_END in text or BAD_END in text:
                self._final.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        again = [each for each in self._failed if each not in self._final]
        self._file.write_text("".join(f"{self._folder}/{each}\n" for each in again))
