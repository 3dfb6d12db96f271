// Holds random conversations with a real PostgreSQL and asks the exchange queue about every message: may it
// come now, whose answer is it, is the session at rest? Ends with 1 at the first wrong answer, and prints the
// seed that repeats it.
//
//   exchange_conformance --socket PATH --user USER --database DB [--scripts 5000] [--first 0] [--seed 1]
#include <fmt/format.h>

#include <map>
#include <memory>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "connection.h"
#include "protocol/error_scan.h"
#include "protocol/exchange_queue.h"
#include "protocol/query_messages.h"
#include "script.h"

namespace trunkline::conformance {
namespace {

using namespace std::chrono_literals;
using protocol::exchange_queue;

constexpr auto patience = 10s;
constexpr std::uint64_t scripts_per_session = 200;

struct disagreement : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct totals {
  std::uint64_t scripts = 0;
  std::uint64_t requests = 0;
  std::uint64_t answers = 0;
  std::uint64_t rests = 0;
  std::uint64_t errors = 0;
  std::uint64_t doubts = 0;  // answers that came while the queue was not certain
  std::uint64_t sessions_ended = 0;
};

/// One session with the server, and the queue that watches it.
class observed_session {
 public:
  observed_session(const std::string& socket, const std::string& user, const std::string& database,
                   totals& counts)
      : line_(socket, user, database), counts_(counts) {
    say_query(session_setup, "");
    settle();
    if (!queue_.at_rest()) throw std::runtime_error("the session cannot be set up");
  }

  /// False: the server has ended the session, as it should.
  bool run(const script& steps) {
    values_.clear();
    for (const step& each : steps) {
      say(each.message, each.value);
      if (each.then != pause::none) flush();
      if (each.then == pause::settle) settle();
      if (line_.closed()) break;
    }
    return leave() && clean();
  }

  std::string trace;  // client's types, and the server's behind a '<'

 private:
  void say(const protocol::byte_buffer& message, const std::string& value) {
    const auto type = static_cast<char>(message[0]);
    trace += fmt::format(" {}", type);
    terminated_ = terminated_ || type == 'X';
    const auto number = queue_.client_message(type, load_u32(message.data() + 1));
    if (number != 0) ++counts_.requests;
    if (number != 0 && !value.empty()) values_[number] = value;
    output_.insert(output_.end(), message.begin(), message.end());
  }
  void say_query(std::string_view sql, const std::string& value) {
    protocol::byte_buffer message;
    protocol::append_query(message, sql);
    say(message, value);
  }
  void flush() {
    line_.write(output_);
    output_.clear();
  }

  /// Reads as long as the queue says that something is to come; more must not.
  void settle() {
    flush();
    while (queue_.awaits_answer() && !line_.closed())
      hear(patience);
    while (hear(0ms)) {
    }
    if (++settled_ % 64 == 0 && hear(2ms) && queue_.awaits_answer()) settle();
    if (queue_.at_rest()) ++counts_.rests;
  }

  bool hear(std::chrono::milliseconds wait) {
    const auto message = line_.read(wait);
    if (!message) {
      if (wait >= patience && !line_.closed()) throw disagreement("an answer was to come, and none came");
      return false;
    }
    ++counts_.answers;
    trace += fmt::format(" <{}", message->type);
    check(*message);
    return true;
  }

  void check(const server_message& message) {
    const bool foreseen = queue_.expects(message.type) || !queue_.certain();
    counts_.doubts += queue_.certain() ? 0 : 1;
    auto verdict = exchange_queue::verdict::expected;
    if (message.type == 'Z') {
      verdict = queue_.ready_for_query();
    } else if (message.type == 'E') {
      verdict = take_error(message);
      if (ended_) return;
    } else {
      check_value(message);
      verdict = queue_.server_message(message.type);
    }
    if (!foreseen || verdict != exchange_queue::verdict::expected) {
      throw disagreement(fmt::format("{} was not expected", message.type));
    }
  }

  exchange_queue::verdict take_error(const server_message& message) {
    protocol::error_scan scan;
    scan.feed(message.body);
    ended_ = ended_ || scan.fatal();
    ++counts_.errors;
    return queue_.error_response({.fatal = scan.fatal(), .copy = scan.progress_of_copy()});
  }

  void check_value(const server_message& message) {
    const auto wanted = values_.find(queue_.current());
    if (message.type != 'D' || wanted == values_.end() || !queue_.certain()) return;
    const auto text = as_text(byte_span{message.body}.subspan(6));
    if (text != wanted->second) {
      throw disagreement(
          fmt::format("request {} got the row {}, not {}", queue_.current(), text, wanted->second));
    }
  }

  /// Out of whatever the script has left open: after it the queue must say that the session is at rest.
  bool leave() {
    if (!terminated_) {
      protocol::byte_buffer fail;
      protocol::message_writer{fail, 'f'}.text("the script is over");
      protocol::byte_buffer sync;
      protocol::append_sync(sync);
      say(fail, "");
      say(sync, "");
      say_query("select 'over'", "over");
    }
    flush();
    while (!line_.closed() && (terminated_ || !queue_.at_rest() || !queue_.certain())) {
      const bool in_doubt = queue_.at_rest() && !terminated_;
      if (!hear(in_doubt ? 5ms : patience) && in_doubt) resolve();
    }
    while (hear(0ms)) {
    }
    if (!line_.closed()) return true;
    if (!ended_ && !terminated_) throw disagreement("the server went without a word");
    ++counts_.sessions_ended;
    return false;
  }

  /// Two views of the session are left, and one more answer is what they differ in.
  void resolve() {
    say_query("select 'over'", "over");
    flush();
  }

  bool clean() {
    ++counts_.rests;
    const std::uint64_t errors = counts_.errors;
    say_query(session_cleanup, "");
    settle();
    return queue_.at_rest() && !line_.closed() && counts_.errors == errors;
  }

  connection line_;
  totals& counts_;
  exchange_queue queue_;
  protocol::byte_buffer output_;
  std::map<std::uint64_t, std::string> values_;
  std::uint64_t settled_ = 0;
  bool terminated_ = false;
  bool ended_ = false;
};

struct options {
  std::string socket;
  std::string user = "postgres";
  std::string database = "postgres";
  std::uint64_t scripts = 5000;
  std::uint64_t first = 0;
  std::uint64_t seed = 1;
};

int run(const options& chosen) {
  totals counts;
  std::unique_ptr<observed_session> session;
  for (std::uint64_t i = chosen.first; i < chosen.first + chosen.scripts; ++i) {
    const std::uint64_t seed = chosen.seed * 1'000'003 + i;
    try {
      if (session == nullptr || i % scripts_per_session == 0) {
        session = std::make_unique<observed_session>(chosen.socket, chosen.user, chosen.database, counts);
      }
      session->trace.clear();
      if (!session->run(random_script(seed))) session.reset();
    } catch (const disagreement& wrong) {
      fmt::print("script {} of seed {}: {}\n{}\n", i, chosen.seed, wrong.what(), session->trace);
      return 1;
    }
    ++counts.scripts;
  }
  fmt::print(
      "{} scripts, {} requests, {} answers ({} errors, {} in doubt), {} rests, {} sessions ended: no "
      "disagreement\n",
      counts.scripts, counts.requests, counts.answers, counts.errors, counts.doubts, counts.rests,
      counts.sessions_ended);
  return 0;
}

}  // namespace
}  // namespace trunkline::conformance

int main(int argc, char** argv) {
  trunkline::conformance::options chosen;
  CLI::App app{"Asks the exchange queue about every message of random conversations with a PostgreSQL."};
  app.add_option("--socket", chosen.socket, "the server's unix socket")->required();
  app.add_option("--user", chosen.user, "a role that needs no password");
  app.add_option("--database", chosen.database);
  app.add_option("--scripts", chosen.scripts, "how many conversations");
  app.add_option("--first", chosen.first, "the number of the first one, to repeat a disagreement");
  app.add_option("--seed", chosen.seed);
  CLI11_PARSE(app, argc, argv);
  try {
    return trunkline::conformance::run(chosen);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "exchange_conformance: {}\n", failure.what());
    return 2;
  }
}
