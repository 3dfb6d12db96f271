"""What is measured: the direct connection, the proxies, and the floor. Each proxy has one worker thread, unless
the cell asks for more. Those that share server connections are in pool_targets.py."""

import re
import subprocess
from dataclasses import dataclass

from benchlib import machine, postgres, procstat

PEERS = ("pgbouncer", "haproxy", "nginx")
POOL = 20  # server connections of everything that pools
# A trunkline that keeps an audit, and another build of it to compare with (--baseline).
AUDITED, BASELINE = "trunkline+audit", "baseline"
UNPOOLED = ("direct", "trunkline", AUDITED, BASELINE, *PEERS, "floor", "floor+walk")
# In the cells of the pooled modes; a pair is two processes on one port.
TX, TX_REPLICAS, SESSION = "trunkline-tx", "trunkline-replicas", "trunkline-session"
BOUNCER_TX, BOUNCER_SESSION, BOUNCER_PAIR, PGPOOL = "pgbouncer-tx", "pgbouncer-session", "pgbouncer-pair", "pgpool"
POOL_PEERS = (BOUNCER_TX, BOUNCER_SESSION, BOUNCER_PAIR, PGPOOL)
ORDER = (*UNPOOLED, TX, TX_REPLICAS, SESSION, *POOL_PEERS)


@dataclass
class Instance:
    """A running target: where clients connect, and what to measure (no process for the direct connection)."""

    port: int
    child: object = None
    others: tuple = ()  # further children
    cancel_port: int | None = None  # where cancel requests go, if not to `port`

    def children(self):
        return [one for one in (self.child, *self.others) if one is not None]

    def pids(self):
        """Of all processes of the target, without the server."""
        return [pid for child in self.children() for pid in procstat.tree(child.pid)]


@dataclass
class Leg:
    """What stands behind and before a proxy in one cell."""

    server_port: int
    tls: bool = False   # the proxy terminates TLS
    fake: bool = False  # the server is the fake one, which lets everybody in
    trust: bool = False  # a pool asks its clients for no proof
    certificates: bool = False  # it asks them for a certificate
    workers: int = 1


class Target:
    """Starts one kind of proxy. `start` raises machine.Unavailable where the program is missing."""

    name = ""
    terminates_tls = False
    relays_login = True  # false: answers logins from its own pool

    def __init__(self, bench):
        self.bench = bench
        self.scratch = bench.scratch
        self.count = 0

    def start(self, leg):
        return self.start_at(machine.free_port(), leg)

    def start_at(self, port, leg):
        self.count += 1
        stem = f"{re.sub('[^a-z]', '-', self.name)}-{self.count}"
        return Instance(port, self.scratch.spawn(stem, self.command(stem, port, leg), port))

    def stop(self, instance):
        for child in instance.children() if instance is not None else ():
            self.scratch.stop(child)

    def command(self, stem, port, leg):
        raise NotImplementedError

    def version(self):
        return ""


class Direct(Target):
    name = "direct"
    terminates_tls = True

    def start(self, leg):
        return Instance(leg.server_port)


class Trunkline(Target):
    name = "trunkline"
    terminates_tls = True

    def program(self):
        return self.bench.trunkline

    def more(self, stem):
        """Further lines of its configuration."""
        return ""

    def route(self, stem, leg):
        """Who checks clients, and what becomes of server connections."""
        return "auth: {method: server}"

    def pool(self):
        return ""

    def command(self, stem, port, leg):
        if not self.program().exists():
            raise machine.Unavailable(f"{self.program()} is not built")
        cert, key = machine.certificate(self.scratch)
        clients = f", clientCaFile: {machine.client_certificate(self.scratch, postgres.USER)[0]}, clientCertificate: require" if leg.certificates else ""
        tls = f"{{mode: {'require' if leg.certificates else 'allow'}, certificates: [{{certFile: {cert}, keyFile: {key}}}]{clients}}}" if leg.tls else "{mode: disable}"
        config = self.scratch.write(f"{stem}.yaml", f"""
listeners:
  - name: bench
    address: 127.0.0.1:{port}
    tls: {tls}
    maxSessions: 12000
routes:
  - name: bench
    match: {{listener: bench}}
    upstream: server
    {self.route(stem, leg)}
upstreams:
  - name: server
    endpoints: ["127.0.0.1:{leg.server_port}"]
    tls: {{mode: disable}}
    {self.pool()}
workers: {leg.workers}
{self.more(stem)}
""")
        return [self.program(), "serve", "-c", config, "--log-level", "warn"]

    def version(self):
        return first_line([str(self.program()), "version"])


class Audited(Trunkline):
    name = AUDITED

    def more(self, stem):
        return f"audit: {{sinks: [{{type: file, path: {self.scratch.path}/{stem}.audit}}]}}"


class Baseline(Trunkline):
    name = BASELINE

    def program(self):
        if self.bench.baseline is None:
            raise machine.Unavailable("--baseline names no other build")
        return self.bench.baseline


class Pgbouncer(Target):
    name = "pgbouncer"
    terminates_tls = True
    relays_login = False
    mode = "session"

    def trusts(self, leg):
        return leg.fake

    def users(self, leg):
        return f'"{postgres.USER}" ""\n' if leg.fake else self.bench.postgres.verifier()

    def size(self, leg):
        return 7000 if leg.fake else 200

    def more(self):
        """Further lines of its configuration."""
        return ""

    def command(self, stem, port, leg):
        auth_file = self.scratch.write(f"{stem}.users", self.users(leg))
        cert, key = machine.certificate(self.scratch)
        tls = f"client_tls_sslmode = allow\nclient_tls_cert_file = {cert}\nclient_tls_key_file = {key}" if leg.tls else ""
        if leg.certificates:
            tls = tls.replace("= allow", "= verify-full") + f"\nclient_tls_ca_file = {machine.client_certificate(self.scratch, postgres.USER)[0]}"
        config = self.scratch.write(f"{stem}.ini", f"""
[databases]
* = host=127.0.0.1 port={leg.server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = {"cert" if leg.certificates else "trust" if self.trusts(leg) else "scram-sha-256"}
auth_file = {auth_file}
pool_mode = {self.mode}
max_client_conn = 12000
default_pool_size = {self.size(leg)}
log_connections = 0
log_disconnections = 0
log_stats = 0
{tls}
{self.more()}
""")
        return [machine.program("pgbouncer"), config]

    def version(self):
        return first_line([machine.program("pgbouncer"), "--version"])


class Haproxy(Target):
    name = "haproxy"

    def command(self, stem, port, leg):
        config = self.scratch.write(f"{stem}.cfg", f"""
global
  nbthread 1
  maxconn 6500
defaults
  mode tcp
  maxconn 6500
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{leg.server_port}
""")
        return [machine.program("haproxy"), "-db", "-q", "-f", config]

    def version(self):
        return first_line([machine.program("haproxy"), "-v"])


class Nginx(Target):
    name = "nginx"

    def command(self, stem, port, leg):
        config = self.scratch.write(f"{stem}.conf", f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
worker_rlimit_nofile {self.bench.file_limit};
error_log stderr crit;
pid {self.scratch.path}/{stem}.pid;
events {{ worker_connections 16000; }}
stream {{
  access_log off;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_pass 127.0.0.1:{leg.server_port};
    proxy_timeout 1h;
  }}
}}
""")
        return [machine.program("nginx"), "-e", "stderr", "-c", config]

    def version(self):
        return first_line([machine.program("nginx"), "-v"])


class Floor(Target):
    name = "floor"
    more = ("--buffer", "65536")

    def command(self, stem, port, leg):
        return [self.bench.tools["floor_relay"], "--listen", port, "--server", leg.server_port, *self.more]


class FloorWalk(Floor):
    name = "floor+walk"
    more = ("--buffer", "65536", "--walk")


KINDS = (Direct, Trunkline, Audited, Baseline, Pgbouncer, Haproxy, Nginx, Floor, FloorWalk)


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]
