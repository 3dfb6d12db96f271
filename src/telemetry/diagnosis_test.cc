#include "telemetry/diagnosis.h"

#include <gmock/gmock.h>

namespace trunkline::telemetry {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

death server_reset(seconds idle, bool on_write) {
  return {
      .cause = {cause::server_reset}, .idle = idle, .found_on_write = on_write, .transaction_status = 'I'};
}

TEST(diagnosis, a_load_balancer_that_forgets) {
  EXPECT_EQ(explain(server_reset(seconds(352), true)),
            "the server leg went silent after 352 s idle, RST on write: typical of AWS network load "
            "balancer, NAT gateway "
            "or network firewall (350 s)");
}

TEST(diagnosis, a_silence_longer_than_a_timer_but_not_by_much) {
  EXPECT_THAT(explain(server_reset(seconds(243), true)), HasSubstr("4 min"));
  EXPECT_THAT(explain(server_reset(seconds(905), true)), HasSubstr("IPVS"));
  EXPECT_THAT(explain(server_reset(seconds(3'610), true)), HasSubstr("Envoy"));
}

TEST(diagnosis, a_silence_that_fits_no_timer_bounds_it) {
  EXPECT_THAT(explain(server_reset(seconds(200), true)), HasSubstr("at most 200 s"));
}

TEST(diagnosis, a_proxy_that_closes_does_so_on_time) {
  EXPECT_THAT(explain(server_reset(seconds(300), false)), HasSubstr("HAProxy"));
  EXPECT_THAT(explain(server_reset(seconds(330), false)), Not(HasSubstr("typical")));
}

TEST(diagnosis, a_black_hole) {
  const death what{.cause = {cause::server_timeout},
                   .idle = seconds(20),
                   .found_on_write = true,
                   .transaction_status = 'T'};
  EXPECT_THAT(explain(what), AllOf(HasSubstr("went silent"), HasSubstr("no answer to what was sent"),
                                   HasSubstr("inside a transaction"), HasSubstr("drops packets")));
}

TEST(diagnosis, a_server_process_that_dies_at_work) {
  const death what{.cause = {cause::server_reset}, .busy = true};
  EXPECT_THAT(explain(what), HasSubstr("while it worked"));
}

TEST(diagnosis, what_was_asked_for_needs_no_words) {
  EXPECT_EQ(explain({.cause = {cause::client_terminate}, .idle = seconds(350)}), "");
  EXPECT_EQ(explain({.cause = {cause::server_fatal, sqlstates::admin_shutdown}}), "");
}

}  // namespace
}  // namespace trunkline::telemetry
