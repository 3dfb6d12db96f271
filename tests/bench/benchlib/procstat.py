"""What a process and its children cost, read from /proc: CPU time and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """CPU seconds since the processes began. `user` is the kernel's estimate, sampled by its tick and given
    in hundredths of a second: good for sums over seconds of work, not for single short runs."""

    total: float
    user: float
    switches: int = 0  # context switches, of one's own accord or not
    faults: int = 0    # page faults that the kernel answered without a disk

    def since(self, earlier):
        return Cpu(self.total - earlier.total, self.user - earlier.user, self.switches - earlier.switches,
                   self.faults - earlier.faults)


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += tree(int(child))
    return found


def cpu(pids):
    """User and system time of all threads, kernel threads that work for them (io_uring) included."""
    total = ticks = user_ticks = 0.0
    switches = faults = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user_ticks += int(fields[11])
            ticks += int(fields[11]) + int(fields[12])
            faults += int(fields[7])
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += _run_nanoseconds(task) * 1e-9
                switches += _switches(task)
        except OSError:
            continue
    if total == 0.0:  # a kernel without schedstat: whole ticks have to do
        total = ticks * TICK
    return Cpu(total, user_ticks * TICK, switches, faults)


def _run_nanoseconds(task):
    try:
        return int((task / "schedstat").read_text().split()[0])
    except (OSError, IndexError):
        return 0


def _switches(task):
    try:
        lines = (task / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches" in line)


def memory(pids):
    """Bytes of memory that the processes hold: the proportional set size where it can be read, else RSS."""
    total = 0
    for pid in pids:
        total += _field(f"/proc/{pid}/smaps_rollup", "Pss:") or _field(f"/proc/{pid}/status", "VmRSS:") or 0
    return total


def _field(path, name):
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
