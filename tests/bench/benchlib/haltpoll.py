"""Lets a virtual CPU poll before it halts, while the benchmark runs.

A halted virtual CPU is woken late by its host, by a time that differs from minute to minute; that hides
what single-client runs are to show. Where the parameters of the haltpoll cpuidle governor exist and may be
written they are set, and put back however the run ends (only SIGKILL leaves them).
"""

import contextlib
from pathlib import Path

PARAMETERS = Path("/sys/module/haltpoll/parameters")
WANTED = {"guest_halt_poll_ns": "1000000", "guest_halt_poll_grow_start": "200000", "guest_halt_poll_allow_shrink": "N"}


@contextlib.contextmanager
def polling(enabled):
    """Yields what was done, as a sentence for the report."""
    before = {}
    try:
        if not enabled:
            yield "left alone (asked for)"
            return
        try:
            for name, value in WANTED.items():
                old = (PARAMETERS / name).read_text().strip()
                (PARAMETERS / name).write_text(value)
                before[name] = old
        except OSError as why:
            yield f"not set: {why.strerror}"
            return
        yield "guest_halt_poll_ns " + WANTED["guest_halt_poll_ns"]
    finally:
        for name, value in before.items():
            (PARAMETERS / name).write_text(value)
