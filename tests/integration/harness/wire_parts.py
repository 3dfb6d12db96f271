"""Messages of the extended query protocol and of COPY, for clients that are made of bytes.
PostgreSQL documentation, section 55.7."""

from __future__ import annotations

import struct

from harness.wire import SYNC, message

FLUSH = message("H")
COPY_DONE = message("c")

__all__ = ["COPY_DONE", "FLUSH", "SYNC", "bind", "close", "copy_data", "copy_fail", "describe", "execute", "parse"]


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def parse(name: str, text: str, types: tuple[int, ...] = ()) -> bytes:
    return message("P", _text(name) + _text(text) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(portal: str, statement: str, values: tuple = ()) -> bytes:
    """All in text format; None is NULL."""
    body = _text(portal) + _text(statement) + struct.pack("!hh", 0, len(values))
    for value in values:
        data = None if value is None else str(value).encode()
        body += struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
    return message("B", body + struct.pack("!h", 0))


def describe(kind: str, name: str) -> bytes:
    """`kind`: S, a statement; P, a portal."""
    return message("D", kind.encode() + _text(name))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return message("E", _text(portal) + struct.pack("!i", limit))


def close(kind: str, name: str) -> bytes:
    return message("C", kind.encode() + _text(name))


def copy_data(data: bytes) -> bytes:
    return message("d", data)


def copy_fail(why: str) -> bytes:
    return message("f", _text(why))
