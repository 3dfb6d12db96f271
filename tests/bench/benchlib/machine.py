"""What the benchmark needs of the machine: a scratch directory, a user that is not root, ports, programs."""

import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
TOOLS = {"floor_relay": [], "fake_postgres": [], "login_load": ["load_session.cc"], "idle_sessions": ["load_session.cc"],
         "crowd_load": ["load_session.cc"]}


class Unavailable(Exception):
    """A program or a right is missing; the text says which."""


def program(name, *places):
    """The path of a program, looked for on PATH, in the sbin directories and in `places`."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *places]))
    if not found:
        raise Unavailable(f"{name} is not installed")
    return found


def raise_file_limit():
    """Opens the limit of file descriptors as far as this user may; the limit that holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted
        except (ValueError, OSError):
            continue
    return soft


def server_user():
    """PostgreSQL and pgbouncer refuse to run as root: (uid, gid, name) of who runs the servers."""
    if os.getuid() != 0:
        me = pwd.getpwuid(os.getuid())
        return me.pw_uid, me.pw_gid, me.pw_name
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid, entry.pw_name
        except KeyError:
            continue
    raise Unavailable("no user to run the servers as")


def free_port():
    """A TCP port on loopback that nobody listens on, below the range from which clients get theirs."""
    for port in range(21000 + os.getpid() % 5000, 32000):
        if port in free_port.given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free_port.given.add(port)
        return port
    raise Unavailable("no free port")


free_port.given = set()


class Scratch:
    """A directory for the servers' files and the children that run in it; everything goes with close()."""

    def __init__(self, path):
        self.path = Path(path)
        self.uid, self.gid, self.user = server_user()
        self.path.mkdir(parents=True, exist_ok=True)
        os.chown(self.path, self.uid, self.gid)
        self.path.chmod(0o755)
        self.children = []

    def write(self, name, text, mode=0o600):
        file = self.path / name
        file.write_text(text)
        file.chmod(mode)
        os.chown(file, self.uid, self.gid)
        return file

    def as_user(self):
        """Arguments for subprocess that drop root."""
        if os.getuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, command, **more):
        """Runs to the end as the servers' user; its output when it fails."""
        done = subprocess.run([str(part) for part in command], cwd=self.path, capture_output=True, text=True,
                              env=plain_environment(), **self.as_user(), **more)
        if done.returncode != 0:
            raise Unavailable(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout

    def spawn(self, name, command, port, is_up=None):
        """Starts a server as the servers' user and waits until it accepts on `port`, or until `is_up()`."""
        log = open(self.path / f"{name}.log", "ab")
        child = subprocess.Popen([str(part) for part in command], cwd=self.path, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, env=plain_environment(), **self.as_user())
        log.close()
        self.children.append(child)
        deadline = time.monotonic() + 15
        while not (accepts(port) and (is_up is None or is_up())):
            if child.poll() is not None or time.monotonic() > deadline:
                tail = (self.path / f"{name}.log").read_text(errors="replace").strip()[-600:]
                self.stop(child)
                raise Unavailable(f"{name} did not start: {tail}")
            time.sleep(0.02)
        return child

    def stop(self, child, how=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(how)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self.children:
            self.children.remove(child)

    def close(self, keep=False):
        for child in reversed(list(self.children)):
            self.stop(child, signal.SIGINT)
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)


def plain_environment():
    """The environment without settings that would steer libpq or the servers."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C.UTF-8"}


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tools(directory, scratch):
    """Paths of the benchmark's own programs: from the build directory, or compiled here when it has none."""
    found = {}
    for name, more in TOOLS.items():
        built = Path(directory) / name
        if not built.exists():
            built = scratch.path / name
            sources = [BENCH / f"{name}.cc", *(BENCH / one for one in more)]
            command = [program("g++"), "-std=c++23", "-O2", *sources, "-o", built, "-lssl", "-lcrypto", "-pthread"]
            subprocess.run([str(part) for part in command], check=True)
        found[name] = str(built)
    return found


def certificate(scratch):
    """A self-signed RSA-2048 certificate of the server, as (certificate file, key file)."""
    return _self_signed(scratch, "tls", "rsa:2048", "localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


def client_certificate(scratch, user):
    """One of a client, on P-256 so that its own part costs little; it is its own authority."""
    return _self_signed(scratch, "client", "ec", user, "-pkeyopt", "ec_paramgen_curve:P-256")


def _self_signed(scratch, stem, kind, name, *more):
    cert, key = scratch.path / f"{stem}.crt", scratch.path / f"{stem}.key"
    if not cert.exists():
        scratch.run([program("openssl"), "req", "-x509", "-newkey", kind, "-nodes", "-days", "7", "-subj", f"/CN={name}", *more,
                     "-keyout", key, "-out", cert])
        key.chmod(0o600)
    return cert, key
