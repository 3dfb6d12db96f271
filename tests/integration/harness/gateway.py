"""A running gateway: its configuration, its log, and a check at the end that it behaved."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from harness.system import free_port, port_answers, run, wait_until

SANITIZED_END, BAD_END = "a sanitizer reports", "the gateway ended with"
_SANITIZER = re.compile(r"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|LeakSanitizer|runtime error:|Sanitizer:DEADLYSIGNAL")


class Gateway:
    """One `trunkline serve`. `config` is the content of its file, as Python values (JSON is YAML)."""

    def __init__(self, binary: Path, folder: Path, config: dict, *, environment: dict | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.binary = binary
        self.folder = folder
        self.file = folder / "trunkline.yaml"
        self.stderr_file = folder / "stderr.log"
        self.config = config
        self._environment = environment or {}
        self._prefix: list[str] = []  # what starts it somewhere else
        self._process: subprocess.Popen | None = None
        self._checked = False

    # ---- life ----

    def write_config(self, config: dict | None = None) -> None:
        """Replaces the file at once, as an editor or Kubernetes does, never in halves."""
        if config is not None:
            self.config = config
        text = json.dumps(self.config, indent=1, ensure_ascii=False)
        temporary = self.file.with_suffix(".new")
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, self.file)

    def start(self, *, wait: bool = True) -> "Gateway":
        self.write_config()
        environment = os.environ | {
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:halt_on_error=1:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "TSAN_OPTIONS": "halt_on_error=0:exitcode=99:second_deadlock_stack=1:suppressions="
                            f"{Path(__file__).with_name('tsan.suppressions')}",
        } | self._environment
        with open(self.stderr_file, "ab") as stderr:
            self._process = subprocess.Popen(
                [*self._prefix, str(self.binary), "serve", "-c", str(self.file), "--log-format", "json"],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=environment, start_new_session=True)
        if wait:
            wait_until(self._listens, 30, f"the gateway listens (see {self.stderr_file})")
        return self

    def _listens(self) -> bool:
        self.check_alive()
        return all(_answers(listener["address"]) for listener in self.config["listeners"])

    def check(self) -> subprocess.CompletedProcess:
        """`trunkline check` of the present configuration."""
        self.write_config()
        return run([self.binary, "check", "-c", self.file], check=False, timeout=20)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def check_alive(self) -> None:
        code = self._process.poll()
        assert code is None, f"the gateway ended with {code}:\n{self.stderr_text()[-4000:]}"

    def wait(self, timeout: float) -> int:
        return self._process.wait(timeout)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """SIGINT, the fast stop; then the process must have ended well and without a sanitizer's report."""
        if self._process is None or self._checked:
            return
        self._checked = True
        crashed = self._process.poll() not in (None, 0)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
                raise AssertionError(f"the gateway did not stop within 20 s of SIGINT:\n{self.stderr_text()[-3000:]}")
        text = self.stderr_text()
        report = _SANITIZER.search(text)
        assert not report, f"{SANITIZED_END}:\n{text[max(0, report.start() - 200):report.start() + 6000]}"
        code = self._process.returncode
        assert not crashed and code == 0, f"{BAD_END} {code}:\n{text[-4000:]}"

    # ---- what it says ----

    def stderr_text(self) -> str:
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    def log(self) -> list[dict]:
        """Every whole line of its log. A line that is not JSON is an error of the gateway's, so it raises."""
        lines = self.stderr_text().split("\n")[:-1]
        return [_parsed(line) for line in lines if line.strip()]

    def mark(self) -> int:
        """A place in the log, for `ends(since=...)`."""
        return len(self.log())

    def ends(self, since: int = 0) -> list[dict]:
        """The lines that report the end of a session."""
        return [line for line in self.log()[since:] if is_end(line)]

    def wait_end(self, since: int = 0, *, count: int = 1, timeout: float = 5, **facts) -> list[dict]:
        """Waits until `count` sessions ended whose log lines carry `facts`; answers those lines."""
        def found():
            lines = [line for line in self.ends(since) if all(line.get(key) == value for key, value in facts.items())]
            return lines if len(lines) >= count else None
        try:
            return wait_until(found, timeout, f"{count} session end(s) with {facts}")
        except AssertionError as late:
            raise AssertionError(f"{late}; there are: {json.dumps(self.ends(since))[:3000]}") from None

    # ---- what it uses ----

    def memory_kib(self) -> int:
        """VmRSS."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def is_end(line: dict) -> bool:
    return line.get("event") == "session.end"


def _parsed(line: str) -> dict:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        raise AssertionError(f"a log line is not JSON: {line!r}") from None


def _answers(address: str) -> bool:
    if address.startswith("unix:"):
        return os.path.exists(address[5:])
    host, port = address.rsplit(":", 1)
    return port_answers(int(port), {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]")))


# ---- building configurations ----


def listener(name: str, port: int | None = None, tls: dict | None = None, **more) -> dict:
    return {"name": name, "address": f"127.0.0.1:{port or free_port()}", "tls": tls or {"mode": "disable"}} | more


def port_of(config: dict, name: str) -> int:
    return int(next(each for each in config["listeners"] if each["name"] == name)["address"].rsplit(":", 1)[1])


def simple_config(endpoint: str, *, tls: dict | None = None, upstream_tls: dict | None = None, auth: dict | None = None,
                  route: dict | None = None, upstream: dict | None = None, **more) -> dict:
    """One listener `main`, one route, one upstream."""
    return {
        "listeners": [listener("main", tls=tls)],
        "routes": [{"name": "all", "match": {}, "upstream": "db", "auth": auth or {"method": "server"}} | (route or {})],
        "upstreams": [{"name": "db", "endpoints": [endpoint], "tls": upstream_tls or {"mode": "disable"}} |
                      (upstream or {})],
    } | more


def settle(seconds: float = 0.1) -> None:
    """For the few places where nothing can be waited for."""
    time.sleep(seconds)
