"""The cells of the pooled modes: targets.POOL server connections, whatever the number of clients."""

from benchlib import cancel_load, loads, pool_loads, targets
from benchlib.cells import CLIENTS, PROTOCOLS, Cell, clients_text

CROWDS = (500, 5000)
LOGIN_SECONDS = {1: 0, 16: 1, 64: 2}  # what pgbench's own PBKDF2 and new server processes take at most
# In session mode, and with pgpool, a client beyond the pool waits until another one leaves.
WHILE_CLIENT_STAYS = (targets.SESSION, targets.BOUNCER_SESSION, targets.PGPOOL)
# Debian's PgBouncer (1.18) knows no prepared statements in transaction mode.
PREPARED_BREAKS = (targets.BOUNCER_TX, targets.BOUNCER_PAIR)
LOGIN_TARGETS = (targets.TX, targets.BOUNCER_TX, targets.PGPOOL)
IDLE_TARGETS = (targets.TX, targets.BOUNCER_TX)


def all_cells():
    return _transactions() + _logins() + _idle() + [_cancels()]


def _transactions():
    found = []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            found.append(Cell(f"pool-{protocol}-{clients}", f"pool of {targets.POOL}, pgbench -S, {protocol} protocol, {clients_text(clients)}",
                              "tx/s", _transaction_targets(protocol, clients, targets.BOUNCER_TX),
                              lambda bench, at, p=protocol, c=clients: loads.pgbench(bench, at, protocol=p, clients=c,
                                                                                    login_seconds=LOGIN_SECONDS[c])))
        for clients in CROWDS:
            found.append(Cell(f"pool-{protocol}-{clients}",
                              f"pool of {targets.POOL}, point reads, {protocol} protocol, {clients:,} clients, two workers (direct: {targets.POOL} clients)",
                              "tx/s", _transaction_targets(protocol, clients, targets.BOUNCER_PAIR),
                              lambda bench, at, p=protocol, c=clients: pool_loads.crowd(bench, at, protocol=p, clients=c),
                              workers=2, long=clients == 5000))
    return found


def _transaction_targets(protocol, clients, bouncer):
    names = ["direct", targets.TX, *([] if protocol == "prepared" and bouncer in PREPARED_BREAKS else [bouncer])]
    return tuple(names) + (WHILE_CLIENT_STAYS if clients <= targets.POOL else ())


def _logins():
    return [
        Cell("pool-login-scram", "logins to a warm pool with SCRAM, the client's PBKDF2 cached, 8 clients", "logins/s",
             ("direct", *LOGIN_TARGETS), pool_loads.warm_logins),
        Cell("pool-login-tls", "logins to a warm pool with SCRAM and TLS 1.3, 8 clients", "logins/s", ("direct", *LOGIN_TARGETS),
             lambda bench, at: pool_loads.warm_logins(bench, at, tls=True), tls=True),
        Cell("pool-login-trust", "logins to a warm pool with trust, 8 clients", "logins/s", LOGIN_TARGETS, pool_loads.warm_logins,
             trust=True),
        Cell("pool-login-cert", "logins to a warm pool with client certificates, TLS 1.3, 8 clients", "logins/s",
             (targets.TX, targets.BOUNCER_TX), lambda bench, at: pool_loads.warm_logins(bench, at, certificates=True), tls=True,
             certificates=True)]


def _idle():
    found = []
    for stem, tls, counts in (("pool-idle", False, (1000, 5000)), ("pool-idle-tls", True, (1000,))):
        for count in counts:
            found.append(Cell(f"{stem}-{count}", f"{count:,} idle clients of a pool{', TLS' if tls else ''}", "", IDLE_TARGETS,
                              lambda bench, at, n=count, t=tls: loads.idle_sessions(bench, at, n, tls=t), tls=tls, fake=True,
                              fresh=True))
    found.append(Cell("pool-busy", "50 busy clients beside 10,000 idle ones, point reads, simple protocol", "tx/s", IDLE_TARGETS,
                      lambda bench, at: pool_loads.crowd_among_idle(bench, at, idle=10_000, busy=50), long=True))
    return found


def _cancels():
    return Cell("pool-cancel", f"cancel requests, {cancel_load.CLIENTS} clients in a pool of {targets.POOL} that all sleep", "cancels/s",
                (targets.TX, targets.TX_REPLICAS, targets.BOUNCER_TX), cancel_load.run, trust=True)
