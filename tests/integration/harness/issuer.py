"""Those who say whose a token is: an OpenID Connect issuer with real keys and signatures, and an API server's TokenReview."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def encoded(data: bytes | dict) -> str:
    raw = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int, width: int = 0) -> str:
    return encoded(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


class Key:
    """One signing key: RS256, PS256 or ES256 by its name's beginning."""

    def __init__(self, algorithm: str = "RS256"):
        self.algorithm = algorithm
        self.id = secrets.token_hex(4)
        self.private = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else \
            rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict:
        public = self.private.public_key().public_numbers()
        if self.algorithm == "ES256":
            return {"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": _number(public.x, 32),
                    "y": _number(public.y, 32)}
        return {"kty": "RSA", "kid": self.id, "use": "sig", "n": _number(public.n), "e": _number(public.e)}

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == "ES256":
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.algorithm == "PS256":
            return self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


class _Double:
    """An HTTP server in a thread. While `hanging` is set it takes requests and does not answer."""

    def __init__(self, certificate=None):
        self.requests: list[tuple[str, str | None]] = []  # path, Authorization
        self.hanging = threading.Event()
        self._over = threading.Event()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self, body: bytes):
                double.requests.append((self.path, self.headers["Authorization"]))
                while double.hanging.is_set() and not double._over.wait(0.05):
                    pass
                status, headers, answer = double.answer(self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self):
                self._serve(b"")

            def do_POST(self):
                self._serve(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # who hangs up, or does not trust us
        self.port = self._server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str, headers, body: bytes) -> tuple[int, dict, bytes]:
        raise NotImplementedError

    def asked(self, path: str) -> int:
        return sum(1 for seen, _ in list(self.requests) if seen == path)

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


class Issuer(_Double):
    """Signs tokens, and publishes its keys. `jwks_answer` and `redirect` make it misbehave."""

    def __init__(self, certificate=None):
        super().__init__(certificate)
        self.keys = [Key()]
        self.jwks_answer: bytes | None = None
        self.redirect = ""

    def answer(self, path, headers, body):
        if self.redirect:
            return 302, {"Location": self.redirect + path}, b""
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps({"issuer": self.url, "jwks_uri": self.url + "/keys"}).encode()
        if path == "/keys":
            return 200, {}, self.jwks_answer if self.jwks_answer is not None else self.jwks()
        return 404, {}, b""

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()

    def claims(self, subject: str, *, lasts: float = 300, **more) -> dict:
        now = int(time.time())
        return {"iss": self.url, "aud": "db", "sub": subject, "iat": now, "exp": now + int(lasts)} | more

    def token(self, subject: str, *, key: Key | None = None, header: dict | None = None, **more) -> str:
        key = key or self.keys[0]
        signed = encoded({"alg": key.algorithm, "kid": key.id} | (header or {})) + "." + encoded(
            self.claims(subject, **more))
        return signed + "." + encoded(key.sign(signed.encode()))

    def unsigned(self, subject: str) -> str:
        """alg=none."""
        return encoded({"alg": "none"}) + "." + encoded(self.claims(subject)) + "."

    def confused(self, subject: str) -> str:
        """HS256 with what is public as the secret."""
        signed = encoded({"alg": "HS256", "kid": self.keys[0].id}) + "." + encoded(self.claims(subject))
        return signed + "." + encoded(hmac.digest(self.jwks(), signed.encode(), hashlib.sha256))


class ApiServer(_Double):
    """TokenReview, and the keys of the cluster's own issuer. `accounts`: token -> (namespace, name)."""

    def __init__(self, own_token: str, certificate=None):
        super().__init__(certificate)
        self.own_token = own_token
        self.issuer_url = "https://kubernetes.default.svc.cluster.local"
        self.key = Key()
        self.reviewed: list[dict] = []
        self.revoked: set[str] = set()
        self.broken = False

    def answer(self, path, headers, body):
        if headers["Authorization"] != f"Bearer {self.own_token}":
            return 401, {}, b'{"kind":"Status","code":401}'
        if self.broken:
            return 500, {}, b'{"kind":"Status","code":500}'
        if path == "/openid/v1/jwks":
            return 200, {}, json.dumps({"keys": [self.key.jwk()]}).encode()
        if path != REVIEWS:
            return 404, {}, b""
        review = json.loads(body)
        self.reviewed.append(review)
        return 201, {"Content-Type": "application/json"}, json.dumps(review | {"status": self._status(**review["spec"])}).encode()

    def _status(self, token: str, audiences: list[str]) -> dict:
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            known = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"] == self.key.id
        except (ValueError, IndexError, KeyError):
            return {"authenticated": False, "error": "invalid bearer token"}
        both = [each for each in audiences if each in claims["aud"]]
        if not known or token in self.revoked or claims["exp"] < time.time() or not both:
            return {"authenticated": False, "error": "invalid bearer token"}
        namespace = claims["sub"].split(":")[2]
        return {"authenticated": True, "audiences": both, "user": {"username": claims["sub"], "uid": "7", "groups": [
            "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]}}

    def token(self, namespace: str, name: str, *, audience: str = "db", lasts: float = 600, key: Key | None = None) -> str:
        key = key or self.key
        now = int(time.time())
        signed = encoded({"alg": "RS256", "kid": key.id}) + "." + encoded({
            "iss": self.issuer_url, "aud": [audience], "sub": f"system:serviceaccount:{namespace}:{name}", "iat": now,
            "exp": now + int(lasts), "jti": secrets.token_hex(8)})
        return signed + "." + encoded(key.sign(signed.encode()))
