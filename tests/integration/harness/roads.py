"""The ways a client can reach a server: directly, or through a gateway in each of its modes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from harness.certs import Authority
from harness.gateway import Gateway, listener, port_of
from harness.postgres import DATABASE, PASSWORD, USER, Server

DIRECT = "direct"
POOLED_MODES = {"pooled": "transaction", "pooled-session": "session"}
GATEWAY_MODES = ("plain", "tls-scram", "tls-same", "tls-client", "tls-server", "passthrough", *POOLED_MODES)
POOL_SIZES = {"pooled": 10, "pooled-session": 20}  # some of a program's clients are pinned, by LISTEN for one
MODES = (DIRECT,) + GATEWAY_MODES


@dataclass(frozen=True)
class Target:
    """Everything a client program needs to know; given to it as JSON."""
    name: str        # the server's major version, which is what results are filed under
    mode: str
    version: int
    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool        # the client's leg
    binding: bool    # the client's leg can have SCRAM-SHA-256-PLUS
    ca: str          # PEM file
    schema: str      # where this client may put its tables

    def as_dict(self) -> dict:
        return asdict(self)

    def libpq(self, **more) -> dict:
        """Connection keywords for libpq."""
        words = {"host": self.host, "port": str(self.port), "user": self.user, "password": self.password,
                 "dbname": self.database, "connect_timeout": "10", "gssencmode": "disable"}
        words |= ({"sslmode": "verify-full", "sslrootcert": self.ca} if self.tls else {"sslmode": "disable"})
        return words | {key: str(value) for key, value in more.items()}


def client_has_tls(mode: str) -> bool:
    return mode in (DIRECT, "tls-scram", "tls-same", "tls-client", "passthrough", *POOLED_MODES)


def binding_possible(mode: str) -> bool:
    return mode in (DIRECT, "tls-scram", "tls-same", "passthrough", *POOLED_MODES)


def gateway_authenticates(mode: str) -> bool:
    return mode == "tls-scram" or mode in POOLED_MODES


def target(mode: str, server: Server, authority: Authority, port: int, schema: str) -> Target:
    return Target(name=str(server.version), mode=mode, version=server.version,
                  host="localhost" if client_has_tls(mode) else "127.0.0.1", port=port, user=USER, password=PASSWORD,
                  database=DATABASE, tls=client_has_tls(mode), binding=binding_possible(mode), ca=str(authority.cert),
                  schema=schema)


def gateway_config(mode: str, servers: list[Server], authority: Authority, folder: Path, workers: int = 2) -> dict:
    """One listener, route and upstream for each server, all in the same mode."""
    verifiers = folder / "verifiers.txt"
    if gateway_authenticates(mode):
        folder.mkdir(parents=True, exist_ok=True)
        # Every server makes its own salt, so each has its own file.
        for server in servers:
            write_verifiers(_verifier_file(verifiers, server), server.verifiers())
    config = {"workers": workers, "drain": {"grace": "5s"}, "listeners": [], "routes": [], "upstreams": []}
    for server in servers:
        name = f"pg{server.version}"
        config["listeners"].append(listener(name, tls=_listener_tls(mode, authority)))
        auth = ({"method": "scram", "verifierFile": str(_verifier_file(verifiers, server))}
                if gateway_authenticates(mode) else {"method": "server"})
        pooling = {"pooling": POOLED_MODES[mode]} if mode in POOLED_MODES else {}
        config["routes"].append({"name": name, "match": {"listener": name}, "upstream": name, "auth": auth} | pooling)
        pool = {"pool": {"size": POOL_SIZES[mode], "maxWait": "10s"}} if mode in POOLED_MODES else {}
        config["upstreams"].append({"name": name, "endpoints": [f"localhost:{server.port}"],
                                    "tls": _upstream_tls(mode, authority)} | pool)
    return config


def gateway_port(gateway: Gateway, server: Server) -> int:
    return port_of(gateway.config, f"pg{server.version}")


def write_verifiers(path: Path, verifiers: list[tuple[str, str]]) -> None:
    """Lines as in pg_authid: "role" "verifier"."""
    path.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in verifiers))
    path.chmod(0o600)


def _verifier_file(base: Path, server: Server) -> Path:
    return base.with_name(f"verifiers-{server.version}.txt")


def _listener_tls(mode: str, authority: Authority) -> dict:
    if mode == "passthrough":
        return {"mode": "passthrough"}
    if not client_has_tls(mode):
        return {"mode": "disable"}
    certificate = authority.issue("server" if mode == "tls-same" else "gateway")
    return {"mode": "require", "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}


def _upstream_tls(mode: str, authority: Authority) -> dict:
    if mode in ("plain", "tls-client"):
        return {"mode": "disable"}
    if mode == "passthrough":
        return {"mode": "require"}
    tls = {"mode": "verify-full", "caFile": str(authority.cert)}
    return tls | ({"sameCertificate": True} if mode == "tls-same" else {})
