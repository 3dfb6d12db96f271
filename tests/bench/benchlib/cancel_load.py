"""Cancel requests in a saturated pool: three clients for each server connection, all of them in a statement that
does not end by itself, so that some run and the others wait for a connection. One of them at a time is cancelled by
each canceller, and goes on with the next such statement.

What is measured runs from before the canceller's connect(2) to the victim's error."""

import random
import socket
import struct
import threading
import time

from benchlib import loads, postgres, procstat, targets

CANCEL_CODE = 80877102  # CancelRequest, PostgreSQL's protocol 3.0
CLIENTS = 3 * targets.POOL
CANCELLERS = 4
RUN_UP = 0.05    # seconds that a statement has had before somebody cancels it: none of them has yet to begin
PATIENCE = 1.0   # seconds after which a cancel did nothing
QUERY_CANCELED = b"C57014\0"


class Client:
    """A session that sleeps in the server, or waits for one that it could sleep in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        self.busy = threading.Lock()  # held by who cancels it
        self._log_in()

    def _log_in(self):
        words = b"".join(each.encode() + b"\0" for each in ("user", postgres.USER, "database", postgres.DATABASE, ""))
        self.socket.sendall(struct.pack("!II", len(words) + 8, 3 << 16) + words)
        while True:
            kind, body = self.message()
            if kind == b"K":
                self.secret = body
            if kind == b"E" or (kind == b"R" and body[:4] != bytes(4)):
                raise loads.Failed(f"login: {kind!r} {body[:80]!r}")
            if kind == b"Z":
                return

    def message(self):
        while len(self.input) < 5 or len(self.input) < 1 + struct.unpack("!I", self.input[1:5])[0]:
            got = self.socket.recv(65536)
            if not got:
                raise loads.Failed("the peer left")
            self.input += got
        end = 1 + struct.unpack("!I", self.input[1:5])[0]
        kind, body = self.input[:1], self.input[5:end]
        self.input = self.input[end:]
        return kind, body

    def sleep(self):
        text = b"SELECT pg_sleep(3600)\0"
        self.since = time.monotonic()
        self.socket.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)

    def wait_cancelled(self):
        """When its error came; raises TimeoutError when it does not."""
        self.socket.settimeout(PATIENCE)
        kind, body = self.message()
        if kind == b"T":  # the server says what it would answer before it begins
            kind, body = self.message()
        came = time.monotonic()
        if kind != b"E" or QUERY_CANCELED not in body:
            raise loads.Failed(f"a statement ended with {kind!r} {body[:120]!r}")
        while kind != b"Z":
            kind, body = self.message()
        return came


def send_cancel(port, secret):
    """As libpq's PQcancel: the other side's end is waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as canceller:
        canceller.sendall(struct.pack("!II", 8 + len(secret), CANCEL_CODE) + secret)
        canceller.recv(1)


class Count:
    """Shared by the cancellers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seconds = []
        self.missed = 0
        self.why = ""

    def take(self, seconds):
        with self.lock:
            self.seconds.append(seconds)

    def miss(self):
        with self.lock:
            self.missed += 1


def _cancel_until(end, clients, port, count):
    while time.monotonic() < end:
        victim = random.choice(clients)
        if not victim.busy.acquire(blocking=False):
            continue
        time.sleep(max(0.0, victim.since + RUN_UP - time.monotonic()))
        try:
            begin = time.monotonic()
            send_cancel(port, victim.secret)
            count.take(victim.wait_cancelled() - begin)
            victim.sleep()
        except TimeoutError:
            count.miss()  # it sleeps on, for the next one who picks it
        except (OSError, loads.Failed) as why:
            count.why = str(why)
            return  # its client stays held: nobody tries it again
        victim.busy.release()


def run(bench, instance):
    clients = [Client(instance.port) for _ in range(CLIENTS)]
    count = Count()
    try:
        for each in clients:
            each.sleep()
        time.sleep(2 * RUN_UP)
        pids = instance.pids()
        before, begin = procstat.cpu(pids), time.monotonic()
        threads = [threading.Thread(target=_cancel_until, args=(begin + bench.seconds, clients, instance.cancel_port or instance.port, count))
                   for _ in range(CANCELLERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        seconds, cpu = time.monotonic() - begin, procstat.cpu(pids).since(before)
    finally:
        for each in clients:
            send_cancel(instance.port, each.secret)
            each.socket.close()
    if count.why or not count.seconds:
        raise loads.Failed(f"cancels: {count.why or 'none had an effect'}")
    took = sorted(count.seconds)
    return {"count": len(took), "seconds": seconds, "per_second": len(took) / seconds, "missed": count.missed,
            "mean_ms": 1000 * sum(took) / len(took), "p50_ms": 1000 * loads.quantile(took, 500),
            "p99_ms": 1000 * loads.quantile(took, 990), **loads.cpu_figures(cpu, len(took))}
