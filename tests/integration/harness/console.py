"""The console's users, and a gateway that has one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

from psycopg.conninfo import make_conninfo

USER, PASSWORD = "ops", "console secret"
STRANGER = "guest"  # in the verifier file, and not among admin.console.users


def verifier(password: str, iterations: int = 4096) -> str:
    salt = hashlib.sha256(password.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:" + "$".join(
        (base64.b64encode(salt).decode(), ":".join(base64.b64encode(key).decode() for key in (stored, server))))


def console(folder: Path) -> dict:
    """The configuration's `admin`."""
    file = folder / "console.users"
    names = (USER, STRANGER, "metrics-1")
    file.write_text("".join(f'"{name}" "{verifier(PASSWORD)}"\n' for name in names))
    return {"address": "127.0.0.1:0", "console": {"users": [USER, "metrics-*"], "verifierFile": str(file)}}


def dsn(port: int, database: str = "trunkline", **more) -> str:
    words = {"host": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD, "dbname": database,
             "sslmode": "disable", "connect_timeout": 10} | more
    return make_conninfo(**words)


def rows_of(text: str) -> list[dict]:
    return json.loads(text)
