"""The marks of the pooled modes, checked against a report's cells. A figure that is missing is no pass."""

from benchlib import summary
from benchlib.cells import CLIENTS, PROTOCOLS
from benchlib.marks import NOISE, Verdict, at_least, at_most
from benchlib.pool_cells import CROWDS
from benchlib.targets import TX, TX_REPLICAS


def check(cells):
    found = []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            found += _if_run(cells, f"pool-{protocol}-{clients}", "processor time, throughput, p99", _few_clients)
        for clients in CROWDS:
            found += _if_run(cells, f"pool-{protocol}-{clients}", "throughput, fairness", _many_clients)
    for name in ("pool-login-scram", "pool-login-tls"):
        found += _if_run(cells, name, "rate, processor time", _logins)
    found += _if_run(cells, "pool-login-trust", "rate", _trusted_logins)
    found += _if_run(cells, "pool-login-cert", "rate", _trusted_logins)
    for name in ("pool-idle-1000", "pool-idle-5000", "pool-idle-tls-1000"):
        found += _if_run(cells, name, "memory", _memory)
    return found + _if_run(cells, "pool-busy", "p99", _busy) + _if_run(cells, "pool-cancel", "effect, p99", _cancels)


def _if_run(cells, name, what, judge):
    return judge(name, cells[name]) if name in cells else [Verdict("SKIP", f"{name}: {what}", "not run")]


def _beside_pgbouncer(cell, figure):
    return summary.ratio(cell, TX, figure, "pgbouncer")


def _bouncer(cell):
    return summary.pgbouncer(cell["rounds"]) or "pgbouncer"


def _few_clients(name, cell):
    rate, p99 = (summary.ratio(cell, TX, figure, "peer") for figure in ("per_second", "p99_ms"))
    best_rate, best_p99 = (cell["best_peer"][figure] or "the best peer" for figure in ("per_second", "p99_ms"))
    return [at_most(f"{name}: CPU per transaction at most that of {_bouncer(cell)}", _beside_pgbouncer(cell, "cpu_us"), 1.0),
            at_least(f"{name}: throughput at least that of {best_rate} (within noise)", rate, 1 - NOISE),
            at_most(f"{name}: p99 latency at most that of {best_p99} (within noise)", p99, 1 + NOISE)]


def _many_clients(name, cell):
    p50, p999 = (summary.figure(cell, TX, figure) for figure in ("p50_ms", "p999_ms"))
    return [at_least(f"{name}: throughput at least that of {_bouncer(cell)}", _beside_pgbouncer(cell, "per_second"), 1.0),
            at_most(f"{name}: p99.9 at most 2 x p50", p999 / p50 if p50 else None, 2.0)]


def _logins(name, cell):
    return [at_least(f"{name}: at least the logins of {_bouncer(cell)}", _beside_pgbouncer(cell, "per_second"), 1.0),
            at_most(f"{name}: less CPU per login than {_bouncer(cell)}", _beside_pgbouncer(cell, "cpu_us"), 0.999)]


def _trusted_logins(name, cell):
    return [at_least(f"{name}: at least 2 x the logins of {_bouncer(cell)}", _beside_pgbouncer(cell, "per_second"), 2.0)]


def _memory(name, cell):
    return [at_most(f"{name}: memory of a client at most that at {_bouncer(cell)}", _beside_pgbouncer(cell, "bytes_per_session"), 1.0)]


def _busy(name, cell):
    return [at_most(f"{name}: p99 beside 10,000 idle clients at most 1.1 x that without", summary.figure(cell, TX, "p99_ratio"), 1.1)]


def _cancels(name, cell):
    found = []
    for target, where in ((TX, ""), (TX_REPLICAS, " through another replica")):
        done, p99 = [one["missed"] for one in cell["rounds"].get(target, []) if one], summary.figure(cell, target, "p99_ms")
        found += [at_most(f"{name}: cancels{where} that did nothing", sum(done) if done else None, 0, f"{sum(done)}"),
                  at_most(f"{name}: p99{where} under 50 ms", p99, 50, p99 and f"{p99:.1f} ms")]
    return found
