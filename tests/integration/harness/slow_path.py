"""A network that takes its time: packets to 10.x.y.2 come out of a TUN device, wait, and go back in with the two
addresses exchanged, so that they reach this host's own 10.x.y.1. TCP sees a path with that round trip time."""

from __future__ import annotations

import collections
import fcntl
import os
import select
import socket
import struct
import threading
import time

from harness.system import run

_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000


def available() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        return True
    except OSError:
        return False


class SlowPath:
    """`far` is the address to connect to; a server behind it listens on `near`. `delay` is one way, in seconds,
    and may be changed at any time."""

    def __init__(self, delay: float):
        self.delay = delay
        net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.near, self.far = f"{net}.1", f"{net}.2"
        self._device = os.open("/dev/net/tun", os.O_RDWR)
        name = f"slow{os.getpid() % 100000}"
        fcntl.ioctl(self._device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
        run(["ip", "address", "add", f"{self.near}/24", "dev", name])
        run(["ip", "link", "set", name, "up"])
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def __enter__(self) -> "SlowPath":
        return self

    def __exit__(self, *_):
        os.write(self._stop_write, b"x")
        self._thread.join()
        for each in (self._device, self._stop_read, self._stop_write):
            os.close(each)

    def _carry(self) -> None:
        waiting = collections.deque()
        while True:
            wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([self._device, self._stop_read], [], [], wait)
            if self._stop_read in ready:
                return
            if self._device in ready:
                packet = os.read(self._device, 65536)
                if packet[0] >> 4 == 4:  # exchanging the addresses leaves every checksum as it is
                    waiting.append((time.monotonic() + self.delay, packet[:12] + packet[16:20] + packet[12:16] + packet[20:]))
            while waiting and waiting[0][0] <= time.monotonic():
                os.write(self._device, waiting.popleft()[1])


class Forwarder:
    """Carries connections to `host` on to a port of this machine."""

    def __init__(self, host: str, port: int):
        self._port = port
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Forwarder":
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for one, other in ((client, server), (server, client)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
