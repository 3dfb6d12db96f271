#include "routing/choose.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace trunkline::routing {
namespace {

using config::route_target;
using namespace std::chrono_literals;

const moment now = moment{} + 1h;

constexpr route_target all_targets[] = {route_target::primary, route_target::replica,
                                        route_target::prefer_replica, route_target::any};

endpoint server(server_role role, endpoint_state state = endpoint_state::up) {
  static endpoint_id last = 0;
  endpoint made{.id = ++last, .name = "db-" + std::to_string(last) + ":5432"};
  made.role = role;
  made.state = state;
  made.resolved = true;
  return made;
}

topology watched(std::vector<endpoint> endpoints) {
  topology made;
  made.endpoints = std::move(endpoints);
  made.probed = made.roles_are_watched = true;
  return made;
}

/// All that `choose` may answer, over many random numbers.
std::set<std::size_t> answers(const topology& seen, wish wanted, std::vector<endpoint_load> loads = {}) {
  loads.resize(seen.endpoints.size());
  wanted.now = now;
  std::set<std::size_t> all;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    wanted.random = {static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())};
    if (const auto one = choose(seen, loads, wanted)) all.insert(*one);
  }
  return all;
}

using indices = std::set<std::size_t>;

TEST(Choose, EachTargetHasItsServers) {
  const auto seen =
      watched({server(server_role::replica), server(server_role::primary), server(server_role::replica)});
  EXPECT_EQ(answers(seen, {.target = route_target::primary}), (indices{1}));
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{0, 2}));
  EXPECT_EQ(answers(seen, {.target = route_target::prefer_replica}), (indices{0, 2}));
  EXPECT_EQ(answers(seen, {.target = route_target::any}), (indices{0, 1, 2}));
}

TEST(Choose, NothingOfNothing) {
  for (const route_target target : all_targets)
    EXPECT_EQ(answers(watched({}), {.target = target}), indices{});
}

TEST(Choose, AWatchedServerOfTheOtherRoleIsNotTaken) {
  EXPECT_EQ(answers(watched({server(server_role::replica)}), {.target = route_target::primary}), indices{});
  EXPECT_EQ(answers(watched({server(server_role::primary)}), {.target = route_target::replica}), indices{});
  for (const route_target target : all_targets)
    EXPECT_EQ(answers(watched({server(server_role::superseded)}), {.target = target}), indices{});
}

TEST(Choose, PreferReplicaFallsBackToThePrimary) {
  auto seen = watched({server(server_role::primary), server(server_role::replica, endpoint_state::down),
                       server(server_role::replica)});
  std::vector<endpoint_load> loads(3);
  const wish wanted{.target = route_target::prefer_replica};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{2}));
  loads[2].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0}));
  // Better a replica that rests than the primary's time.
  loads[2] = {.ejected_until = now + 1s};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{2}));
  seen.endpoints[2].role = server_role::superseded;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0}));
}

TEST(Choose, WithoutAKnownPrimaryTheUnknownAreAskedInTheirOrder) {
  const auto seen =
      watched({server(server_role::replica), server(server_role::unknown), server(server_role::unknown)});
  std::vector<endpoint_load> loads(3);
  loads[1].sessions = 1000;  // balancing is not for guesses
  const wish wanted{.target = route_target::primary};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{1}));
  loads[1].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{2}));
  loads[2].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), indices{});
}

TEST(Choose, WhereThePrimaryIsKnownNobodyElseIsAsked) {
  const auto seen = watched({server(server_role::unknown), server(server_role::primary)});
  std::vector<endpoint_load> loads(2);
  const wish wanted{.target = route_target::primary};
  loads[1] = {.sessions = 1000, .ejected_until = now + 1min};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{1}));
  loads[1].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0}));
}

TEST(Choose, WhoeverWasTriedIsNotTriedAgain) {
  const auto seen = watched({server(server_role::replica), server(server_role::replica)});
  std::vector<endpoint_load> loads(2);
  loads[0].tried = true;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{1}));
  loads[1].tried = true;
  for (const route_target target : all_targets)
    EXPECT_EQ(answers(seen, {.target = target}, loads), indices{});
}

TEST(Choose, WhoeverRestsIsTheLastResort) {
  auto seen = watched({server(server_role::replica), server(server_role::replica)});
  seen.endpoints[1].zone = "far";
  std::vector<endpoint_load> loads(2);
  loads[0].ejected_until = now + 1ms;
  const wish wanted{.target = route_target::replica, .zone = "near"};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{1}));
  loads[1].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0}));
  loads[1] = {.ejected_until = now + 1h};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0, 1}));
  loads[0].ejected_until = now;  // over
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0}));
}

TEST(Choose, WhoIsNotReadyIsTheLastResort) {
  auto seen =
      watched({server(server_role::replica), server(server_role::replica), server(server_role::primary)});
  seen.endpoints[0].ready = seen.endpoints[2].ready = false;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{1}));
  EXPECT_EQ(answers(seen, {.target = route_target::any}), (indices{1}));
  EXPECT_EQ(answers(seen, {.target = route_target::primary}), (indices{2})) << "there is no other";
  seen.endpoints[1].ready = false;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{0, 1}));
}

TEST(Choose, SomeAreNeverTaken) {
  auto seen = watched(std::vector<endpoint>(7, server(server_role::replica)));
  seen.endpoints[0].state = endpoint_state::down;
  seen.endpoints[1].state = endpoint_state::foreign;
  seen.endpoints[2].state = endpoint_state::self;
  seen.endpoints[3].leaving = true;
  seen.endpoints[4].resolved = false;
  seen.endpoints[6].closed = true;                    // of PAUSE
  seen.endpoints[5].state = endpoint_state::unknown;  // it has not answered its first question yet
  for (const bool roles : {true, false}) {
    seen.roles_are_watched = roles;
    for (const route_target target : all_targets)
      EXPECT_EQ(answers(seen, {.target = target}), indices{});
  }
  seen.probed = false;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{5}));
}

TEST(Choose, AReplicaThatIsTooFarBehindIsLeftOut) {
  auto seen = watched({server(server_role::replica), server(server_role::replica),
                       server(server_role::replica), server(server_role::primary)});
  seen.most_lag = 5s;
  seen.endpoints[0].fresh_as_of = now - 5s;
  seen.endpoints[1].fresh_as_of = now - 5001ms;
  seen.endpoints[1].lag = 0ms;  // as of then; what it has now nobody knows
  const wish replica{.target = route_target::replica};
  EXPECT_EQ(answers(seen, replica), (indices{0}));
  EXPECT_EQ(answers(seen, {.target = route_target::any}), (indices{0, 3}));
  seen.endpoints[0].fresh_as_of = now - 6s;
  EXPECT_EQ(answers(seen, replica), indices{});
  EXPECT_EQ(answers(seen, {.target = route_target::prefer_replica}), (indices{3}));
  EXPECT_EQ(answers(seen, {.target = route_target::primary}), (indices{3}));
  seen.most_lag = 0ms;
  EXPECT_EQ(answers(seen, replica), (indices{0, 1, 2}));
}

TEST(Choose, ItsOwnZoneFirst) {
  auto seen = watched({server(server_role::replica), server(server_role::replica),
                       server(server_role::replica), server(server_role::primary)});
  seen.endpoints[0].zone = seen.endpoints[1].zone = "a";
  seen.endpoints[2].zone = "b";
  std::vector<endpoint_load> loads(4);
  loads[0].sessions = loads[1].sessions = 50;  // near is near, however full
  EXPECT_EQ(answers(seen, {.target = route_target::replica, .zone = "a"}, loads), (indices{0, 1}));
  EXPECT_EQ(answers(seen, {.target = route_target::replica, .zone = "b"}), (indices{2}));
  EXPECT_EQ(answers(seen, {.target = route_target::replica, .zone = "c"}), (indices{0, 1, 2}));
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{0, 1, 2}));
  EXPECT_EQ(answers(seen, {.target = route_target::primary, .zone = "a"}), (indices{3}));
  seen.endpoints[2].state = endpoint_state::down;
  EXPECT_EQ(answers(seen, {.target = route_target::replica, .zone = "b"}), (indices{0, 1}));
}

TEST(Choose, RolesThatNobodyWatchesMayBeOld) {
  topology seen;
  seen.endpoints = {server(server_role::replica, endpoint_state::unknown),
                    server(server_role::replica, endpoint_state::unknown),
                    server(server_role::superseded, endpoint_state::unknown)};
  std::vector<endpoint_load> loads(3);
  const wish wanted{.target = route_target::primary};
  EXPECT_EQ(answers(seen, wanted, loads), (indices{0, 1}));
  loads[0].tried = true;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{1}));
  // What fits as far as is known comes first.
  seen.endpoints[2].role = server_role::primary;
  EXPECT_EQ(answers(seen, wanted, loads), (indices{2}));
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{1}));
  loads[1].tried = true;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{2}));
}

TEST(Choose, TheEmptierOfTwo) {
  const auto seen = watched({server(server_role::replica), server(server_role::replica)});
  std::vector<endpoint_load> loads(2);
  loads[0].sessions = 1;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{1}));
  loads[1].sessions = 1;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{0, 1}));
}

TEST(Choose, TheFullestOfManyIsNeverTaken) {
  const auto seen = watched(std::vector<endpoint>(5, server(server_role::replica)));
  std::vector<endpoint_load> loads(5);
  loads[3].sessions = 1;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}, loads), (indices{0, 1, 2, 4}));
}

/// Sessions that come, and stay.
std::vector<endpoint_load> fill(const topology& seen, std::vector<endpoint_load> loads, int sessions,
                                std::uint32_t seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < sessions; ++i) {
    const auto one =
        choose(seen, loads,
               {.target = route_target::replica,
                .now = now,
                .random = {static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())}});
    ++loads.at(one.value()).sessions;
  }
  return loads;
}

TEST(Choose, EqualServersAreFilledEvenly) {
  const auto seen = watched(std::vector<endpoint>(4, server(server_role::replica)));
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    std::uint32_t busiest = 0;
    for (const auto& each : fill(seen, std::vector<endpoint_load>(4), 400, seed))
      busiest = std::max(busiest, each.sessions);
    EXPECT_LE(busiest, 115U) << seed;
  }
}

TEST(Choose, AServerThatHasJustComeUpGetsLessThanItsShare) {
  auto seen = watched(std::vector<endpoint>(3, server(server_role::replica)));
  seen.slow_start = 10s;
  const auto share = [&](moment::duration up_for) {
    seen.endpoints[1].up_since = now - up_for;
    return fill(seen, std::vector<endpoint_load>(3), 1000, 1)[1].sessions;
  };
  EXPECT_NEAR(share(0s), 48, 12);  // a tenth of what each of the others has
  EXPECT_NEAR(share(1s), 48, 12);
  EXPECT_NEAR(share(5s), 200, 20);
  EXPECT_NEAR(share(10s), 333, 20);
  EXPECT_NEAR(share(1h), 333, 20);
  seen.slow_start = 0s;
  EXPECT_NEAR(share(0s), 333, 20);
}

TEST(Choose, AnEmptyServerThatHasJustComeUpIsNotFirst) {
  auto seen = watched(std::vector<endpoint>(2, server(server_role::replica)));
  seen.slow_start = 10s;
  seen.endpoints[0].up_since = now;
  EXPECT_EQ(answers(seen, {.target = route_target::replica}), (indices{1}));
}

TEST(Choose, SlowStartKeepsNobodyOut) {
  auto seen = watched({server(server_role::primary)});
  seen.slow_start = 10s;
  seen.endpoints[0].up_since = now + 1s;  // a clock that was read a little earlier
  EXPECT_EQ(answers(seen, {.target = route_target::primary}), (indices{0}));
}

// ---- the same decision, written in the plainest way ----

bool plain_may(const topology& seen, const endpoint& one, route_target target) {
  if (one.leaving || one.closed || !one.resolved) return false;
  if (one.state != endpoint_state::up && (seen.probed || one.state != endpoint_state::unknown)) return false;
  if (one.role == server_role::superseded) return false;
  if (target == route_target::primary && one.role == server_role::replica) return false;
  if (target == route_target::replica && one.role == server_role::primary) return false;
  if (one.role == server_role::replica && seen.most_lag > 0ms)
    return one.fresh_as_of.has_value() && *one.fresh_as_of + seen.most_lag >= now;
  return true;
}

/// Keeps those that fit, where any does.
template <class Fits>
void narrow(indices& all, Fits fits) {
  indices those;
  std::copy_if(all.begin(), all.end(), std::inserter(those, those.end()), fits);
  if (!those.empty()) all = those;
}

indices plain_draw(const topology& seen, const std::vector<endpoint_load>& loads, const wish& wanted,
                   route_target target) {
  indices all;
  for (std::size_t i = 0; i < seen.endpoints.size(); ++i) {
    if (!loads[i].tried && plain_may(seen, seen.endpoints[i], target)) all.insert(i);
  }
  const auto is_primary = [&](std::size_t i) { return seen.endpoints[i].role == server_role::primary; };
  if (target == route_target::primary) narrow(all, is_primary);
  const auto rests = [&](std::size_t i) { return loads[i].ejected_until > now; };
  narrow(all, [&](std::size_t i) { return !rests(i); });
  const bool resting = !all.empty() && rests(*all.begin());
  if (!resting && !wanted.zone.empty())
    narrow(all, [&](std::size_t i) { return seen.endpoints[i].zone == wanted.zone; });
  if (target == route_target::primary && !all.empty() && !is_primary(*all.begin())) return {*all.begin()};
  return all;
}

indices plain(const topology& seen, const std::vector<endpoint_load>& loads, const wish& wanted) {
  const bool prefers = wanted.target == route_target::prefer_replica;
  auto all = plain_draw(seen, loads, wanted, prefers ? route_target::replica : wanted.target);
  if (all.empty() && prefers) return plain_draw(seen, loads, wanted, route_target::primary);
  if (all.empty() && !seen.roles_are_watched) return plain_draw(seen, loads, wanted, route_target::any);
  return all;
}

endpoint some_endpoint() {
  auto made = server(*rc::gen::weightedElement<server_role>({{4, server_role::replica},
                                                             {2, server_role::primary},
                                                             {2, server_role::unknown},
                                                             {1, server_role::superseded}}),
                     *rc::gen::weightedElement<endpoint_state>({{6, endpoint_state::up},
                                                                {2, endpoint_state::unknown},
                                                                {1, endpoint_state::down},
                                                                {1, endpoint_state::foreign},
                                                                {1, endpoint_state::self}}));
  made.zone = *rc::gen::element<std::string>("", "a", "b");
  made.leaving = *rc::gen::weightedElement<bool>({{6, false}, {1, true}});
  made.closed = *rc::gen::weightedElement<bool>({{6, false}, {1, true}});
  made.resolved = *rc::gen::weightedElement<bool>({{1, false}, {6, true}});
  if (*rc::gen::arbitrary<bool>()) made.fresh_as_of = now - std::chrono::seconds(*rc::gen::inRange(0, 5));
  made.up_since = now - std::chrono::seconds(*rc::gen::inRange(0, 12));
  return made;
}

endpoint_load some_load() {
  return {.sessions = *rc::gen::inRange<std::uint32_t>(0, 4),
          .tried = *rc::gen::weightedElement<bool>({{5, false}, {1, true}}),
          .ejected_until = now + std::chrono::seconds(*rc::gen::weightedElement<int>({{4, 0}, {1, 1}}))};
}

RC_GTEST_PROP(Choose, AgreesWithThePlainReading, ()) {
  topology seen;
  std::vector<endpoint_load> loads;
  const int size = *rc::gen::inRange(0, 7);
  for (int i = 0; i < size; ++i) {
    seen.endpoints.push_back(some_endpoint());
    loads.push_back(some_load());
  }
  seen.probed = *rc::gen::arbitrary<bool>();
  seen.roles_are_watched = seen.probed && *rc::gen::arbitrary<bool>();
  seen.most_lag = std::chrono::seconds(*rc::gen::element(0, 2));
  seen.slow_start = std::chrono::seconds(*rc::gen::element(0, 10));
  const std::string zone = *rc::gen::element<std::string>("", "a", "b", "c");
  const wish wanted{.target = *rc::gen::element(route_target::primary, route_target::replica,
                                                route_target::prefer_replica, route_target::any),
                    .zone = zone,
                    .now = now,
                    .random = {*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::arbitrary<std::uint32_t>()}};
  const auto may = plain(seen, loads, wanted);
  const auto chosen = choose(seen, loads, wanted);
  RC_CLASSIFY(chosen.has_value(), "chosen");
  RC_ASSERT(chosen.has_value() == !may.empty());
  if (chosen) RC_ASSERT(may.contains(*chosen));
}

}  // namespace
}  // namespace trunkline::routing
