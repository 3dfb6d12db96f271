#include "doctor/checks.h"

#include <algorithm>
#include <array>

namespace trunkline::doctor {
namespace {

constexpr std::array quick{
    &reach_check,
    &dns_check,
    &ssl_request_check,
    &gssenc_check,
    &silence_check,
    &login_check,
    &protocol_version_check,
    &scram_check,
    &tls_check,
    &round_trips_check,
    &pooler_check,
    &server_check,
    &keepalive_check,
    &prepared_check,
    &session_state_check,
    &cancel_check,
    &abandoned_check,
    &role_check,
    &sizes_check,
    &small_writes_check,
    &throttling_check,
    &slow_start_check,
    &copy_check,
    &replication_check,
    &logins_check,
    &clock_check,
};

/// What all others read: who answers, how, and what the first session sees.
constexpr std::array foundation{&reach_check, &ssl_request_check, &login_check, &pooler_check, &server_check};

bool is_wanted(const settings& how, const check* which) {
  return how.only.empty() || std::ranges::find(how.only, which->id) != how.only.end() ||
         std::ranges::find(foundation, which) != foundation.end();
}

}  // namespace

std::vector<const check*> checks_for(const settings& how) {
  std::vector<const check*> all;
  for (const check* each : quick) {
    if (is_wanted(how, each)) all.push_back(each);
    // What it knows of the path makes later checks more certain.
    if (each == &pooler_check && !how.gateway_url.empty()) all.push_back(&gateway_check);
  }
  if (how.idle.count() > 0) all.push_back(&idle_check);
  if (how.watch.count() > 0) all.push_back(&watch_check);
  all.push_back(&still_there_check);
  return all;
}

bool is_check(std::string_view id) {
  return std::ranges::any_of(quick, [=](const check* each) { return each->id == id; });
}

}  // namespace trunkline::doctor
