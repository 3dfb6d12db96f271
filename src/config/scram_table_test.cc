#include "config/scram_table.h"

#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

scram_road road(listener_tls_mode client, upstream_tls_mode server, bool same = false,
                bool on_socket = false) {
  listener from;
  from.tls.mode = client;
  upstream to;
  to.tls.mode = server;
  to.tls.same_certificate = same;
  to.endpoints.push_back(on_socket ? address{"", 0, "/run/pg"} : address{"db", 5432, ""});
  return scram_road_of(from, to);
}

using client = listener_tls_mode;
using server = upstream_tls_mode;

TEST(ScramTable, IsTheOneOfTheProtocol) {
  EXPECT_EQ(road(client::require, server::verify_full, true), scram_road::same_certificate);
  EXPECT_EQ(road(client::require, server::disable), scram_road::server_leg_plain);
  EXPECT_EQ(road(client::require, server::verify_full, false, true), scram_road::server_leg_plain);
  EXPECT_EQ(road(client::require, server::verify_full), scram_road::cannot_work);
  EXPECT_EQ(road(client::disable, server::verify_full), scram_road::client_leg_plain);
  EXPECT_EQ(road(client::disable, server::disable), scram_road::both_plain);
  EXPECT_EQ(road(client::passthrough, server::verify_full), scram_road::end_to_end);
}

TEST(ScramTable, WhatMayHappenCounts) {
  EXPECT_EQ(road(client::allow, server::require), scram_road::cannot_work);
  EXPECT_EQ(road(client::require, server::prefer), scram_road::cannot_work);
  EXPECT_EQ(road(client::allow, server::prefer, true), scram_road::same_certificate);
}

TEST(ScramTable, OneEndpointWithTlsIsEnough) {
  listener from;
  from.tls.mode = client::require;
  upstream to;
  to.endpoints = {{"", 0, "/run/pg"}, {"db", 5432, ""}};
  EXPECT_EQ(scram_road_of(from, to), scram_road::cannot_work);
}

}  // namespace
}  // namespace trunkline::config
