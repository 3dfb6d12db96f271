"""psqlODBC (on libpq), through unixODBC's isql."""

from __future__ import annotations

import subprocess

from report import expect, main


def isql(target, script: str, **more) -> str:
    password = more.get("password", target.password)
    words = ["Driver=PostgreSQL Unicode", f"Servername={target.host}", f"Port={target.port}",
             f"Database={more.get('database', target.database)}", f"Uid={target.user}", f"Pwd={{{password}}}",
             f"SSLmode={'verify-full' if target.tls else 'disable'}", "UseDeclareFetch=1", "Fetch=100"]
    done = subprocess.run(["isql", "-k", "-b", "-v", "-d|", ";".join(words)], input=script, text=True,
                          capture_output=True, timeout=30, env=_environment(target))
    return done.stdout + done.stderr


def _environment(target) -> dict:
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
            "PGOPTIONS": f"-c search_path={target.schema}"} | ({"PGSSLROOTCERT": target.ca} if target.tls else {})


def session(target):
    told = isql(target, "select 6 * 7 as answer\nselect count(*) from generate_series(1, 5000) g\n")
    expect("42" in told and "5000" in told, told)


def wrong_password(target):
    told = isql(target, "select 1\n", password="wrong")
    expect("password authentication failed" in told, told)
    told = isql(target, "select 1\n", database="no_such_database")
    expect("does not exist" in told, told)


def statements(target):
    told = isql(target, "create table odbc_t (i int)\ninsert into odbc_t values (1), (2)\n"
                        "select 'sum ' || sum(i) from odbc_t\ndrop table odbc_t\n")
    expect("sum 3" in told, told)


def failures(target):
    told = isql(target, "select 1/0\nselect 'still ' || 'here'\n")
    expect("division by zero" in told and "still here" in told, told)


if __name__ == "__main__":
    main([session, wrong_password, statements, failures])
