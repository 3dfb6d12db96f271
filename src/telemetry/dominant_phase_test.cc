#include "telemetry/dominant_phase.h"

#include <gtest/gtest.h>

namespace trunkline::telemetry {
namespace {

using namespace std::chrono_literals;

exchange_facts facts_of(nanoseconds total, std::initializer_list<std::pair<phase, nanoseconds>> times) {
  exchange_facts made;
  made.total = total;
  for (const auto& [which, time] : times)
    made.at(which) = time;
  return made;
}

TEST(DominantPhase, IsTheLongest) {
  const auto found = dominant_phase_of(facts_of(5s, {{phase::server, 4s}, {phase::network, 500ms}}));
  EXPECT_EQ(found.name, "server");
  EXPECT_EQ(found.time, 4s);
  EXPECT_DOUBLE_EQ(found.share, 0.8);
}

TEST(DominantPhase, AStallIsTheClientsThoughTheTransferLastsAsLong) {
  const auto found = dominant_phase_of(facts_of(10s, {{phase::transfer, 9500ms}, {phase::client_stall, 9s}}));
  EXPECT_EQ(found.name, "client_stall");
  EXPECT_EQ(found.time, 9s);
}

TEST(DominantPhase, AnUploadIsTheClients) {
  EXPECT_EQ(dominant_phase_of(facts_of(10s, {{phase::server, 1s}, {phase::client_upload, 8s}})).name,
            "client_upload");
}

TEST(DominantPhase, OfNothingIsNone) {
  EXPECT_EQ(dominant_phase_of(exchange_facts{}).name, "none");
  EXPECT_EQ(dominant_phase_of(exchange_facts{}).share, 0);
}

}  // namespace
}  // namespace trunkline::telemetry
