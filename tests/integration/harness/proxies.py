"""The proxies and poolers that people have before a server, as Debian packages them; PgBouncer is in pooled.py."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from harness.certs import Certificate
from harness.postgres import PASSWORD, USER
from harness.system import as_unprivileged, free_port, give_to_unprivileged, port_answers, stop, wait_until


class Proxy:
    """A program in the foreground, with its files in a folder of its own."""

    def __init__(self, words: list, folder: Path, port: int):
        self.port = port
        give_to_unprivileged(folder)
        with open(folder / "said.log", "wb") as said:
            self._process = subprocess.Popen(as_unprivileged(words), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        wait_until(lambda: port_answers(port), 15, f"{words[0]} listens (see {folder})")

    def stop(self) -> None:
        stop(self._process)


def haproxy(server, folder: Path, timeout: str = "1m") -> Proxy:
    port = free_port()
    (folder / "haproxy.cfg").write_text(f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client {timeout}
  timeout server {timeout}
frontend db
  bind 127.0.0.1:{port}
  default_backend servers
backend servers
  server one 127.0.0.1:{server.port}
""")
    return Proxy(["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder, port)


def nginx(server, folder: Path, timeout: str = "10m") -> Proxy:
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{server.port}; proxy_timeout {timeout}; }} }}
""")
    return Proxy(["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"], folder, port)


def stunnel_before_server(server, folder: Path, certificate: Certificate) -> Proxy:
    """Ends the clients' TLS as PostgreSQL begins it; the server's leg is plaintext."""
    shutil.copy(certificate.cert, folder / "stunnel.crt")
    shutil.copy(certificate.key, folder / "stunnel.key")
    return _stunnel(server, folder, f"cert = {folder}/stunnel.crt\nkey = {folder}/stunnel.key")


def stunnel_beside_client(server, folder: Path) -> Proxy:
    """Speaks TLS with the server and plaintext with its clients."""
    return _stunnel(server, folder, "client = yes")


def _stunnel(server, folder: Path, more: str) -> Proxy:
    port = free_port()
    (folder / "stunnel.conf").write_text(f"""
foreground = yes
pid =
[postgres]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{server.port}
protocol = pgsql
{more}
""")
    return Proxy(["stunnel4", folder / "stunnel.conf"], folder, port)


def pgpool(server, folder: Path) -> Proxy:
    """As it is set up for SCRAM: it knows the passwords, and logs in for its clients."""
    port = free_port()
    (folder / "pool_passwd").write_text(f"{USER}:TEXT{PASSWORD}\n", encoding="utf-8")
    (folder / "pool_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    (folder / "pcp.conf").write_text("")
    (folder / "pgpool.conf").write_text(f"""
backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = {port}
pcp_listen_addresses = ''
pcp_port = {free_port()}
socket_dir = '{folder}'
pcp_socket_dir = '{folder}'
logdir = '{folder}'
pid_file_name = '{folder}/pgpool.pid'
backend_hostname0 = '127.0.0.1'
backend_port0 = {server.port}
enable_pool_hba = on
pool_passwd = '{folder}/pool_passwd'
sr_check_period = 0
""")
    return Proxy(["pgpool", "-n", "-f", folder / "pgpool.conf", "-a", folder / "pool_hba.conf",
                  "-F", folder / "pcp.conf"], folder, port)
