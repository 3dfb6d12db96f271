"""Stock psql and pgbench, driven as a user drives them."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from report import expect, expect_equal, main

_DEBIAN = Path("/usr/lib/postgresql/15/bin")
PSQL, PGBENCH = (str(_DEBIAN / name) if (_DEBIAN / name).exists() else shutil.which(name) or name
                 for name in ("psql", "pgbench"))


def environment(target, **more) -> dict:
    words = {"PGHOST": target.host, "PGPORT": str(target.port), "PGUSER": target.user, "PGPASSWORD": target.password,
             "PGDATABASE": target.database, "PGCONNECT_TIMEOUT": "10", "PGSSLMODE": "disable",
             "PGOPTIONS": f"-c search_path={target.schema}", "PSQLRC": "/dev/null", "PSQL_HISTORY": "/dev/null"}
    if target.tls:
        words |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": target.ca}
    if target.binding:
        words["PGCHANNELBINDING"] = "require"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | words | more


def psql(target, script: str, *options: str, check=True, **more) -> subprocess.CompletedProcess:
    done = subprocess.run([PSQL, "-XqAt", "-v", "ON_ERROR_STOP=1", *options], input=script, text=True, timeout=60,
                          capture_output=True, env=environment(target, **more))
    if check and done.returncode != 0:
        raise AssertionError(f"psql ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done


def session(target):
    expect_equal(psql(target, "select 6 * 7, current_user, 'späß ☃';").stdout, f"42|{target.user}|späß ☃\n")
    told = psql(target, "\\conninfo\n").stdout
    expect_equal("SSL connection" in told, target.tls)
    version = psql(target, "\\echo :SERVER_VERSION_NUM\n").stdout
    expect_equal(int(version) // 10000, target.version)


def wrong_password(target):
    done = psql(target, "select 1;", check=False, PGPASSWORD="wrong")
    expect_equal(done.returncode, 2)
    expect("password authentication failed for user" in done.stderr, done.stderr)
    done = psql(target, "select 1;", check=False, PGDATABASE="no_such_database")
    expect('database "no_such_database" does not exist' in done.stderr, done.stderr)


def transactions(target):
    out = psql(target, """
        create table psql_accounts (id int primary key, amount int);
        begin; insert into psql_accounts values (1, 10); savepoint s; insert into psql_accounts values (2, 20);
        rollback to s; insert into psql_accounts values (3, 30); commit;
        begin; delete from psql_accounts; rollback;
        select sum(amount) from psql_accounts;
        begin isolation level serializable; show transaction_isolation; commit;
        drop table psql_accounts;
        """).stdout
    expect_equal(out, "40\nserializable\n")
    done = psql(target, "begin;\nselect 1/0;\nselect 1;\n", "-v", "ON_ERROR_STOP=0", check=False)
    expect("current transaction is aborted" in done.stderr, done.stderr)
    # Several statements in one Query message are one transaction.
    out = psql(target, "select 1\\; select 2\\; select 3;").stdout
    expect_equal(out.split(), ["1", "2", "3"])


def prepared(target):
    """pgbench -M prepared: Parse once, then Bind, Describe, Execute, Sync."""
    done = _pgbench(target, "\\set n random(1, 1000)\nselect :n + 1;\n", "-M", "prepared", "-c", "4", "-t", "100")
    expect("number of transactions actually processed: 400/400" in done, done)


def pipeline(target):
    script = "\\startpipeline\n" + "select 1;\nselect repeat('x', 1000);\n" * 10 + "\\endpipeline\n"
    done = _pgbench(target, script, "-M", "extended", "-c", "4", "-t", "25")
    expect("number of transactions actually processed: 100/100" in done, done)


def _pgbench(target, script: str, *options: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run([PGBENCH, "-n", "-f", file.name, *options], capture_output=True, text=True, timeout=60,
                              env=environment(target))
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def copy(target):
    with tempfile.TemporaryDirectory() as folder:
        source, back = Path(folder, "in.txt"), Path(folder, "out.txt")
        lines = b"".join(b"%d\t%s\n" % (i, os.urandom(60).hex().encode()) for i in range(40_000))
        source.write_bytes(lines)
        psql(target, f"""create temp table psql_copy (id int, line text);
            \\copy psql_copy from '{source}'
            \\copy (select * from psql_copy order by id) to '{back}'
            """)
        expect_equal(hashlib.sha256(back.read_bytes()).hexdigest(), hashlib.sha256(lines).hexdigest())
    out = psql(target, "create temp table t (i int);\ncopy t from stdin;\n1\n2\n3\n\\.\nselect sum(i) from t;\n"
                       "copy t to stdout;\n").stdout
    expect_equal(out, "6\n1\n2\n3\n")


def notify(target):
    """psql looks for notifications behind each command. Through a pool they come with no command's answer: it is given
    more of them, and time."""
    more = 1 if not target.mode.startswith("pooled") else 20
    out = psql(target, 'listen "psql";\nnotify "psql", \'hello\';\n' + "select pg_sleep(0.1);\n" * more).stdout
    expect('Asynchronous notification "psql" with payload "hello" received' in out, out)


def cancel(target):
    """Ctrl-C: psql opens a second connection for the CancelRequest. libpq before 17 does so without TLS."""
    with subprocess.Popen([PSQL, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=environment(target)) as process:
        guard = threading.Timer(30, process.kill)
        guard.start()
        try:
            process.stdin.write("select 'started';\nselect pg_sleep(30);\n")
            process.stdin.flush()
            expect_equal(process.stdout.readline(), "started\n")
            time.sleep(0.3)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            expect(time.monotonic() - started < 15, "the cancel was late")
        finally:
            guard.cancel()
        expect("canceling statement due to user request" in err, err)
        expect_equal(process.returncode, 3)  # a script that was interrupted


def failures(target):
    done = psql(target, "select 1;\nselect 1/0;\n\\errverbose\nselec;\nselect 'still here';\n",
                "-v", "ON_ERROR_STOP=0", check=False)
    expect("ERROR:  22012: division by zero" in done.stderr, done.stderr)
    expect("syntax error at or near" in done.stderr, done.stderr)
    expect("still here" in done.stdout, done.stdout)
    done = psql(target, "select pg_terminate_backend(pg_backend_pid());\n", check=False)
    expect("terminating connection due to administrator command" in done.stderr, done.stderr)
    expect_equal(done.returncode, 2)


def notices(target):
    done = psql(target, "do $$ begin for i in 1..300 loop raise notice 'number %', i; end loop; end $$;\n")
    expect_equal(done.stderr.splitlines(), [f"NOTICE:  number {i}" for i in range(1, 301)])


def large(target):
    out = psql(target, "select repeat('0123456789abcdef', 1024 * 1024);\n").stdout
    expect_equal(hashlib.sha256(out.encode()).hexdigest(),
                 hashlib.sha256(b"0123456789abcdef" * (1 << 20) + b"\n").hexdigest())
    out = psql(target, "select g from generate_series(1, 60000) g;\n", "-v", "FETCH_COUNT=700").stdout
    expect_equal(out, "".join(f"{i}\n" for i in range(1, 60001)))


def objects(target):
    """\\lo_import and \\lo_export use FunctionCall messages."""
    with tempfile.TemporaryDirectory() as folder:
        source, back = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(os.urandom(1_000_000))
        psql(target, f"\\lo_import '{source}'\n\\lo_export :LASTOID '{back}'\n\\lo_unlink :LASTOID\n")
        expect_equal(hashlib.sha256(back.read_bytes()).hexdigest(), hashlib.sha256(source.read_bytes()).hexdigest())


if __name__ == "__main__":
    main([session, wrong_password, transactions, prepared, pipeline, copy, notify, cancel, failures, notices, large,
          objects])
