"""Packets that get lost: what is sent to a server, or comes from it, is dropped without a word."""

from __future__ import annotations

import os
import shutil

from harness.system import run


def available() -> bool:
    """iptables, and the right to use it."""
    if os.geteuid() != 0 or not shutil.which("iptables"):
        return False
    return run(["iptables", "-w", "-S", "INPUT"], check=False).returncode == 0


class Partition:
    """`with Partition() as partition: partition.cut(server)`. All is as before when it ends."""

    def __init__(self):
        self._rules: list[tuple[str, ...]] = []

    def __enter__(self) -> "Partition":
        return self

    def __exit__(self, *_):
        self.heal()

    def cut(self, *servers, to: bool = True, back: bool = True) -> None:
        """Between everybody and these, which have a `host` and a `port`: the way to them, and the way back."""
        for server in servers:
            if to:
                self._add("-d", server.host, "--dport", str(server.port))
            if back:
                self._add("-s", server.host, "--sport", str(server.port))

    def heal(self, *servers) -> None:
        """These, or all."""
        places = {(server.host, str(server.port)) for server in servers}
        for rule in list(self._rules):
            if not servers or (rule[1], rule[3]) in places:
                run(["iptables", "-w", "-D", *_chain(rule)])
                self._rules.remove(rule)

    def _add(self, *rule: str) -> None:
        run(["iptables", "-w", "-I", *_chain(rule)])
        self._rules.append(rule)


def _chain(rule: tuple[str, ...]) -> list[str]:
    address, host, port, number = rule
    return ["INPUT", "-i", "lo", "-p", "tcp", address, host, port, number, "-j", "DROP"]
