#include <gtest/gtest.h>

#include <set>

#include "runtime/simulated_loop.h"
#include "session/admission.h"
#include "session/cancel_registry.h"
#include "session/cancel_taker.h"

namespace trunkline::session {
namespace {

const cancel_mac_key mac_key = [] {
  cancel_mac_key key{};
  for (std::size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<std::byte>(i * 7);
  return key;
}();

TEST(CancelPid, IsNeverZeroAndNeverNegative) {
  for (const std::uint32_t slot : {0u, 1u, 77u, std::uint32_t{cancel_slots - 1}}) {
    for (const std::uint16_t replica : {std::uint16_t{1}, std::uint16_t{1023}}) {
      const std::uint32_t pid = cancel_pid{replica, slot}.encode();
      EXPECT_GT(static_cast<std::int32_t>(pid), 0);
      EXPECT_EQ(cancel_pid::decode(pid).replica, replica);
      EXPECT_EQ(cancel_pid::decode(pid).slot, slot);
    }
  }
}

TEST(LongCancelKey, IsReadBackAndNoBitMayChange) {
  const cancel_pid pid{3, 12345};
  auto key = make_long_key(mac_key, pid, 0x0123456789abcdef, {});
  const auto facts = read_long_key(mac_key, pid.encode(), key);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->replica, 3);
  EXPECT_EQ(facts->session, 0x0123456789abcdefu);
  EXPECT_FALSE(read_long_key(mac_key, pid.encode() + 1, key));
  for (std::size_t i = 0; i < key.size() * 8; ++i) {
    key[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    EXPECT_FALSE(read_long_key(mac_key, pid.encode(), key)) << "bit " << i;
    key[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
  }
  for (std::size_t size = 0; size < key.size(); ++size) {
    EXPECT_FALSE(read_long_key(mac_key, pid.encode(), byte_span(key).first(size)));
  }
}

std::shared_ptr<const cancel_target> session_of_number(std::uint64_t id) {
  auto made = std::make_shared<cancel_target>();
  made->session = id;
  return made;
}

TEST(CancelRegistry, FindsASessionByItsKeyOnlyAndOnlyWhileItLives) {
  cancel_registry registry(1, mac_key);
  for (const bool long_key : {false, true}) {
    const auto target = session_of_number(7);
    auto [ticket, key] = registry.add(target, long_key);
    ASSERT_TRUE(ticket);
    EXPECT_EQ(key.size(), long_key ? long_cancel_key_bytes : 4u);
    EXPECT_EQ(ticket.owner().target, target);
    EXPECT_EQ(registry.find(ticket.pid(), key).target, target);
    std::vector<std::byte> wrong = key;
    wrong.back() ^= std::byte{1};
    EXPECT_FALSE(registry.find(ticket.pid(), wrong));
    EXPECT_FALSE(registry.find(ticket.pid() + 1, key));
    const std::uint32_t pid = ticket.pid();
    ticket = {};
    EXPECT_FALSE(registry.find(pid, key));
    // The slot is used again: the old key must not cancel the new session.
    const auto next = registry.add(session_of_number(8), long_key);
    EXPECT_EQ(next.ticket.pid(), pid);
    EXPECT_FALSE(registry.find(pid, key));
  }
}

struct pooled_session final : cancel_taker {
  pooled_session(std::uint64_t number, runtime::loop& where) : number_(number), where_(where) {}
  std::uint64_t session_number() const override { return number_; }
  runtime::loop& where() const override { return where_; }
  void take_cancel(answer) override {}
  void cancel_over() override {}

 private:
  std::uint64_t number_;
  runtime::loop& where_;
};

TEST(CancelRegistry, APooledSessionIsFoundByItsKeyAndThenOnItsLoop) {
  cancel_registry registry(1, mac_key);
  const auto loop = std::make_unique<runtime::simulated_loop>();
  pooled_session first(7, *loop);
  pooled_session second(8, *loop);
  for (const bool long_key : {false, true}) {
    auto [ticket, key] = registry.add(first, long_key);
    const std::uint32_t pid = ticket.pid();
    const cancel_owner found = registry.find(pid, key);
    EXPECT_EQ(found.session, 7u);
    EXPECT_EQ(found.where, loop.get());
    EXPECT_EQ(found.target, nullptr);
    EXPECT_EQ(registry.taker(pid, 7), &first);
    EXPECT_EQ(registry.taker(pid, 8), nullptr);
    ticket = {};
    EXPECT_EQ(registry.taker(pid, 7), nullptr);
    // Its slot is another one's now.
    const auto next = registry.add(second, long_key);
    ASSERT_EQ(next.ticket.pid(), pid);
    EXPECT_EQ(registry.taker(pid, 7), nullptr);
    EXPECT_EQ(registry.taker(pid, 8), &second);
    const auto staying = registry.add(session_of_number(9), long_key);
    EXPECT_EQ(registry.taker(staying.ticket.pid(), 9), nullptr) << "it has a target";
  }
}

TEST(CancelRegistry, KeysFromBeforeAnotherNumberAndSecretStayValid) {
  cancel_registry registry(1, mac_key);
  const auto old_short = registry.add(session_of_number(1), false);
  const auto old_long = registry.add(session_of_number(2), true);
  registry.identify(9, cancel_mac_key{});
  const auto fresh = registry.add(session_of_number(3), true);
  EXPECT_EQ(cancel_pid::decode(fresh.ticket.pid()).replica, 9);
  EXPECT_TRUE(read_long_key(cancel_mac_key{}, fresh.ticket.pid(), fresh.key));
  EXPECT_EQ(registry.find(old_short.ticket.pid(), old_short.key).session, 1u);
  EXPECT_EQ(registry.find(old_long.ticket.pid(), old_long.key).session, 2u);
  EXPECT_EQ(registry.find(fresh.ticket.pid(), fresh.key).session, 3u);
  // Signed as it should be, and of the right slot, but not what the session was told.
  const cancel_pid pid = cancel_pid::decode(fresh.ticket.pid());
  EXPECT_FALSE(registry.find(pid.encode(), make_long_key(cancel_mac_key{}, pid, 3, {})));
  EXPECT_FALSE(registry.find(cancel_pid{1, pid.slot}.encode(), fresh.key));
}

TEST(CancelRegistry, KeysOfManySessionsDiffer) {
  cancel_registry registry(1, mac_key);
  std::vector<cancel_registry::ticket> all;
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    auto made = registry.add(session_of_number(i), false);
    EXPECT_TRUE(seen.insert({made.ticket.pid(), load_u32(made.key.data())}).second);
    all.push_back(std::move(made.ticket));
  }
}

TEST(Admission, GivesPlacesUpToTheLimitAndTakesThemBack) {
  admission counts;
  auto first = counts.enter("route:a", 2);
  auto second = counts.enter("route:a", 2);
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(counts.enter("route:a", 2));
  EXPECT_TRUE(counts.enter("route:b", 2)) << "another name has its own count";
  first.give_back();
  EXPECT_EQ(counts.count("route:a"), 1u);
  auto third = counts.enter("route:a", 2);
  EXPECT_TRUE(third);
  second = {};
  third = {};
  EXPECT_EQ(counts.count("route:a"), 0u);
  EXPECT_FALSE(counts.enter("route:a", 0));
}

}  // namespace
}  // namespace trunkline::session
