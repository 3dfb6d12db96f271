"""Loads of the pooled modes: more clients than server connections."""

import json
import subprocess
import time

from benchlib import loads, postgres, targets

PATIENCE = 60  # seconds in which all clients have to be logged in
ANSWERS = 80   # seconds of crowd_load beyond the measured ones, when a first turn takes the 10 it may: 4 turns and more
WARM = 0.5     # seconds in which a pool opens its connections
SETTLE = 0.5   # seconds after which the goodbyes of many clients have been read


def crowd(bench, instance, *, protocol="simple", clients, seconds=None):
    """Point reads of crowd_load. The direct connection has as many clients as the pools have connections."""
    seconds = seconds or bench.seconds
    count = clients if instance.child is not None else min(clients, targets.POOL)
    command = [bench.tools["crowd_load"], "--port", instance.port, "--clients", count, "--seconds", seconds,
               "--protocol", protocol, "--patience", PATIENCE, *_identity()]
    with loads.CpuSampler(instance) as sampler:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False,
                              timeout=2 * PATIENCE + seconds + ANSWERS)
    said = json.loads(done.stdout or "{}")
    if said.get("clients") != count or said["failed"] or not said["transactions"]:
        raise loads.Failed(f"crowd_load: {said.get('clients', 0)} of {count} clients, {said.get('why') or done.stderr}")
    time.sleep(SETTLE)
    (begin, cpu_begin), (end, cpu_end) = sampler.window(said["begin"], said["end"])
    rate = said["transactions"] / (said["end"] - said["begin"])
    cpu = cpu_end.since(cpu_begin)
    return {"count": said["transactions"], "seconds": said["end"] - said["begin"], "per_second": rate,
            "mean_ms": said["mean"] * 1000, "p50_ms": said["p50"] * 1000, "p99_ms": said["p99"] * 1000,
            "p999_ms": said["p999"] * 1000, "max_ms": said["max"] * 1000, **loads.cpu_figures(cpu, rate * (end - begin)),
            "cpu_busy": cpu.total / (end - begin)}


def warm_logins(bench, instance, *, tls=False, certificates=False):
    """Logins to a pool that has served somebody before."""
    if certificates:
        loads.logins(bench, instance, certificates=True, clients=1, seconds=WARM)
    else:
        loads.IdleSessions(_idle_command(bench, instance, tls), 1).close()
    return loads.logins(bench, instance, tls=tls, certificates=certificates)


def crowd_among_idle(bench, instance, *, idle, busy):
    """The busy clients' figures beside idle ones, and their p99 before those came."""
    crowd(bench, instance, clients=busy, seconds=WARM)
    alone = crowd(bench, instance, clients=busy)
    with loads.IdleSessions(_idle_command(bench, instance, False), idle) as load:
        if load.opened < idle:
            raise loads.Failed(f"only {load.opened} of {idle} idle sessions: {load.why()}")
        time.sleep(SETTLE)
        among = crowd(bench, instance, clients=busy)
    time.sleep(SETTLE)
    return {**among, "p99_alone_ms": alone["p99_ms"], "p99_ratio": among["p99_ms"] / alone["p99_ms"]}


def _idle_command(bench, instance, tls):
    return [bench.tools["idle_sessions"], "--port", instance.port, *_identity(), *(["--tls"] if tls else [])]


def _identity():
    return ["--user", postgres.USER, "--password", postgres.PASSWORD, "--database", postgres.DATABASE]
