#include "pool/role_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using routing::endpoint;
using routing::endpoint_state;
using routing::moment;
using routing::server_role;
using testing::HasSubstr;
using testing::IsEmpty;

/// Some servers that are asked again and again; they answer at once.
class RoleJudge : public testing::Test {
 protected:
  void SetUp() override { names(3); }
  void names(std::size_t many) {
    reports.assign(many, {});
    leaving.assign(many, false);
  }

  void answers(std::size_t which, health_answer answer) {
    if (answer.system_identifier == 0) answer.system_identifier = cluster;
    if (answer.postmaster_start_us == 0) answer.postmaster_start_us = 1000 + static_cast<std::int64_t>(which);
    reports[which] = {.state = endpoint_state::up, .answer = answer, .asked = now, .said = {}};
  }
  void primary(std::size_t which, std::uint32_t timeline = 1, std::uint64_t position = 0x1000) {
    answers(which, {.timeline = timeline, .position = position});
  }
  void replica(std::size_t which, std::uint64_t position = 0x1000) {
    answers(which, {.in_recovery = true, .timeline = 1, .position = position});
  }
  void down(std::size_t which) {
    reports[which].state = endpoint_state::down;
    reports[which].said = "Connection refused";
  }

  /// As cluster_watch does it: endpoints that know nothing yet but their names.
  std::string look() {
    seen.clear();
    for (std::size_t i = 0; i < reports.size(); ++i) {
      seen.push_back(
          {.id = static_cast<std::uint32_t>(i + 1), .name = std::string(1, static_cast<char>('a' + i))});
      seen.back().leaving = leaving[i];
    }
    return judge.judge(seen, reports);
  }
  std::vector<server_role> roles() const {
    std::vector<server_role> all;
    for (const endpoint& each : seen)
      all.push_back(each.role);
    return all;
  }
  std::vector<endpoint_state> states() const {
    std::vector<endpoint_state> all;
    for (const endpoint& each : seen)
      all.push_back(each.state);
    return all;
  }

  static constexpr auto p = server_role::primary;
  static constexpr auto r = server_role::replica;
  static constexpr auto s = server_role::superseded;
  static constexpr auto u = server_role::unknown;

  role_judge judge;
  moment now = moment{} + 1h;
  std::uint64_t cluster = 7001;
  std::vector<endpoint_report> reports;
  std::vector<bool> leaving;
  std::vector<endpoint> seen;
};

using testing::ElementsAre;

TEST_F(RoleJudge, EachIsWhatItSays) {
  primary(0, 3, 0x2000);
  replica(1);
  reports[0].answer->version = 160004;
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(p, r, u));
  EXPECT_THAT(states(), ElementsAre(endpoint_state::up, endpoint_state::up, endpoint_state::unknown));
  EXPECT_EQ(seen[0].timeline, 3U);
  EXPECT_EQ(seen[0].position, 0x2000U);
  EXPECT_EQ(seen[0].system_identifier, cluster);
  EXPECT_EQ(seen[0].version, 160004);
  EXPECT_EQ(seen[0].asked, now);
  EXPECT_EQ(seen[0].lag, std::nullopt);
}

TEST_F(RoleJudge, WhatIsDownKeepsItsLastAnswerAndItsComplaint) {
  primary(0);
  replica(1);
  reports[1].answer->position = 0;
  down(0);
  down(1);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(p, r, u));
  EXPECT_EQ(seen[0].state, endpoint_state::down);
  EXPECT_EQ(seen[0].said, "Connection refused");
  EXPECT_EQ(seen[1].said, "Connection refused");
}

// ---- two primaries ----

TEST_F(RoleJudge, OfTwoPrimariesTheHigherTimelineWins) {
  primary(0, 1);
  EXPECT_THAT(look(), IsEmpty());
  primary(1, 2);
  EXPECT_THAT(look(), HasSubstr("a is a primary that was left behind"));
  EXPECT_THAT(roles(), ElementsAre(s, p, u));
  EXPECT_THAT(seen[0].said, HasSubstr("timeline 1, but timeline 2"));
}

TEST_F(RoleJudge, WhoWasLeftBehindStaysSoWhenTheNewPrimaryIsDown) {
  primary(0, 1);
  primary(1, 2);
  (void)look();
  down(1);
  EXPECT_THAT(look(), HasSubstr("left behind"));
  EXPECT_EQ(seen[0].role, s);
  // Not even when the new one is no more.
  names(1);
  primary(0, 1);
  EXPECT_THAT(look(), HasSubstr("left behind"));
  EXPECT_THAT(roles(), ElementsAre(s));
  // An operator who restored the old one says so.
  judge.forget();
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(p));
}

TEST_F(RoleJudge, OneThatIsDownOnAnOldTimelineIsNoNews) {
  primary(0, 1);
  down(0);
  primary(1, 2);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(s, p, u));
  EXPECT_EQ(seen[0].said, "Connection refused");
}

TEST_F(RoleJudge, WhatAServerThatIsDownOnceSaidBeatsNobody) {
  primary(0, 1);
  primary(1, 9);
  down(1);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[0].role, p);
}

TEST_F(RoleJudge, OnOneTimelineWhoWasThePrimaryStaysIt) {
  primary(1);
  replica(0);
  (void)look();
  primary(0);
  const std::string problem = look();
  EXPECT_THAT(problem, HasSubstr("a and b are both primaries on timeline 1"));
  EXPECT_THAT(roles(), ElementsAre(s, p, u));
  EXPECT_THAT(seen[0].said, HasSubstr("second primary"));
  down(1);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[0].role, p);
}

TEST_F(RoleJudge, TwoNamesOfOneServerAreNoConflict) {
  for (const std::size_t i : {0, 1})
    answers(i, {.timeline = 4, .position = 0x1000, .postmaster_start_us = 42});
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(p, p, u));
  // But two that were started in one moment on different clusters are two.
  reports[1].answer->system_identifier = 7002;
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[1].state, endpoint_state::foreign);
  // And where it is not known when they started, nobody says that they are one.
  for (const std::size_t i : {0, 1}) {
    reports[i].answer->system_identifier = cluster;
    reports[i].answer->postmaster_start_us = 0;
  }
  EXPECT_THAT(look(), HasSubstr("both primaries"));
}

TEST_F(RoleJudge, ATimelineThatCannotBeReadIsNotOld) {
  primary(0, 0);
  replica(1);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(roles(), ElementsAre(p, r, u));
}

// ---- who belongs to the cluster ----

TEST_F(RoleJudge, TheMajorityIsTheCluster) {
  cluster = 7002;
  primary(0);
  cluster = 7001;
  primary(1, 1);
  replica(2);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(states(), ElementsAre(endpoint_state::foreign, endpoint_state::up, endpoint_state::up));
  EXPECT_THAT(seen[0].said, HasSubstr("7002, not 7001"));
  EXPECT_EQ(seen[1].role, p);
}

TEST_F(RoleJudge, AForeignTimelineLeavesNobodyBehind) {
  primary(0, 1);
  replica(1);
  cluster = 7002;
  primary(2, 50);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[0].role, p);
  EXPECT_EQ(seen[2].state, endpoint_state::foreign);
}

TEST_F(RoleJudge, OfEqualVotesTheFirstInTheListCounts) {
  names(2);
  cluster = 7009;
  primary(0);
  cluster = 7001;
  replica(1);
  (void)look();
  EXPECT_THAT(states(), ElementsAre(endpoint_state::up, endpoint_state::foreign));
}

TEST_F(RoleJudge, OnceKnownTheClusterStaysAsLongAsOneOfItIsThere) {
  primary(0);
  down(1);
  down(2);
  (void)look();
  cluster = 7002;
  primary(1);
  replica(2);
  (void)look();
  EXPECT_THAT(states(), ElementsAre(endpoint_state::up, endpoint_state::foreign, endpoint_state::foreign));
  down(0);
  (void)look();
  EXPECT_EQ(seen[1].state, endpoint_state::foreign) << "it is only down";
  leaving[0] = true;
  (void)look();
  EXPECT_EQ(seen[1].state, endpoint_state::up) << "it has been replaced";
  EXPECT_EQ(seen[1].role, p);
}

TEST_F(RoleJudge, AnotherClusterBeginsWithItsOwnTimeline) {
  primary(0, 30);
  (void)look();
  names(2);
  cluster = 7002;
  primary(0, 1);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[0].role, p);
}

TEST_F(RoleJudge, WhoDoesNotTellItsIdentifierBelongs) {
  primary(0);
  answers(1, {.in_recovery = true, .position = 0x1000});
  reports[1].answer->system_identifier = 0;
  (void)look();
  EXPECT_EQ(seen[1].state, endpoint_state::up);
}

// ---- how far a replica is behind ----

TEST_F(RoleJudge, LagIsSinceThePrimaryWasWhereTheReplicaIs) {
  const moment begin = now;
  for (std::uint64_t i = 0; i <= 10; ++i) {  // 0x100 bytes each second
    now = begin + std::chrono::seconds(i);
    primary(0, 1, 0x1000 + i * 0x100);
    replica(1, i < 4 ? 0x1000 + i * 0x100 : 0x1380);  // it stops between the positions of 3 s and 4 s
    replica(2, 0x1000 + i * 0x100);
    EXPECT_THAT(look(), IsEmpty());
  }
  EXPECT_EQ(seen[1].lag, 7s);
  EXPECT_EQ(seen[1].fresh_as_of, begin + 3s);
  EXPECT_EQ(seen[1].lag_bytes, 0x1A00U - 0x1380U);
  EXPECT_EQ(seen[2].lag, 0s);
  EXPECT_EQ(seen[2].lag_bytes, 0U);
  EXPECT_EQ(seen[2].fresh_as_of, now);
}

TEST_F(RoleJudge, APrimaryThatWritesNothingHasReplicasThatMissNothing) {
  primary(0);
  replica(1);
  (void)look();
  now += 1h;
  primary(0);
  replica(1);
  (void)look();
  EXPECT_EQ(seen[1].lag, 0s);
  EXPECT_EQ(seen[1].fresh_as_of, now);
}

TEST_F(RoleJudge, AReplicaMayBeAheadOfWhatIsKnownOfThePrimary) {
  primary(0, 1, 0x1000);
  replica(1, 0x2000);
  (void)look();
  EXPECT_EQ(seen[1].lag, 0s);
  EXPECT_EQ(seen[1].lag_bytes, 0U);
}

TEST_F(RoleJudge, BeforeAllThatIsRememberedItsOwnClockHelps) {
  primary(0, 1, 0x9000);
  replica(1, 0x1000);
  reports[1].answer->behind_by_own_clock = 90s;
  (void)look();
  EXPECT_EQ(seen[1].lag, 90s);
  EXPECT_EQ(seen[1].fresh_as_of, now - 90s);
  EXPECT_EQ(seen[1].lag_bytes, 0x8000U);
  now += 5s;
  primary(0, 1, 0xA000);
  replica(1, 0x1000);  // which says nothing of its clock
  (void)look();
  EXPECT_EQ(seen[1].lag, 5s) << "at least as long as it has been watched";
}

TEST_F(RoleJudge, WithoutAPrimaryTheReplicasOwnClockCounts) {
  replica(0);
  reports[0].answer->behind_by_own_clock = 3s;
  replica(1);
  reports[1].answer->behind_by_own_clock = 3s;
  reports[1].answer->all_received_is_replayed = true;
  (void)look();
  EXPECT_EQ(seen[0].lag, 3s);
  EXPECT_EQ(seen[0].fresh_as_of, now - 3s);
  EXPECT_EQ(seen[0].lag_bytes, std::nullopt);
  EXPECT_EQ(seen[1].lag, 0s);
}

TEST_F(RoleJudge, APositionThatCannotBeReadGivesNoLag) {
  primary(0);
  replica(1, 0);
  (void)look();
  EXPECT_EQ(seen[1].lag, std::nullopt);
  EXPECT_EQ(seen[1].fresh_as_of, std::nullopt);
  EXPECT_THAT(seen[1].said, HasSubstr("cannot be read"));
  // The primary's neither: then by its own clock.
  primary(0, 1, 0);
  replica(1);
  judge.forget();
  reports[1].answer->behind_by_own_clock = 2s;
  (void)look();
  EXPECT_EQ(seen[1].lag, 2s);
}

TEST_F(RoleJudge, ANewPrimarysPositionsReplaceTheOldOnes) {
  primary(0, 1, 0x9000);
  replica(1, 0x5000);
  replica(2, 0x5000);
  (void)look();
  now += 1s;
  down(0);
  primary(1, 2, 0x5000);  // what the old one had written after that is lost
  replica(2, 0x5000);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(seen[2].lag, 0s);
  EXPECT_EQ(seen[2].fresh_as_of, now);
}

TEST_F(RoleJudge, RemembersPositionsForMinutesHoweverOftenItLooks) {
  const moment begin = now;
  std::uint64_t position = 0x1000;
  while (now < begin + 100s) {  // as in a hurry
    primary(0, 1, position += 0x10);
    replica(1, 0x1010);
    (void)look();
    now += limits::health_hurry;
  }
  EXPECT_EQ(seen[1].fresh_as_of, begin);
  EXPECT_EQ(seen[1].lag, 100s - limits::health_hurry);
}

TEST_F(RoleJudge, WhatIsRememberedHasAnEnd) {
  for (std::size_t i = 0; i < 2 * limits::wal_positions; ++i) {
    now += 1s;
    primary(0, 1, 0x1000 + i);
    replica(1, 0x1000);
    (void)look();
  }
  // Longer than all that is remembered is at least as long as that.
  EXPECT_EQ(seen[1].lag, std::chrono::seconds(limits::wal_positions - 1));
}

}  // namespace
}  // namespace trunkline::pool
