"""A server on a node of its own: a network namespace, and the veth pair that leads to it."""

from __future__ import annotations

import os
import random
import shutil

from harness.system import run


def available() -> bool:
    """The right to make namespaces, and the programs for it."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("iptables"):
        return False
    name = f"tl-probe-{os.getpid()}"
    if run(["ip", "netns", "add", name], check=False).returncode != 0:
        return False
    run(["ip", "netns", "delete", name])
    return True


class Island:
    """`prefix` starts a program there; `address` is where it listens. A /30 out of 198.18.0.0/15, which RFC 2544 keeps
    for tests of networks."""

    def __init__(self):
        number = random.randrange(1 << 15)
        base = (198 << 24 | 18 << 16) + number * 4
        self._here, self.address = _dotted(base + 1), _dotted(base + 2)
        self._name, self._link = f"tl-{number}", f"tl{number}"
        self.prefix = ["ip", "netns", "exec", self._name]

    def __enter__(self) -> "Island":
        run(["ip", "netns", "add", self._name])
        run(["ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._name])
        run(["ip", "address", "add", f"{self._here}/30", "dev", self._link])
        run(["ip", "link", "set", self._link, "up"])
        self._inside("ip", "address", "add", f"{self.address}/30", "dev", "eth0")
        self._inside("ip", "link", "set", "lo", "up")
        self._inside("ip", "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_):
        run(["ip", "link", "delete", self._link], check=False)
        run(["ip", "netns", "delete", self._name], check=False)

    def drop(self) -> None:
        """Its packets, and those to it, get lost in its firewall."""
        for chain in ("INPUT", "OUTPUT"):
            self._inside("iptables", "-w", "-I", chain, "-j", "DROP")

    def unplug(self) -> None:
        """The cable is out on its side: after a while our kernel finds that nobody has that address."""
        self._inside("ip", "link", "set", "eth0", "down")

    def heal(self) -> None:
        self._inside("iptables", "-w", "-F")
        self._inside("ip", "link", "set", "eth0", "up")

    def _inside(self, *command: str) -> None:
        run([*self.prefix, *command])


def _dotted(number: int) -> str:
    return ".".join(str(byte) for byte in number.to_bytes(4, "big"))
