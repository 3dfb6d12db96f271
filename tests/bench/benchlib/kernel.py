"""Settings of the kernel without which a virtual machine's noise hides what is measured; put back at the end.

A halted virtual CPU is woken late by its host, by a time that differs from minute to minute: where the haltpoll
cpuidle governor exists, a CPU polls before it halts. And every new server process faults in its share of
PostgreSQL's shared memory page by page, which is dear under nested paging: a proxy that keeps server connections
from one round to the next would be measured without, and all others with it. Huge pages make it cheap for all.
"""

import contextlib
from pathlib import Path

HALTPOLL = Path("/sys/module/haltpoll/parameters")
HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")
WANTED = {HALTPOLL / "guest_halt_poll_ns": "1000000", HALTPOLL / "guest_halt_poll_grow_start": "200000",
          HALTPOLL / "guest_halt_poll_allow_shrink": "N", HUGE_PAGES: "300"}  # of 2 MiB: 512 MiB and what comes with it


@contextlib.contextmanager
def settings(enabled):
    """Yields what was done, as a sentence for the report. Only SIGKILL leaves the settings."""
    before, failed = {}, []
    try:
        for path, value in WANTED.items() if enabled else ():
            try:
                old = path.read_text().strip()
                path.write_text(value)
                before[path] = old
            except OSError as why:
                failed.append(f"{path.name} not set ({why.strerror})")
        done = [f"{path.name} {path.read_text().strip()}" for path in before]
        yield ", ".join(done + failed) or "left alone (asked for)"
    finally:
        for path, value in before.items():
            path.write_text(value)
