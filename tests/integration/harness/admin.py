"""A gateway's admin server as its users see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request


class Admin:
    def __init__(self, port: int):
        self.port = port

    def get(self, path: str, **fields) -> tuple[int, str, str]:
        """Status, content type, body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=fields)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers["Content-Type"], refused.read().decode()
        except OSError as lost:
            raise AssertionError(f"GET {path}: {lost}") from None

    def json(self, path: str) -> dict:
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def metrics(self) -> str:
        return self.get("/metrics")[2]
