"""A certificate authority for one test run, made with the openssl command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.system import run

LOCAL_NAMES = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path


class Authority:
    """Signs certificates (ECDSA P-256 unless told otherwise) that expire after two days."""

    def __init__(self, folder: Path, name: str = "Trunkline test CA"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.cert = folder / "ca.crt"
        self._key = folder / "ca.key"
        self._made: dict[str, Certificate] = {}
        run(["openssl", "req", "-x509", *_new_key("ec"), "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key, "-out", self.cert])

    def issue(self, name: str, names: tuple[str, ...] = LOCAL_NAMES, *, common_name: str = "", key: str = "ec",
              days: int = 2) -> Certificate:
        """A certificate called `name` for subject alternative `names` ("DNS:..." or "IP:..."), made once."""
        if name in self._made:
            return self._made[name]
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        alternative = ["-addext", "subjectAltName=" + ",".join(names)] if names else []
        run(["openssl", "req", "-x509", "-CA", self.cert, "-CAkey", self._key, *_new_key(key), "-nodes",
             "-days", days, "-subj", f"/CN={common_name or name}", *alternative,
             "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", made.key, "-out", made.cert])
        made.key.chmod(0o600)
        self._made[name] = made
        return made


def _new_key(kind: str) -> list[str]:
    return ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
