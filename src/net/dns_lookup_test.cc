#include "net/dns_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "net/fake_dns_testing.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using test::a;
using test::aaaa;
using test::cname;
using test::fake_dns_server;
using test::fake_question;
using test::fake_reply;
using test::srv;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Replies by "name type"; what is not there does not exist.
fake_dns_server::script table(std::map<std::pair<std::string, int>, fake_reply> replies) {
  return [replies = std::move(replies)](const fake_question& question) {
    const auto found = replies.find({question.name, question.type});
    return found == replies.end() ? fake_reply::error(ns_r_nxdomain) : found->second;
  };
}

dns_options at(const fake_dns_server& server, std::chrono::milliseconds timeout = 20s) {
  return {.resolver = server.address(), .timeout = timeout};
}

std::vector<std::string> texts(const dns_addresses& found) {
  std::vector<std::string> all;
  for (const auto& each : found.addresses)
    all.push_back(each.text());
  return all;
}

/// What /etc/resolv.conf of the machine says about the search list does not count here.
class DnsLookup : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LOCALDOMAIN", "first.test second.test", 1);
    ::setenv("RES_OPTIONS", "ndots:1", 1);
  }
  void TearDown() override {
    ::unsetenv("LOCALDOMAIN");
    ::unsetenv("RES_OPTIONS");
  }
};

TEST_F(DnsLookup, MergesBothFamiliesInAnOrderOfItsOwn) {
  fake_dns_server server(
      table({{{"db.test", ns_t_a}, {{a("db.test", 30, 2), a("db.test", 30, 1), a("db.test", 30, 2)}}},
             {{"db.test", ns_t_aaaa}, {{aaaa("db.test", 20, 9)}}}}));
  const auto found = look_up_addresses("db.test", 5432, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(texts(*found), ElementsAre("10.0.0.1:5432", "10.0.0.2:5432", "[2001:db8::9]:5432"));
  EXPECT_EQ(found->ttl, 20s);
  ASSERT_THAT(server.questions(), SizeIs(2));
  EXPECT_TRUE(server.questions()[0].edns);
}

TEST_F(DnsLookup, FollowsAliasesAndCountsTheirTtl) {
  const std::vector aliases{cname("db.test", 300, "mid.test"), cname("mid.test", 7, "real.test")};
  auto v4 = aliases;
  v4.push_back(a("REAL.test", 60, 1));
  v4.push_back(a("other.test", 1, 2));
  fake_dns_server server(table({{{"db.test", ns_t_a}, {v4}}, {{"db.test", ns_t_aaaa}, {aliases}}}));
  const auto found = look_up_addresses("db.test", 1, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(texts(*found), ElementsAre("10.0.0.1:1"));
  EXPECT_EQ(found->ttl, 7s);
}

TEST_F(DnsLookup, ATtlWithTheTopmostBitIsZero) {
  fake_dns_server server(table({{{"db.test", ns_t_a}, {{a("db.test", 0x8000'0001, 1)}}}}));
  const auto found = look_up_addresses("db.test", 1, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_EQ(found->ttl, 0s);
}

TEST_F(DnsLookup, TellsWhatIsNotThereFromWhatNobodyKnows) {
  fake_dns_server server(table({{{"empty.test", ns_t_a}, {}},
                                {{"empty.test", ns_t_aaaa}, {}},
                                {{"broken.test", ns_t_a}, fake_reply::error(ns_r_servfail)},
                                {{"broken.test", ns_t_aaaa}, fake_reply::error(ns_r_servfail)},
                                {{"refused.test", ns_t_a}, fake_reply::error(ns_r_refused)},
                                {{"refused.test", ns_t_aaaa}, fake_reply::error(ns_r_refused)},
                                {{"strange.test", ns_t_a}, fake_reply::error(ns_r_notauth)},
                                {{"strange.test", ns_t_aaaa}, fake_reply::error(ns_r_notauth)}}));
  const struct {
    const char* name;
    dns_problem problem;
    const char* says;
  } cases[] = {{"gone.test", dns_problem::nothing_there, "\"gone.test\" does not exist"},
               {"empty.test", dns_problem::nothing_there, "\"empty.test\" has no addresses"},
               {"broken.test", dns_problem::resolver_failed, "SERVFAIL"},
               {"refused.test", dns_problem::resolver_failed, "REFUSED"},
               {"strange.test", dns_problem::resolver_failed, "damaged"}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    const auto found = look_up_addresses(each.name, 1, at(server));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().problem, each.problem);
    EXPECT_THAT(found.error().why.message, HasSubstr(each.says));
    EXPECT_THAT(found.error().why.message, HasSubstr(each.name));
    EXPECT_THAT(found.error().why.message, HasSubstr(server.address()));
    EXPECT_EQ(found.error().why.reaction, error_reaction::retry);
  }
}

TEST_F(DnsLookup, OneFamilyIsEnough) {
  // Whichever fails, and in whichever order the two come.
  for (const int failing : {ns_t_a, ns_t_aaaa}) {
    fake_dns_server server([failing](const fake_question& question) {
      if (question.type == failing) return fake_reply::error(ns_r_servfail);
      if (question.name == "half.test") return fake_reply{};
      return fake_reply{{question.type == ns_t_a ? a("db.test", 5, 1) : aaaa("db.test", 5, 1)}};
    });
    const auto found = look_up_addresses("db.test", 1, at(server));
    ASSERT_TRUE(found) << found.error().why.message;
    EXPECT_THAT(found->addresses, SizeIs(1));
    // Where the other has none, nobody knows whether there are any.
    const auto half = look_up_addresses("half.test", 1, at(server));
    ASSERT_FALSE(half);
    EXPECT_EQ(half.error().problem, dns_problem::resolver_failed);
  }
}

TEST_F(DnsLookup, SilenceEndsInTime) {
  fake_dns_server server([](const fake_question& question) {
    if (question.name == "half.test" && question.type == ns_t_a) return fake_reply{{a("half.test", 5, 1)}};
    return fake_reply::nothing_said();
  });
  const auto start = std::chrono::steady_clock::now();
  const auto found = look_up_addresses("db.test", 1, at(server, 350ms));
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().problem, dns_problem::resolver_failed);
  EXPECT_THAT(found.error().why.message, HasSubstr("no answer within 350 ms"));
  EXPECT_GE(took, 350ms);
  EXPECT_LT(took, 5s);
  EXPECT_GT(server.count("db.test"), 2U) << "a lost question is asked again";

  const auto half = look_up_addresses("half.test", 1, at(server, 350ms));
  ASSERT_TRUE(half) << half.error().why.message;
  EXPECT_THAT(texts(*half), ElementsAre("10.0.0.1:1"));
}

TEST_F(DnsLookup, NobodyListensThere) {
  std::string nobody;
  {
    nobody = fake_dns_server(table({})).address();
  }
  const auto found = look_up_addresses("db.test", 1, {.resolver = nobody, .timeout = 1s});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().problem, dns_problem::resolver_failed);
  EXPECT_THAT(found.error().why.message, HasSubstr("cannot be reached"));
}

TEST_F(DnsLookup, AsksTheNextResolver) {
  fake_dns_server broken([](const fake_question&) { return fake_reply::error(ns_r_servfail); });
  fake_dns_server good(table({{{"db.test", ns_t_a}, {{a("db.test", 5, 1)}}}}));
  const auto found =
      look_up_addresses("db.test", 1, {.resolver = broken.address() + "," + good.address(), .timeout = 20s});
  ASSERT_TRUE(found) << found.error().why.message;
}

TEST_F(DnsLookup, ABadResolverIsNamed) {
  for (const char* bad : {"nowhere", "1.2.3", "[::1", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:5x", ":53",
                          ",", "127.0.0.1,", "[]:53"}) {
    const auto found = look_up_addresses("db.test", 1, {.resolver = bad, .timeout = 200ms});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().problem, dns_problem::resolver_failed);
    EXPECT_THAT(found.error().why.message, HasSubstr(bad));
  }
  for (const auto& [given, named] :
       {std::pair("[::1]:1", "[::1]:1"), {"::1", "[::1]:53"}, {"127.0.0.1", "127.0.0.1:53"}}) {
    const auto found = look_up_addresses("db.test", 1, {.resolver = given, .timeout = 50ms});
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().why.message, HasSubstr(std::string("resolver ") + named));
  }
}

TEST_F(DnsLookup, DoesWithoutEdnsWhereTheResolverDoesNotKnowIt) {
  fake_dns_server server([](const fake_question& question) {
    if (question.edns) return fake_reply::error(ns_r_formerr);
    return fake_reply{{question.type == ns_t_a ? a("db.test", 5, 1) : aaaa("db.test", 5, 1)}};
  });
  const auto found = look_up_addresses("db.test", 1, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(found->addresses, SizeIs(2));
}

TEST_F(DnsLookup, ADamagedAnswerIsNone) {
  auto whole = fake_reply{{a("db.test", 5, 1)}};
  whole.cut = 3;
  fake_dns_server server(table({{{"db.test", ns_t_a}, whole}, {{"db.test", ns_t_aaaa}, {}}}));
  const auto found = look_up_addresses("db.test", 1, at(server));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().problem, dns_problem::resolver_failed);
  EXPECT_THAT(found.error().why.message, HasSubstr("damaged"));
}

TEST_F(DnsLookup, ALongAnswerComesOverTcpAndIsBounded) {
  const auto many = [](unsigned count) {
    fake_reply reply;
    for (unsigned i = count; i-- > 0;)
      reply.records.push_back(a("many.test", 5, i));
    return reply;
  };
  fake_dns_server server([&](const fake_question& question) {
    if (question.type != ns_t_a) return fake_reply{};
    return many(question.name == "many.test" ? 100 : 1000);
  });
  const auto found = look_up_addresses("many.test", 1, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(found->addresses, SizeIs(100));
  EXPECT_TRUE(std::ranges::any_of(server.questions(), &fake_question::tcp));

  fake_dns_server flood(
      [&](const fake_question& question) { return question.type == ns_t_a ? many(1000) : fake_reply{}; });
  const auto bounded = look_up_addresses("many.test", 1, at(flood));
  ASSERT_TRUE(bounded) << bounded.error().why.message;
  ASSERT_THAT(bounded->addresses, SizeIs(limits::dns_records));
  EXPECT_EQ(bounded->addresses.front().text(), "10.0.0.0:1");
  EXPECT_EQ(bounded->addresses.back().text(), "10.0.0.255:1");
}

TEST_F(DnsLookup, GoesThroughTheSearchList) {
  fake_dns_server server(table({{{"db.first.test", ns_t_a}, {}},  // exists, without addresses
                                {{"db.second.test", ns_t_aaaa}, {{aaaa("db.second.test", 5, 1)}}},
                                {{"as.is", ns_t_a}, {{a("as.is", 5, 1)}}},
                                {{"as.is.first.test", ns_t_a}, {{a("as.is.first.test", 5, 2)}}},
                                {{"ill.first.test", ns_t_a}, fake_reply::error(ns_r_servfail)},
                                {{"ill.second.test", ns_t_a}, {{a("ill.second.test", 5, 1)}}}}));
  const auto found = look_up_addresses("db", 1, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(texts(*found), ElementsAre("[2001:db8::1]:1"));
  EXPECT_EQ(server.count("db"), 0U);

  EXPECT_THAT(texts(look_up_addresses("as.is", 1, at(server)).value()), ElementsAre("10.0.0.1:1"));
  ::setenv("RES_OPTIONS", "ndots:2", 1);
  EXPECT_THAT(texts(look_up_addresses("as.is", 1, at(server)).value()), ElementsAre("10.0.0.2:1"));
  EXPECT_THAT(texts(look_up_addresses("as.is.", 1, at(server)).value()), ElementsAre("10.0.0.1:1"));

  const auto ill = look_up_addresses("ill", 1, at(server));
  ASSERT_FALSE(ill) << "the next name of the list is another host's";
  EXPECT_EQ(ill.error().problem, dns_problem::resolver_failed);
}

TEST_F(DnsLookup, LiteralsAndTheHostsFileAskNobody) {
  fake_dns_server server(table({}));
  const auto v4 = look_up_addresses("10.1.2.3", 5432, at(server));
  ASSERT_TRUE(v4);
  EXPECT_THAT(texts(*v4), ElementsAre("10.1.2.3:5432"));
  EXPECT_EQ(v4->ttl, dns_forever);
  EXPECT_GT(std::chrono::system_clock::now() + v4->ttl, std::chrono::system_clock::now());
  EXPECT_GT(std::chrono::steady_clock::now() + v4->ttl, std::chrono::steady_clock::now());
  EXPECT_THAT(texts(look_up_addresses("::1", 5432, at(server)).value()), ElementsAre("[::1]:5432"));
  const auto scoped = look_up_addresses("fe80::1%1", 5432, at(server));
  ASSERT_TRUE(scoped);
  EXPECT_EQ(reinterpret_cast<const sockaddr_in6*>(scoped->addresses.at(0).get())->sin6_scope_id, 1U);

  const auto local = look_up_addresses("localhost", 5432, at(server));
  ASSERT_TRUE(local) << local.error().why.message;
  EXPECT_THAT(texts(*local), testing::Contains("127.0.0.1:5432"));
  EXPECT_EQ(local->ttl, 0s);
  EXPECT_THAT(server.questions(), IsEmpty());
}

TEST_F(DnsLookup, WhatIsNoNameDoesNotExist) {
  fake_dns_server server(table({}));
  for (const auto& bad : {std::string(), std::string("a..b"), std::string(64, 'x'), std::string(2000, 'x'),
                          std::string("localhost\0.test", 15)}) {
    const auto found = look_up_addresses(bad, 1, at(server));
    ASSERT_FALSE(found) << bad;
    EXPECT_EQ(found.error().problem, dns_problem::nothing_there) << bad;
  }
}

TEST_F(DnsLookup, FindsTheServersOfAService) {
  const std::string name = "_postgresql._tcp.db.test";
  fake_dns_server server(table({{{name, ns_t_srv},
                                 {{cname(name, 40, "s.test"), srv("s.test", 60, 20, 5, 5433, "c.test"),
                                   srv("s.test", 50, 10, 1, 5432, "B.test"),
                                   srv("s.test", 60, 10, 7, 5432, "a.test"), srv("s.test", 1, 0, 0, 0, "")}}},
                                {{"none.test", ns_t_srv}, {{srv("none.test", 5, 0, 0, 0, "")}}},
                                {{"ill.test", ns_t_srv}, fake_reply::error(ns_r_servfail)}}));
  const auto found = look_up_services(name, at(server));
  ASSERT_TRUE(found) << found.error().why.message;
  EXPECT_THAT(found->services,
              ElementsAre(dns_service{"B.test", 5432, 10, 1}, dns_service{"a.test", 5432, 10, 7},
                          dns_service{"c.test", 5433, 20, 5}));
  EXPECT_EQ(found->ttl, 40s);

  for (const char* none : {"none.test", "gone.test", ""}) {
    const auto nothing = look_up_services(none, at(server));
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().problem, dns_problem::nothing_there);
  }
  const auto ill = look_up_services("ill.test", at(server));
  ASSERT_FALSE(ill);
  EXPECT_EQ(ill.error().problem, dns_problem::resolver_failed);
}

TEST_F(DnsLookup, ManyThreadsAtOnce) {
  fake_dns_server server([](const fake_question& question) {
    if (question.type != ns_t_a) return fake_reply{};
    return fake_reply{{a(question.name, 5, 1)}};
  });
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 20; ++turn)
        good += look_up_addresses("h" + std::to_string(i) + ".test", 1, at(server)).has_value() ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(good, 160);
}

}  // namespace
}  // namespace trunkline::net
