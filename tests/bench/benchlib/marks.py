"""The marks that trunkline has to reach, checked against a report. A figure that is missing is no pass."""

from dataclasses import asdict, dataclass

from benchlib import summary, targets
from benchlib.cells import CLIENTS, PROTOCOLS

NOISE = 0.05  # below this, two figures of one run do not differ
KIB = 1024


@dataclass
class Verdict:
    outcome: str  # PASS, FAIL, or SKIP where the run has no figure
    mark: str
    figure: str

    def as_dict(self):
        return asdict(self)


def check(report):
    cells = report["cells"]
    found = []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            found += _transaction_marks(cells, f"{protocol}-{clients}")
    return found + _observing(cells) + _header_walk(cells) + _copy(cells) + _idle(cells) + _logins(cells) + _compile(report)


def at_most(mark, value, limit, shown=None):
    if value is None:
        return Verdict("SKIP", mark, "no figure")
    return Verdict("PASS" if value <= limit else "FAIL", mark, shown or f"{value:.2f}")


def at_least(mark, value, limit, shown=None):
    if value is None:
        return Verdict("SKIP", mark, "no figure")
    return Verdict("PASS" if value >= limit else "FAIL", mark, shown or f"{value:.2f}")


def _peer(cell, figure):
    return cell["best_peer"][figure] or "best peer"


def _transaction_marks(cells, name):
    if name not in cells:
        return [Verdict("SKIP", f"{name}: processor time, throughput, p99", "not run")]
    cell = cells[name]
    cpu_peer, cpu_floor = (summary.ratio(cell, "trunkline", "cpu_us", other) for other in ("peer", "floor"))
    user = summary.figure(cell, "trunkline", "cpu_user_us")
    rate = summary.ratio(cell, "trunkline", "per_second", "peer")
    p99 = summary.ratio(cell, "trunkline", "p99_ms", "peer")
    return [
        at_most(f"{name}: CPU per transaction at most 0.95 x {_peer(cell, 'cpu_us')}", cpu_peer, 0.95),
        at_most(f"{name}: CPU per transaction at most 1.10 x the floor", cpu_floor, 1.10),
        at_most(f"{name}: user part at most 3 us", user, 3.0, user and f"{user:.1f} us"),
        at_least(f"{name}: throughput at least that of {_peer(cell, 'per_second')} (within noise)", rate, 1 - NOISE),
        at_most(f"{name}: p99 latency at most that of {_peer(cell, 'p99_ms')} (within noise)", p99, 1 + NOISE)]


def _observing(cells):
    """What attribution and audit cost, beside a build without them and beside the peers, who do neither."""
    cell = cells.get("audit-16")
    if cell is None:
        return [Verdict("SKIP", "what observing costs", "not run")]
    attribution = summary.ratio(cell, "trunkline", "cpu_us", "baseline")
    audit = summary.ratio(cell, targets.AUDITED, "cpu_us", "baseline")
    peer = summary.ratio(cell, targets.AUDITED, "cpu_us", "peer")
    return [at_most("attribution: CPU per transaction at most 1.03 x the baseline", attribution, 1.03),
            at_most("attribution and audit: CPU per transaction at most 1.15 x the baseline", audit, 1.15),
            at_most(f"attribution and audit: CPU per transaction at most that of {_peer(cell, 'cpu_us')}", peer, 1.0)]


def _header_walk(cells):
    """The floor with the walk against the floor without, over all transaction cells of the run."""
    ratios = []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            cell = cells.get(f"{protocol}-{clients}")
            value = summary.ratio(cell, "floor+walk", "cpu_us", "floor") if cell else None
            if value:
                ratios.append(value)
    if not ratios:
        return [Verdict("SKIP", "header walk at most 3 % of CPU", "not run")]
    cost = sum(ratios) / len(ratios) - 1
    return [at_most("header walk at most 3 % of CPU (the floor with and without, mean of the cells)", cost, 0.03, f"{cost:+.1%}")]


def _copy(cells):
    cell = cells.get("copy")
    if cell is None:
        return [Verdict("SKIP", "COPY out", "not run")]
    rate = summary.ratio(cell, "trunkline", "per_second", "direct")
    cost = summary.figure(cell, "trunkline", "cpu_s_per_gib")
    return [at_least("COPY out: at least 1.0 x direct", rate, 1.0),
            at_most("COPY out: CPU at most 1.3 s per GiB", cost, 1.3, cost and f"{cost:.2f} s")]


def _idle(cells):
    found = []
    for name in ("idle-1000", "idle-5000"):
        size = summary.figure(cells[name], "trunkline", "bytes_per_session") if name in cells else None
        found.append(at_most(f"{name}: at most 2 KiB a session", size, 2 * KIB, size is not None and f"{size / KIB:.2f} KiB"))
    for name in ("idle-tls-1000", "idle-tls-5000"):
        ratio = summary.ratio(cells[name], "trunkline", "bytes_per_session", "peer") if name in cells else None
        found.append(at_most(f"{name}: less memory a session than pgbouncer", ratio, 0.999))
    cost = summary.figure(cells["idle-5000"], "trunkline", "idle_cpu_us_per_second") if "idle-5000" in cells else None
    # A thousandth of one processor is what a timer or two a second may take.
    found.append(at_most("idle-5000: no CPU while idle", cost, 1000, cost is not None and f"{cost:.0f} us a second"))
    return found


def _logins(cells):
    found = []
    for name in ("connect", "login"):
        ratio = None
        if name in cells:
            mine, theirs = (summary.figure(cells[name], who, "cpu_us") for who in ("trunkline", "haproxy"))
            ratio = mine / theirs if mine and theirs else None
        found.append(at_most(f"{name}: CPU per login at most that of haproxy", ratio, 1.0))
    # TLS 1.3 resumes with a key exchange, TLS 1.2 without: the mark is met where both ends may choose the latter.
    return found + [_resumption(cells, "tls12", "TLS 1.2"), _resumption(cells, "tls", "TLS 1.3")]


def _resumption(cells, stem, version):
    mark = f"{version} logins with resumption at least 3 x the rate without"
    if f"{stem}-login" not in cells or f"{stem}-resume" not in cells:
        return Verdict("SKIP", mark, "not run")
    full, resumed = (summary.figure(cells[f"{stem}-{kind}"], "trunkline", "per_second") for kind in ("login", "resume"))
    return at_least(mark, resumed / full if full and resumed else None, 3.0)


def _compile(report):
    seconds = report.get("compile", {}).get("seconds")
    return [at_most("release binary from nothing in at most 180 s", seconds, 180, seconds and f"{seconds:.0f} s")]
