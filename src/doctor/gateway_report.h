// What a trunkline on the path has seen in production, read from its API (`/api/v1/path`, `exchanges`,
// `sessions`). Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/facts.h"
#include "doctor/verdict.h"

namespace trunkline::doctor {

/// Sessions that died after a silence of more than `above` seconds, up to `up_to`.
struct idle_deaths {
  double above = 0;
  std::optional<double> up_to;  ///< nothing: it has no end
  std::uint64_t sessions = 0;
  std::string suspect;  ///< whose timer it is; empty: nobody's that is known
};

struct gateway_leg {
  std::uint64_t retransmits = 0;
  std::optional<double> mean_trip;  ///< seconds
  std::vector<idle_deaths> deaths;
};

/// Of one route, or of several together.
struct gateway_history {
  std::string route;
  std::string upstream;
  std::map<std::string, std::uint64_t> closes;  ///< sessions by the cause of their end (docs/close-causes.md)
  gateway_leg client;
  gateway_leg server;
  std::uint64_t exchanges = 0;
  std::map<std::string, double> phases;  ///< seconds of all exchanges, by where they went
  std::optional<double> gateway_p99;     ///< seconds that the gateway itself took of an exchange
};

/// Server legs that are open now.
struct gateway_endpoint {
  std::string name;
  std::uint64_t sessions = 0;
  std::uint64_t retransmits = 0;
  std::optional<double> median_trip;
};

struct gateway_record {
  std::string started;
  std::vector<gateway_history> routes;
  std::vector<gateway_endpoint> endpoints;
};

/// Of the slowest exchanges of the last minutes: how many were dominated by which phase.
struct slow_exchanges {
  std::size_t count = 0;
  std::map<std::string, std::size_t> by_meaning;
};

/// Nothing: that is no such page.
std::optional<gateway_record> read_record(std::string_view body);
std::optional<slow_exchanges> read_slow(std::string_view body);
/// The session of that name that has a server.
std::optional<gateway_session> find_session(std::string_view body, std::string_view application_name);
/// What an answer with another status says, or its status.
std::string refusal_of(long status, std::string_view body);

/// The gateway stands between two legs, so a death on one of them is isolated. Where our own session is
/// known, only its route counts.
judgements judge_gateway(const gateway_record& seen, const std::optional<slow_exchanges>& slow,
                         const std::optional<gateway_session>& own);

}  // namespace trunkline::doctor
