"""One client of the protocol under asyncio, made of bytes: hundreds of them fit in one process."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field

from harness.wire import TERMINATE, cancel_request, error_fields, query, startup

PATIENCE = 120.0  # for one answer; a client may wait long for its turn in a small pool


class Lost(Exception):
    """The connection has ended, or an answer did not come."""


@dataclass
class Reply:
    """What came up to a ReadyForQuery, or up to the message that was waited for."""
    rows: list[list[str | None]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    copied: bytes = b""
    kinds: str = ""   # every message's kind, in order, without rows and what is asynchronous
    end: str = ""

    @property
    def code(self) -> str:
        """The first error's SQLSTATE; nothing where there was none."""
        return self.errors[0].get("C", "?") if self.errors else ""


class Connection:
    def __init__(self, port: int, host: str = "127.0.0.1"):
        self.host, self.port = host, port
        self.parameters: dict[str, str] = {}
        self.notifications: list[tuple[str, str]] = []  # (channel, payload), taken by who reads them
        self.notices: list[str] = []
        self.pid, self.key = 0, b""
        self.status = "?"
        self._unread = bytearray()

    async def open(self, user: str, database: str, parameters: dict[str, str]) -> "Connection":
        try:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        except OSError as failure:
            raise Lost(f"cannot connect: {failure}") from None
        self.send(startup({"user": user, "database": database} | parameters))
        reply = await self.collect()
        if reply.errors:
            raise Lost(f"login refused: {reply.errors[0]}")
        return self

    # ---- bytes ----

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> tuple[str, bytes]:
        while len(self._unread) < 5 or len(self._unread) < 1 + self._size():
            try:
                part = await asyncio.wait_for(self._reader.read(1 << 18), PATIENCE)
            except (OSError, TimeoutError, asyncio.TimeoutError) as failure:
                raise Lost(repr(failure)) from None
            if not part:
                raise Lost("the other side closed the connection")
            self._unread += part
        end = 1 + self._size()
        kind, body = chr(self._unread[0]), bytes(self._unread[5:end])
        del self._unread[:end]
        return kind, body

    def _size(self) -> int:
        return int.from_bytes(self._unread[1:5], "big")

    # ---- messages ----

    async def simple(self, text: str) -> Reply:
        self.send(query(text))
        return await self.collect()

    async def collect(self, until: str = "Z") -> Reply:
        """All messages up to one of the kinds in `until`; what is asynchronous is put aside."""
        reply = Reply()
        while True:
            kind, body = await self.read()
            if kind == "D":
                reply.rows.append(row(body))
            elif kind == "d":
                reply.copied += body
            elif not self._aside(kind, body):
                reply.kinds += kind
                if kind == "C":
                    reply.tags.append(body[:-1].decode())
                elif kind == "E":
                    self._error(reply, error_fields(body))
                elif kind == "Z":
                    self.status = body.decode()
            if kind in until or kind == "Z":
                reply.end = kind
                return reply

    @staticmethod
    def _error(reply: Reply, fields: dict[str, str]) -> None:
        reply.errors.append(fields)
        if fields.get("V") in ("FATAL", "PANIC"):
            raise Lost(f"{fields.get('V')} {fields.get('C')}: {fields.get('M')}")

    def _aside(self, kind: str, body: bytes) -> bool:
        if kind == "S":
            name, value = body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        elif kind == "A":
            channel, payload = body[4:].split(b"\0")[:2]
            self.notifications.append((channel.decode(), payload.decode()))
        elif kind == "N":
            self.notices.append(error_fields(body).get("M", ""))
        elif kind == "K":
            self.pid, self.key = struct.unpack("!I", body[:4])[0], body[4:]
        else:
            return kind == "R"
        return False if kind == "N" else True

    # ---- ends ----

    async def cancel(self) -> None:
        """Ends once the server, or what stands before it, has taken the request."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(cancel_request(self.pid, self.key))
            await asyncio.wait_for(reader.read(), PATIENCE)
        except OSError:
            pass  # a reset is an end too
        finally:
            writer.close()

    async def leave(self, how: str = "terminate") -> None:
        """`how`: terminate, fin or rst."""
        if how == "terminate":
            self.send(TERMINATE)
        if how == "rst":
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
            return
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass


def row(body: bytes) -> list[str | None]:
    count, at, values = int.from_bytes(body[:2], "big"), 2, []
    for _ in range(count):
        size = int.from_bytes(body[at:at + 4], "big", signed=True)
        at += 4
        values.append(None if size < 0 else body[at:at + size].decode("latin-1"))
        at += max(size, 0)
    return values
