"""Runs `trunkline doctor` and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from harness.postgres import DATABASE, PASSWORD, USER


@dataclass(frozen=True)
class Diagnosis:
    code: int
    report: dict
    errors: str  # standard error

    def check(self, name: str, path: str = "A") -> dict:
        (of,) = [each for each in self.report["paths"] if each["label"] == path]
        (found,) = [each for each in of["checks"] if each["id"] == name]
        return found

    def verdict(self, name: str, path: str = "A") -> str:
        return self.check(name, path)["verdict"]

    def finding(self, name: str, path: str = "A") -> dict:
        """The only finding of that check."""
        found = [each for each in self.check(name, path)["judgements"] if each["verdict"] == "finding"]
        assert len(found) == 1, self.check(name, path)
        return found[0]

    def finding_ids(self) -> set[str]:
        return {each["check"] for each in self.report["findings"]}

    def facts(self, path: str = "A") -> dict:
        (of,) = [each for each in self.report["paths"] if each["label"] == path]
        return of["facts"]


def dsn(port: int, host: str = "127.0.0.1", **more) -> str:
    """The password comes from the environment."""
    words = {"host": host, "port": port, "user": USER, "dbname": DATABASE} | more
    return " ".join(f"{key}='{value}'" for key, value in words.items())


class Doctor:
    def __init__(self, binary: str):
        self.binary = binary

    def start(self, *words: str, password: str = PASSWORD, environment: dict | None = None, prefix=(), **more):
        return subprocess.Popen([*prefix, self.binary, "doctor", *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                                env=os.environ | {"PGPASSWORD": password} | (environment or {}), **more)

    def run(self, *words: str, timeout: float = 120, **more) -> subprocess.CompletedProcess:
        process = self.start(*words, **more)
        try:
            out, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, errors)

    def examine(self, *words: str, **more) -> Diagnosis:
        done = self.run(*words, "--output", "json", **more)
        assert done.returncode in (0, 1), done.stderr
        return Diagnosis(done.returncode, json.loads(done.stdout), done.stderr)
