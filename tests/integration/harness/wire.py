"""A client of the protocol without any library: bytes over a socket, for tests that look at the bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
from dataclasses import dataclass, field

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)
TERMINATE = b"X\0\0\0\4"
SYNC = b"S\0\0\0\4"


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def query(text: str) -> bytes:
    return message("Q", text.encode() + b"\0")


def startup(parameters: dict[str, str], version: tuple[int, int] = (3, 0)) -> bytes:
    body = struct.pack("!HH", *version)
    for key, value in parameters.items():
        body += key.encode() + b"\0" + value.encode() + b"\0"
    return struct.pack("!i", len(body) + 5) + body + b"\0"


def cancel_request(pid: int, key: bytes) -> bytes:
    return struct.pack("!iiI", 12 + len(key), 80877102, pid) + key


def error_fields(body: bytes) -> dict[str, str]:
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


class Closed(Exception):
    """The peer ended the connection: `how` is "fin" or "reset"."""

    def __init__(self, how: str, rest: bytes = b""):
        super().__init__(f"closed by {how}, after {rest!r}" if rest else f"closed by {how}")
        self.how = how
        self.rest = rest


class Refused(Exception):
    """The server's ErrorResponse."""

    def __init__(self, fields: dict[str, str]):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.code = fields.get("C")


@dataclass
class RawClient:
    """One connection. Reads are bounded by `timeout`."""
    port: int
    host: str = "127.0.0.1"
    timeout: float = 10.0
    receive_buffer: int = 0
    socket: socket.socket = field(init=False)

    def __post_init__(self):
        self._unread = b""
        self.parameters: dict[str, str] = {}
        self.notices: list[dict[str, str]] = []
        self.pid, self.key = 0, b""
        self.negotiated: tuple[int, list[str]] | None = None
        self.socket = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        if self.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.socket.settimeout(self.timeout)
        self.socket.connect((self.host, self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_):
        self.close()

    # ---- bytes ----

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def has_unread(self) -> bool:
        return bool(self._unread)

    def receive_some(self, size: int = 65536) -> bytes:
        """What one read gives; b"" at the end."""
        if self._unread:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        return self.socket.recv(size)

    def receive(self, size: int) -> bytes:
        while len(self._unread) < size:
            try:
                part = self.socket.recv(max(65536, size - len(self._unread)))
            except ConnectionResetError:
                raise Closed("reset", self._unread) from None
            except ssl.SSLEOFError:
                raise Closed("fin", self._unread) from None
            if not part:
                raise Closed("fin", self._unread)
            self._unread += part
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def peek(self, size: int) -> None:
        """Reads so much ahead, for what reads later."""
        while len(self._unread) < size:
            self._unread += self.socket.recv(65536)

    def receive_to_end(self) -> tuple[bytes, str]:
        """Everything until the peer closes, and how it did: "fin" or "reset"."""
        data, self._unread = self._unread, b""
        try:
            while part := self.socket.recv(65536):
                data += part
            return data, "fin"
        except (ConnectionResetError, BrokenPipeError):
            return data, "reset"
        except ssl.SSLError as failure:
            return data, "tls:" + str(failure.reason or failure)

    def finish(self) -> None:
        """Half a close."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    # ---- start ----

    def ssl_request(self) -> bytes:
        self.send(SSL_REQUEST)
        return self.receive(1)

    def tls(self, context: ssl.SSLContext, name: str = "localhost") -> "RawClient":
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self

    def read(self) -> tuple[str, bytes]:
        """The next message."""
        kind, size = struct.unpack("!ci", self.receive(5))
        return kind.decode("latin-1"), self.receive(size - 4)

    def read_error(self) -> dict[str, str]:
        """Skips to the next ErrorResponse."""
        while True:
            kind, body = self.read()
            if kind == "E":
                return error_fields(body)

    def login(self, user: str = "trustuser", password: str = "", database: str = "app", *,
              version: tuple[int, int] = (3, 0), scram: "Scram | None" = None, **parameters) -> "RawClient":
        """Start-up and authentication up to the first ReadyForQuery; raises Refused."""
        self.send(startup({"user": user, "database": database} | parameters, version))
        return self.authenticate(user, password, scram)

    def authenticate(self, user: str, password: str, scram: "Scram | None" = None) -> "RawClient":
        while True:
            kind, body = self.read()
            if kind == "E":
                raise Refused(error_fields(body))
            if kind == "R":
                scram = self._answer(struct.unpack("!i", body[:4])[0], body[4:], user, password, scram)
            elif kind == "K":
                self.pid, self.key = struct.unpack("!I", body[:4])[0], body[4:]
            elif kind == "S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == "v":
                self.negotiated = struct.unpack("!i", body[:4])[0], [
                    word.decode() for word in body[8:].split(b"\0") if word]
            elif kind == "N":
                self.notices.append(error_fields(body))
            elif kind == "Z":
                return self

    def _answer(self, code: int, body: bytes, user: str, password: str, scram: "Scram | None") -> "Scram | None":
        if code == 3:
            self.send(message("p", password.encode() + b"\0"))
        elif code == 5:
            inner = hashlib.md5(password.encode() + user.encode()).hexdigest().encode()
            self.send(message("p", b"md5" + hashlib.md5(inner + body).hexdigest().encode() + b"\0"))
        elif code == 10:
            scram = scram or Scram(password)
            scram.offered = [word.decode() for word in body.split(b"\0") if word]
            first = scram.first()
            self.send(message("p", scram.mechanism.encode() + b"\0" + struct.pack("!i", len(first)) + first))
        elif code == 11:
            self.send(message("p", scram.final(body)))
        elif code == 12:
            scram.verify(body)
        elif code != 0:
            raise AssertionError(f"authentication code {code}")
        return scram

    # ---- after it ----

    def simple(self, text: str) -> list[list[str | None]]:
        """A simple query's rows; raises Refused after its ReadyForQuery."""
        self.send(query(text))
        return self.result()

    def result(self) -> list[list[str | None]]:
        rows, failure = [], None
        while True:
            kind, body = self.read()
            if kind == "D":
                rows.append(_row(body))
            elif kind == "E":
                failure = Refused(error_fields(body))
                if failure.fields.get("V") in ("FATAL", "PANIC"):
                    raise failure
            elif kind == "N":
                self.notices.append(error_fields(body))
            elif kind == "S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == "Z":
                if failure:
                    raise failure
                return rows


def _row(body: bytes) -> list[str | None]:
    (count,) = struct.unpack("!h", body[:2])
    at, row = 2, []
    for _ in range(count):
        (size,) = struct.unpack("!i", body[at:at + 4])
        at += 4
        row.append(None if size < 0 else body[at:at + size].decode(errors="replace"))
        at += max(size, 0)
    return row


class Scram:
    """SCRAM-SHA-256 of a client, with every choice open: `flag` is "n", "y" or "p"."""

    def __init__(self, password: str, *, flag: str = "n", binding: bytes = b"", mechanism: str = "", corrupt=False):
        self._password = password.encode()
        self._header = {"n": b"n,,", "y": b"y,,", "p": b"p=tls-server-end-point,,"}[flag]
        self._binding = binding if flag == "p" else b""
        self._nonce = base64.b64encode(os.urandom(18))
        self._corrupt = corrupt
        self._signature = b""
        self.mechanism = mechanism or ("SCRAM-SHA-256-PLUS" if flag == "p" else "SCRAM-SHA-256")
        self.offered: list[str] = []
        self.salt = b""

    def first(self) -> bytes:
        self._bare = b"n=,r=" + self._nonce
        return self._header + self._bare

    def final(self, challenge: bytes) -> bytes:
        words = dict((part[:1], part[2:]) for part in challenge.split(b","))
        if not words[b"r"].startswith(self._nonce):
            raise AssertionError("the server's nonce does not begin with ours")
        self.salt = base64.b64decode(words[b"s"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password, self.salt, int(words[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        bare = b"c=" + base64.b64encode(self._header + self._binding) + b",r=" + words[b"r"]
        transcript = self._bare + b"," + challenge + b"," + bare
        proof = bytes(a ^ b for a, b in zip(client_key, hmac.digest(
            hashlib.sha256(client_key).digest(), transcript, "sha256")))
        if self._corrupt:
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), transcript, "sha256")
        return bare + b",p=" + base64.b64encode(proof)

    def verify(self, last: bytes) -> None:
        if last != b"v=" + base64.b64encode(self._signature):
            raise AssertionError(f"the server did not prove itself: {last!r}")


def trusting(authority_file, *, alpn: bool = False, verify: bool = True) -> ssl.SSLContext:
    """A client's TLS context that trusts the given CA."""
    context = ssl.create_default_context(cafile=str(authority_file))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(["postgresql"])
    return context
