#include "pool/connection_budget.h"

#include <gtest/gtest.h>

#include <memory>

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using runtime::time_point;

/// A pool that opens a connection for each waiting client, as soon as it may, and gives what it owes as soon
/// as `at_rest` says that something is.
class fake_pool final : public budget_member {
 public:
  fake_pool(connection_budget& budget, std::string user) : budget_(budget), user_(std::move(user)) {
    budget_.join(*this);
  }
  ~fake_pool() override { budget_.part(*this); }

  /// One attempt for each client that waits.
  void look(time_point now) {
    if (std::exchange(free_, false)) ++told;
    while (waiting > 0 && budget_.enter(*this, now)) {
      --waiting;
      ++has;
    }
    budget_.pass_on(*this);
  }
  /// A transaction is over: the connection goes to the next client, is idle, or is closed.
  void transaction_over() {
    if (pays()) {
      --has;
      ++given;
      return budget_.leave(*this, 1);
    }
    if (waiting > 0) {
      --waiting;
    } else {
      ++idle;
    }
  }
  /// What is idle is closed as far as it is owed.
  void pay_idle() {
    while (idle > 0 && pays()) {
      --idle;
      --has;
      ++given;
      budget_.leave(*this, 1);
    }
  }

  std::size_t waiting = 0;
  std::size_t has = 0;
  std::size_t idle = 0;
  int told = 0;
  int given = 0;
  time_point since{};

 private:
  const std::string& budget_user() const override { return user_; }
  std::size_t spare_connections() const override { return idle; }
  std::size_t waiting_clients() const override { return waiting; }
  std::optional<time_point> waits_since() const override {
    return waiting == 0 ? std::nullopt : std::optional(since);
  }
  void asked_to_pay() override {}
  bool place_is_free() override {
    free_ = waiting > 0;
    return free_;
  }

  connection_budget& budget_;
  std::string user_;
  bool free_ = false;
};

class ConnectionBudget : public testing::Test {
 protected:
  time_point later(std::chrono::milliseconds time) { return now_ += time; }

  connection_budget budget_;
  fake_pool anna_{budget_, "anna"};
  fake_pool bert_{budget_, "bert"};
  fake_pool carl_{budget_, "carl"};

 private:
  time_point now_{1h};
};

TEST_F(ConnectionBudget, WithoutBoundsEverybodyGetsWhatHeWants) {
  anna_.waiting = 100;
  anna_.look(later(1ms));
  EXPECT_EQ(anna_.has, 100U);
  EXPECT_EQ(budget_.total(), 100U);
  budget_.leave(anna_, 100);
  EXPECT_EQ(budget_.total(), 0U);
}

TEST_F(ConnectionBudget, WhoHasMostGivesItsNextOneUntilAllHaveEquallyMany) {
  budget_.set(4, 0);
  anna_.waiting = 50;
  anna_.look(later(10ms));
  EXPECT_EQ(anna_.has, 4U);
  bert_.waiting = 50;
  for (int i = 0; i < 20; ++i) {
    bert_.look(later(20ms));
    anna_.look(later(20ms));
    anna_.transaction_over();
    if (bert_.has > 0) bert_.transaction_over();
    EXPECT_LE(budget_.total(), 4U);
  }
  EXPECT_EQ(anna_.has, 2U);
  EXPECT_EQ(bert_.has, 2U);
  EXPECT_EQ(anna_.given, 2) << "and then nobody is asked any more";
  EXPECT_EQ(bert_.given, 0);
}

TEST_F(ConnectionBudget, ManyAsksForOneClientTakeNoMoreThanItsShare) {
  budget_.set(4, 0);
  anna_.waiting = 4;
  anna_.look(later(10ms));
  bert_.waiting = 1;
  for (int i = 0; i < 50; ++i)
    bert_.look(later(20ms));  // a long transaction is over at last
  for (int i = 0; i < 4; ++i)
    anna_.transaction_over();
  EXPECT_EQ(anna_.given, 1);
  bert_.look(later(20ms));
  EXPECT_EQ(bert_.has, 1U);
}

TEST_F(ConnectionBudget, IdleOnesAreGivenFirstWhoeverHasThem) {
  budget_.set(5, 0);
  anna_.waiting = 3;
  anna_.look(later(10ms));
  bert_.waiting = 2;
  bert_.look(later(10ms));
  bert_.transaction_over();
  EXPECT_EQ(bert_.idle, 1U);
  carl_.waiting = 1;
  carl_.look(later(10ms));
  bert_.pay_idle();
  EXPECT_EQ(bert_.given, 1);
  EXPECT_EQ(anna_.given, 0);
  EXPECT_EQ(carl_.told, 0);
  carl_.look(later(1ms));
  EXPECT_EQ(carl_.told, 1);
  EXPECT_EQ(carl_.has, 1U);
}

TEST_F(ConnectionBudget, MorePoolsThanConnectionsTakeTurns) {
  budget_.set(2, 0);
  for (auto* each : {&anna_, &bert_}) {
    each->waiting = 1;
    each->look(later(10ms));
    each->waiting = 50;
  }
  carl_.waiting = 50;
  carl_.since = later(1ms);
  carl_.look(later(10ms));
  anna_.transaction_over();
  bert_.transaction_over();
  EXPECT_EQ(anna_.given + bert_.given, 0) << "each has but one: it keeps it for a moment";
  carl_.look(later(limits::pool_turn));
  anna_.transaction_over();
  bert_.transaction_over();
  EXPECT_EQ(anna_.given + bert_.given, 1);
  carl_.look(later(1ms));
  EXPECT_EQ(carl_.has, 1U);
  EXPECT_EQ(budget_.total(), 2U);
}

TEST_F(ConnectionBudget, AUsersPoolsShareWhatIsTheUsers) {
  fake_pool other{budget_, "anna"};
  budget_.set(0, 3);
  anna_.waiting = 9;
  anna_.look(later(10ms));
  EXPECT_EQ(anna_.has, 3U);
  bert_.waiting = 3;
  bert_.look(later(10ms));
  EXPECT_EQ(bert_.has, 3U) << "another user has as many";
  other.waiting = 1;
  other.look(later(10ms));
  bert_.transaction_over();
  EXPECT_EQ(bert_.given, 0) << "what another user gives is of no use";
  anna_.transaction_over();
  EXPECT_EQ(anna_.given, 1);
  other.look(later(1ms));
  EXPECT_EQ(other.has, 1U);
  EXPECT_EQ(budget_.total(), 6U);
}

TEST_F(ConnectionBudget, APlaceThatNobodyUsesGoesOn) {
  budget_.set(2, 0);
  anna_.waiting = 2;
  anna_.look(later(10ms));
  for (auto* each : {&bert_, &carl_}) {
    each->waiting = 1;
    each->look(later(10ms));
  }
  bert_.waiting = 0;  // its client has gone
  anna_.transaction_over();
  anna_.transaction_over();
  bert_.look(later(1ms));
  carl_.look(later(1ms));
  EXPECT_EQ(bert_.has, 0U);
  EXPECT_EQ(carl_.has, 1U);
  EXPECT_LE(budget_.total(), 2U);
}

TEST_F(ConnectionBudget, ALowerBoundIsReachedAsConnectionsComeToRest) {
  anna_.waiting = 5;
  bert_.waiting = 3;
  anna_.look(later(10ms));
  bert_.look(later(10ms));
  budget_.set(4, 0);
  budget_.set(4, 0);
  for (int i = 0; i < 5; ++i)
    anna_.transaction_over();
  for (int i = 0; i < 3; ++i)
    bert_.transaction_over();
  EXPECT_EQ(anna_.has, 2U);
  EXPECT_EQ(bert_.has, 2U);
}

TEST_F(ConnectionBudget, AHigherBoundServesWhoWaits) {
  budget_.set(1, 0);
  anna_.waiting = 1;
  anna_.look(later(10ms));
  bert_.waiting = 1;
  bert_.look(later(10ms));
  EXPECT_EQ(bert_.has, 0U);
  budget_.set(2, 0);
  bert_.look(later(1ms));
  EXPECT_EQ(bert_.told, 1);
  EXPECT_EQ(bert_.has, 1U);
}

TEST_F(ConnectionBudget, APoolThatGoesLeavesWhatItHad) {
  budget_.set(1, 0);
  bert_.waiting = 1;
  {
    fake_pool passing{budget_, "anna"};
    passing.waiting = 1;
    passing.look(later(10ms));
    bert_.look(later(10ms));
    EXPECT_EQ(budget_.total(), 1U);
  }
  bert_.look(later(1ms));
  EXPECT_EQ(bert_.has, 1U);
  EXPECT_EQ(budget_.total(), 1U);
}

}  // namespace
}  // namespace trunkline::pool
