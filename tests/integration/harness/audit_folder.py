"""Folders of audit segments as a gateway leaves them, made in bulk. Run it to make a large one:
python3 -m harness.audit_folder FOLDER EVENTS"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
EVENTS_OF_SESSION = 50


def text_of(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class AuditFolder:
    def __init__(self, folder: Path, segment_bytes: int = 256 << 20):
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.seq = 0
        self.hash = "0" * 64
        self.time = START
        self.file = None
        self.size = 0
        self.name = ""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, body: str) -> None:
        self.seq += 1
        line = f'{{"v":1,"seq":{self.seq},"time":"{text_of(self.time)}",{body},"prev":"{self.hash}"}}'.encode()
        self.hash = hashlib.sha256(line).hexdigest()
        self.file.write(line + b"\n")
        self.size += len(line) + 1

    def begin(self, reason: str) -> None:
        previous, last = self.name, (self.seq, self.hash)
        self.name = f"audit-{self.time:%Y%m%dT%H%M%SZ}-{self.seq + 1:012}.jsonl"
        self.file = open(self.folder / self.name, "wb", buffering=1 << 20)
        self.size = 0
        self.write(f'"event":"segment.start","replica":"host","previous":"{previous}","reason":"{reason}",'
                   f'"lastSeq":{last[0]},"lastHash":"{last[1]}"')

    def end(self, clean: bool = True) -> None:
        if clean:
            self.write('"event":"segment.end","replica":"host"')
        self.file.close()
        self.file = None

    def event(self, body: str) -> None:
        if self.file is None:
            self.begin("rotated" if self.name else "start")
        self.write(body)
        if self.size >= self.segment_bytes:
            self.end()
        self.time += timedelta(milliseconds=1)

    def exchange(self, session: str, who: str, text: str, fingerprint: str, *, seconds: float = 0.0005, tag: str = "SELECT 1",
                 sqlstate: str = "", parameters: str = "[]") -> None:
        ends = f'"sqlstate":"{sqlstate}"' if sqlstate else f'"tag":"{tag}","rows":1'
        self.event(
            f'"event":"exchange","session":"{session}","replica":"host","principal":"{who}","database":"app","kind":"extended",'
            f'"statements":[{{"text":{json.dumps(text)},"fingerprint":"{fingerprint}","parameters":{parameters},{ends}}}],'
            f'"bytesIn":80,"bytesOut":120,"txState":"I","outcome":"{"error" if sqlstate else "ok"}",'
            f'"seconds":{{"total":{seconds:.6f},"gateway":0.00002,"wait":0,"network":0.0001,"server":0.0003,"transfer":0,"client_stall":0}}')

    def session(self, session: str, who: str, exchanges: int) -> None:
        self.event(f'"event":"session.start","session":"{session}","replica":"host","principal":"{who}","database":"app",'
                   f'"client":"10.0.0.7:51234","listener":"main","user":"{who}","route":"app"')
        for i in range(exchanges):
            odd = self.seq % 1_000_003 == 77
            self.exchange(session, who, f"select * from orders where id = {self.seq}", f"{i % 40:016x}",
                          sqlstate="23505" if odd else "", seconds=2.5 if odd else 0.0005 + i % 7 / 10000)
        self.event(f'"event":"session.end","session":"{session}","replica":"host","principal":"{who}","database":"app",'
                   f'"cause":"client_terminate","seconds":0.1,"exchanges":{exchanges}')

    def fill(self, events: int) -> "AuditFolder":
        number = 0
        while self.seq < events:
            number += 1
            self.session(f"1a2b3c4d-{number}", f"user{number % 50}", EVENTS_OF_SESSION - 2)
        return self


def main() -> None:
    folder = AuditFolder(Path(sys.argv[1])).fill(int(sys.argv[2]))
    if folder.file:
        folder.end()


if __name__ == "__main__":
    main()
