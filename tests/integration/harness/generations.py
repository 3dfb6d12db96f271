"""Gateways that take over from one another: SIGUSR2."""

from __future__ import annotations

import os
import select
import signal

from harness.gateway import port_of
from harness.system import wait_until


class Process:
    """One that is not our child."""

    def __init__(self, pid: int):
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        signal.pidfd_send_signal(self._fd, number)

    def ended(self, timeout: float = 0) -> bool:
        return bool(select.select([self._fd], [], [], timeout)[0])

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Generations:
    """A gateway and those that took over from it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.port = port_of(gateway.config, "main")
        self.all = [Process(gateway.pid)]

    def said(self, word: str) -> list[dict]:
        return [line for line in self.gateway.log() if line["event"] == "handover" and word in line["message"]]

    def hand_over(self) -> Process:
        """The newest is sent SIGUSR2; answers the one that serves then."""
        done = len(self.said("taken over"))
        self.all[-1].send(signal.SIGUSR2)
        wait_until(lambda: len(self.said("taken over")) > done, 40, "the new process has taken over")
        self.all.append(Process(self.said("taken over")[-1]["pid"]))
        return self.all[-1]

    def end(self) -> None:
        for each in self.all[1:]:
            if not each.ended():
                each.send(signal.SIGINT)
        assert all(each.ended(20) for each in self.all[1:]), "not all have ended"
