"""The loads: each runs against one port for a bounded time and answers a dictionary of figures."""

import json
import subprocess
import threading
import time
from pathlib import Path

from benchlib import machine, postgres, procstat

SAMPLE = 0.05       # seconds between two readings of the proxy's CPU time
WARM_UP = 0.15      # seconds at the beginning of a run that do not count
MICRO = 1e6


class Failed(Exception):
    """A load did not finish; the text is its last words."""


class CpuSampler:
    """Reads the CPU time of a process tree at regular times, so that a window can be chosen afterwards."""

    def __init__(self, instance):
        self.pids = instance.pids()
        self.samples = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _run(self):
        while not self.done.is_set():
            self.samples.append((time.time(), procstat.cpu(self.pids)))
            self.done.wait(SAMPLE)

    def window(self, begin, end):
        """The first and last sample inside the given times."""
        inside = [one for one in self.samples if begin <= one[0] <= end]
        if len(inside) < 2:
            raise Failed("the run was too short to measure")
        return inside[0], inside[-1]


def client_environment(sslmode):
    return machine.plain_environment() | {
        "PGPASSWORD": postgres.PASSWORD, "PGSSLMODE": sslmode, "PGGSSENCMODE": "disable", "PGSSLCERT": "/nonexistent",
        "PGSSLROOTCERT": "/nonexistent"}


def pgbench(bench, instance, *, protocol="simple", clients=1, script=None, reconnect=False, tls=False, login_seconds=None):
    """Transactions of `pgbench -S`, or of a script; figures of the time in which all clients ran."""
    prefix = bench.scratch.path / "pgbench_log"
    for old in prefix.parent.glob(prefix.name + ".*"):
        old.unlink()
    # pgbench counts its seconds from before the logins.
    logging_in = login_seconds if login_seconds is not None else 1 if clients > 16 else 0
    command = [f"{bench.postgres.bin}/pgbench", "-h", "127.0.0.1", "-p", instance.port, "-U", postgres.USER, "-n", "-M", protocol,
               "-c", clients, "-j", min(clients, 2), "-T", bench.seconds + logging_in, "-l", f"--log-prefix={prefix}"]
    command += ["-f", script] if script else ["-S"]
    command += ["-C"] if reconnect else []
    with CpuSampler(instance) as sampler:
        done = subprocess.run([str(part) for part in [*command, postgres.DATABASE]], capture_output=True, text=True, check=False,
                              timeout=bench.seconds + 60, env=client_environment("require" if tls else "disable"),
                              cwd=bench.scratch.path)
    if done.returncode != 0:
        raise Failed(f"pgbench: {done.stderr.strip()[-300:]}")
    return _transactions(prefix, sampler)


def _transactions(prefix, sampler):
    """Cuts the log to the time between two CPU samples: logins before and goodbyes after do not count."""
    ends, latencies = [], []
    for file in prefix.parent.glob(prefix.name + ".*"):
        for line in file.read_text().splitlines():
            fields = line.split()
            ends.append(int(fields[4]) + int(fields[5]) * 1e-6)
            latencies.append(int(fields[2]))
        file.unlink()
    if not ends:
        raise Failed("pgbench finished no transaction")
    (begin, cpu_begin), (end, cpu_end) = sampler.window(min(ends) + WARM_UP, max(ends))
    kept = sorted(us for us, at in zip(latencies, ends) if begin <= at < end)
    if not kept:
        raise Failed("no transaction inside the window")
    cpu = cpu_end.since(cpu_begin)
    return {
        "count": len(kept), "seconds": end - begin, "per_second": len(kept) / (end - begin),
        "mean_ms": sum(kept) / len(kept) / 1000, "p50_ms": quantile(kept, 500) / 1000,
        "p99_ms": quantile(kept, 990) / 1000, "p999_ms": quantile(kept, 999) / 1000,
        **cpu_figures(cpu, len(kept)), "cpu_busy": cpu.total / (end - begin)}


def cpu_figures(cpu, count):
    """For each of `count` transactions; all names begin with cpu."""
    return {"cpu_us": cpu.total * MICRO / count, "cpu_user_us": cpu.user * MICRO / count,
            "cpu_switches": cpu.switches / count, "cpu_faults": cpu.faults / count}


def quantile(ordered, thousandths):
    return ordered[min(len(ordered) - 1, len(ordered) * thousandths // 1000)]


def logins(bench, instance, *, tls=False, resume=False, tls12=False, certificates=False, clients=8, seconds=None):
    """Logins of login_load: PBKDF2 cached, so that what stands behind the port is the wall."""
    command = [bench.tools["login_load"], "--port", instance.port, "--clients", clients, "--seconds", seconds or bench.seconds,
               "--user", postgres.USER, "--password", postgres.PASSWORD, "--database", postgres.DATABASE]
    command += ["--resume"] if resume else ["--tls"] if tls else []
    command += ["--tls12"] if tls12 else []
    if certificates:
        cert, key = machine.client_certificate(bench.scratch, postgres.USER)
        command += ["--cert", cert, "--key", key]
    pids = instance.pids()
    before = procstat.cpu(pids)
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=bench.seconds + 60)
    time.sleep(0.05)  # the last goodbyes are still being read
    cpu = procstat.cpu(pids).since(before)
    said = json.loads(done.stdout or "{}")
    if not said.get("logins"):
        raise Failed(f"no login: {said.get('why', done.stderr)}")
    count = said["logins"]
    return {
        "count": count, "seconds": said["seconds"], "per_second": count / said["seconds"], "failed": said["failed"],
        "resumed": said["resumed"] / count, "mean_ms": said["mean"] * 1000, "p99_ms": said["p99"] * 1000,
        **cpu_figures(cpu, count)}


def copy_out(bench, instance):
    """COPY of the bulk table to a psql that throws it away."""
    bench.postgres.prepare_copy()
    command = [f"{bench.postgres.bin}/psql", "-X", "-h", "127.0.0.1", "-p", str(instance.port), "-U", postgres.USER, "-d",
               postgres.DATABASE, "-c", "COPY bulk TO STDOUT"]
    pids = instance.pids()
    before, begin = procstat.cpu(pids), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=300,
                          env=client_environment("disable"))
    seconds, cpu = time.monotonic() - begin, procstat.cpu(pids).since(before)
    if done.returncode != 0:
        raise Failed(f"psql: {done.stderr.decode(errors='replace').strip()[-300:]}")
    size = bench.postgres.copy_rows * 1006  # row, newline and the header of its CopyData message
    return {"seconds": seconds, "per_second": size / seconds / 1e6, "cpu_s_per_gib": cpu.total * 2**30 / size,
            "cpu_user_s_per_gib": cpu.user * 2**30 / size}


def idle_sessions(bench, instance, count, *, tls=False):
    """Memory that `count` idle sessions add to a proxy, and the CPU time that they cost while idle."""
    if instance.child is None:
        raise machine.Unavailable("no process to measure")
    command = [bench.tools["idle_sessions"], "--port", instance.port, "--user", postgres.USER, "--database", postgres.DATABASE]
    command += ["--tls"] if tls else []
    IdleSessions(command, 8).close()  # what is allocated once is not counted
    time.sleep(0.2)
    pids = instance.pids()
    empty, before = procstat.memory(pids), procstat.cpu(pids)
    with IdleSessions(command, count) as load:
        opening = procstat.cpu(pids).since(before)
        time.sleep(4.0)  # a client that has just come is not idle yet
        full, rested, begin = procstat.memory(pids), procstat.cpu(pids), time.monotonic()
        time.sleep(bench.idle_seconds)
        idle, seconds = procstat.cpu(pids).since(rested), time.monotonic() - begin
        if load.opened < count:
            raise Failed(f"only {load.opened} of {count} sessions: {load.why()}")
    return {"count": count, "bytes_per_session": (full - empty) / count, "idle_seconds": seconds,
            "idle_cpu_us_per_second": idle.total * MICRO / seconds, "cpu_us_per_login": opening.total * MICRO / count}


class IdleSessions:
    """idle_sessions as a process that holds its sessions until it is closed."""

    def __init__(self, command, count):
        self.child = subprocess.Popen([str(part) for part in [*command, "--count", count]], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        words = self.child.stdout.readline().split()
        self.opened = int(words[1]) if len(words) == 2 else 0

    def why(self):
        self.child.stdin.close()
        return self.child.stderr.read().strip()[-200:]

    def close(self):
        if not self.child.stdin.closed:
            self.child.stdin.close()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pipeline_script(scratch, length=10):
    """A pgbench script: one pipeline of `length` point reads."""
    text = "\\set aid random(1, 1000000)\n\\startpipeline\n"
    text += "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n" * length + "\\endpipeline\n"
    return scratch.write("pipeline.sql", text, 0o644)


def compile_seconds(bench):
    """The release binary from an empty build directory, without a compiler cache: wall seconds."""
    root = machine.BENCH.parent.parent
    build = Path(bench.scratch.path) / "release-build"
    environment = {**machine.plain_environment(), "CCACHE_DISABLE": "1"}
    begin = time.monotonic()
    for command in (["cmake", "--preset", "release", "-B", build], ["cmake", "--build", build]):
        done = subprocess.run([str(part) for part in command], cwd=root, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise Failed(f"{command[1]}: {(done.stdout + done.stderr)[-300:]}")
    return {"seconds": time.monotonic() - begin}
