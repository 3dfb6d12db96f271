"""A collector of OpenTelemetry spans over HTTP, and the traceparents that ask for them."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.system import wait_until


class Collector:
    """Takes OTLP/HTTP with JSON. Answers the first requests with `refusals`, in order; none while it is `silent`."""

    def __init__(self, port: int = 0, refusals: tuple[int, ...] = (), certificate=None, silent: bool = False):
        self.requests: list[tuple[str, str, bytes]] = []
        self.release = threading.Event()
        collector, left = self, list(refusals)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, self.headers["Content-Type"], body))
                if silent:
                    collector.release.wait(60)
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.handle_error = lambda *_: None  # who hangs up, or does not trust us
        self.port = self._server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[dict]:
        """Of every request, refused ones too."""
        return [span for _, _, body in list(self.requests) for resource in json.loads(body)["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def wait_for(self, parent: "Parent", *, count: int = 1, timeout: float = 20) -> list[dict]:
        def found():
            spans = [span for span in self.spans() if span["traceId"] == parent.trace]
            return spans if len(spans) >= count else None
        return wait_until(found, timeout, f"{count} span(s) of trace {parent.trace}")


class Parent:
    """A new traceparent."""

    def __init__(self, flags: str = "01"):
        self.trace, self.span = secrets.token_hex(16), secrets.token_hex(8)
        self.text = f"00-{self.trace}-{self.span}-{flags}"
        self.comment = f" /*db_driver='tests',traceparent='{self.text}'*/"


def attributes(span: dict) -> dict[str, str]:
    return {each["key"]: each["value"]["stringValue"] for each in span["attributes"]}
