"""A name server that says what a test tells it to, over UDP and TCP on loopback."""

from __future__ import annotations

import collections
import ipaddress
import select
import socket
import struct
import threading

from harness.system import free_port

A, AAAA, SRV = 1, 28, 33
NXDOMAIN, SERVFAIL = 3, 2
UDP_BYTES = 1232


def wire_name(name: str) -> bytes:
    labels = name.rstrip(".").encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"


def read_question(query: bytes) -> tuple[str, int, bytes]:
    """The name in lower case, the type, and the question's bytes."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    (kind,) = struct.unpack("!H", query[at + 1:at + 3])
    return ".".join(labels), kind, query[12:at + 5]


class FakeDns:
    """Names that were not set do not exist. What is set anew holds for the next question."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        """At a port that is free unless one is named."""
        self._lock = threading.Lock()
        self._names: dict[str, dict[int, list[bytes]]] = {}
        self._ttls: dict[str, int] = {}
        self._failing = self._silent = False
        self.queries: collections.Counter[str] = collections.Counter()  # by name, one for each type
        self.askers: collections.Counter[str] = collections.Counter()   # over UDP, by who asked
        self._open(host, port)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "FakeDns":
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self._stop.send(b"x")
        self._thread.join()
        for each in (self._udp, self._tcp, self._stop, self._stopped):
            each.close()

    def set(self, name: str, a=(), aaaa=(), ttl: int = 1) -> None:
        addresses = {A: [ipaddress.IPv4Address(each).packed for each in a],
                     AAAA: [ipaddress.IPv6Address(each).packed for each in aaaa]}
        self._put(name, addresses, ttl)

    def set_srv(self, name: str, servers, ttl: int = 1) -> None:
        """`servers` are (target, port) or (target, port, priority, weight)."""
        records = []
        for target, port, *rest in servers:
            priority, weight = rest or (0, 0)
            records.append(struct.pack("!HHH", priority, weight, port) + wire_name(target))
        self._put(name, {SRV: records}, ttl)

    def remove(self, name: str) -> None:
        with self._lock:
            self._names.pop(name.lower(), None)

    def fail(self, failing: bool = True) -> None:
        """SERVFAIL to everything."""
        self._failing = failing

    def silence(self, silent: bool = True) -> None:
        """Questions are counted and not answered."""
        self._silent = silent

    def _put(self, name: str, records: dict[int, list[bytes]], ttl: int) -> None:
        with self._lock:
            self._names.setdefault(name.lower(), {}).update(records)
            self._ttls[name.lower()] = ttl

    def _open(self, host: str, wanted: int) -> None:
        while True:
            port = wanted or free_port()
            self._tcp = socket.create_server((host, port))
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self._udp.bind((host, port))
            except OSError:  # free for TCP only
                self._tcp.close()
                self._udp.close()
                if wanted:
                    raise
                continue
            self.address = f"{host}:{port}"
            return

    def _serve(self) -> None:
        connections: list[socket.socket] = []
        while True:
            ready, _, _ = select.select([self._stopped, self._udp, self._tcp] + connections, [], [])
            if self._stopped in ready:
                break
            for each in ready:
                if each is self._udp:
                    query, sender = each.recvfrom(4096)
                    self.askers[sender[0]] += 1
                    self._send(lambda answer: each.sendto(answer, sender), self._answer(query, UDP_BYTES))
                elif each is self._tcp:
                    connections.append(each.accept()[0])
                elif not self._over_tcp(each):
                    connections.remove(each)
                    each.close()
        for each in connections:
            each.close()

    def _over_tcp(self, connection: socket.socket) -> bool:
        try:
            size = connection.recv(2, socket.MSG_WAITALL)
            query = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL) if len(size) == 2 else b""
        except OSError:
            return False
        if not query:
            return False
        return self._send(lambda answer: connection.sendall(struct.pack("!H", len(answer)) + answer), self._answer(query))

    @staticmethod
    def _send(send, answer: bytes | None) -> bool:
        try:
            if answer is not None:
                send(answer)
            return True
        except OSError:
            return False

    def _answer(self, query: bytes, most: int = 65535) -> bytes | None:
        name, kind, question = read_question(query)
        with self._lock:
            self.queries[name] += 1
            known = name in self._names
            records = list(self._names.get(name, {}).get(kind, []))
            ttl = self._ttls.get(name, 1)
        if self._silent:
            return None
        code = SERVFAIL if self._failing else 0 if known else NXDOMAIN
        if code:
            records = []
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(each)) + each for each in records)
        flags, count = 0x8180 | code, len(records)
        if 12 + len(question) + len(body) > most:
            flags, count, body = flags | 0x0200, 0, b""  # truncated: the client comes again over TCP
        return query[:2] + struct.pack("!5H", flags, 1, count, 0, 0) + question + body
