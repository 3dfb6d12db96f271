"""CEL, as an API server evaluates it for validations of custom resources and for admission policies: in a node process that
stays up (cel.mjs, laid out by scripts/setup-cel). The double has no bound for an expression's cost."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import threading
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_MODULES = _HERE.parents[2] / "build/deps/cel/node_modules"


class CelError(Exception):
    """The expression is none, or cannot be evaluated with these variables."""


def available() -> bool:
    return (_MODULES / "@marcbachmann").exists()


class _Evaluator:
    def __init__(self):
        if not available():
            raise RuntimeError("no evaluator of CEL: scripts/setup-cel could not fetch it")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(["node", _HERE / "cel.mjs", _MODULES], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        atexit.register(self.stop)

    def ask(self, question: dict):
        with self._lock:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the evaluator of CEL has ended with {self._process.wait(timeout=5)}")
        answer = json.loads(line)
        if "error" in answer:
            raise CelError(answer["error"])
        return answer["value"]

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=5)


@functools.cache
def _evaluator() -> _Evaluator:
    return _Evaluator()


def evaluate(expression: str, variables: dict):
    """What it comes to, as JSON has it; raises CelError. Variables are JSON too, such as {"self": …} or {"object": …}."""
    return _evaluator().ask({"expression": expression, "variables": variables})


def check(expression: str) -> None:
    """Raises CelError where it is no expression."""
    _evaluator().ask({"expression": expression})
