"""A primary and its streaming replicas, which a test may promote, kill, freeze and join again.

No pg_basebackup: Debian's serves no newer server, and the others come without. A Template is a server that was created
and stopped; every member begins as a copy of its data folder. Since all members keep all their WAL, such a copy can
follow any of them at any time, over every promotion: so `rebuild` is a copy too."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

from harness.certs import Certificate
from harness.island import Island
from harness.postgres import DATABASE, SUPERUSER, Server
from harness.system import free_port, give_to_unprivileged, port_answers, run, wait_until

MONITOR, MONITOR_PASSWORD = "monitor", "watches, and promotes"
BARE, BARE_PASSWORD = "bare", "may log in"

_SETTINGS = {"wal_keep_size": "2GB", "wal_retrieve_retry_interval": "100ms", "synchronous_commit": "on",
             "dynamic_shared_memory_type": "mmap"}  # which SIGKILL leaves in the data folder, and nowhere else


class Template(Server):
    """What the members of a cluster are copied from. Two templates have different system identifiers."""

    def __init__(self, version: int, folder: Path, certificate: Certificate, client_ca: Path):
        super().__init__(version, folder, certificate, client_ca, _SETTINGS)
        self.certificate, self.client_ca = certificate, client_ca

    def create(self) -> "Template":
        super().create()
        with self.admin() as admin:
            admin.execute(f"create role {MONITOR} login password '{MONITOR_PASSWORD}' in role pg_monitor")
            admin.execute(f"create role {BARE} login password '{BARE_PASSWORD}'")
        for database in ("postgres", DATABASE):  # each has a pg_proc of its own
            self.query(f"grant execute on function pg_promote(boolean, integer) to {MONITOR}", database=database)
        self.stop()
        hba = self.data / "pg_hba.conf"
        hba.write_text(f"local replication {SUPERUSER} trust\n" + hba.read_text())
        return self


class Member(Server):
    """One server of a cluster. It may have been any of primary, replica and gone, and become any of them again."""

    def __init__(self, cluster: "Cluster", name: str, host: str, port: int, island: Island | None = None):
        template = cluster.template
        super().__init__(template.version, cluster.folder / name, template.certificate, template.client_ca)
        self.cluster, self.name, self.host, self.port = cluster, name, host, port
        self.settings = cluster.settings | {"listen_addresses": host, "cluster_name": name}
        self._prefix = island.prefix if island else []
        self._frozen: list[int] = []

    def lay(self, primary: "Member | None" = None) -> None:
        """Makes its data folder, or makes it anew; a standby of `primary`, or a primary itself."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        give_to_unprivileged(self.folder)
        run(["cp", "-a", self.cluster.template.data, self.data])  # with its owner
        self._configure(primary)

    def _configure(self, primary: "Member | None") -> None:
        if primary is not None:
            self.settings["primary_conninfo"] = (f"host={primary.socket_folder} port={primary.port} user={SUPERUSER} "
                                                 f"application_name={self.name}")
            (self.data / "standby.signal").touch()
            give_to_unprivileged(self.data / "standby.signal")
        text = "".join("{} = '{}'\n".format(key, str(value).replace("'", "''")) for key, value in self.settings.items())
        (self.data / "postgresql.auto.conf").write_text(text)

    # ---- roles ----

    def promote(self) -> None:
        """Ends when it takes writes. Nothing is done to the primary that there was."""
        self.query("select pg_promote()", database="postgres")
        self.cluster.primary = self

    def follow(self, other: "Member") -> None:
        """Becomes a standby of `other`, or changes to it. A server whose WAL went another way needs `rebuild`."""
        standby = self.running and self.is_in_recovery()
        self._configure(other)
        if standby:
            self.query("select pg_reload_conf()", database="postgres")
        else:
            self.restart()

    def rebuild(self, other: "Member") -> None:
        """Joins again as a standby of `other`, whatever it was."""
        self.kill9()
        self.lay(other)
        self.start()

    def restart(self) -> None:
        self.stop()
        self.start()

    def show_certificate(self, certificate: Certificate) -> None:
        for source, name in ((certificate.cert, "server.crt"), (certificate.key, "server.key")):
            shutil.copy(source, self.data / name)
            (self.data / name).chmod(0o600)
            give_to_unprivileged(self.data / name)
        self.query("select pg_reload_conf()", database="postgres")

    # ---- faults ----

    def kill9(self) -> None:
        """SIGKILL for the postmaster and, so that none of them lives on, for everything that it started."""
        if not self.running:
            return
        pids = self._stop_all()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._process.wait(10)
        self._frozen = []
        wait_until(lambda: not any(_alive(pid) for pid in pids), 10, f"every process of {self.name} is gone")
        segment = (self.data / "postmaster.pid").read_text().split("\n")[6].split()
        run(["ipcrm", "-m", segment[1]], check=False)  # or it stays until the next start in this folder, if any

    def freeze(self) -> None:
        """The kernel goes on accepting and acknowledging for it, and nobody answers."""
        self._frozen = self._stop_all()

    def thaw(self) -> None:
        for pid in reversed(self._frozen):
            _signal(pid, signal.SIGCONT)
        self._frozen = []

    def _stop_all(self) -> list[int]:
        """SIGSTOP for the postmaster, which then starts no more, and for all its children; answers them all."""
        pids = [self._process.pid]
        _signal(pids[0], signal.SIGSTOP)
        wait_until(lambda: _state(pids[0]) == "T", 5, f"{self.name} stands still")
        pids += _children(pids[0])
        for pid in pids[1:]:
            _signal(pid, signal.SIGSTOP)
        return pids

    def stop(self, how: int = signal.SIGINT) -> None:
        self.thaw()
        super().stop(how)

    def pause_replay(self) -> None:
        self.query("select pg_wal_replay_pause()", database="postgres")
        wait_until(lambda: self.query("select pg_get_wal_replay_pause_state()", database="postgres") == [("paused",)],
                   5, f"{self.name} replays no more")

    def resume_replay(self) -> None:
        self.query("select pg_wal_replay_resume()", database="postgres")

    # ---- what it is ----

    def is_in_recovery(self) -> bool:
        return self.query("select pg_is_in_recovery()", database="postgres")[0][0]

    def timeline(self) -> int:
        if self.is_in_recovery():
            return self.query("select greatest((select max(received_tli) from pg_stat_wal_receiver),"
                              " min_recovery_end_timeline) from pg_control_recovery()", database="postgres")[0][0]
        name = self.query("select pg_walfile_name(pg_current_wal_lsn())", database="postgres")[0][0]
        return int(name[:8], 16)

    def system_identifier(self) -> int:
        return self.query("select system_identifier from pg_control_system()", database="postgres")[0][0]

    def caught_up(self, primary: "Member") -> bool:
        (lsn,), = primary.query("select pg_current_wal_lsn()::text", database="postgres")
        return self.query("select pg_last_wal_replay_lsn() >= %s::pg_lsn", (lsn,), database="postgres")[0][0] is True


class Cluster:
    """`addresses="distinct"`: every member has its own loopback address and all have one port, as a name with several
    addresses in the DNS needs it. Otherwise all are at 127.0.0.1 with ports of their own, and the first, where it is
    given an island, there; it is followed over its unix socket, so that the cluster itself is never cut."""

    def __init__(self, template: Template, folder: Path, *, replicas: int = 2, addresses: str = "one",
                 settings: dict | None = None, island: Island | None = None):
        self.template = template
        self.folder = folder
        self.settings = settings or {}
        self._net = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}" if addresses == "distinct" else ""
        self._port = 0
        folder.mkdir(parents=True, exist_ok=True)
        give_to_unprivileged(folder)
        self.primary = self._new_member(island)
        self.members = [self.primary]
        for _ in range(replicas):
            self.members.append(self._new_member())
        for member in self.members:
            member.lay(self.primary if member is not self.primary else None)

    def start(self) -> "Cluster":
        for member in self.members:
            member.begin()
        for member in self.members:
            member.wait_started()
        self.wait_streaming()
        return self

    def _new_member(self, island: Island | None = None) -> Member:
        number = len(getattr(self, "members", [])) + 1
        if not self._net:
            return Member(self, f"m{number}", island.address if island else "127.0.0.1", free_port(), island)
        while not self._port or port_answers(self._port, f"{self._net}.{number}"):
            self._port = free_port()
        return Member(self, f"m{number}", f"{self._net}.{number}", self._port)

    @property
    def replicas(self) -> list[Member]:
        """Everything but the one that was made the primary last."""
        return [member for member in self.members if member is not self.primary]

    @property
    def endpoints(self) -> list[str]:
        return [member.endpoint for member in self.members]

    def add_replica(self) -> Member:
        member = self._new_member()
        member.lay(self.primary)
        self.members.append(member)
        member.start()
        return member

    def wait_streaming(self, *replicas: Member) -> None:
        wanted = {member.name for member in replicas or self.replicas}
        wait_until(lambda: wanted <= {name for name, in self.primary.query(
            "select application_name from pg_stat_replication where state = 'streaming'", database="postgres")},
            20, f"{wanted} follow {self.primary.name}")

    def wait_caught_up(self, *replicas: Member) -> None:
        for member in replicas or self.replicas:
            wait_until(lambda: member.caught_up(self.primary), 20, f"{member.name} has what {self.primary.name} wrote")

    def close(self) -> None:
        for member in self.members:
            member.stop(signal.SIGQUIT)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _stat(pid: int) -> list[str]:
    """State, parent and so on, as in proc(5) from the third field; nothing for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    return (_stat(pid) or ["X"])[0]


def _alive(pid: int) -> bool:
    return _state(pid) not in "XZ"


def _children(pid: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _stat(int(name))[1:2] == [str(pid)]]
