"""Servers that are not PostgreSQL: they log a client in by trust and then do what a test says."""

from __future__ import annotations

import socket
import ssl
import struct
import threading

from harness.wire import message

READY = message("Z", b"I")


def authentication_ok(pid: int = 4711, key: bytes = b"key!") -> bytes:
    return (message("R", struct.pack("!i", 0)) + message("S", b"server_version\0" + b"15.0\0") +
            message("S", b"client_encoding\0UTF8\0") + message("K", struct.pack("!I", pid) + key) + READY)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def read_startup(connection: socket.socket, *, tls: ssl.SSLContext | None = None) -> tuple[socket.socket, bytes]:
    """Reads up to the StartupMessage or CancelRequest; answers SSLRequest with TLS or N."""
    while True:
        size = read_exactly(connection, 4)
        packet = size + read_exactly(connection, struct.unpack("!i", size)[0] - 4)
        (code,) = struct.unpack("!i", packet[4:8])
        if code == 80877103:
            connection.sendall(b"S" if tls else b"N")
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
        elif code == 80877104:
            connection.sendall(b"N")
        else:
            return connection, packet


class FakeServer:
    """Listens and calls `serve(connection, server)` in a thread for each connection, after the login.

    `login` is False where `serve` wants the connection as it was accepted. CancelRequests go to `cancels`.
    """

    def __init__(self, serve, *, login: bool = True, tls: ssl.SSLContext | None = None, receive_buffer: int = 0,
                 greeting: bytes | None = None, host: str = "127.0.0.1", port: int = 0):
        self._serve = serve
        self._login = login
        self._tls = tls
        self._greeting = greeting if greeting is not None else authentication_ok()
        self._listener = socket.socket()
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(512)
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"{host}:{self.port}"
        self.startups: list[bytes] = []
        self.cancels: list[bytes] = []
        self.failures: list[BaseException] = []
        self.connections: list[socket.socket] = []
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self._closing = True
        for each in [self._listener] + self.connections:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(120)
            if self._login:
                connection, packet = read_startup(connection, tls=self._tls)
                if struct.unpack("!i", packet[4:8])[0] == 80877102:
                    self.cancels.append(packet)
                    connection.close()
                    return
                self.startups.append(packet)
                connection.sendall(self._greeting)
            self._serve(connection, self)
        except (EOFError, OSError):
            pass
        except BaseException as failure:  # shown by the test that asks
            if not self._closing:
                self.failures.append(failure)


def reset(connection: socket.socket) -> None:
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def echo(connection: socket.socket, _server) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def discard(connection: socket.socket, _server) -> None:
    """Reads and forgets until the client leaves, then leaves too."""
    while connection.recv(65536):
        pass
    connection.close()
