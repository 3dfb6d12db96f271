#include "audit/session_model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/test_support.h"

namespace trunkline::audit {
namespace {

using nlohmann::json;
using test::bind;
using test::error_body;
using test::execute;
using test::parse;
using test::text;

struct recorder final : session_model::output {
  std::vector<json> events;
  std::vector<span_record> spans;
  std::uint64_t lost_events = 0;

  void event(std::string_view body, const event_facts& facts) override {
    events.push_back(json::parse("{" + std::string(body) + "}"));
    EXPECT_EQ(events.back()["event"], facts.event);
  }
  void span(span_record span) override { spans.push_back(std::move(span)); }
  void lost(std::uint64_t events_lost) override { lost_events += events_lost; }
};

class Model : public testing::Test {
 protected:
  Model() { configure(config::audit_parameters::full); }

  void configure(config::audit_parameters parameters, bool query_text = true, bool spans = false) {
    config::audit how;
    how.parameters = parameters;
    how.query_text = query_text;
    model.configure(how, true, spans);
  }
  auto session(std::uint64_t id = 7) {
    return test::script([this](const tap_header& head, byte_span body) { model.record(0, head, body); }, id);
  }
  /// The statements of the only event since the last call.
  json statements() {
    if (out.events.size() != 1) return {{"events", out.events.size()}};
    last = out.events[0];
    out.events.clear();
    return last["statements"];
  }

  recorder out;
  session_model model{{"01234567", "host"}, out};
  json last;
};

TEST_F(Model, TellsASimpleQuery) {
  auto s = session();
  s.client('Q', 1, text("select 1"));
  s.server('C', 1, text("SELECT 1"));
  s.end(1, 'I', {}, telemetry::exchange_kind::simple);
  const json told = statements();
  ASSERT_EQ(told.size(), 1u) << last;
  EXPECT_EQ(told[0]["text"], "select 1");
  EXPECT_EQ(told[0]["tag"], "SELECT 1");
  EXPECT_EQ(told[0]["rows"], 1);
  EXPECT_EQ(last["kind"], "simple");
  EXPECT_EQ(last["session"], "01234567-7");
  EXPECT_EQ(last["replica"], "host");
  EXPECT_EQ(last["outcome"], "ok");
  EXPECT_EQ(last["txState"], "I");
  EXPECT_EQ(last["bytesIn"], 50);
  EXPECT_EQ(last["seconds"]["server"], 0.0012);
  EXPECT_EQ(last["seconds"]["total"], 0.0015);
  EXPECT_EQ(last["time"], "1970-01-01T00:16:40.000000Z");
}

TEST_F(Model, GivesEachStatementOfAQueryItsOwnTag) {
  auto s = session();
  s.client('Q', 1, text("insert into a values (1);select 2;select 1/0;select 3"));
  s.server('C', 1, text("INSERT 0 5"));
  s.server('C', 1, text("SELECT 2"));
  s.server('E', 1, error_body("22012"));
  s.end(1, 'I', "22012", telemetry::exchange_kind::simple);
  const json told = statements();
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0]["rows"], 5);
  EXPECT_EQ(told[1]["tag"], "SELECT 2");
  EXPECT_EQ(told[2]["sqlstate"], "22012");
  EXPECT_FALSE(told[2].contains("tag"));
  EXPECT_EQ(told[3]["skipped"], true);
  EXPECT_EQ(last["sqlstate"], "22012");
}

TEST_F(Model, TellsMoreTagsThanTheGrammarToldStatements) {
  auto s = session();
  s.client('Q', 1, text("begin"));
  for (const char* tag : {"BEGIN", "SELECT 1", "COMMIT"})
    s.server('C', 1, text(tag));
  s.end(1);
  const json told = statements();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0]["text"], "begin");
  EXPECT_FALSE(told[1].contains("text"));
  EXPECT_EQ(told[2]["tag"], "COMMIT");
}

TEST_F(Model, ParseBindAndExecuteAreOneStatement) {
  auto s = session();
  s.client('P', 1, parse("s1", "select $1", {25}));
  s.client('B', 2, bind("", "s1", {"a\"b"}));
  s.client('E', 3, execute());
  s.server('C', 3, text("SELECT 1"));
  s.end(4);
  json told = statements();
  ASSERT_EQ(told.size(), 1u) << last;
  EXPECT_EQ(told[0]["name"], "s1");
  EXPECT_EQ(told[0]["text"], "select $1");
  EXPECT_EQ(told[0]["parameters"][0], "a\"b");
  EXPECT_EQ(told[0]["tag"], "SELECT 1");
  EXPECT_FALSE(told[0].contains("step"));

  s.client('B', 5, bind("", "s1", {"2"}));
  s.client('E', 6, execute());
  s.server('C', 6, text("SELECT 1"));
  s.end(7);
  told = statements();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["text"], "select $1") << "known from the exchange before";
  EXPECT_EQ(told[0]["parameters"][0], "2");
}

TEST_F(Model, TellsWhatIsOnlyPrepared) {
  auto s = session();
  s.client('P', 1, parse("s1", "select 1"));
  s.end(2);
  EXPECT_EQ(statements()[0]["step"], "parse");
  s.client('B', 3, bind("p", "s1"));
  s.end(4, 'T');
  EXPECT_EQ(statements()[0]["step"], "bind");
  s.client('E', 5, execute("p"));
  s.server('s', 5, "");
  s.end(6, 'T');
  json told = statements();
  EXPECT_EQ(told[0]["portal"], "p");
  EXPECT_EQ(told[0]["text"], "select 1");
  EXPECT_EQ(told[0]["suspended"], true);
  s.client('E', 7, execute("p"));
  s.server('C', 7, text("SELECT 4"));
  s.end(8, 'I');
  EXPECT_EQ(statements()[0]["rows"], 4);
  s.client('E', 9, execute("p"));
  s.server('E', 9, error_body("34000"));
  s.end(10, 'I', "34000");
  told = statements();
  EXPECT_EQ(told[0]["unknown"], true) << "portals end with their transaction";
  EXPECT_EQ(told[0]["sqlstate"], "34000");
}

TEST_F(Model, BehindAnErrorAllIsSkippedUpToSync) {
  auto s = session();
  s.client('P', 1, parse("bad", "selec"));
  s.client('B', 2, bind("", "bad"));
  s.client('E', 3, execute());
  s.client('P', 4, parse("never", "select 2"));
  s.server('E', 1, error_body("42601"));
  // The next exchange is under way already.
  s.client('B', 6, bind("", "never"));
  s.end(5, 'I', "42601");
  json told = statements();
  ASSERT_EQ(told.size(), 4u) << last;  // each request of its own: the portal was never made
  EXPECT_EQ(told[0]["sqlstate"], "42601");
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(told[static_cast<std::size_t>(i)]["skipped"], true);
  s.client('E', 7, execute());
  s.server('E', 6, error_body("26000"));
  s.end(8, 'I', "26000");
  told = statements();
  EXPECT_EQ(told[0]["unknown"], true) << last;
  EXPECT_EQ(told[0]["name"], "never");
  EXPECT_EQ(told[0]["sqlstate"], "26000");
}

TEST_F(Model, ANameThatIsTakenKeepsItsText) {
  auto s = session();
  s.client('P', 1, parse("s", "select 1"));
  s.end(2);
  statements();
  s.client('P', 3, parse("s", "select 2"));
  s.server('E', 3, error_body("42P05"));
  s.end(4, 'I', "42P05");
  statements();
  s.client('B', 5, bind("", "s"));
  s.client('E', 6, execute());
  s.server('C', 6, text("SELECT 1"));
  s.end(7);
  EXPECT_EQ(statements()[0]["text"], "select 1");
  s.client('C', 8, std::string("S") + text("s"));
  s.client('P', 9, parse("s", "select 3"));
  s.client('B', 10, bind("", "s"));
  s.client('E', 11, execute());
  s.end(12);
  EXPECT_EQ(statements()[0]["text"], "select 3");
}

TEST_F(Model, APortalOfAnUnknownStatementKeepsItsNameWhenItIsMadeAnew) {
  auto s = session();
  s.client('B', 1, bind("", "not_known_here"));
  s.client('E', 2, execute());
  s.client('E', 3, execute());
  s.client('B', 4, bind("", "a_name_that_is_a_good_deal_longer_than_the_other"));
  s.client('E', 5, execute());
  s.end(6);
  const json told = statements();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0]["name"], "not_known_here");
  EXPECT_EQ(told[1]["name"], "not_known_here");
}

TEST_F(Model, PipelinesKeepTheirOrder) {
  auto s = session();
  std::uint64_t request = 0;
  for (int i = 0; i < 3; ++i) {
    s.client('P', ++request, parse("", "select " + std::to_string(i)));
    s.client('B', ++request, bind("", ""));
    s.client('E', ++request, execute());
  }
  for (int i = 0; i < 3; ++i)
    s.server('C', static_cast<std::uint64_t>(3 * i + 3), text("SELECT " + std::to_string(i)));
  s.end(10);
  const json told = statements();
  ASSERT_EQ(told.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(told[i]["text"], "select " + std::to_string(i));
    EXPECT_EQ(told[i]["rows"], i);
  }
}

TEST_F(Model, TypesComeFromParameterDescription) {
  configure(config::audit_parameters::redacted);
  auto s = session();
  s.client('P', 1, parse("s", "select $1"));
  s.server('t', 2, test::be16(1) + test::be32(23));
  s.end(3);
  statements();
  s.client('B', 4, bind("", "s", {"12"}));
  s.client('E', 5, execute());
  s.end(6);
  const std::string shown = statements()[0]["parameters"].dump();
  EXPECT_NE(shown.find("int4"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("12"), std::string::npos) << shown;
}

TEST_F(Model, OffShowsNoParameters) {
  configure(config::audit_parameters::off, false);
  auto s = session();
  s.client('P', 1, parse("", "select 'secret'"));
  s.client('B', 2, bind("", "", {"secret"}));
  s.client('E', 3, execute());
  s.end(4);
  const json told = statements();
  EXPECT_EQ(last.dump().find("secret"), std::string::npos) << last;
  EXPECT_TRUE(told[0].contains("fingerprint"));
}

TEST_F(Model, PiecesAreOneMessageWhereverTheyAreCut) {
  const std::string sql = "select '" + std::string(300, 'x') + "'";
  for (const std::size_t piece : {1u, 7u, 64u, 300u, 1'000u}) {
    auto s = session();
    s.record(tap_kind::client_message, 'Q', 1, text(sql), piece);
    s.record(tap_kind::server_message, 'C', 1, text("SELECT 1"), piece);
    s.end(1);
    const json told = statements();
    ASSERT_EQ(told.size(), 1u) << piece;
    EXPECT_EQ(told[0]["text"], sql);
    EXPECT_EQ(told[0]["tag"], "SELECT 1");
  }
}

TEST_F(Model, SidesMayBeReceivedInTurns) {
  auto s = session();
  s.client('Q', 1, text("select 1"));
  tap_header head{
      .kind = tap_kind::client_message, .type = 'Q', .last = 0, .session = 7, .request = 2, .length = 9};
  model.record(0, head, as_bytes("sele"));
  s.server('C', 1, text("SELECT 1"));
  s.end(1);
  EXPECT_EQ(statements()[0]["text"], "select 1");
  head.last = 1;
  model.record(0, head, as_bytes(text("ct 2")));
  s.server('C', 2, text("SELECT 2"));
  s.end(2);
  EXPECT_EQ(statements()[0]["text"], "select 2");
}

TEST_F(Model, OfACutTextLengthAndHashAreTold) {
  auto s = session();
  std::string hash(32, '\xab');
  s.cut(tap_kind::client_message, 'Q', 1, "select 'aaaa", 70'000, hash);
  s.server('C', 1, text("SELECT 1"));
  s.end(1);
  json told = statements();
  EXPECT_EQ(told[0]["length"], 70'000);
  std::string digits;
  for (int i = 0; i < 32; ++i)
    digits += "ab";
  EXPECT_EQ(told[0]["sha256"], digits);
  s.cut(tap_kind::client_message, 'P', 2, text("s") + "select 'bbb", 80'000, hash);
  s.cut(tap_kind::client_message, 'B', 3, bind("", "s", {"1"}), 90'000, "");
  s.client('E', 4, execute());
  s.end(5);
  told = statements();
  EXPECT_EQ(told[0]["length"], 80'000);
  EXPECT_EQ(told[0]["parametersLength"], 90'000);
  EXPECT_FALSE(told[0].contains("parametersSha256"));
}

TEST_F(Model, SessionsHaveTheirNamesOnly) {
  auto one = session(1);
  auto other = session(2);
  one.client('P', 1, parse("s", "select 1"));
  one.end(2);
  other.client('B', 1, bind("", "s"));
  other.client('E', 2, execute());
  out.events.clear();
  other.end(3);
  EXPECT_EQ(statements()[0]["unknown"], true);
}

TEST_F(Model, EventsCarryWhoAndAreWhole) {
  auto s = session();
  session_started start;
  start.client = "10.0.0.7:51234";
  start.tls_version = "TLSv1.3";
  start.principal = start.user = std::string("a\0\xff\"b", 5);
  start.database = "d";
  s.event(start);
  s.event(
      session_login{.method = "scram", .ok = true, .code = {}, .endpoint = "db:5432", .server_user = "u"});
  s.client('Q', 1, text("select 1"));
  session_ended end;
  end.cause = {telemetry::cause::client_eof, {}};
  s.event(end);
  ASSERT_EQ(out.events.size(), 4u);
  EXPECT_EQ(out.events[0]["event"], "session.start");
  EXPECT_EQ(out.events[0]["principal"], std::string("a\0\xef\xbf\xbd\"b", 7));
  EXPECT_EQ(out.events[1]["endpoint"], "db:5432");
  EXPECT_EQ(out.events[2]["event"], "exchange");
  EXPECT_EQ(out.events[2]["outcome"], "cut_off") << "the session's end cut it off";
  EXPECT_EQ(out.events[2]["database"], "d");
  EXPECT_EQ(out.events[3]["cause"], "client_eof");
  EXPECT_EQ(model.sessions(), 0u);
}

TEST_F(Model, FromTheLoginOnEventsCarryThePrincipal) {
  auto s = session();
  session_started start;
  start.principal = start.user = "app";
  start.database = "d";
  s.event(start);
  session_login login;
  login.method = "jwt";
  login.principal = "alice@example.org";
  login.groups = {"dba", "a\"b"};
  login.reason = "it must not be told of a good login";
  login.ok = true;
  s.event(login);
  s.client('Q', 1, text("select 1"));
  session_ended end;
  end.cause = {telemetry::cause::client_eof, {}};
  s.event(end);
  ASSERT_EQ(out.events.size(), 4u);
  EXPECT_EQ(out.events[0]["principal"], "app");
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(out.events[i]["principal"], "alice@example.org");
    EXPECT_EQ(out.events[i]["database"], "d");
  }
  EXPECT_EQ(out.events[1]["groups"], (std::vector<std::string>{"dba", "a\"b"}));
  EXPECT_FALSE(out.events[1].contains("reason"));
}

TEST_F(Model, ARefusalHasItsReason) {
  auto s = session();
  s.event(session_started{});
  session_login login;
  login.code = sqlstates::invalid_password;
  login.reason = "the token has expired";
  s.event(login);
  EXPECT_EQ(out.events[1]["outcome"], "refused");
  EXPECT_EQ(out.events[1]["reason"], "the token has expired");
  EXPECT_EQ(out.events[1]["sqlstate"], "28P01");
}

TEST_F(Model, AGapMakesNamesUncertain) {
  auto s = session();
  s.client('P', 1, parse("s", "select 1"));
  s.end(2);
  out.events.clear();
  s.gap(3, 2);
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_EQ(out.events[0]["event"], "gap");
  EXPECT_EQ(out.events[0]["events"], 5);
  EXPECT_EQ(out.lost_events, 5u);
  out.events.clear();
  s.client('B', 9, bind("", "s"));
  s.client('E', 10, execute());
  s.end(11);
  EXPECT_EQ(statements()[0]["uncertain"], true);
}

TEST_F(Model, ALongExchangeComesInParts) {
  auto s = session();
  const std::string value(60'000, 'v');
  std::uint64_t request = 0;
  for (int i = 0; i < 100; ++i) {
    s.client('B', ++request, bind("", "s", {value}));
    s.client('E', ++request, execute());
  }
  EXPECT_LT(model.bytes(), 2 * limits::audit_exchange_bytes);
  for (std::uint64_t i = 2; i <= request; i += 2)
    s.server('C', i, text("INSERT 0 1"));
  s.end(request + 1);
  std::size_t executes = 0;
  std::size_t tags = 0;
  ASSERT_GT(out.events.size(), 3u);
  for (std::size_t i = 0; i < out.events.size(); ++i) {
    EXPECT_EQ(out.events[i]["part"], i + 1);
    EXPECT_EQ(out.events[i].contains("outcome"), i + 1 == out.events.size());
    EXPECT_LT(out.events[i].dump().size(), 2 * limits::audit_event_bytes);
    for (const json& one : out.events[i]["statements"]) {
      EXPECT_TRUE(one.contains("request"));
      if (one.contains("parameters")) ++executes;
      if (one.contains("tag")) ++tags;
    }
  }
  EXPECT_EQ(executes, 100u);
  EXPECT_EQ(tags, 100u);
}

TEST_F(Model, AnswersWithoutEndToARequestThatWasToldComeInParts) {
  auto s = session();
  s.client('Q', 3, text("select 1"));
  const std::string tag = text("SELECT 1");
  constexpr std::size_t count = 5 * limits::audit_exchange_bytes / sizeof(tapped_message);
  for (std::size_t i = 0; i < count; ++i)
    s.server('C', 3, tag);
  EXPECT_LT(model.bytes(), 2 * limits::audit_exchange_bytes);
  EXPECT_LT(out.events.size(), 20u);
  s.end(3, 'I', {}, telemetry::exchange_kind::simple);
  std::size_t told = 0;
  for (const json& event : out.events)
    told += event["statements"].size();
  EXPECT_EQ(told, count);
}

TEST_F(Model, NamesAreBounded) {
  auto s = session();
  std::uint64_t request = 0;
  for (std::size_t i = 0; i <= limits::audit_statements_per_session; ++i) {
    s.client('P', ++request, parse("s" + std::to_string(i), "select 1"));
    ++request;
    s.end(request);
    model.release();
  }
  out.events.clear();
  s.client('B', ++request, bind("", "s0"));
  s.client('E', ++request, execute());
  s.end(++request);
  EXPECT_EQ(statements()[0]["unknown"], true) << "the oldest went";
  s.client('B', ++request, bind("", "s1"));
  s.client('E', ++request, execute());
  s.end(++request);
  EXPECT_EQ(statements()[0]["text"], "select 1");
}

TEST_F(Model, SampledStatementsGiveSpans) {
  configure(config::audit_parameters::off, true, true);
  auto s = session();
  session_started start;
  start.database = "app";
  s.event(start);
  s.client('Q', 1,
           text("select 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/"));
  s.server('C', 1, text("SELECT 1"));
  s.end(1);
  ASSERT_EQ(out.spans.size(), 1u);
  EXPECT_EQ(out.spans[0].name, "SELECT app");
  EXPECT_EQ(out.spans[0].trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(out.spans[0].end_unix_ns - out.spans[0].start_unix_ns, 1'500'000);
  s.client('Q', 2,
           text("select 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'*/"));
  s.end(2);
  EXPECT_EQ(out.spans.size(), 1u) << "not sampled";
}

TEST_F(Model, FunctionCallsTellTheFunction) {
  auto s = session();
  s.client('F', 1, test::be32(1598) + test::be16(0) + test::be16(1) + test::be32(2) + "ab" + test::be16(0));
  s.end(1, 'I', {}, telemetry::exchange_kind::function);
  const json told = statements();
  EXPECT_EQ(told[0]["function"], 1598);
  EXPECT_EQ(told[0]["parameters"].size(), 1u);
}

TEST_F(Model, AnswersBehindTheLastStatementGetAStepOfTheirOwn) {
  for (const char answer : {'I', 's', 'E'}) {
    auto s = session();
    s.client('Q', 1, text("select 1"));
    s.server('C', 1, text("SELECT 1"));
    s.server(answer, 1, answer == 'E' ? error_body("22012") : "");
    s.end(1);
    const json told = statements();
    ASSERT_EQ(told.size(), 2u) << answer << " of a server that breaks the protocol";
    EXPECT_EQ(told[0]["tag"], "SELECT 1");
    EXPECT_FALSE(told[1].contains("text"));
  }
}

RC_GTEST_PROP(ModelProperty, EachLineIsValidJsonWhateverTheBytes,
              (std::vector<std::pair<std::uint8_t, std::string>> messages)) {
  struct checker final : session_model::output {
    void event(std::string_view body, const event_facts&) override {
      RC_ASSERT(json::accept("{" + std::string(body) + "}"));
    }
    void span(span_record) override {}
    void lost(std::uint64_t) override {}
  } out;
  session_model model({"01234567", "host"}, out);
  config::audit how;
  how.parameters = config::audit_parameters::full;
  model.configure(how, true, true);
  test::script s([&](const tap_header& head, byte_span body) { model.record(0, head, body); });
  std::uint64_t request = 0;
  for (const auto& [which, body] : messages) {
    const char type = std::string_view("QPBECDFCEsItZ")[which % 13];
    const bool client = which % 13 < 7;
    s.record(client ? tap_kind::client_message : tap_kind::server_message, type,
             client ? ++request : which % (request + 1), body, 1 + which % 5);
    if (which % 4 == 0) s.end(request, which % 8 == 0 ? 'I' : 'T');
  }
  s.end(request);
}

RC_GTEST_PROP(ModelProperty, GatheredMessagesTellTheSame,
              (std::vector<std::pair<std::uint8_t, std::string>> messages)) {
  struct lines final : session_model::output {
    std::vector<std::string> bodies;
    void event(std::string_view body, const event_facts&) override { bodies.emplace_back(body); }
    void span(span_record) override {}
    void lost(std::uint64_t) override {}
  };
  const auto told = [&](bool gathered) {
    lines out;
    session_model model({"01234567", "host"}, out);
    model.configure({}, true, false);
    const auto take = [&](const tap_header& head, byte_span body) { model.record(0, head, body); };
    test::gathering gather(take);
    test::script s(
        [&](const tap_header& head, byte_span body) { gathered ? gather(head, body) : take(head, body); });
    std::uint64_t request = 0;
    for (const auto& [which, name] : messages) {
      ++request;
      if (which % 5 == 0) s.client('P', request, parse(name, "select $1"));
      if (which % 5 == 1) s.client('B', request, bind("", name, {"5"}));
      if (which % 5 == 2) s.client('E', request, execute());
      if (which % 5 == 3) s.record(tap_kind::client_message, 'Q', request, text("select 1"), 1 + which % 9);
      if (which % 3 == 0)
        s.server(which % 2 == 0 ? 'C' : 'E', request,
                 which % 2 == 0 ? text("SELECT 1") : error_body("22012"));
      if (which % 4 == 0) s.end(request);
    }
    s.end(request);
    return out.bodies;
  };
  RC_ASSERT(told(true) == told(false));
}

}  // namespace
}  // namespace trunkline::audit
