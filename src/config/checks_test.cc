// Values that are right alone and wrong together, and the exact sentences they get.
#include "config/enum_names.h"
#include "config/load.h"
#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Checks, NamesAreUnique) {
  EXPECT_THAT(
      problems_of(sample{.listener = "{name: a, address: '127.0.0.1:1', tls: {mode: disable}}\n"
                                     "- {name: a, address: '127.0.0.1:1', tls: {mode: disable}}"}
                      .text()),
      ElementsAre(
          "3:10: listeners[1].name: `a` is also the name of listeners[0] (expected names that differ)",
          "3:22: listeners[1].address: 127.0.0.1:1 overlaps with listeners[0], 127.0.0.1:1 (expected "
          "addresses that differ)"));
  EXPECT_THAT(
      problems_of(sample{.listener = "{name: a, address: '0.0.0.0:1', tls: {mode: disable}}\n"
                                     "- {name: b, address: '127.0.0.1:1', tls: {mode: disable}}"}
                      .text()),
      ElementsAre("3:22: listeners[1].address: 127.0.0.1:1 overlaps with listeners[0], 0.0.0.0:1 (expected "
                  "addresses that differ)"));
}

TEST(Checks, ListenerTlsMustBeComplete) {
  EXPECT_THAT(with_listener("{name: main, address: '0.0.0.0:6432'}"),
              testing::Contains(
                  "2:3: listeners[0].tls.certificates: is missing, and mode require needs one (expected "
                  "certificates: [{certFile: …, keyFile: …}], or mode: disable, or mode: passthrough)"));
  EXPECT_THAT(
      with_listener("{name: main, address: 'unix:/run/x', tls: {mode: require}}"),
      testing::Contains(
          "2:52: listeners[0].tls.mode: clients do not use TLS on a unix socket (expected disable, or "
          "the key left out)"));
  const auto certificates = [](const std::string& rest) {
    return "{name: main, address: '127.0.0.1:1', tls: {certificates: [{certFile: a, keyFile: b}], " + rest +
           "}}";
  };
  EXPECT_THAT(with_listener(certificates("clientCertificate: require")),
              testing::Contains(
                  "2:108: listeners[0].tls.clientCertificate: needs clientCaFile, to know whose certificates "
                  "count (expected clientCaFile beside it)"));
  EXPECT_THAT(with_listener(certificates("mode: allow, clientCertificate: require, clientCaFile: c")),
              testing::Contains(
                  "2:121: listeners[0].tls.clientCertificate: require means nothing while mode allow lets "
                  "clients in without TLS (expected mode: require)"));
  EXPECT_THAT(
      with_listener("{name: main, address: '127.0.0.1:1', tls: {mode: disable, clientCertificate: request}}"),
      ElementsAre(
          "2:80: listeners[0].tls.clientCertificate: cannot be asked for with mode disable (expected mode: "
          "require)"));
  EXPECT_THAT(
      with_listener("{name: main, address: 'unix:/run/x', proxyProtocol: {trustedSources: [10.0.0.0/8]}}"),
      ElementsAre(
          "2:55: listeners[0].proxyProtocol: a unix socket has no source address to trust (expected to be "
          "left out)"));
  EXPECT_THAT(
      with_listener("{name: main, address: 'unix:/run/x', proxyProtocol: {}}"),
      ElementsAre(
          "2:55: listeners[0].proxyProtocol.trustedSources: is missing (expected a range such as 10.0.0.0/8 "
          "or 2001:db8::/32, or a list of them)"));
}

TEST(Checks, ReplicasSayWhereTheOthersAre) {
  EXPECT_THAT(with_rest("replicas: {number: 1024}\n"),
              ElementsAre("7:20: replicas.number: `1024` is not the number of a replica (expected auto, or a "
                          "whole number, from 1 to 1023)"));
  EXPECT_THAT(with_rest("replicas: {peers: {}}\n"),
              ElementsAre("7:19: replicas.peers: says nobody (expected endpoints or dns)"));
  EXPECT_THAT(
      with_rest("replicas: {peers: {endpoints: ['a:1', 'b:1', 'a:1'], resolver: dns}}\n"),
      ElementsAre("7:46: replicas.peers.endpoints[2]: `a:1` stands in the list twice (expected each replica "
                  "once)",
                  "7:64: replicas.peers.resolver: `dns` is not the address of a DNS server (expected an "
                  "address such as 10.96.0.10:53)"));
  EXPECT_THAT(with_rest("replicas: {peers: {dns: {name: gw}}}\n"),
              ElementsAre("7:25: replicas.peers.dns.port: is missing (expected a whole number, from 1 to "
                          "65535)"));
  EXPECT_THAT(with_rest("replicas: {tls: {mode: verify-ca}}\n"),
              ElementsAre("7:24: replicas.tls.mode: verify-ca without caFile would accept any public "
                          "certificate (expected caFile, or verify-full)"));
  EXPECT_THAT(
      warnings_of(sample{.rest = "replicas: {peers: {endpoints: ['a:1']}}\n"}.text()),
      ElementsAre(
          "7:19: replicas.peers: without a shared secret nobody can tell a genuine cancel "
          "key from a guess before asking (expected replicas.keyFile beside it; with a pgbouncer.ini, "
          "--replica-key)"));
}

TEST(Checks, RangesAreExact) {
  EXPECT_THAT(
      with_route("{name: app, upstream: db, match: {source: [10.1.0.0/8, ten]}}"),
      ElementsAre(
          "4:46: routes[0].match.source[0]: `10.1.0.0/8` has bits behind its prefix, or no fitting prefix "
          "(expected a range such as 10.0.0.0/8 or 2001:db8::/32, or a list of them)",
          "4:58: routes[0].match.source[1]: `ten` is not a range (expected a range such as 10.0.0.0/8 or "
          "2001:db8::/32, or a list of them)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, match: {user: []}}"),
      ElementsAre(
          "4:43: routes[0].match.user: is an empty list (expected a text or a list of texts; `*` and `?` are "
          "wildcards)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, match: {listener: mian}}"),
      ElementsAre(
          "4:47: routes[0].match.listener: `mian` is no listener, did you mean `main`? (expected main)"));
}

TEST(Checks, UpstreamTlsMustMakeSense) {
  const auto tls = [](const std::string& keys) {
    return "{name: db, endpoints: ['db:5432'], tls: {" + keys + "}}";
  };
  EXPECT_THAT(
      with_upstream(tls("mode: require, caFile: ca")),
      ElementsAre(
          "6:67: upstreams[0].tls.caFile: is not used with mode require: the server's certificate is not "
          "checked (expected mode: verify-ca or verify-full)"));
  EXPECT_THAT(
      with_upstream(tls("mode: verify-ca")),
      ElementsAre("6:50: upstreams[0].tls.mode: verify-ca without caFile would accept any public certificate "
                  "(expected caFile, or verify-full)"));
  EXPECT_THAT(
      with_upstream(tls("certFile: a")),
      ElementsAre("6:43: upstreams[0].tls: has only one of certFile and keyFile (expected both or none)"));
  EXPECT_THAT(
      with_upstream(tls("mode: prefer, direct: true")),
      ElementsAre(
          "6:66: upstreams[0].tls.direct: does not go with mode prefer, which may be plaintext (expected "
          "mode: require, verify-ca or verify-full)"));
  EXPECT_THAT(
      with_upstream("{name: db, endpoints: ['db:1', 'db:1']}"),
      ElementsAre(
          "6:34: upstreams[0].endpoints[1]: `db:1` stands in the list twice (expected each endpoint once)"));
}

TEST(Checks, EndpointsAreListedOrFound) {
  EXPECT_THAT(
      with_upstream("{name: db}"),
      ElementsAre("6:3: upstreams[0].endpoints: is missing (expected a list of addresses, or discovery)"));
  EXPECT_THAT(with_upstream("{name: db, discovery: {dns: {name: db.example.org}}}"), IsEmpty());
  EXPECT_THAT(with_upstream("{name: db, discovery: {srv: {name: _pg._tcp.example.org}}}"), IsEmpty());
  EXPECT_THAT(with_upstream("{name: db, endpoints: ['db:1'], discovery: {dns: {name: db.example.org}}}"),
              IsEmpty());
  EXPECT_THAT(with_upstream("{name: db, discovery: {dns: {name: a}, srv: {name: b}}}"),
              ElementsAre("6:25: upstreams[0].discovery: has both dns and srv (expected one of them)"));
  EXPECT_THAT(
      with_upstream("{name: db, endpoints: ['db:1'], discovery: {}}"),
      ElementsAre(
          "6:46: upstreams[0].discovery: does not say where endpoints come from (expected dns, srv or kubernetes)"));
  EXPECT_THAT(with_upstream("{name: db, discovery: {resolver: '10.0.0.10:53'}}"),
              ElementsAre(HasSubstr("upstreams[0].endpoints: is missing")));
  EXPECT_THAT(with_upstream("{name: db, discovery: {dns: {port: 5433}}}"),
              ElementsAre(HasSubstr("upstreams[0].discovery.dns.name: is missing")));
  EXPECT_THAT(with_upstream("{name: db, discovery: {dns: {name: db, port: 0}}}"),
              ElementsAre(HasSubstr("upstreams[0].discovery.dns.port: `0` is out of range")));
  EXPECT_THAT(with_upstream("{name: db, endpoints: []}"),
              ElementsAre(HasSubstr("upstreams[0].endpoints: is an empty list")));
}

TEST(Checks, WhatIsFoundHasItsPort) {
  const auto found = [](const std::string& keys) {
    const auto made =
        load_text(sample{.upstream = "{name: db, discovery: {" + keys + "}}"}.text(), "t", without_files());
    EXPECT_TRUE(made.value) << made.problems.front().render();
    return made.value->upstreams[0].found;
  };
  EXPECT_EQ(found("dns: {name: db.example.org}"),
            (discovery{.kind = discovery_kind::dns, .name = "db.example.org", .port = 5432, .resolver = ""}));
  EXPECT_EQ(found("dns: {name: a, port: 6000}").port, 6000);
  EXPECT_EQ(
      found("srv: {name: _pg._tcp.a}, resolver: '10.0.0.10:53'"),
      (discovery{
          .kind = discovery_kind::srv, .name = "_pg._tcp.a", .port = 5432, .resolver = "10.0.0.10:53"}));
}

TEST(Checks, AResolverIsAnAddress) {
  const auto with = [](const std::string& resolver) {
    return with_upstream("{name: db, endpoints: ['db:1'], discovery: {resolver: '" + resolver + "'}}");
  };
  for (const char* right : {"127.0.0.1:5353", "[::1]:53"})
    EXPECT_THAT(with(right), IsEmpty()) << right;
  for (const char* wrong : {"localhost:53", "10.0.0.10", "unix:/run/dns", "10.0.0.10:0", "::1"})
    EXPECT_THAT(
        with(wrong),
        ElementsAre(HasSubstr(fmt::format("upstreams[0].discovery.resolver: `{}` is not the address of a DNS "
                                          "server (expected an address such as 10.96.0.10:53)",
                                          wrong))));
}

TEST(Checks, AHealthCheckNeedsAUserForWhatItAsks) {
  const auto with = [](const std::string& keys) {
    return with_upstream("{name: db, endpoints: ['db:1'], health: {" + keys + "}}");
  };
  EXPECT_THAT(with(""), IsEmpty());
  EXPECT_THAT(with("user: u"), IsEmpty());
  EXPECT_THAT(with("passwordFile: p"),
              ElementsAre(HasSubstr("upstreams[0].health.user: is missing, but there is a "
                                    "password (expected the user whose password it is)")));
  EXPECT_THAT(
      with("maxReplicaLag: 1m"),
      ElementsAre(HasSubstr("upstreams[0].health.maxReplicaLag: cannot be known without logging in (expected "
                            "health.user beside it)")));
  EXPECT_THAT(with("interval: 99ms"), ElementsAre(HasSubstr("out of range")));
  EXPECT_THAT(with("timeout: 49ms"), ElementsAre(HasSubstr("out of range")));
}

TEST(Checks, TheLagOfAReplicaIsKnownOnlySoWell) {
  const auto with = [](const std::string& keys) {
    return with_upstream("{name: db, endpoints: ['db:1'], health: {user: u, " + keys + "}}");
  };
  EXPECT_THAT(with("maxReplicaLag: 0"), IsEmpty());
  EXPECT_THAT(with("maxReplicaLag: 5s"), IsEmpty());
  EXPECT_THAT(
      with("maxReplicaLag: 4999ms"),
      ElementsAre(HasSubstr("upstreams[0].health.maxReplicaLag: is shorter than what is known may be old "
                            "(expected at least twice interval and timeout, 5s)")));
  EXPECT_THAT(with("interval: 100ms, timeout: 50ms, maxReplicaLag: 250ms"), IsEmpty());
  EXPECT_THAT(with("interval: 1m, maxReplicaLag: 1m"),
              ElementsAre(HasSubstr("twice interval and timeout, 121s")));
}

TEST(Checks, WarnsOfWaitingWithoutAsking) {
  const auto warnings = [](const std::string& keys) {
    return warnings_of(sample{.route = "{name: app, upstream: db, target: any}",
                              .upstream = "{name: db, failover: {hold: 30s}, " + keys + "}"}
                           .text());
  };
  const auto doubtful = ElementsAre(HasSubstr(
      "upstreams[0].failover.hold: waits without knowing for what: nobody asks the endpoints what they are "
      "(expected health with a user)"));
  EXPECT_THAT(warnings("endpoints: ['db:1', 'db:2']"), doubtful);
  EXPECT_THAT(warnings("discovery: {dns: {name: db}}"), doubtful);
  EXPECT_THAT(warnings("endpoints: ['db:1']"), IsEmpty());
  EXPECT_THAT(warnings("endpoints: ['db:1', 'db:2'], health: {user: u}"), IsEmpty());
}

TEST(Checks, WarnsOfRolesThatNobodyAsksFor) {
  const auto warnings = [](const std::string& target, const std::string& keys) {
    return warnings_of(sample{.route = "{name: app, upstream: db, target: " + target + "}",
                              .upstream = "{name: db, " + keys + "}"}
                           .text());
  };
  const std::string two = "endpoints: ['db:1', 'db:2']";
  const auto doubtful = ElementsAre(
      "4:37: routes[0].target: nobody asks the servers of `db` for their roles: they are learned from "
      "logins, some of "
      "which are refused for that (expected health with a user on the upstream, target: any, or a single "
      "endpoint)");
  for (const char* target : {"primary", "replica", "preferReplica"}) {
    EXPECT_THAT(warnings(target, two), doubtful);
    EXPECT_THAT(warnings(target, two + ", health: {}"), doubtful);
    EXPECT_THAT(warnings(target, "discovery: {dns: {name: db}}"), doubtful);
    EXPECT_THAT(warnings(target, two + ", health: {user: u}"), IsEmpty());
    EXPECT_THAT(warnings(target, "endpoints: ['db:1']"), IsEmpty());
  }
  EXPECT_THAT(warnings("any", two), IsEmpty());
}

TEST(Checks, ZonesHaveNamesAndEndpoints) {
  const auto with = [](const std::string& zones) {
    return problems_of(
        sample{.upstream = "{name: db, endpoints: ['db:1'], zones: " + zones + "}", .rest = "zone: a\n"}
            .text());
  };
  EXPECT_THAT(with("[{name: a, endpoints: db*}, {name: b, endpoints: [x, y]}]"), IsEmpty());
  EXPECT_THAT(with("[{name: a}]"), ElementsAre(HasSubstr("upstreams[0].zones[0].endpoints: is missing")));
  EXPECT_THAT(with("[{endpoints: db*}]"), ElementsAre(HasSubstr("upstreams[0].zones[0].name: is missing")));
  EXPECT_THAT(with("[{name: a b, endpoints: db*}]"), ElementsAre(HasSubstr("`a b` is not a name")));
  EXPECT_THAT(with("{a: db*}"), ElementsAre(HasSubstr("upstreams[0].zones: is a mapping")));
}

TEST(Checks, LoginsMayAllWaitButSomeMustGo) {
  const auto with = [](const std::string& pool) {
    return with_upstream("{name: db, endpoints: ['db:1'], pool: {" + pool + "}}");
  };
  EXPECT_THAT(with("maxLogins: 1, maxWait: 1ms"), IsEmpty());
  EXPECT_THAT(with("size: 2, minIdle: 3"),
              ElementsAre(HasSubstr("upstreams[0].pool.minIdle: is more than the pool's size, 2")));
  EXPECT_THAT(with("size: 0"), ElementsAre(HasSubstr("upstreams[0].pool.size: `0` is out of range")));
  EXPECT_THAT(with("maxLogins: 0"),
              ElementsAre(HasSubstr("upstreams[0].pool.maxLogins: `0` is out of range")));
  EXPECT_THAT(with("maxWait: 0"), ElementsAre(HasSubstr("upstreams[0].pool.maxWait: `0` is out of range")));
}

TEST(Checks, EveryTargetHasItsWord) {
  for (const auto& each : route_targets) {
    const auto made = load_text(
        sample{.route = fmt::format("{{name: app, upstream: db, target: {}, database: other}}", each.name)}
            .text(),
        "t", without_files());
    ASSERT_TRUE(made.value) << each.name;
    EXPECT_EQ(made.value->routes[0].target, each.value);
    EXPECT_EQ(made.value->routes[0].database, "other");
    EXPECT_THAT(made.warnings, IsEmpty());
  }
  EXPECT_THAT(
      with_route("{name: app, upstream: db, target: preferReplicas}"),
      ElementsAre("4:37: routes[0].target: `preferReplicas` is unknown, did you mean `preferReplica`? "
                  "(expected primary, replica, preferReplica or any)"));
}

TEST(Checks, UpstreamTlsIsOnByDefaultUnlessTrafficStaysHere) {
  const auto mode = [](const std::string& endpoints) {
    const auto made = load_text(sample{.upstream = "{name: db, endpoints: [" + endpoints + "]}"}.text(), "t",
                                without_files());
    EXPECT_TRUE(made.value);
    return made.value->upstreams[0].tls.mode;
  };
  EXPECT_EQ(mode("'db:5432'"), upstream_tls_mode::verify_full);
  EXPECT_EQ(mode("'127.0.0.1:5432', 'db:5432'"), upstream_tls_mode::verify_full);
  EXPECT_EQ(mode("'10.0.0.1:5432'"), upstream_tls_mode::verify_full);
  EXPECT_EQ(mode("'127.0.0.1:5432', 'unix:/run/x', '[::1]:5432', 'localhost:5432'"),
            upstream_tls_mode::disable);
  EXPECT_EQ(mode("'127.0.0.1:5432'], discovery: {dns: {name: db}}, zones: [{name: a, endpoints: [x]}"),
            upstream_tls_mode::verify_full)
      << "what is found may be anywhere";
}

TEST(Checks, RolesOfGrantsNeedWhatMakesThemPossible) {
  const auto with = [](const std::string& ephemeral, const std::string& more = "") {
    return with_route("{name: app, upstream: db, auth: {method: scram, verifierFile: v}, credentials: {" +
                      ephemeral + "}" + more + "}");
  };
  const std::string never =
      "routes[0].credentials.ephemeral: never makes a role: no policy gives grants (expected access.policies "
      "with an approval)";
  EXPECT_THAT(with("ephemeral: {user: maker}"), IsEmpty());
  EXPECT_THAT(warnings_of(sample{.route = "{name: app, upstream: db, auth: {method: scram, verifierFile: v}, "
                                          "credentials: {ephemeral: {user: maker}}}"}
                              .text()),
              testing::Contains(HasSubstr(never)));
  EXPECT_THAT(with("passwordFile: p"),
              testing::Contains(HasSubstr(
                  "routes[0].credentials.user: is missing (expected the user at the server, or ephemeral)")));
  EXPECT_THAT(with("ephemeral: {}"),
              ElementsAre(HasSubstr("routes[0].credentials.ephemeral.user: is missing")));
  for (const char* prefix : {"pg_x", "'a b'", "seventeen_letters"})
    EXPECT_THAT(with("ephemeral: {user: maker, prefix: " + std::string(prefix) + "}"),
                testing::Contains(HasSubstr(
                    "routes[0].credentials.ephemeral.prefix: is not what a role's name can begin with here "
                    "(expected 1 to 16 letters, digits, '_', '-' and '.', and not pg_)")))
        << prefix;
  EXPECT_THAT(with("ephemeral: {user: maker}", ", target: replica"),
              testing::Contains(HasSubstr("routes[0].credentials.ephemeral: needs `target: primary`")));
}

TEST(Checks, AuthKeysBelongToTheirMethod) {
  EXPECT_THAT(
      with_route("{name: app, upstream: db, auth: {method: scram}}"),
      ElementsAre(
          "4:35: routes[0].auth: scram has nothing to check a client against (expected auth.verifierFile, "
          "auth.query or credentials)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, auth: {method: scram, verifierFile: v, query: {user: m}}}"),
      ElementsAre(
          "4:75: routes[0].auth.query: stands beside verifierFile; only one can tell (expected one of the "
          "two)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, auth: {verifierFile: v}}"),
      ElementsAre(
          "4:50: routes[0].auth.verifierFile: has no use with method server (expected method: scram)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, credentials: {user: u}}"),
      ElementsAre(
          "4:42: routes[0].credentials: has no use where the server authenticates the client (expected "
          "auth: {method: scram}, or to be left out)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, auth: {method: jwts}}"),
      ElementsAre(
          "4:44: routes[0].auth.method: `jwts` is unknown, did you mean `jwt`? (expected server, scram, "
          "trust, cert, jwt or kubernetes)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, pooling: transaction}"),
      ElementsAre(
          "4:38: routes[0].pooling: `transaction` needs the gateway to authenticate clients: a server asks "
          "each client for a proof of its own (expected auth: {method: scram}, or off)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, onUnsafe: refuse}"),
      ElementsAre("4:39: routes[0].onUnsafe: has no use without pooling (expected pooling: transaction)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, pooling: session, auth: {method: scram, verifierFile: v}}"),
      IsEmpty());
}

TEST(Checks, TrustIsForThisMachineOnly) {
  const auto trust = [](const std::string& listener) {
    return problems_of(
        sample{.listener = listener, .route = "{name: app, upstream: db, auth: {method: trust}}"}.text());
  };
  EXPECT_THAT(trust("{name: main, address: 'unix:/run/x'}"), IsEmpty());
  EXPECT_THAT(trust("{name: main, address: '127.0.0.1:1', tls: {mode: disable}}"), IsEmpty());
  EXPECT_THAT(
      trust("{name: main, address: '0.0.0.0:1', tls: {mode: disable}}"),
      ElementsAre(
          "4:44: routes[0].auth.method: trust would let anyone in who reaches listener `main` at 0.0.0.0:1 "
          "(expected server or scram, or match.listener to name only unix sockets and loopback "
          "addresses)"));
  EXPECT_THAT(
      trust("{name: main, address: '127.0.0.1:1', tls: {mode: disable}, proxyProtocol: {trustedSources: "
            "127.0.0.0/8}}"),
      ElementsAre(HasSubstr("at 127.0.0.1:1 through its proxy")));
}

TEST(Checks, PassthroughSeesNothingButTheServerName) {
  const auto pass = [](const std::string& route, const std::string& upstream) {
    return problems_of(sample{.listener = "{name: main, address: '0.0.0.0:1', tls: {mode: passthrough}}",
                              .route = "{name: app, upstream: db, " + route + "}",
                              .upstream = "{name: db, endpoints: ['" + upstream + "']}"}
                           .text());
  };
  EXPECT_THAT(pass("match: {serverName: '*.example.org', source: 10.0.0.0/8}", "db:5432"), IsEmpty());
  EXPECT_THAT(
      pass("match: {database: app, user: u}, database: b, settings: {a: b}, auth: {method: scram, "
           "verifierFile: v}",
           "db:5432"),
      ElementsAre(
          HasSubstr("routes[0].match.database: the database cannot be seen on listener `main`, whose TLS "
                    "passes through unopened (expected match by listener, serverName and source, or "
                    "match.listener to name only other listeners)"),
          HasSubstr("routes[0].match.user: the user cannot be seen"),
          HasSubstr("routes[0].database: another database cannot be asked for"),
          HasSubstr("routes[0].settings: settings cannot be sent"),
          HasSubstr("routes[0].auth.method: the gateway cannot authenticate")));
  EXPECT_THAT(pass("limits: {transactionTimeout: 5s}", "unix:/run/pg"),
              ElementsAre(HasSubstr("routes[0].upstream: a server on a unix socket speaks no TLS"),
                          HasSubstr("routes[0].limits.transactionTimeout: transactions cannot be seen")));
}

TEST(Checks, SettingsAreSettings) {
  EXPECT_THAT(
      with_route(
          "{name: app, upstream: db, settings: {user: x, 'a b': 1, statement_timeout: 30s, work_mem: [1]}}"),
      ElementsAre(
          "4:46: routes[0].settings.user: is part of the start-up itself, not a setting (expected the name "
          "of "
          "a server setting)",
          "4:56: routes[0].settings.a b: is not the name of a setting (expected letters, digits, '_' and "
          "'.')",
          "4:93: routes[0].settings.work_mem: is a list (expected a mapping of setting names to values)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: db, settings: {a: " + std::string(6'000, 'x') + "}}"),
      ElementsAre(
          "4:39: routes[0].settings: takes 6003 bytes of the start-up packet (expected at most 5000)"));
}

TEST(Checks, TheFailingScramCombinationIsRefusedWithAWayOut) {
  const std::string remedy =
      "`server` cannot carry SCRAM here: TLS ends at listener `main` (mode require) and begins again to "
      "upstream `db` "
      "(mode verify-full) with another certificate, so the client's channel binding cannot fit (expected "
      "auth: {method: "
      "scram}; or one certificate on both legs and upstreams[0].tls.sameCertificate: true; or the listener's "
      "tls.mode: "
      "passthrough; or a server leg without TLS)";
  EXPECT_THAT(with_listener(tls_listener), ElementsAre("4:3: routes[0].auth.method: " + remedy));
  const auto with = [](const std::string& upstream) {
    return problems_of(sample{.listener = tls_listener, .upstream = upstream}.text());
  };
  EXPECT_THAT(with("{name: db, endpoints: ['unix:/run/pg']}"), IsEmpty());
  EXPECT_THAT(with("{name: db, endpoints: ['db:1'], tls: {mode: disable}}"), IsEmpty());
  EXPECT_THAT(with("{name: db, endpoints: ['db:1'], tls: {sameCertificate: true}}"), IsEmpty());
  EXPECT_THAT(with("{name: db, endpoints: ['db:1'], tls: {mode: prefer}}"), testing::SizeIs(1));
  EXPECT_THAT(problems_of(sample{.listener = tls_listener,
                                 .route = "{name: app, upstream: db, auth: {method: scram, verifierFile: v}}"}
                              .text()),
              IsEmpty());
}

TEST(Checks, WarnsOfWhatIsDoubtful) {
  EXPECT_THAT(
      warnings_of(sample{.listener = "{name: main, address: '0.0.0.0:1', tls: {mode: disable}}",
                         .upstream = "{name: db, endpoints: ['db:1', 'db:2'], tls: {mode: prefer}}"}
                      .text()),
      ElementsAre(
          HasSubstr("routes[0].auth.method: clients may come to listener `main` without TLS; where the "
                    "server asks for a cleartext password, it crosses the network in clear"),
          HasSubstr("routes[0].auth.method: upstream `db` may be reached without TLS"),
          HasSubstr("routes[0].target: nobody asks the servers of `db` for their roles")));
  EXPECT_THAT(
      warnings_of(sample{.route = "{name: a, upstream: db, match: {database: 'x*'}}\n"
                                  "- {name: b, upstream: db, match: {database: [xy, 'x?'], user: u}}\n"
                                  "- {name: c, upstream: db}\n- {name: d, upstream: db, match: {user: u}}"}
                      .text()),
      ElementsAre(
          "5:3: routes[1]: never used: routes[0] (a) before it takes everything that fits here (expected the "
          "narrower route first)",
          "7:3: routes[3]: never used: routes[2] (c) before it takes everything that fits here (expected "
          "the narrower route first)"));
  EXPECT_THAT(
      warnings_of(
          sample{.listener = "{name: main, address: 'unix:/run/x'}\n- {name: two, address: 'unix:/run/y'}",
                 .route = "{name: a, upstream: db, match: {listener: main, serverName: x}}"}
              .text()),
      ElementsAre(
          "3:3: listeners[1]: no route serves its clients (expected a route whose match fits it)",
          "5:63: routes[0].match.serverName: never fits: none of its listeners speaks TLS (expected a "
          "listener with TLS, or the key left out)"));
}

TEST(Checks, AdminStaysOnThisMachineOrIsWarnedOf) {
  const std::string listener = "{name: main, address: '127.0.0.1:9630', tls: {mode: disable}}";
  EXPECT_THAT(
      problems_of(sample{.listener = listener, .rest = "admin: {}\n"}.text()),
      ElementsAre("7:8: admin.address: 127.0.0.1:9630 overlaps with listeners[0], 127.0.0.1:9630 (expected "
                  "addresses that differ)"));
  EXPECT_THAT(
      warnings_of(sample{.rest = "admin: {address: '0.0.0.0:9630'}\n"}.text()),
      ElementsAre(
          "7:18: admin.address: whoever reaches 0.0.0.0:9630 reads sessions, users and metrics, without "
          "TLS and without a password (expected a loopback address or a unix socket, with `admin.status` "
          "for probes and metrics)"));
  for (const char* local :
       {"{}", "{address: '127.0.0.1:0'}", "{address: '[::1]:9630'}", "{address: 'unix:/run/a'}"})
    EXPECT_THAT(warnings_of(sample{.rest = fmt::format("admin: {}\n", local)}.text()), IsEmpty()) << local;
  EXPECT_THAT(
      with_rest("admin: {address: 'localhost:9630'}\n"),
      ElementsAre("7:18: admin.address: `localhost:9630` has a name where an IP address belongs (expected an "
                  "address such as 0.0.0.0:6432, [::]:6432 or unix:/run/trunkline.sock)"));
}

TEST(Checks, AdminStatusIsForEverybodyButAtAPlaceOfItsOwn) {
  EXPECT_THAT(warnings_of(sample{.rest = "admin: {status: '0.0.0.0:9631'}\n"}.text()), IsEmpty());
  EXPECT_THAT(
      with_rest("admin: {status: '127.0.0.1:9630'}\n"),
      ElementsAre("7:17: admin.status: 127.0.0.1:9630 overlaps with admin.address, 127.0.0.1:9630 (expected "
                  "addresses that differ)"));
  const std::string listener = "{name: main, address: '0.0.0.0:9631', tls: {mode: disable}}";
  EXPECT_THAT(problems_of(sample{.listener = listener, .rest = "admin: {status: '127.0.0.1:9631'}\n"}.text()),
              testing::SizeIs(1));
}

TEST(Checks, AdminIsServedOnlyWhereItIsNamed) {
  EXPECT_FALSE(load_text(sample{}.text(), "t", without_files()).value->admin.address);
  const auto made = load_text(sample{.rest = "admin: {}\n"}.text(), "t", without_files());
  EXPECT_EQ(made.value->admin.address->text(), "127.0.0.1:9630");
}

TEST(Checks, WarnsOfWhatTheConsoleHides) {
  const std::string console = "admin: {console: {users: ops, verifierFile: v}}\n";
  EXPECT_THAT(
      warnings_of(sample{.route = "{name: a, upstream: db, match: {database: [app, trunkline]}}"}.text()),
      IsEmpty());
  EXPECT_THAT(
      warnings_of(sample{.route = "{name: a, upstream: db, match: {database: [app, trunkline]}}"}.text() +
                  console),
      ElementsAre(
          HasSubstr("routes[0].match.database: `trunkline` is the console's: no client of that database "
                    "comes to a route")));
  EXPECT_THAT(problems_of(sample{}.text() + "admin: {console: {users: []}}\n"), testing::SizeIs(2));
}

TEST(Checks, AConsoleHasUsersOrReaders) {
  const auto made =
      load_text(sample{}.text() + "admin: {console: {readers: [stats, \"metrics-*\"], verifierFile: v}}\n",
                "t", without_files());
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_TRUE(made.value->admin.console.is_open());
  EXPECT_THAT(made.value->admin.console.readers, ElementsAre("stats", "metrics-*"));
  EXPECT_THAT(render_yaml(*made.value), HasSubstr("readers: [stats, \"metrics-*\"]"));
  EXPECT_THAT(problems_of(sample{}.text() + "admin: {console: {verifierFile: v}}\n"),
              ElementsAre(HasSubstr("admin.console: nobody may log in to it (expected users or readers)")));
}

}  // namespace
}  // namespace trunkline::config
