"""What is measured: the direct connection, the proxies, and the floor. Each proxy has one worker thread."""

import re
import subprocess
from dataclasses import dataclass

from benchlib import machine, postgres

PEERS = ("pgbouncer", "haproxy", "nginx")
# A trunkline that keeps an audit, and another build of it to compare with (--baseline).
AUDITED, BASELINE = "trunkline+audit", "baseline"
ORDER = ("direct", "trunkline", AUDITED, BASELINE, *PEERS, "floor", "floor+walk")


@dataclass
class Instance:
    """A running target: where clients connect, and what to measure (no process for the direct connection)."""

    port: int
    child: object = None


@dataclass
class Leg:
    """What stands behind and before a proxy in one cell."""

    server_port: int
    tls: bool = False   # the proxy terminates TLS
    fake: bool = False  # the server is the fake one, which lets everybody in


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
        port = machine.free_port()
        self.count += 1
        stem = f"{re.sub('[^a-z]', '-', self.name)}-{self.count}"
        return Instance(port, self.scratch.spawn(stem, self.command(stem, port, leg), port))

    def stop(self, instance):
        if instance is not None and instance.child is not None:
            self.scratch.stop(instance.child)

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

    def command(self, stem, port, leg):
        if not self.program().exists():
            raise machine.Unavailable(f"{self.program()} is not built")
        cert, key = machine.certificate(self.scratch)
        tls = f"{{mode: allow, certificates: [{{certFile: {cert}, keyFile: {key}}}]}}" if leg.tls else "{mode: disable}"
        config = self.scratch.write(f"{stem}.yaml", f"""
listeners:
  - name: bench
    address: 127.0.0.1:{port}
    tls: {tls}
    maxSessions: 10000
routes:
  - name: bench
    match: {{listener: bench}}
    upstream: server
    auth: {{method: server}}
upstreams:
  - name: server
    endpoints: ["127.0.0.1:{leg.server_port}"]
    tls: {{mode: disable}}
workers: 1
{self.more(stem)}
""")
        return [self.program(), "serve", "-c", config, "--log-level", "warn"]

    def version(self):
        return _first_line([str(self.program()), "version"])


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

    def command(self, stem, port, leg):
        users = f'"{postgres.USER}" ""\n' if leg.fake else self.bench.postgres.verifier()
        auth_file = self.scratch.write(f"{stem}.users", users)
        cert, key = machine.certificate(self.scratch)
        tls = f"client_tls_sslmode = allow\nclient_tls_cert_file = {cert}\nclient_tls_key_file = {key}" if leg.tls else ""
        config = self.scratch.write(f"{stem}.ini", f"""
[databases]
* = host=127.0.0.1 port={leg.server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = {"trust" if leg.fake else "scram-sha-256"}
auth_file = {auth_file}
pool_mode = session
max_client_conn = 8000
default_pool_size = {7000 if leg.fake else 200}
log_connections = 0
log_disconnections = 0
log_stats = 0
{tls}
""")
        return [machine.program("pgbouncer"), config]

    def version(self):
        return _first_line([machine.program("pgbouncer"), "--version"])


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
        return _first_line([machine.program("haproxy"), "-v"])


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
        return _first_line([machine.program("nginx"), "-v"])


class Floor(Target):
    name = "floor"
    more = ("--buffer", "65536")

    def command(self, stem, port, leg):
        return [self.bench.tools["floor_relay"], "--listen", port, "--server", leg.server_port, *self.more]


class FloorWalk(Floor):
    name = "floor+walk"
    more = ("--buffer", "65536", "--walk")


def all_targets(bench):
    kinds = (Direct, Trunkline, Audited, Baseline, Pgbouncer, Haproxy, Nginx, Floor, FloorWalk)
    return {kind.name: kind(bench) for kind in kinds}


def _first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]
