// Everything that a run learns of one path. Owner: one loop thread; read when the run is over, and for the
// progress line.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/timer.h"
#include "storm/findings.h"
#include "storm/hdr_histogram.h"
#include "storm/stage.h"
#include "storm/timeline.h"
#include "storm/usual_wait.h"
#include "storm/workload.h"

namespace trunkline::storm {

struct untested {
  std::string what;  ///< a workload, or a part of one
  std::string why;
};

/// What the first connection found there.
struct path_facts {
  std::string server_version;
  std::string tls;                       ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  std::string address;                   ///< that was connected to
  bool takes_statement_timeout = false;  ///< as a parameter of the start-up
  bool has_cancel_key = false;
};

/// Statements that are like each other up to the first byte of an answer.
enum class protocol_kind : std::uint8_t { simple, extended };

struct tally {
  explicit tally(std::chrono::milliseconds duration) : over_time(duration) {}

  void stage_took(stage which, microseconds took) { stages[static_cast<std::size_t>(which)].record(took); }
  void answered(workload which, microseconds took) {
    answers[static_cast<std::size_t>(which)].record(took);
    over_time.answered(took);
  }
  void round_over(microseconds took, microseconds interval) {
    rounds.record(took);
    paced_rounds.record_paced(took, interval);
  }
  void logged_in(microseconds took) {
    logins.record(took);
    over_time.logged_in();
  }
  void found(finding what) {
    over_time.found();
    findings.add(std::move(what));
  }
  std::uint64_t answer_count() const {
    std::uint64_t sum = 0;
    for (const auto& each : answers)
      sum += each.count();
    return sum;
  }

  path_facts facts;
  std::array<hdr_histogram, stage_count> stages;
  std::array<hdr_histogram, workload_count> answers;
  hdr_histogram logins;
  hdr_histogram rounds;
  hdr_histogram paced_rounds;
  hdr_histogram lag;  ///< of rounds, behind the moment for which this process had planned them
  std::array<usual_wait, 2> usual{};  ///< by protocol_kind
  std::uint64_t compared = 0;         ///< statements that might have waited for a pooled connection
  finding_book findings;
  std::vector<untested> not_tested;
  timeline over_time;
  std::uint64_t rows = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t disconnects = 0;  ///< on purpose
  std::uint64_t cancels = 0;
  std::uint64_t notifications = 0;
  std::size_t most_clients = 0;
  microseconds length{0};  ///< of all runs over this path together
};

}  // namespace trunkline::storm
