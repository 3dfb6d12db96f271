"""deploy/crds, as the double of the API server takes them: schemas are structural, and objects are held to them and to their
validations in CEL."""

from __future__ import annotations

import copy

import pytest
import yaml

from harness import k8s_cel, k8s_crds
from harness.k8s_store import ApiError, Store

pytestmark = [pytest.mark.any_build,
              pytest.mark.skipif(not k8s_cel.available(), reason="no evaluator of CEL: scripts/setup-cel could not fetch it")]

UP, ROUTE, POLICY = "PostgresUpstream", "PostgresRoute", "AccessPolicy"
GOOD = {
    UP: ["{endpoints: ['db.example.org:5432', '[::1]:5432']}",
         "{discovery: {kubernetes: {service: pg, port: 5432}}, tls: {mode: verify-ca, caSecret: {name: ca}}}",
         "{discovery: {kubernetes: {cluster: {operator: cloudnative-pg, name: main}, caSecret: {}}}}",
         "{discovery: {srv: {name: _postgresql._tcp.db}, resolver: '10.96.0.10:53'}, allowedNamespaces: ['team-*']}",
         "{endpoints: ['db:1'], tls: {certSecret: {name: me}, direct: true}, pool: {size: 5, minIdle: 5, maxLifetime: 1h}}",
         "{endpoints: ['db:1'], health: {user: w, passwordSecret: {name: w, key: pw}, maxReplicaLag: 10s}}"],
    ROUTE: ["{upstream: db}", "{upstream: other/db, priority: -5, match: {listener: [main], database: ['a*'], source: [10.0.0.0/8]}}",
            "{upstream: db, auth: {method: scram, verifierSecret: {name: users}}, pooling: transaction, onUnsafe: refuse}",
            "{upstream: db, auth: {method: scram}, credentials: {user: app, passwordSecret: {name: app}}}",
            "{upstream: db, auth: {method: jwt, jwt: {issuer: 'https://idp', audience: [db], caSecret: {name: ca}}, "
            "userMap: [{group: [dba], user: ['*']}]}, credentials: {user: app}}",
            "{upstream: db, auth: {method: kubernetes, kubernetes: {audience: [db]}}, settings: {statement_timeout: 30s}, "
            "credentials: {ephemeral: {user: maker, passwordSecret: {name: maker}, memberOf: [readers]}}}"],
    POLICY: ["{subjects: {user: [alice]}}", "{effect: deny, subjects: {group: ['*']}, maxLength: '0'}",
             "{subjects: {serviceAccount: [prod/*], spiffe: ['spiffe://a/b']}, level: read, denied: [ddl, do], hours: {days: "
             "[mon-fri], from: '08:00', until: '24:00'}, limits: {rows: 10, bytes: 1MiB}}",
             "{subjects: {group: [dba]}, approval: {allOf: [a, b], count: 2, wait: 30m}, settings: {work_mem: 64MB}}"],
}
BAD = [  # kind, spec, what is said
    (UP, "{}", "spec: Invalid value: \"object\": endpoints, or discovery"),
    (UP, "{endpoints: []}", "spec.endpoints: Invalid value: 0: should be at least 1 items"),
    (UP, "{endpoints: ['unix:/run/s']}", "spec.endpoints[0]: Invalid value: 'unix:/run/s': should match"),
    (UP, "{endpoints: ['db:70000']}", "should match"),
    (UP, "{endpoints: ['db:1'], discovery: {dns: {name: a}, srv: {name: b}}}", "spec.discovery: Invalid value: \"object\": only one of"),
    (UP, "{discovery: {resolver: '10.0.0.1:53'}}", "must say where the servers are"),
    (UP, "{discovery: {kubernetes: {}}}", "spec.discovery.kubernetes: Invalid value: \"object\": either service or cluster"),
    (UP, "{discovery: {kubernetes: {service: a, cluster: {operator: zalando, name: b}}}}", "either service or cluster"),
    (UP, "{discovery: {kubernetes: {cluster: {operator: zalando, name: b}, caSecret: {}}}}", "caSecret needs a name"),
    (UP, "{discovery: {kubernetes: {service: pg, caSecret: {name: a}}}, tls: {caSecret: {name: b}}}", "only one can hold"),
    (UP, "{discovery: {kubernetes: {cluster: {operator: x, name: b}}}}", "Unsupported value: 'x'"),
    (UP, "{endpoints: ['db:1'], tls: {mode: verify-ca}}", "tls.mode verify-ca needs tls.caSecret"),
    (UP, "{endpoints: ['db:1'], tls: {mode: prefer, direct: true}}", "direct does not go with"),
    (UP, "{endpoints: ['db:1'], tls: {mode: require, caSecret: {name: ca}}}", "caSecret is not used"),
    (UP, "{endpoints: ['db:1'], tls: {caSecret: {}}}", "spec.tls.caSecret.name: Required value"),
    (UP, "{endpoints: ['db:1'], tls: {caSecret: {name: ../etc}}}", "spec.tls.caSecret.name: Invalid value"),
    (UP, "{endpoints: ['db:1'], health: {passwordSecret: {name: w}}}", "passwordSecret needs the user"),
    (UP, "{endpoints: ['db:1'], health: {maxReplicaLag: 1s}}", "maxReplicaLag cannot be known"),
    (UP, "{endpoints: ['db:1'], pool: {minIdle: 21}}", "minIdle is more than"),
    (UP, "{endpoints: ['db:1'], pool: {size: 0}}", "spec.pool.size: Invalid value: 0: should be at least 1"),
    (UP, "{endpoints: ['db:1'], connectTimeout: 5 seconds}", "spec.connectTimeout: Invalid value"),
    (ROUTE, "{}", "spec.upstream: Required value"),
    (ROUTE, "{upstream: a/b/c}", "spec.upstream: Invalid value"),
    (ROUTE, "{upstream: db, priority: 1000001}", "spec.priority: Invalid value"),
    (ROUTE, "{upstream: db, match: {database: app}}", "spec.match.database: Invalid value: 'app': must be of type array"),
    (ROUTE, "{upstream: db, auth: {method: trust}}", "spec.auth.method: Unsupported value: 'trust'"),
    (ROUTE, "{upstream: db, auth: {method: scram}}", "auth.method scram needs"),
    (ROUTE, "{upstream: db, auth: {method: scram}, credentials: {user: app}}", "auth.method scram needs"),
    (ROUTE, "{upstream: db, auth: {method: scram, verifierSecret: {name: a}, query: {user: b}}}", "only one of verifierSecret and query"),
    (ROUTE, "{upstream: db, auth: {verifierSecret: {name: a}}}", "with method scram only"),
    (ROUTE, "{upstream: db, auth: {method: jwt}}", "method jwt and the key jwt need each other"),
    (ROUTE, "{upstream: db, auth: {method: cert, jwt: {issuer: 'https://i', audience: [a]}}}", "need each other"),
    (ROUTE, "{upstream: db, auth: {method: jwt, jwt: {issuer: 'ftp://i', audience: [a]}}}", "spec.auth.jwt.issuer: Invalid value"),
    (ROUTE, "{upstream: db, auth: {method: kubernetes}}", "method kubernetes and the key kubernetes"),
    (ROUTE, "{upstream: db, auth: {userMap: [{user: [a]}]}}", "userMap and disconnectExpired"),
    (ROUTE, "{upstream: db, auth: {certificate: {map: [{match: '*'}]}}}", "certificate has a use with method cert only"),
    (ROUTE, "{upstream: db, credentials: {user: app}}", "credentials have no use"),
    (ROUTE, "{upstream: db, auth: {method: cert}, credentials: {}}", "user or ephemeral is needed"),
    (ROUTE, "{upstream: db, auth: {method: cert}, target: any, credentials: {ephemeral: {user: m}}}", "needs target primary"),
    (ROUTE, "{upstream: db, auth: {method: cert}, credentials: {ephemeral: {user: m, prefix: pg_x}}}", "prefix is not what"),
    (ROUTE, "{upstream: db, pooling: session}", "pooling needs the gateway"),
    (ROUTE, "{upstream: db, onUnsafe: refuse}", "onUnsafe refuse has no use"),
    (ROUTE, "{upstream: db, settings: {user: x}}", "parts of the start-up itself"),
    (ROUTE, "{upstream: db, settings: {statement_timeout: 30}}", "spec.settings.statement_timeout: Invalid value: 30: must be of type string"),
    (POLICY, "{}", "spec.subjects: Required value"),
    (POLICY, "{subjects: {}}", "must say whom it is for"),
    (POLICY, "{subjects: {serviceAccount: [app]}}", "spec.subjects.serviceAccount[0]: Invalid value"),
    (POLICY, "{subjects: {user: [a]}, effect: deny, level: read}", "a policy that denies gives nothing"),
    (POLICY, "{subjects: {user: [a]}, effect: deny, maxLength: 8h}", "a policy that denies gives nothing"),
    (POLICY, "{subjects: {user: [a]}, effect: deny, limits: {bytes: 1KiB}}", "a policy that denies gives nothing"),
    (POLICY, "{subjects: {user: [a]}, settings: {session_authorization: x}}", "not for a policy to set"),
    (POLICY, "{subjects: {user: [a]}, role: none}", "none is no role"),
    (POLICY, "{subjects: {user: [a]}, denied: [select]}", "spec.denied[0]: Invalid value"),
    (POLICY, "{subjects: {user: [a]}, hours: {from: '25:00'}}", "spec.hours.from: Invalid value"),
    (POLICY, "{subjects: {user: [a]}, hours: {from: '08:00', until: '08:00'}}", "from and until are the same"),
    (POLICY, "{subjects: {user: [a]}, hours: {days: [someday]}}", "spec.hours.days[0]: Invalid value"),
    (POLICY, "{subjects: {user: [a]}, approval: {count: 1}}", "anyOf or allOf must say"),
    (POLICY, "{subjects: {user: [a]}, approval: {allOf: [a], count: 2}}", "count is more than"),
    (POLICY, "{subjects: {user: [a]}, approval: {anyOf: [a], count: 21}}", "spec.approval.count: Invalid value"),
]


@pytest.fixture(scope="module")
def cluster():
    store = Store()
    return store, k8s_crds.install(store)


def made_of(kind: str, spec: str, name: str = "x") -> dict:
    return {"metadata": {"name": name, "namespace": "team"}, "spec": yaml.safe_load(spec)}


@pytest.mark.parametrize("kind, spec", [(kind, spec) for kind, specs in GOOD.items() for spec in specs])
def test_good_ones_are_kept_as_they_are(cluster, kind, spec):
    store, kinds = cluster
    made = store.apply(kinds[kind], made_of(kind, spec))
    assert made["spec"] == yaml.safe_load(spec)


@pytest.mark.parametrize("kind, spec, said", BAD)
def test_bad_ones_are_refused(cluster, kind, spec, said):
    store, kinds = cluster
    with pytest.raises(ApiError) as refused:
        store.create(kinds[kind], made_of(kind, spec, "bad"))
    assert refused.value.code == 422 and said in refused.value.message, refused.value.message


def test_every_rule_has_refused_something(cluster):
    """That of the name has a test of its own, and so have those of AccessRequest (test_k8s_admission)."""
    _, kinds = cluster
    texts = []

    def collect(schema: dict):
        texts.extend(each["message"] for each in schema.get("x-kubernetes-validations", []))
        for its in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
            collect(its)

    for kind in (UP, ROUTE, POLICY):
        collect(kinds[kind].schema["properties"]["spec"])
    said = [text for _, _, text in BAD]
    assert [text for text in texts if not any(each.split('": ')[-1] in text for each in said)] == []


def test_names_are_short(cluster):
    store, kinds = cluster
    store.apply(kinds[ROUTE], made_of(ROUTE, "{upstream: db}", "x" * 63))
    with pytest.raises(ApiError, match="metadata.name has more than 63 characters"):
        store.create(kinds[ROUTE], made_of(ROUTE, "{upstream: db}", "x" * 64))


def test_files_and_variables_are_no_fields_of_them(cluster):
    """They are left away where they are stored; kubectl, which asks for strict validation, refuses them before."""
    store, kinds = cluster
    made = store.apply(kinds[UP], made_of(UP, "{endpoints: ['db:1'], name: x, tls: {caFile: /c}, health: {password: '${P}'}}"))
    assert made["spec"] == {"endpoints": ["db:1"], "tls": {}, "health": {}}
    made = store.apply(kinds[ROUTE], made_of(ROUTE, "{upstream: db, auth: {method: kubernetes, kubernetes: {audience: [a], "
                                                    "apiServer: 'https://x', tokenFile: /t}}}"))
    assert made["spec"]["auth"]["kubernetes"] == {"audience": ["a"]}


def test_status_is_a_subresource_with_conditions(cluster):
    store, kinds = cluster
    made = store.apply(kinds[ROUTE], made_of(ROUTE, "{upstream: db}", "told"))
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 1,
                 "lastTransitionTime": "2026-01-31T12:00:00Z"}
    told = store.replace(kinds[ROUTE], made | {"status": {"conditions": [condition]}, "spec": {"upstream": "other"}}, status=True)
    assert told["status"]["conditions"] == [condition] and told["spec"] == {"upstream": "db"}
    assert told["metadata"]["generation"] == 1
    again = store.replace(kinds[ROUTE], copy.deepcopy(told) | {"status": {}, "spec": {"upstream": "new"}})
    assert again["status"]["conditions"] == [condition] and again["metadata"]["generation"] == 2
    for wrong, said in (({"reason": ""}, "at least 1"), ({"status": "yes"}, "Unsupported value"), ({"reason": "a b"}, "should match"),
                        ({"lastTransitionTime": "now"}, "date-time")):
        with pytest.raises(ApiError, match=said):
            store.replace(kinds[ROUTE], again | {"status": {"conditions": [condition | wrong]}}, status=True)
    with pytest.raises(ApiError, match="Duplicate value"):
        store.replace(kinds[ROUTE], again | {"status": {"conditions": [condition, condition]}}, status=True)


BROKEN = [
    ({"type": "array", "items": {"type": "string"}}, "the root is no object"),
    ({"type": "object", "properties": {"a": {}}}, ".a: has no type"),
    ({"type": "object", "properties": {"a": {"type": "array"}}}, "an array without items"),
    ({"type": "object", "properties": {"a": {"type": "string", "$ref": "#/x"}}}, "$ref is forbidden"),
    ({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}, "beside additionalProperties"),
    ({"type": "object", "required": ["b"]}, "requires b"),
    ({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}, "only the name"),
    ({"type": "object", "x-kubernetes-validations": [{"rule": "has(self.", "message": "m"}]}, "rule has(self."),
    ({"type": "object", "x-kubernetes-validations": [{"rule": "nothing(self)", "message": "m"}]}, "nothing"),
    ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}}}, "its keys"),
]


@pytest.mark.parametrize("schema, said", BROKEN)
def test_the_double_knows_what_is_not_structural(schema, said):
    assert any(said in each for each in k8s_crds.structural_problems(schema))


def test_they_are_structural_and_have_bounds():
    """Without bounds of lists and texts an API server takes the cost of a rule for endless, and refuses the definition."""
    unbounded = []

    def look(schema: dict, path: str):
        if schema.get("type") == "string" and not ("maxLength" in schema or "enum" in schema or "format" in schema):
            unbounded.append(path)
        if schema.get("type") == "array" and "maxItems" not in schema:
            unbounded.append(path)
        if "additionalProperties" in schema and "maxProperties" not in schema:
            unbounded.append(path)
        for key, its in schema.get("properties", {}).items():
            look(its, f"{path}.{key}")
        for key in ("items", "additionalProperties"):
            if key in schema:
                look(schema[key], f"{path}[]")

    found = k8s_crds.definitions()
    assert {each["spec"]["names"]["kind"] for each in found} >= {UP, ROUTE, POLICY}
    for each in found:
        for version in each["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            assert k8s_crds.structural_problems(schema) == []
            look({key: value for key, value in schema["properties"].items()}.get("spec", {}), each["metadata"]["name"])
    assert unbounded == []
