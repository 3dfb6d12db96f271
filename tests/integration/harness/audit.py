"""What a gateway has written into its audit."""

from __future__ import annotations

import json
from pathlib import Path

from harness.system import wait_until


def to_folder(folder: Path, **more) -> dict:
    """The configuration's `audit` key for a file sink in this folder."""
    return {"sinks": [{"type": "file", "path": str(folder)}]} | more


def lines(folder: Path) -> list[dict]:
    """Every whole line of every segment, in order; one that is not JSON raises."""
    found = []
    for segment in sorted(folder.glob("audit-*.jsonl")):
        found += [json.loads(line) for line in segment.read_bytes().split(b"\n")[:-1]]
    return found


def events(folder: Path, kind: str) -> list[dict]:
    return [line for line in lines(folder) if line["event"] == kind]


def wait_for(folder: Path, kind: str, condition=lambda line: True, *, count: int = 1, timeout: float = 5) -> list[dict]:
    """Waits for `count` events of this kind that fit, and answers them."""
    def found():
        fitting = [line for line in events(folder, kind) if condition(line)]
        return fitting if len(fitting) >= count else None
    return wait_until(found, timeout, f"{count} event(s) {kind} in {folder}")


def statements(exchange: dict) -> list[str]:
    return [each.get("text", "") for each in exchange.get("statements", [])]
