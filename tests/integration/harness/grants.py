"""A gateway that wants approvals, and the people who ask for them and give them."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import audit
from harness.gateway import Gateway, port_of, simple_config
from harness.system import free_port, wait_until
from harness.wire import RawClient

PEOPLE = {"alice": ["dev", "oncall"], "bob": ["dba"], "carol": ["dba", "leads"], "dave": ["dev"], "root": ["admins"]}
POOLINGS = ("off", "session", "transaction")


def token_of(name: str) -> str:
    return f"a long and random token of {name}"


def policy(*, name: str = "prod", max_length: str = "1h", **approval) -> dict:
    return {"name": name, "subjects": {"user": ["*"]}, "level": "admin", "maxLength": max_length,
            "approval": {"anyOf": ["dba"], "reason": False, "wait": "1m"} | approval}


class Desk:
    """`Desk(start_gateway, server, folder)`, then `start(...)`; may be started again on the same store."""

    def __init__(self, start_gateway, server, folder: Path):
        self._start, self.server, self.folder = start_gateway, server, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = folder / "access.db"
        self.tokens = folder / "tokens"
        self.tokens.write_text("".join(f"{name} {hashlib.sha256(token_of(name).encode()).hexdigest()} {','.join(groups)}\n"
                                       for name, groups in PEOPLE.items()))
        self.admin_port = free_port()
        self.gateways: list[Gateway] = []

    def config(self, *policies: dict, pooling: str = "off", auth: dict | None = None, admin_port: int = 0,
               access: dict | None = None, folder: str = "audit", route: dict | None = None, admin: dict | None = None,
               **more) -> dict:
        auth = auth or {"method": "trust"}
        login = {} if auth["method"] == "server" else {"credentials": {"user": "trustuser"}}
        return simple_config(
            f"127.0.0.1:{self.server.port}", auth=auth,
            route={"pooling": pooling} | login | (route or {}),
            admin={"address": f"127.0.0.1:{admin_port or self.admin_port}", "tokensFile": str(self.tokens)} | (admin or {}),
            access={"store": str(self.store), "administrators": ["admins"],
                    "policies": list(policies or [policy()])} | (access or {}),
            audit=audit.to_folder(self.folder / folder), **more)

    def start(self, *policies: dict, begin: bool = True, wait: bool = True, **words) -> Gateway:
        gateway = self._start(self.config(*policies, **words), begin=begin, wait=wait)
        self.gateways.append(gateway)
        return gateway

    @property
    def gateway(self) -> Gateway:
        return self.gateways[-1]

    @property
    def port(self) -> int:
        return port_of(self.gateway.config, "main")

    # ---- over the API ----

    def call(self, who: str | None, path: str, body: dict | None = None, *, port: int = 0) -> tuple[int, dict]:
        """GET, or POST with a body; `who` None: without a token."""
        return self.call_with(token_of(who) if who else None, path, body, port=port)

    def call_with(self, token: str | None, path: str, body: dict | None = None, *, port: int = 0) -> tuple[int, dict]:
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.admin_port}/api/v1/{path}", data, fields)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def requests(self, who: str = "root", **words) -> list[dict]:
        return self.call(who, "access", **words)[1]["requests"]

    def grants(self, who: str = "root", **words) -> list[dict]:
        return self.call(who, "access", **words)[1]["grants"]

    def one(self, number: int, **words) -> dict:
        return self.call("root", f"access/requests/{number}", **words)[1]

    def wait_request(self, count: int = 1, **words) -> dict:
        """The newest of so many open requests."""
        return wait_until(lambda: len(found := self.requests(**words)) == count and found, 10, "open requests")[0]

    def answer(self, verb: str, number: int, who: str, *, status: int = 200, port: int = 0, **body) -> dict:
        place = "grants" if verb == "revoke" else "requests"
        got, answer = self.call(who, f"access/{place}/{number}/{verb}", body, port=port)
        assert got == status, answer
        return answer

    def approve(self, number: int, who: str = "bob", **words) -> dict:
        return self.answer("approve", number, who, **words)

    def metric(self, sample: str) -> float:
        """Of the name and labels as `/metrics` writes them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(sample + " "):
                    return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no {sample}")

    # ---- from the command line ----

    def command(self, who: str, *words: str) -> subprocess.CompletedProcess:
        file = self.folder / f"token-{who}"
        file.write_text(token_of(who) + "\n")
        return subprocess.run([str(self.gateway.binary), "access", *words, "--admin-url",
                               f"http://127.0.0.1:{self.admin_port}", "--token-file", str(file)],
                              capture_output=True, text=True, timeout=30)

    # ---- what is on record ----

    def events(self, kind: str, *, count: int = 1, folder: str = "audit", **facts) -> list[dict]:
        return audit.wait_for(self.folder / folder, f"access.{kind}",
                              lambda line: all(line.get(key) == value for key, value in facts.items()), count=count)

    def granted(self, user: str = "alice", **words) -> RawClient:
        """A client that somebody has let in."""
        waiting = Waiting(self.port, user, **words)
        self.approve(self.wait_request()["id"])
        return waiting.client_in()


class Waiting:
    """A login that goes on in a thread of its own."""

    def __init__(self, port: int, user: str = "alice", *, database: str = "app", timeout: float = 60, **parameters):
        self.client = RawClient(port, timeout=timeout)
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._login, args=(user, database, parameters), daemon=True)
        self._thread.start()

    def _login(self, user: str, database: str, parameters: dict) -> None:
        try:
            self.client.login(user, database=database, **parameters)
        except Exception as failure:  # told to whoever asks
            self.failure = failure

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def client_in(self, timeout: float = 15) -> RawClient:
        self._thread.join(timeout)
        assert not self.waits, "it still waits"
        if self.failure:
            raise self.failure
        return self.client

    def refusal(self, timeout: float = 15) -> dict:
        """The fields of the error that ended it."""
        self._thread.join(timeout)
        assert not self.waits, "it still waits"
        assert self.failure is not None, "it is in"
        assert hasattr(self.failure, "fields"), repr(self.failure)
        return self.failure.fields

    def leave(self) -> None:
        """As a client that is ended: its FIN goes out although a thread still reads."""
        self.client.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.client.close()

    def told(self, text: str) -> dict:
        return wait_until(lambda: [each for each in self.client.notices if text in each["M"]], 10, f"a notice: {text}")[0]


class Receiver:
    """What a webhook posts to. `statuses` are answered in turn, then 200."""

    def __init__(self, *statuses: int):
        self.got: list[tuple[dict, bytes]] = []
        pending = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(pending.pop(0) if pending else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
