"""The targets of the pooled modes: they share targets.POOL server connections between all clients."""

import re
from pathlib import Path

from benchlib import machine, postgres, targets


class PooledTrunkline(targets.Trunkline):
    name = targets.TX
    mode = "transaction"

    def route(self, stem, leg):
        if leg.trust or leg.certificates:
            secret = self.scratch.write(f"{stem}.password", f"{postgres.PASSWORD}\n")
            return (f"pooling: {self.mode}\n    auth: {{method: {'cert' if leg.certificates else 'trust'}}}\n"
                    f"    credentials: {{user: {postgres.USER}, passwordFile: {secret}}}")
        users = self.scratch.write(f"{stem}.users", self.bench.postgres.verifier())
        return f"pooling: {self.mode}\n    auth: {{method: scram, verifierFile: {users}}}"

    def pool(self):
        return f"pool: {{size: {targets.POOL}}}"

    def version(self):
        return ""  # that of the target without pooling


class TrunklineReplicas(PooledTrunkline):
    """Two of them; clients are at the first one, and their cancel requests come to the second."""

    name = targets.TX_REPLICAS

    def start(self, leg):
        self.ports = [machine.free_port(), machine.free_port()]
        self.key = self.scratch.write("replicas.key", "k" * 40)
        self.numbers = iter((1, 2))
        first, second = self._start(leg), None
        try:
            second = self._start(leg)
        except machine.Unavailable:
            self.stop(first)
            raise
        return targets.Instance(first.port, first.child, (second.child,), second.port)

    def _start(self, leg):
        self.number = next(self.numbers)
        return self.start_at(self.ports[self.number - 1], leg)

    def more(self, stem):
        ports = ", ".join(f'"127.0.0.1:{port}"' for port in self.ports)
        return f"replicas: {{number: {self.number}, keyFile: {self.key}, peers: {{endpoints: [{ports}]}}}}"


class SessionTrunkline(PooledTrunkline):
    name = targets.SESSION
    mode = "session"


class BouncerTx(targets.Pgbouncer):
    name = targets.BOUNCER_TX
    mode = "transaction"

    def trusts(self, leg):
        return leg.trust

    def users(self, leg):
        if leg.trust or leg.certificates:
            return f'"{postgres.USER}" "{postgres.PASSWORD}"\n'  # nobody proves anything that could be passed on
        return self.bench.postgres.verifier()

    def size(self, leg):
        return targets.POOL

    def version(self):
        return ""  # that of the target without a pool of this size


class BouncerSession(BouncerTx):
    name = targets.BOUNCER_SESSION
    mode = "session"


class BouncerPair(BouncerTx):
    """Two of them behind SO_REUSEPORT, each with half of the pool.

    Peering, from 1.19 on, carries cancel requests to the process that they are for; Debian's 1.18 is without.
    No cell cancels anything, so the figures are the same."""

    name = targets.BOUNCER_PAIR

    def size(self, leg):
        return targets.POOL // 2

    def more(self):
        return "so_reuseport = 1"

    def start(self, leg):
        first = super().start(leg)
        self.count += 1
        stem = f"pgbouncer-pair-{self.count}"
        try:
            second = self.scratch.spawn(stem, self.command(stem, first.port, leg), first.port,
                                        lambda: _listeners(first.port) == 2)
        except machine.Unavailable:
            self.stop(first)
            raise
        return targets.Instance(first.port, first.child, (second,))


class Pgpool(targets.Target):
    """A process for each client: as many as the pool has connections."""

    name = targets.PGPOOL
    terminates_tls = True
    relays_login = False

    def command(self, stem, port, leg):
        place = self.scratch.path
        hba = self.scratch.write(f"{stem}.hba", f"host all all 127.0.0.1/32 {'trust' if leg.trust else 'scram-sha-256'}\n")
        self.scratch.write(f"{stem}.passwd", f"{postgres.USER}:TEXT{postgres.PASSWORD}\n")
        cert, key = machine.certificate(self.scratch)
        tls = f"ssl = on\nssl_cert = '{cert}'\nssl_key = '{key}'" if leg.tls else "ssl = off"
        config = self.scratch.write(f"{stem}.conf", f"""
backend_clustering_mode = 'raw'
listen_addresses = '127.0.0.1'
port = {port}
socket_dir = '{place}'
pcp_listen_addresses = ''
pcp_port = {machine.free_port()}
pcp_socket_dir = '{place}'
wd_ipc_socket_dir = '{place}'
logdir = '{place}'
pid_file_name = '{place}/{stem}.pid'
backend_hostname0 = '127.0.0.1'
backend_port0 = {leg.server_port}
enable_pool_hba = on
pool_passwd = '{stem}.passwd'
num_init_children = {targets.POOL}
max_pool = 1
listen_backlog_multiplier = 10
child_life_time = 0
sr_check_period = 0
health_check_period = 0
memory_cache_enabled = off
log_min_messages = error
{tls}
""")
        pcp = self.scratch.write(f"{stem}.pcp", "")
        return [machine.program("pgpool"), "-n", "-D", "-f", config, "-a", hba, "-F", pcp]

    def version(self):
        return targets.first_line([machine.program("pgpool"), "--version"])


def _listeners(port):
    """How many sockets listen on that port of 127.0.0.1; see proc_pid_net(5)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(1 for line in lines if re.match(rf"\s*\d+: 0100007F:{port:04X} \S+ 0A ", line))


KINDS = (PooledTrunkline, TrunklineReplicas, SessionTrunkline, BouncerTx, BouncerSession, BouncerPair, Pgpool)
