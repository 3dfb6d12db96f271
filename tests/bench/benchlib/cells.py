"""The cells of the comparison: what is run, against which targets, on which legs."""

from dataclasses import dataclass
from fnmatch import fnmatch

from benchlib import loads, targets

PLAIN = tuple(name for name in targets.UNPOOLED if name not in (targets.AUDITED, targets.BASELINE))
WITHOUT_WALK = tuple(name for name in PLAIN if name != "floor+walk")
OBSERVING = ("trunkline", targets.AUDITED, targets.BASELINE, *targets.PEERS)
TERMINATING = ("direct", "trunkline", "pgbouncer")
PROXIES = tuple(name for name in WITHOUT_WALK if name != "direct")
PROTOCOLS = ("simple", "extended", "prepared")
CLIENTS = (1, 16, 64)


@dataclass
class Cell:
    name: str
    title: str
    unit: str            # of per_second
    targets: tuple
    run: object          # (bench, instance) -> dictionary of figures
    tls: bool = False
    fake: bool = False
    fresh: bool = False  # a new proxy process for every measurement
    trust: bool = False  # pools ask their clients for no proof
    certificates: bool = False  # a client's certificate proves who it is
    workers: int = 1     # of trunkline
    long: bool = False   # a quick run leaves it out


def all_cells():
    found = []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            found.append(Cell(f"{protocol}-{clients}", f"pgbench -S, {protocol} protocol, {clients_text(clients)}", "tx/s", PLAIN,
                              lambda bench, at, p=protocol, c=clients: loads.pgbench(bench, at, protocol=p, clients=c)))
    found.append(Cell("audit-16", "pgbench -S, prepared protocol, 16 clients: what observing costs", "tx/s", OBSERVING,
                      lambda bench, at: loads.pgbench(bench, at, protocol="prepared", clients=16)))
    for clients in (1, 16):
        found.append(Cell(f"pipeline-{clients}", f"pipelines of 10 statements, {clients_text(clients)}", "pipelines/s", PLAIN,
                          lambda bench, at, c=clients: loads.pgbench(bench, at, protocol="extended", clients=c, script=bench.pipeline)))
    found.append(Cell("connect", "a new connection for each transaction (pgbench -C, SCRAM), 8 clients", "logins/s", WITHOUT_WALK,
                      lambda bench, at: loads.pgbench(bench, at, clients=8, reconnect=True)))
    found.append(Cell("login", "logins with SCRAM, the client's PBKDF2 cached, 8 clients", "logins/s", WITHOUT_WALK, loads.logins))
    found.append(Cell("copy", "COPY out of 1,000-byte rows", "MB/s", PLAIN, loads.copy_out))
    for clients in CLIENTS:
        found.append(Cell(f"tls-{clients}", f"pgbench -S, simple protocol, TLS on the client leg, {clients_text(clients)}", "tx/s",
                          TERMINATING, lambda bench, at, c=clients: loads.pgbench(bench, at, clients=c, tls=True), tls=True))
    for version, old in (("tls", False), ("tls12", True)):
        title = "TLS 1.2" if old else "TLS 1.3"
        found.append(Cell(f"{version}-login", f"{title} logins to a server that costs nothing, 8 clients", "logins/s", ("trunkline", "pgbouncer"),
                          lambda bench, at, v=old: loads.logins(bench, at, tls=True, tls12=v), tls=True, fake=True))
        found.append(Cell(f"{version}-resume", f"{title} logins with session resumption, 8 clients", "logins/s", ("trunkline", "pgbouncer"),
                          lambda bench, at, v=old: loads.logins(bench, at, resume=True, tls12=v), tls=True, fake=True))
    for count in (1000, 5000):
        found.append(Cell(f"idle-{count}", f"{count:,} idle sessions", "", PROXIES,
                          lambda bench, at, n=count: loads.idle_sessions(bench, at, n), fake=True, fresh=True))
    for count in (1000, 5000):
        found.append(Cell(f"idle-tls-{count}", f"{count:,} idle sessions, TLS on the client leg", "", ("trunkline", "pgbouncer"),
                          lambda bench, at, n=count: loads.idle_sessions(bench, at, n, tls=True), tls=True, fake=True, fresh=True,
                          long=count == 5000))  # 5,000 TLS handshakes for each target
    return found


def chosen(cells, patterns):
    """The cells whose names match one of the shell patterns; all without patterns."""
    return [cell for cell in cells if not patterns or any(fnmatch(cell.name, one) for one in patterns)]


def clients_text(count):
    return "1 client" if count == 1 else f"{count} clients"
