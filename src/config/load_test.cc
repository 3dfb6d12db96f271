// Wrong values and the exact sentences they get.
#include "config/load.h"

#include <fstream>

#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Load, TheSampleIsRight) {
  EXPECT_THAT(problems_of(sample{}.text()), IsEmpty());
}

TEST(Load, AnEmptyFileMissesEverything) {
  EXPECT_THAT(problems_of("# nothing\n"),
              ElementsAre("listeners: is missing (expected a list of mappings, with at least one)",
                          "routes: is missing (expected a list of mappings, with at least one)",
                          "upstreams: is missing (expected a list of mappings, with at least one)"));
  EXPECT_THAT(problems_of("[]"), ElementsAre("1:1: is a list (expected a mapping)"));
  EXPECT_THAT(
      problems_of("listeners: []\nroutes: 5\nupstreams:\n"),
      ElementsAre("1:12: listeners: is an empty list (expected a list of mappings, with at least one)",
                  "2:9: routes: is a single value (expected a list of mappings, with at least one)",
                  "3:1: upstreams: has no value (expected a list of mappings, with at least one)"));
}

TEST(Load, KeysAreKnownOrRefused) {
  EXPECT_THAT(
      with_rest("worker: 4\n"),
      ElementsAre("7:1: worker: unknown key, did you mean `workers`? (expected listeners, routes, upstreams, "
                  "keepalive, workers, zone, drain, audit, tracing, access, replicas, kubernetes or admin)"));
  EXPECT_THAT(with_rest("drain: {grace: 1s, banana: 2}\n"),
              ElementsAre("7:20: drain.banana: unknown key (expected delay or grace)"));
  EXPECT_THAT(with_rest("workers: 1\nworkers: 2\n"),
              ElementsAre("8:1: workers: stands here again, after line 7 (expected the key once)"));
}

TEST(Load, TheAuditIsChecked) {
  EXPECT_THAT(with_rest("audit: {sinks: [{type: file, path: /a}], parameters: full, onFailure: continue}\n"),
              ElementsAre());
  EXPECT_THAT(with_rest("audit: {sinks: [{}]}\n"),
              ElementsAre(HasSubstr("audit.sinks[0]: a file sink needs a path")));
  EXPECT_THAT(with_rest("audit: {sinks: [{path: /a}, {path: /a}]}\n"),
              ElementsAre(HasSubstr("audit.sinks[1]: is the same as an earlier sink")));
  EXPECT_THAT(
      with_rest("audit: {sinks: [{path: /a, segmentSize: 1KiB}]}\n"),
      ElementsAre(HasSubstr("out of range (expected a size such as 64KiB or 256MiB, at least 64KiB)")));
  EXPECT_THAT(with_rest("tracing: {endpoint: 'ftp://x'}\n"), ElementsAre(HasSubstr("is not a URL")));
  EXPECT_THAT(with_rest("tracing: {endpoint: 'http://x/', caFile: ca.crt}\n"),
              ElementsAre(HasSubstr("tracing.caFile: means nothing without https")));
}

TEST(Load, TypesAreStrict) {
  EXPECT_THAT(with_rest("workers: yes\n"), ElementsAre("7:10: workers: `yes` is not a number of workers "
                                                       "(expected auto, or a whole number, from 1 to 256)"));
  EXPECT_THAT(
      with_rest("workers: 0\n"),
      ElementsAre(
          "7:10: workers: `0` is not a number of workers (expected auto, or a whole number, from 1 to 256)"));
  EXPECT_THAT(
      with_rest("keepalive: {probes: '3'}\n"),
      ElementsAre(
          "7:21: keepalive.probes: `3` is not a whole number (expected a whole number, from 1 to 127)"));
  EXPECT_THAT(
      with_rest("keepalive: {probes: 300}\n"),
      ElementsAre("7:21: keepalive.probes: `300` is out of range (expected a whole number, from 1 to 127)"));
  EXPECT_THAT(with_rest("keepalive: {idle: 1500ms}\n"),
              ElementsAre("7:19: keepalive.idle: is not in whole seconds (expected such as 30s)"));
  EXPECT_THAT(with_rest("keepalive: 5\n"),
              ElementsAre("7:12: keepalive: is a single value (expected a mapping)"));
  EXPECT_THAT(
      with_rest("drain: {grace: 30}\n"),
      ElementsAre(
          "7:16: drain.grace: `30` is not a duration (expected a duration such as 250ms, 30s, 5m, 1h or 0, "
          "from 0 to 24h)"));
  EXPECT_THAT(
      with_rest("drain: {grace: [30s]}\n"),
      ElementsAre(
          "7:16: drain.grace: is a list (expected a duration such as 250ms, 30s, 5m, 1h or 0, from 0 to "
          "24h)"));
  EXPECT_THAT(
      with_upstream("{name: db, endpoints: ['db:5432'], allowCleartextPassword: yes}"),
      ElementsAre(
          "6:62: upstreams[0].allowCleartextPassword: `yes` is neither true nor false (expected true or "
          "false)"));
  EXPECT_THAT(
      with_upstream("{name: db, endpoints: 'db:5432'}"),
      ElementsAre("6:25: upstreams[0].endpoints: is a single value (expected a list of addresses such as "
                  "db.example.org:5432, [2001:db8::1]:5432 or unix:/path)"));
}

TEST(Load, EveryProblemIsReportedInTheOrderOfTheFile) {
  EXPECT_THAT(
      problems_of("listeners:\n- {address: 'localhost:6432', tls: {mode: requre}}\nroutes:\n- {name: a b, "
                  "upstream: bd, "
                  "target: standby}\nupstreams:\n- {name: db, endpoints: ['300.0.0.1:1']}\nwokers: 1\n"),
      ElementsAre(
          "2:3: listeners[0].name: is missing (expected a name of letters, digits, '-', '_' and '.', at most "
          "63)",
          "2:13: listeners[0].address: `localhost:6432` has a name where an IP address belongs (expected an "
          "address such "
          "as 0.0.0.0:6432, [::]:6432 or unix:/run/trunkline.sock)",
          "2:43: listeners[0].tls.mode: `requre` is unknown, did you mean `require`? (expected disable, "
          "allow, require or "
          "passthrough)",
          "4:10: routes[0].name: `a b` is not a name (expected a name of letters, digits, '-', '_' and '.', "
          "at most 63)",
          "4:25: routes[0].upstream: `bd` is no upstream, did you mean `db`? (expected db)",
          "4:37: routes[0].target: `standby` is unknown (expected primary, replica, preferReplica or any)",
          "6:26: upstreams[0].endpoints[0]: `300.0.0.1:1` is not the address of a server (expected a list of "
          "addresses "
          "such as db.example.org:5432, [2001:db8::1]:5432 or unix:/path)",
          "7:1: wokers: unknown key, did you mean `workers`? (expected listeners, routes, upstreams, "
          "keepalive, workers, zone, drain, audit, tracing, access, replicas, kubernetes or admin)"));
}

TEST(Load, EnvironmentVariablesStandAnywhere) {
  const std::string text =
      sample{.upstream = "{name: db, endpoints: ['${HOST}:${PORT}']}", .rest = "workers: \"${N}\"\n"}.text();
  const auto made = load_text(text, "t", without_files({{"HOST", "db"}, {"PORT", "5433"}, {"N", "3"}}));
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_EQ(made.value->upstreams[0].endpoints[0].text(), "db:5433");
  EXPECT_EQ(made.value->workers, 3U);
  EXPECT_THAT(
      problems_of(text, {{"HOST", "db"}, {"N", "many secrets"}}),
      ElementsAre(
          "6:26: upstreams[0].endpoints[0]: environment variable PORT is not set (expected it to be set, or "
          "a value here)",
          "7:10: workers: `${N}` is not a number of workers (expected auto, or a whole number, from 1 to "
          "256)"));
  EXPECT_THAT(
      with_route("{name: app, upstream: '${'}"),
      ElementsAre(
          "4:25: routes[0].upstream: `${` has a `${` that names no environment variable (expected ${NAME}, "
          "or $${ for a literal ${)"));
  const auto literal = load_text(
      sample{.route = "{name: app, upstream: db, settings: {a.b: '$${X}$1'}}"}.text(), "t", without_files());
  ASSERT_TRUE(literal.value);
  EXPECT_EQ(literal.value->routes[0].parameters[0].second, "${X}$1");
}

TEST(Load, PasswordsComeFromTheEnvironmentOrAFile) {
  const auto route = [](const std::string& keys) {
    return "{name: app, upstream: db, auth: {method: scram}, credentials: {user: u" + keys + "}}";
  };
  const std::string expected = "(expected ${NAME} of an environment variable, or the key passwordFile)";
  EXPECT_THAT(
      with_route(route(", password: hunter2")),
      ElementsAre("4:85: routes[0].credentials.password: a password must not stand in the file " + expected));
  EXPECT_THAT(
      with_route(route(", password: 'x${A}'")),
      ElementsAre("4:85: routes[0].credentials.password: a password must not stand in the file " + expected));
  EXPECT_THAT(
      with_route(route("")),
      ElementsAre(
          "4:65: routes[0].credentials: has no password, and scram has nothing else to check a client "
          "against (expected passwordFile or password, or auth.verifierFile or auth.query)"));
  const auto text = sample{.route = route(", password: '${PW}'")}.text();
  const auto made = load_text(text, "t", without_files({{"PW", "hunter2"}}));
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_EQ(made.value->routes[0].login->usual.password.reveal(), "hunter2");
  EXPECT_THAT(render_yaml(*made.value), HasSubstr("password: \"<redacted>\""));
  EXPECT_THAT(render_yaml(*made.value), testing::Not(HasSubstr("hunter2")));
  for (const auto& problem : problems_of(text))
    EXPECT_THAT(problem, testing::Not(HasSubstr("hunter2")));
}

TEST(Load, TheHealthChecksPasswordComesFromTheEnvironmentOrAFile) {
  const auto upstream = [](const std::string& keys) {
    return "{name: db, endpoints: ['db:5432'], health: {user: u, " + keys + "}}";
  };
  EXPECT_THAT(with_upstream(upstream("password: hunter2")),
              ElementsAre(HasSubstr("upstreams[0].health.password: a password must not stand in the file")));
  EXPECT_THAT(with_upstream(upstream("passwordFile: a, password: '${PW}'")),
              testing::Contains(HasSubstr("stands beside passwordFile; only one can hold")));
  const auto made = load_text(sample{.upstream = upstream("password: '${PW}'")}.text(), "t",
                              without_files({{"PW", "hunter2"}}));
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_EQ(made.value->upstreams[0].health->password.reveal(), "hunter2");
  EXPECT_THAT(render_yaml(*made.value), HasSubstr("password: \"<redacted>\""));
  EXPECT_THAT(render_yaml(*made.value), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(render_json(*made.value), testing::Not(HasSubstr("hunter2")));
}

TEST(Load, FilesMustBeReadable) {
  load_options options;
  const auto text =
      sample{.route = "{name: app, upstream: db, auth: {method: scram, verifierFile: no/such}}"}.text();
  const auto made = load_text(text, "/etc/trunkline/t.yaml", options);
  ASSERT_EQ(made.problems.size(), 1U);
  EXPECT_EQ(made.problems[0].render(),
            "/etc/trunkline/t.yaml:4:65: routes[0].auth.verifierFile: cannot read /etc/trunkline/no/such: No "
            "such file or "
            "directory (expected the path of a readable file)");
  EXPECT_THAT(made.referenced_files, ElementsAre("/etc/trunkline/t.yaml", "/etc/trunkline/no/such"));
  EXPECT_THAT(load_file("/no/such/file.yaml").problems[0].render(),
              "/no/such/file.yaml: cannot be read: No such file or directory (expected a readable file)");
  EXPECT_THAT(load_file("/").problems[0].render(), HasSubstr("/: cannot be read: "));
}

TEST(Load, ASharedSecretIsAnyBytesButNotTooFew) {
  using namespace std::string_literals;
  const std::string path = testing::TempDir() + "/replicas.key";
  const std::string text = sample{.listener = "{name: main, address: 'unix:/run/t.sock'}",
                                  .upstream = "{name: db, endpoints: ['unix:/run/pg']}",
                                  .rest = fmt::format("replicas: {{keyFile: '{}'}}\n", path)}
                               .text();
  const auto load_with = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    return load_text(text, "t", {});
  };
  const std::string bytes = "\0\n\r\xff and more, with its last line end\n"s;
  const auto made = load_with(bytes);
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_EQ(made.value->replicas.key.reveal(), bytes);
  EXPECT_THAT(render_yaml(*made.value), testing::Not(HasSubstr("and more")));
  EXPECT_THAT(load_with(std::string(31, 'x')).problems.at(0).render(),
              HasSubstr("replicas.key holds 31 bytes (expected 32 to 4096 random bytes)"));
  EXPECT_THAT(load_with(std::string(5000, 'x')).problems.at(0).render(), HasSubstr("holds too many bytes"));
}

}  // namespace
}  // namespace trunkline::config
