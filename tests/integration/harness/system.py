"""Processes, ports, users and waiting: the few things every other module needs."""

from __future__ import annotations

import os
import pwd
import random
import socket
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DEPENDENCIES = Path(os.environ.get("TRUNKLINE_DEPS", REPOSITORY / "build" / "deps"))
IS_ROOT = os.geteuid() == 0
PATIENCE = 3 if "PYTEST_XDIST_WORKER" in os.environ else 1  # others run beside us


def unprivileged_user() -> pwd.struct_passwd:
    """Who runs PostgreSQL, which refuses to run as root: ourselves, or else a user that every Debian has."""
    if not IS_ROOT:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("there is no user 'postgres' or 'nobody' to run a server as")


def as_unprivileged(command: list) -> list[str]:
    """The same command, started as that user."""
    words = [str(word) for word in command]
    if not IS_ROOT:
        return words
    user = unprivileged_user()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--",
            "env", "HOME=/nonexistent"] + words  # libpq inside the server looks for certificates there


def give_to_unprivileged(path: Path) -> None:
    """Hands a file, or a folder with all it holds, to the user that runs PostgreSQL."""
    if not IS_ROOT:
        return
    user = unprivileged_user()
    os.chown(path, user.pw_uid, user.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)


def free_port() -> int:
    """A TCP port that was free a moment ago. Never given twice in one run, and none that the system gives to an
    outgoing connection; at random, because other runs beside this one ask too. The workers of a run have each their
    own: what one has been given, and nobody listens on yet, looks free to the others."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(10_000 // workers, 32_768 // workers) * workers + mine
        with socket.socket(socket.AF_INET) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


_given: set[int] = set()


def wait_until(condition, timeout: float, what: str, interval: float = 0.02):
    """Calls `condition` until it answers something true, which is returned."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout * PATIENCE:g} s in vain: {what}")
        time.sleep(interval)


def port_answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def run(command: list, *, timeout: float = 60, check: bool = True, **more) -> subprocess.CompletedProcess:
    """subprocess.run with text, captured output and a bound; a failure shows what the program said."""
    words = [str(word) for word in command]
    more.setdefault("stdin", subprocess.DEVNULL) if "input" not in more else None
    done = subprocess.run(words, timeout=timeout, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def stop(process: subprocess.Popen, timeout: float = 10) -> int:
    """Ends a process that we started: asks first, then insists."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
    return process.returncode
