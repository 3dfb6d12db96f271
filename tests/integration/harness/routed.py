"""A client, a router and a server, each on a node of its own (a network namespace): what becomes of packets on their
way, which no relay between two sockets can show. Nothing of it touches the network that the tests run in."""

from __future__ import annotations

import ctypes
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.system import run

_NAMES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def lacking() -> str:
    """What is missing here to make such nodes; nothing where all is there."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    for program in ("ip", "iptables"):
        if not shutil.which(program):
            return f"needs the program {program}"
    probe = run(["unshare", "--net", "iptables", "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID",
                 "-j", "DROP"], check=False)
    return f"needs network namespaces with iptables: {probe.stderr.strip()}" if probe.returncode else ""


class Node:
    """`prefix` starts a program there; `address` is where a server listens."""

    def __init__(self, kind: str, address: str):
        self.name, self.address = f"tl-{os.getpid()}-{kind}", address
        self.prefix = ["ip", "netns", "exec", self.name]

    def run(self, *command: str) -> None:
        run([*self.prefix, *command])

    def set(self, setting: str, value: int) -> None:
        self.make(lambda: Path("/proc/sys/net", setting).write_text(f"{value}\n", encoding="ascii"))

    def make(self, what):
        """Calls it in a thread that has moved there, as does every thread that begins in it: sockets stay there."""
        def there():
            with open(_NAMES / self.name, encoding="ascii") as namespace:
                if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns to {self.name}")
            return what()
        with ThreadPoolExecutor(1) as mover:
            return mover.submit(there).result()


class Route:
    """client 198.18.0.1 -- 198.18.0.2 router 198.18.1.1 -- 198.18.1.2 server. RFC 2544 keeps these for tests."""

    def __init__(self):
        self.client = Node("client", "198.18.0.1")
        self.router = Node("router", "198.18.0.2")
        self.server = Node("server", "198.18.1.2")

    def __enter__(self) -> "Route":
        _sweep()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        for node in (self.client, self.router, self.server):
            run(["ip", "netns", "add", node.name])
            node.run("ip", "link", "set", "lo", "up")
        self._link(self.client, "near", "198.18.0.2")
        self._link(self.server, "far", "198.18.1.1")
        self.router.set("ipv4/ip_forward", 1)

    def _link(self, node: Node, device: str, gateway: str) -> None:
        """The veth pair from a node's eth0 to that device of the router."""
        run(["ip", "link", "add", "eth0", "netns", node.name, "type", "veth",
             "peer", "name", device, "netns", self.router.name])
        node.run("ip", "address", "add", f"{node.address}/24", "dev", "eth0")
        self.router.run("ip", "address", "add", f"{gateway}/24", "dev", device)
        node.run("ip", "link", "set", "eth0", "up")
        self.router.run("ip", "link", "set", device, "up")
        node.run("ip", "route", "add", "default", "via", gateway)

    def __exit__(self, *_):
        for node in (self.client, self.router, self.server):
            run(["ip", "netns", "delete", node.name], check=False)  # and its links with it

    # ---- what the router does to packets ----

    def rule(self, *words: str, table: str = "filter", chain: str = "FORWARD") -> None:
        self.router.run("iptables", "-w", "-t", table, "-A", chain, *words)

    def narrow(self, mtu: int) -> None:
        """The way back to the client takes no larger packets; the server hears of it, unless `deafen` follows."""
        self.router.run("ip", "route", "replace", "198.18.0.0/24", "dev", "near", "mtu", "lock", str(mtu))

    def deafen(self) -> None:
        """No ICMP leaves the router: nobody learns that a packet was too large, or knows it from before."""
        self.rule("-p", "icmp", "-j", "DROP", chain="OUTPUT")
        self.server.run("ip", "route", "flush", "cache")

    def forget_after(self, seconds: int, target: str, *words: str) -> None:
        """Connections without a packet for so long are forgotten, and what comes of them then goes to that target."""
        self._track(loose=0, established=seconds)
        self.rule("-m", "conntrack", "--ctstate", "INVALID", "-j", target, *words)

    def _track(self, *, loose: int, established: int) -> None:
        self.router.set("netfilter/nf_conntrack_tcp_loose", loose)
        self.router.set("netfilter/nf_conntrack_tcp_timeout_established", established)

    def heal(self) -> None:
        for table in ("filter", "nat", "mangle"):
            self.router.run("iptables", "-w", "-t", table, "-F")
        self._track(loose=1, established=432_000)
        self.narrow(1500)
        self.server.run("ip", "route", "flush", "cache")


def _sweep() -> None:
    """Nodes of a run that was killed before it could remove them."""
    for name in os.listdir(_NAMES) if _NAMES.is_dir() else []:
        owner = name.split("-")[1] if name.startswith("tl-") and name.count("-") == 2 else ""
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            run(["ip", "netns", "delete", name], check=False)
