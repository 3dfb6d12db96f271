"""A double of a Kubernetes API server: HTTPS, list and watch, tokens, RBAC, reviews; and the ways in which one fails.

It answers as the API's documentation says (API concepts: efficient detection of changes, chunked lists, watch bookmarks;
TokenReview; SubjectAccessReview), on one port for all its life, also while it is down and up again."""

from __future__ import annotations

import contextlib
import copy
import json
import secrets
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.k8s_rbac import Rbac, Rule
from harness.k8s_store import ApiError, Resource, Store, matches

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass
class Token:
    user: str
    groups: list[str] = field(default_factory=list)
    audiences: list[str] = field(default_factory=lambda: ["https://kubernetes.default.svc"])
    until: float = float("inf")
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Request:
    verb: str  # get, list, watch, create, update, patch, delete
    path: str
    query: dict
    user: str
    resource: str


@dataclass(frozen=True)
class Place:
    """What a path names."""
    resource: Resource
    namespace: str
    name: str
    part: str  # "status", or nothing


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: KubernetesApi

    def _serve(self, method: str):
        length = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(length) if length else b""
        try:
            self.api.answer(self, method, body)
        except ApiError as error:
            self.send_json(error.code, error.status(), {"Retry-After": str(error.retry_after)} if error.retry_after else {})

    def send_json(self, status: int, answer: dict | bytes, headers: dict | None = None):
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(raw))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        while raw and self.api.dripping.is_set():
            self.wfile.write(raw[:1])
            raw = raw[1:]
            self.api.over.wait(1)
        self.wfile.write(raw)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, raw: bytes):
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass

    do_GET = lambda self: self._serve("GET")  # noqa: E731
    do_POST = lambda self: self._serve("POST")  # noqa: E731
    do_PUT = lambda self: self._serve("PUT")  # noqa: E731
    do_PATCH = lambda self: self._serve("PATCH")  # noqa: E731
    do_DELETE = lambda self: self._serve("DELETE")  # noqa: E731


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass  # who hangs up, or does not trust us


class KubernetesApi:
    """`certificate` is its own; `client_ca` signs those of clients. `token` is of a user who may do everything."""

    def __init__(self, certificate, client_ca=None, *, host: str = "127.0.0.1", port: int = 0):
        self.host = host
        self.store, self.rbac = Store(), Rbac()
        self.admission = None  # k8s_admission.Admission, where policies are to hold
        self.tokens: dict[str, Token] = {}
        self.requests: list[Request] = []
        self.access_reviews: list[dict] = []  # the specs that were asked
        self.bookmark_seconds = 0.5
        self.most_watch_seconds = 3600.0  # whatever is asked for
        self.gone_by_status = False       # else as an event of the watch
        self.front = None                 # answers before it does: (handler, method, path, query) -> answer, or nothing
        # Faults, each until it is taken back:
        self.hanging = threading.Event()   # takes requests and does not answer
        self.frozen = threading.Event()    # watches stay open and say nothing
        self.dripping = threading.Event()  # answers that are no watch come byte by byte, one a second
        self.delay = 0.0                   # before each answer
        self.version_of = None             # what it says instead of each resourceVersion
        self.access_answer = None          # what it says (an object, or bytes) instead of each access review
        self._refusals: list[tuple[str, ApiError]] = []
        self._raw: list[bytes] = []        # for every watch, once
        self._raw_count = 0
        self.over = threading.Event()
        self._epoch = 0                    # watches of an earlier one are dropped
        self._open: set[socket.socket] = set()
        self._watching = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.cert, certificate.key)
        if client_ca is not None:
            self._context.load_verify_locations(client_ca)
            self._context.verify_mode = ssl.CERT_OPTIONAL
        self._server = None
        self.port = port
        self.start()
        self.url = f"https://{host}:{self.port}"
        self.token = self.issue("admin", groups=["system:masters"])

    # ---- its life ----

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = _Server((self.host, self.port), handler)
        self.port = self._server.server_address[1]
        self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go_down(self) -> None:
        """Nobody listens, and whoever was there is cut off."""
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()

    def stop(self) -> None:
        self.over.set()
        self.go_down()

    def drop_connections(self) -> None:
        """All of them, in the middle of what they say."""
        with self.store.changed:
            self._epoch += 1
            open_now, self._open = self._open, set()
            self.store.changed.notify_all()
        for each in open_now:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    # ---- who may ----

    def issue(self, user: str, *, groups=(), audiences=None, lasts: float = float("inf")) -> str:
        token = secrets.token_urlsafe(24)
        self.tokens[token] = Token(user, list(groups), *([list(audiences)] if audiences else []), until=time.time() + lasts)
        return token

    def service_account(self, namespace: str, name: str, **more) -> str:
        return self.issue(f"system:serviceaccount:{namespace}:{name}", groups=[
            "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"], **more)

    def expire(self, token: str) -> None:
        self.tokens[token].until = 0

    # ---- faults ----

    def refuse(self, code: int, *, reason: str = "", retry_after: int | None = None, times: int = 1, path: str = "") -> None:
        """The next requests, whose path has `path` in it."""
        made = ApiError(code, reason or {429: "TooManyRequests", 503: "ServiceUnavailable"}.get(code, "InternalError"),
                        f"refused with {code}", retry_after)
        with self.store.changed:
            self._refusals += [(path, made)] * times

    def say(self, raw: bytes) -> None:
        """These bytes, on every watch that is open, and on no later one."""
        with self.store.changed:
            self._raw.append(raw)
            self.store.changed.notify_all()

    def watches(self) -> int:
        """That are open."""
        with self.store.changed:
            return self._watching

    def asked(self, verb: str, resource: str = "") -> list[Request]:
        return [each for each in list(self.requests) if each.verb == verb and resource in ("", each.resource)]

    # ---- answers ----

    def answer(self, handler: _Handler, method: str, body: bytes) -> None:
        with self.store.changed:
            self._open.add(handler.connection)
        while self.hanging.is_set() and not self.over.wait(0.02):
            pass
        if self.delay:
            self.over.wait(self.delay)
        split = urlsplit(handler.path)
        query = {key: values[-1] for key, values in parse_qs(split.query, keep_blank_values=True).items()}
        user, groups = self._who(handler)
        if self.front is not None and (said := self.front(handler, method, split.path, query)) is not None:
            return handler.send_json(200, said)
        if split.path in (TOKEN_REVIEWS, ACCESS_REVIEWS):
            return self._review(handler, split.path, user, groups, json.loads(body))
        place = self.place_of(split.path)
        verb = self._verb(method, place, query)
        self.requests.append(Request(verb, split.path, query, user, place.resource.plural))
        self._refuse(split.path)
        resource = place.resource.plural + (f"/{place.part}" if place.part else "")
        if not self.rbac.allows(user, groups, verb, place.resource.group, resource, place.namespace, place.name):
            raise ApiError(403, "Forbidden", f'{resource} is forbidden: User "{user}" cannot {verb} resource "{resource}" in '
                                             f'API group "{place.resource.group}" in the namespace "{place.namespace}"')
        if verb == "watch":
            return self._watch(handler, place, query)
        if verb == "list":
            return handler.send_json(200, self._spoken(self.store.list(
                place.resource, self._fits(place, query), int(query.get("limit", 0)), query.get("continue", ""))))
        status, answer = self._change(verb, place, json.loads(body) if body else {}, (user, groups))
        handler.send_json(status, self._spoken(answer))

    def _who(self, handler: _Handler) -> tuple[str, list[str]]:
        said = handler.headers["Authorization"] or ""
        known = self.tokens.get(said.removeprefix("Bearer "))
        if known is not None and known.until > time.time():
            return known.user, known.groups
        shown = handler.connection.getpeercert() if not said else None
        for part in (shown or {}).get("subject", ()):
            if part[0][0] == "commonName":
                return part[0][1], ["system:masters"]
        raise ApiError(401, "Unauthorized", "Unauthorized")

    def _refuse(self, path: str) -> None:
        with self.store.changed:
            for index, (part, error) in enumerate(self._refusals):
                if part in path:
                    del self._refusals[index]
                    raise error

    def place_of(self, path: str) -> Place:
        """/api/v1/… and /apis/GROUP/VERSION/…, then [namespaces/NS/]PLURAL[/NAME[/PART]]."""
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource = self.store.resources.get((group, version, rest[0] if rest else ""))
        if resource is None or len(rest) > 3:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return Place(resource, namespace, *(rest[1:] + ["", ""])[:2])

    @staticmethod
    def _verb(method: str, place: Place, query: dict) -> str:
        if method == "GET" and not place.name:
            return "watch" if query.get("watch") in ("1", "true") else "list"
        return {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]

    def _change(self, verb: str, place: Place, body: dict | list, who: tuple[str, list[str]]) -> tuple[int, dict]:
        if verb in ("create", "update"):
            meta = body.setdefault("metadata", {})
            meta.setdefault("namespace", place.namespace)
            if "name" not in meta and "generateName" in meta:
                meta["name"] = meta["generateName"] + secrets.token_hex(3)[:5]
        if verb in ("create", "update", "patch"):
            return self._write(verb, place, body, who)
        if verb == "delete":
            return 200, self.store.delete(place.resource, place.namespace, place.name)
        return 200, self.store.get(place.resource, place.namespace, place.name)

    def _write(self, verb: str, place: Place, body: dict | list, who: tuple[str, list[str]]) -> tuple[int, dict]:
        """Nothing comes between what is admitted and what is written."""
        with self.store.changed:
            if verb == "create":
                self._admit("CREATE", place, who, None, body)
                return 201, self.store.create(place.resource, body)
            if verb == "patch":
                body = self.store.patched(place.resource, place.namespace, place.name, body)
            self._admit("UPDATE", place, who, self.store.find(place.resource, place.namespace, place.name), body)
            return 200, self.store.replace(place.resource, body, status=place.part == "status")

    def _admit(self, verb: str, place: Place, who: tuple[str, list[str]], before: dict | None, after: dict) -> None:
        if self.admission is not None and not place.part:
            self.admission.review(verb, place.resource, *who, before, after)

    @staticmethod
    def _fits(place: Place, query: dict):
        fields = dict(term.split("=", 1) for term in query.get("fieldSelector", "").replace("==", "=").split(",") if term)

        def fits(obj: dict) -> bool:
            meta = obj["metadata"]
            named = all({"metadata.name": meta["name"], "metadata.namespace": meta.get("namespace", "")}[key] == value
                        for key, value in fields.items())
            return named and place.namespace in ("", meta.get("namespace", "")) and matches(
                meta.get("labels", {}), query.get("labelSelector", ""))
        return fits

    def _spoken(self, answer: dict) -> dict:
        """With another resourceVersion, where it lies about them."""
        if self.version_of is None:
            return answer
        made = copy.deepcopy(answer)
        for each in [made, *made.get("items", [])]:
            if "resourceVersion" in each.get("metadata", {}):
                each["metadata"]["resourceVersion"] = self.version_of(each["metadata"]["resourceVersion"])
        return made

    # ---- watches ----

    def _watch(self, handler: _Handler, place: Place, query: dict) -> None:
        said, fits = query.get("resourceVersion", ""), self._fits(place, query)
        if said and not said.isdigit():
            raise ApiError(400, "BadRequest", f'resourceVersion: Invalid value: "{said}"')
        since = int(said) if said not in ("", "0") else None
        if self.gone_by_status and since is not None and since < self.store.oldest:
            raise ApiError(410, "Expired", f"too old resource version: {since}")
        handler.begin_stream()
        with self.store.changed:
            epoch, raw = self._epoch, len(self._raw)
            self._watching += 1
        try:
            self._stream(handler, place, fits, since, query, epoch, raw)
        except ApiError as gone:
            self._event(handler, "ERROR", gone.status())
            handler.send_chunk(b"")
        except OSError:
            handler.close_connection = True
        finally:
            with self.store.changed:
                self._watching -= 1

    def _event(self, handler: _Handler, kind: str, obj: dict) -> None:
        handler.send_chunk(json.dumps({"type": kind, "object": self._spoken(obj)}).encode() + b"\n")

    def _stream(self, handler, place, fits, since, query, epoch: int, raw: int) -> None:
        begun = time.monotonic()
        end = begun + min(float(query.get("timeoutSeconds", 1800)), self.most_watch_seconds)
        marks = query.get("allowWatchBookmarks") in ("1", "true")
        marked = begun
        if since is None:
            page = self.store.list(place.resource, fits, 0, "")
            since = int(page["metadata"]["resourceVersion"])
            for each in page["items"]:
                self._event(handler, "ADDED", each | {"kind": place.resource.kind, "apiVersion": place.resource.api_version})
        while True:
            with self.store.changed:
                now = time.monotonic()
                frozen = self.frozen.is_set()
                if self._epoch != epoch or self.over.is_set():
                    handler.close_connection = True
                    return
                events, told = ([], since) if frozen else self.store.events(place.resource, fits, since)
                words, raw = ([], raw) if frozen else (self._raw[raw:], len(self._raw))
                due = marks and not frozen and now >= marked + self.bookmark_seconds
                over = now >= end and not frozen
                if not events and not words and not due and not over:
                    until = min(end, marked + self.bookmark_seconds) if marks and not frozen else end
                    self.store.changed.wait(max(0.0, min(until - now, 0.5)))
                    continue
            since = told
            for each in events:
                self._event(handler, each["type"], each["object"])
            for each in words:
                handler.send_chunk(each)
            if due or (over and marks):
                marked = now
                self._event(handler, "BOOKMARK", {"kind": place.resource.kind, "apiVersion": place.resource.api_version,
                                                  "metadata": {"resourceVersion": str(since), "creationTimestamp": None}})
            if over:
                return handler.send_chunk(b"")

    # ---- reviews ----

    def _review(self, handler: _Handler, path: str, user: str, groups: list[str], review: dict) -> None:
        plural = path.rsplit("/", 1)[1]
        group = path.split("/")[2]
        self.requests.append(Request("create", path, {}, user, plural))
        self._refuse(path)
        if not self.rbac.allows(user, groups, "create", group, plural, "", ""):
            raise ApiError(403, "Forbidden", f'{plural} is forbidden: User "{user}" cannot create resource "{plural}"')
        if path == ACCESS_REVIEWS:
            self.access_reviews.append(review["spec"])
            if self.access_answer is not None:
                return handler.send_json(201, self.access_answer)
        status = self._token_status if path == TOKEN_REVIEWS else self._access_status
        handler.send_json(201, review | {"status": status(review["spec"])})

    def _token_status(self, spec: dict) -> dict:
        known = self.tokens.get(spec.get("token", ""))
        wanted = spec.get("audiences") or ["https://kubernetes.default.svc"]
        both = [each for each in wanted if known and each in known.audiences]
        if known is None or known.until <= time.time() or not both:
            return {"authenticated": False, "error": "invalid bearer token"}
        return {"authenticated": True, "audiences": both, "user": {
            "username": known.user, "groups": known.groups, "uid": known.uid,
            "extra": {"authentication.kubernetes.io/pod-name": ["pod-1"], "example.org/team": ["data"]}}}

    def _access_status(self, spec: dict) -> dict:
        asked = spec.get("resourceAttributes")
        if not asked or not (spec.get("user") or spec.get("groups")):
            raise ApiError(422, "Invalid", "spec: Invalid value: exactly one of resourceAttributes and nonResourceAttributes, "
                                           "and one of user and groups, must be specified")
        resource = asked.get("resource", "") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
        allowed = self.rbac.allows(spec.get("user", ""), spec.get("groups", []), asked.get("verb", ""), asked.get("group", ""),
                                   resource, asked.get("namespace", ""), asked.get("name", ""))
        return {"allowed": allowed, "reason": "RBAC: allowed by a rule" if allowed else ""}


__all__ = ["ACCESS_REVIEWS", "TOKEN_REVIEWS", "KubernetesApi", "Request", "Rule", "Token"]
