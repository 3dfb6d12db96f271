#include "session/side_errand.h"

#include <gtest/gtest.h>

#include "protocol/message_writer.h"
#include "protocol/session_start.h"

namespace trunkline::session {
namespace {

std::vector<std::byte> ready() {
  std::vector<std::byte> out;
  protocol::append_ready_for_query(out, protocol::transaction_status::idle);
  return out;
}

std::vector<std::byte> notification(std::string_view channel) {
  std::vector<std::byte> out;
  protocol::message_writer(out, 'A').u32(7).text(channel).text("payload");
  return out;
}

TEST(SideErrand, WhatComesBehindItsEndInOnePieceIsKept) {
  std::vector<std::byte> all = ready();
  const auto heard = notification("news");
  all.insert(all.end(), heard.begin(), heard.end());
  for (std::size_t split = 0; split < all.size(); ++split) {
    side_errand errand(side_errand::purpose::inspection);
    const byte_span bytes = all;
    const bool over = errand.take(bytes.first(split));
    EXPECT_EQ(over, split == ready().size()) << split;
    if (over) continue;  // the rest comes as any other message of the server
    EXPECT_TRUE(errand.take(bytes.subspan(split))) << split;
    ASSERT_EQ(errand.notifications().size(), 1u) << split;
    EXPECT_EQ(errand.notifications()[0], std::vector<std::byte>(heard.begin() + 5, heard.end()));
  }
}

TEST(SideErrand, NotificationsBeforeItsEndAreKeptToo) {
  auto all = notification("a");
  for (const auto& part : {notification("b"), ready()})
    all.insert(all.end(), part.begin(), part.end());
  side_errand errand(side_errand::purpose::settings);
  EXPECT_TRUE(errand.take(all));
  EXPECT_EQ(errand.notifications().size(), 2u);
}

}  // namespace
}  // namespace trunkline::session
