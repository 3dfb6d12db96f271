#!/usr/bin/env python3
"""First inputs of the fuzz targets, written as what they mean. Usage: seeds.py TARGET FOLDER

An input that once made a target fail is kept as it was found, in tests/fuzz/corpus/TARGET."""

import pathlib
import ssl
import struct
import sys

SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


def packet(code, body=b""):
    return struct.pack("!II", 8 + len(body), code) + body


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", 4 + len(body)) + body


def startup(version=0x00030000, **parameters):
    return packet(version, b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in parameters.items()) + b"\0")


def client_hello(name="db.example.org", alpn=("postgresql",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


QUERY = message("Q", b"select 1\0")
PARSE = message("P", b"s\0select $1\0\0\1\0\0\0\x17")
BIND = message("B", b"\0s\0\0\0\0\1\0\0\0\x011\0\0")
DESCRIBE, EXECUTE, SYNC = message("D", b"P\0"), message("E", b"\0\0\0\0\0"), message("S")
ROW_DESCRIPTION = message("T", b"\0\1x\0" + struct.pack("!IhIhih", 0, 0, 23, 4, -1, 0))
DATA_ROW = message("D", b"\0\2\0\0\0\x011\xff\xff\xff\xff")
COMPLETE, READY = message("C", b"SELECT 1\0"), message("Z", b"I")
ERROR = message("E", b"SERROR\0VERROR\0C57014\0Mcanceling statement\0\0")
FATAL = message("E", b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0")
SASL = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
TRACED = b"/*traceparent='00-" + b"a1" * 16 + b"-" + b"b2" * 8 + b"-01'*/"
COPY_IN = message("G", b"\0\0\1\0\0")


def conversation(piece, *turns):
    """Of session_tracker_fuzz: (is it the client, bytes) in pieces of at most 127 bytes."""
    out = bytes([piece])
    for client, data in turns:
        for at in range(0, len(data), 127):
            part = data[at:at + 127]
            out += bytes([len(part) << 1 | client]) + part
    return out


def tapped(how, *records):
    """Of session_model_fuzz: records as (kind and flags, request, body) or, of messages, (…, body, type)."""
    out = bytes([how])
    for what, request, body, *kind in records:
        out += bytes([what, request, len(body)]) + b"".join(each.encode() for each in kind) + body
    return out


def gathered(*messages):
    """Of the audit's tap: messages as (request, type, whether the client's, body) in one record."""
    return b"".join(struct.pack("<QIcB2x", request, len(body), kind.encode(), client) + body for request, kind, client, body in messages)


def proxy_v2(family, address, command=0x21):
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack("!H", len(address)) + address


VERIFIER = "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$" + "A" * 43 + "=:" + "B" * 43 + "="
CONFIG = """\
listeners:
  - name: main
    address: 0.0.0.0:6432
    tls: {mode: require, certificates: [{certFile: tls.crt, keyFile: tls.key, serverNames: ["*.db.example.org"]}]}
    proxyProtocol: {trustedSources: ["10.0.0.0/8"]}
    loginTimeout: 60s
routes:
  - name: app
    match: {listener: main, serverName: "app.*", database: app, user: "*", source: ["10.0.0.0/8"]}
    upstream: app-db
    auth: {method: server}
    limits: {maxSessions: 500, idleTimeout: 0}
upstreams:
  - name: app-db
    endpoints: ["db-0.db.prod.svc:5432", "unix:/run/postgresql/.s.PGSQL.5432"]
    tls: {mode: verify-full, caFile: ca.crt, direct: false}
keepalive: {idle: 30s, interval: 10s, probes: 3, userTimeout: 30s}
workers: auto
drain: {grace: 30s}
"""

GATHERED = gathered((2, "B", True, BIND[5:]), (3, "E", True, EXECUTE[5:]), (3, "C", False, b"SELECT 1\0"))

def dns_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def dns_answer(kind, *records, name="db.test", rcode=0):
    """Records are (type, data), of the name asked for."""
    question = dns_name(name) + struct.pack("!HH", kind, 1)
    answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", each, 1, 60, len(data)) + data for each, data in records)
    return struct.pack("!6H", 1, 0x8180 | rcode, 1, len(records), 0, 0) + question + answers


SEEDS = {
    "first_packet_fuzz": [
        startup(user="alice", database="app"), packet(SSL_REQUEST), packet(GSSENC_REQUEST) + startup(user="a"),
        packet(SSL_REQUEST) + startup(0x00030002, user="a"), packet(CANCEL_REQUEST, bytes(8)),
        packet(CANCEL_REQUEST, bytes(260)), client_hello(), b"GET / HTTP/1.1\r\n\r\n", startup(0x0003270F, user="a", **{"_pq_.x": "1"}),
    ],
    "startup_message_fuzz": [
        b"user\0alice\0database\0app\0\0", b"user\0a\0options\0-c geqo=off\0replication\0database\0_pq_.x\x001\0\0",
    ],
    "frame_fuzz": [QUERY + PARSE + BIND + DESCRIBE + EXECUTE + SYNC, ROW_DESCRIPTION + DATA_ROW + COMPLETE + READY, b"Q\0\0\0\3"],
    "messages_fuzz": [
        b"\0" + SASL, b"\0\0\0\0\5salt", b"\0\0\0\0\x0br=nonce,s=c2FsdA==,i=4096", b"\1secret\0",
        b"\1SCRAM-SHA-256\0\0\0\0\x04n,,n", b"\2\0\0\1\0\0\0\0\7", b"\2server_version\x0018\0", b"\2I",
        b"\2\0\3\0\2\0\0\0\1_pq_.x\0", b"\3SFATAL\0VFATAL\0C57P01\0Mend\0\0", b"\4" + ROW_DESCRIPTION[5:], b"\4" + DATA_ROW[5:],
        b"\4select 1\0", b"\4SELECT 1\0",
    ],
    "session_tracker_fuzz": [
        conversation(3, (1, QUERY), (0, ROW_DESCRIPTION + DATA_ROW + COMPLETE + READY)),
        conversation(0, (1, PARSE + BIND + DESCRIBE + EXECUTE + SYNC), (0, message("1") + message("2") + DATA_ROW + COMPLETE + READY)),
        conversation(7, (1, QUERY), (0, COPY_IN), (1, message("d", b"1\n") + message("c")), (0, COMPLETE + READY)),
        conversation(1, (1, QUERY + QUERY), (0, ERROR + READY + COMPLETE + READY), (1, message("X"))),
        conversation(15, (1, PARSE + SYNC), (0, ERROR + READY), (0, FATAL)),
    ],
    "proxy_protocol_fuzz": [
        b"PROXY TCP4 192.0.2.1 192.0.2.2 51234 5432\r\n", b"PROXY TCP6 2001:db8::1 2001:db8::2 51234 5432\r\n", b"PROXY UNKNOWN\r\n",
        proxy_v2(0x11, bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 51234, 5432)),
        proxy_v2(0x21, bytes(32) + struct.pack("!HH", 51234, 5432) + b"\4\0\3abc"), proxy_v2(0, b"", 0x20),
    ],
    "dns_message_fuzz": [
        dns_answer(1, (1, b"\x0a\0\0\1"), (1, b"\x0a\0\0\2")), dns_answer(28, (28, bytes(16))), dns_answer(1, (5, b"\xc0\x0c"), (1, bytes(4))),
        dns_answer(33, (33, struct.pack("!HHH", 10, 1, 5432) + dns_name("a.test")), (33, bytes(7))), dns_answer(1, rcode=3),
    ],
    "peer_message_fuzz": [
        b"\2\0" + bytes(16) + b"\4key!", b"\2\1" + bytes(16) + b"\x23" + bytes(35) + bytes(16), b"!\0\7" + bytes(24), b"?" + bytes(26),
    ],
    "client_hello_fuzz": [client_hello(), client_hello("a", ()), client_hello("b.example", ("h2", "postgresql")), client_hello()[:40]],
    "token_fuzz": [
        b"\0eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJpIiwiYXVkIjoiYSIsInN1YiI6InMiLCJleHAiOjIwMDB9.AAAA",
        b"\0eyJhbGciOiJub25lIn0.e30.", b'\1{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","use":"sig"}]}',
        b'\1{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","alg":"ES256","key_ops":["verify"]}]}',
        b"\2n,,\1auth=Bearer abc\1\1", b"\2y,,\1host=db\1auth=\1\1",
        b'\3{"status":{"authenticated":true,"audiences":["a"],"user":{"username":"system:serviceaccount:a:b","groups":["g"],'
        b'"uid":"u","extra":{"k":["v"]}}}}',
        b'\4{"kind":"SubjectAccessReview","status":{"allowed":true,"denied":false,"reason":"r","evaluationError":"e"}}',
    ],
    "scram_server_fuzz": [
        b"\0n,,n=,r=clientnonce\xffc=biws,r=clientnonce,p=AAAA", b"\3p=tls-server-end-point,,n=,r=x\xffc=cD0=,r=x,p=AA==",
        b"\1y,,n=,r=x",
    ],
    "scram_client_fuzz": [b"Rserver,s=c2FsdA==,i=4096\xffv=AAAA", b"R,s=AA==,i=1\xffe=invalid-proof", b"r=other,s=AA==,i=4096"],
    "user_file_fuzz": [
        f'"alice" "{VERIFIER}"\n; comment\n"bob" "secret"\n'.encode(), f"alice:{VERIFIER}\n".encode(), b'"md5user" "md5' + b"0" * 32 + b'"\n',
    ],
    "ini_fuzz": [
        b"[databases]\n\"a\"\"b\" = host=h,::1 port=6000 user=u password='it''s'\n* =\n[users]\nu = pool_mode=session\n"
        b"[peers]\n1 = host=p\n[pgbouncer]\n;c\nauth_file = u\nlisten_addr = *, localhost\nauth_user = x\n",
        b'"alice" "secret"\n; c\n"bob" "md5' + b"0" * 32 + b'"\n', b"[pgbouncer]\n%include i\nauth_type = any\n",
    ],
    "redact_fuzz": [
        b"DO $$ BEGIN ALTER ROLE x PASSWORD 'y'; END $$", b"create user mapping for u server s options (password 'x');",
        b"select E'a\\'b', U&'x', $t$ ; $t$ /* /* */ */ -- x\n", b"alter role x password 'it's",
    ],
    "guard_facts_fuzz": [
        b"insert into \"s\".t (a, b) values (1, 'x'), (-2.5, null) returning a",
        b"select * from t where a in (1, 2, $1) and lower(b) = E'x\\n' union all values (1)",
        b"select ('x'::text).pg_read_file, \"set_config\"('role', 'none', false), U&\"a\"(1) from t",
        b"insert into t select * into u from (delete from v returning *) x; set role none",
    ],
    "effects_fuzz": [
        b"0select set_config('a.b', 'c', false), pg_advisory_lock(1), f(x::float(3)), E'\\x41\\n', U&'\\0041', B'01' from t -- x",
        b"0/* a /* b */ */ with x as (insert into s.t values ($1, $$a$$) returning \"a\".b) select 1.5e3 from x for update",
        b"1begin; set local search_path = pg_temp; create temp table t as select '\\'; execute p(1); deallocate all; commit",
        b"2declare c cursor with hold for select a operator(s.+) any (array[1]) from t; set time zone '\xa5\\'; discard plans",
        b"0explain (analyze) update pg_settings set setting = 'a'\n'b' where name = N'x'; listen a; prepare p as select currval('s')",
    ],
    "parameters_fuzz": [
        b"\6" + BIND[5:], b"\x17\0\0\0\1\0\1\0\1" + struct.pack("!I", 10) + struct.pack("!hhHhh", 1, 0, 0, 2, 7),
        b"\x1a\0\0\0\1\0\1\0\1" + struct.pack("!IIIIIIII", 28, 1, 0, 23, 1, 1, 4, 7),
    ],
    "session_model_fuzz": [
        tapped(0x70, (0x06, 0, b"\"user\xff"), (1, 1, b"select 1; select 2 " + TRACED + b"\0", "Q"), (0, 1, b"SELECT 1\0", "C"),
               (0, 1, ERROR[5:], "E"), (4, 1, b"\x09\x09\0\1I42601"), (0x06, 2, b"bye")),
        tapped(0x70, (1, 1, PARSE[5:-10] + TRACED + PARSE[-10:], "P"), (1, 2, BIND[5:], "B"), (1, 3, EXECUTE[5:], "E"), (0, 3, b"SELECT 1\0", "C"),
               (4, 4, b""), (0x2d, 3, b""), (1, 5, BIND[5:], "B"), (1, 6, EXECUTE[5:], "E"), (0, 6, b"", "s"), (4, 7, b"\0\0\1\0T")),
        tapped(0x31, (0x31, 1, b"select 'long", "Q"), (0x21, 1, bytes(32), "Q"), (0, 1, b"SELECT 1\0", "C"), (0xc0, 1, b"INSERT 0 1\0", "C"),
               (0xc0, 1, b"INSERT 0 1\0", "C"), (0xc0, 1, b"INSERT 0 1\0", "C"), (4, 1, b"")),
        tapped(0x60, (1, 1, struct.pack("!IHHI", 7, 0, 1, 1) + b"x\0\0", "F"), (0, 1, b"\xff" * 4, "W"), (1, 2, b"S\0", "D"), (0, 2, b"\0\1\0\0\0\x17", "t"),
               (1, 3, b"Ss\0", "C"), (4, 3, b"", ), (7, 2, b"abc")),
        tapped(0x30, (0x14, 0, gathered((1, "P", True, PARSE[5:]))), (0x24, 3, b"\x09\x09\1\0I"))
        + bytes([len(GATHERED)]) + GATHERED,
        tapped(0x32, (0x0e, 3, b"127.0.0.1:1"), (0x16, 4, b"file\x00"), (0x0e, 1, b"28P01"), (0x09, 9, b"select 'no end\0", "Q"), (0x0e, 2, b"T")),
    ],
    "command_fuzz": [
        b"show clients; SHOW SERVERS;", b"set application_name to 'x'; begin; commit", b"select version()", b"show slow -- all\n;", b"show \"x",
    ],
    "conninfo_fuzz": [
        b"host=db.example.org,10.0.0.7 hostaddr=10.0.0.1,10.0.0.7 port=6432,5432 user=app dbname='my db' password='it\\'s' sslmode=verify-full "
        b"sslrootcert=system connect_timeout=3",
        b"postgresql://app:pa%20ss@[::1]:6432,db:5432/app?sslmode=require&sslnegotiation=direct&options=-c%20x%3Dy",
        b"postgres:///app?host=/run/postgresql&passfile=p", b"host=/run user = u\0localhost:*:u:u:p:w\\:\n#x\n*:*:*:*:\\\\\r\n",
    ],
    "console_machine_fuzz": [
        message("Q", b"select; begin; commit\0") + message("X"), PARSE.replace(b" $1", b"    ") + BIND + DESCRIBE + EXECUTE + SYNC,
        message("P", b"\0select;\0\0\0") + message("B", b"\0\0\0\1\0\1\0\0\0\1\0\1") + message("E", b"\0\0\0\0\1") + message("H")
        + message("C", b"P\0") + SYNC, message("Q", b"error\0") + message("F", b""),
    ],
    "http_message_fuzz": [
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n",
        b"HEAD /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET /api/v1/sessions?x=%2F HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"GET / HTTP/2.0\r\n\r\n",
    ],
    "collection_watch_fuzz": [
        b'\x07{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a","resourceVersion":"4"},"addressType":"IPv4",'
        b'"ports":[{"name":"pg","port":5432}],"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true}}]}]}\0'
        b'{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"6"}}}\n'
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n{"type":"ERROR","object":{"code":410}}\n',
        b'\0current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n'
        b'clusters: [{name: k, cluster: {server: "https://k"}}]\nusers: [{name: u, user: {token: t}}]\n',
    ],
    "objects_fuzz": [
        b'[{"endpoints":["db:5432"],"allowedNamespaces":["o*"],"tls":{"caSecret":{"name":"ca"},"certSecret":{"name":"none"}},'
        b'"health":{"user":"w","passwordSecret":{"name":"w","key":"pw"}},"pool":{"size":5}},'
        b'{"upstream":"team/db","priority":-5,"match":{"listener":["main"],"database":["a*"]},"auth":{"method":"scram",'
        b'"query":{"user":"q"}},"credentials":{"user":"app"},"settings":{"a":"${X}"}},'
        b'{"effect":"deny","subjects":{"group":["x"]},"objects":{"route":["db"]}},{"discovery":{"kubernetes":{"service":"s"}}},'
        b'{"upstream":"open","auth":{"method":"trust"}},{"subjects":{"user":["*"]},"approval":{"anyOf":["g"]}}]',
    ],
    "line_view_fuzz": [
        b'{"v":1,"seq":7,"time":"2026-11-25T14:00:00.123456Z","event":"exchange","session":"a-1","statements":[{"text":"select 1",'
        b'"fingerprint":"0","sqlstate":"42501"}],"seconds":{"total":0.5},"prev":"0"}',
    ],
}
CONFIG_SEEDS = [CONFIG.encode(), b"listeners: []\n", b"a: &x [1, 2]\nb: *x\n", b"workers: 2\ndrain: {grace: 5m}\n"]


def seeds_of(target):
    if target.startswith("config") or target in ("load_fuzz", "settings_fuzz", "tree_fuzz"):
        return CONFIG_SEEDS
    return SEEDS.get(target, [])


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(target)):
        (folder / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
