// The tracker against a small model of the server: random clients, random failures, random timing.
// The model reads client messages in order and does what PostgreSQL's main loop does with them; the tracker
// sees each message when the relay would. Whenever the server has answered all, both must agree on being
// busy.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "protocol/session_tracker.h"
#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;
using namespace std::string_view_literals;

/// One client message; `fails` and `copy` are what the server will make of it.
struct request {
  char type = 'Q';
  bool fails = false;
  bool copy = false;
};

class model_server {
 public:
  /// Answers with the types it sends; a 'Z' stands for ReadyForQuery.
  std::string read(const request& message) {
    if (copying_) return read_in_copy(message);
    if (skipping_ && message.type != 'S') return {};
    switch (message.type) {
      case 'Q':
        return run(message, "TDC", "Z");
      case 'S':
        skipping_ = false;
        batch_ = false;
        return "Z";
      case 'P':
        return run(message, "1", "");
      case 'B':
        return run(message, "2", "");
      case 'D':
        return run(message, "tT", "");
      case 'E':
        return run(message, "DDC", "");
      default:
        return {};  // Flush, and CopyData, CopyDone and CopyFail outside a COPY
    }
  }

  /// What a perfect observer calls busy once all was read: the server waits for more of a request.
  bool expects_more() const { return copying_ || batch_; }
  bool copying() const { return copying_; }

 private:
  std::string run(const request& message, const std::string& answer, const std::string& ready) {
    simple_ = message.type == 'Q';
    batch_ = !simple_;
    if (message.fails) return fail();
    if (message.copy) {
      copying_ = true;
      return "G";
    }
    return answer + ready;
  }

  std::string read_in_copy(const request& message) {
    switch (message.type) {
      case 'd':
        if (!message.fails) return {};
        copying_ = false;
        return fail();
      case 'c':
        copying_ = false;
        if (message.fails) return fail();
        return simple_ ? "CZ" : "C";
      case 'f':
        copying_ = false;
        return fail();
      default:
        return {};  // Sync and Flush
    }
  }

  std::string fail() {
    if (simple_) return "EZ";
    skipping_ = true;
    return "E";
  }

  bool copying_ = false;
  bool skipping_ = false;
  bool batch_ = false;
  bool simple_ = false;
};

/// Evenly in [from, to), however far the run has come: rapidcheck begins with small numbers.
template <class Integer>
Integer pick(Integer from, Integer to) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(from, to));
}

/// What clients do: whole requests in a legal order, each message possibly ahead of the answers before it.
std::vector<request> random_script() {
  std::vector<request> script;
  const auto fails = [] { return *rc::gen::weightedElement<bool>({{6, false}, {1, true}}); };
  const auto add = [&](char type, bool copy = false) { script.push_back({type, fails(), copy}); };
  const auto copy_data = [&] {
    for (int rows = pick(0, 3); rows > 0; --rows)
      add('d');
    if (*rc::gen::arbitrary<bool>()) add('H');
    add(*rc::gen::weightedElement<char>({{3, 'c'}, {1, 'f'}}));
  };
  for (int steps = pick(1, 12); steps > 0; --steps) {
    switch (pick(0, 7)) {
      case 0:
        add('Q');
        break;
      case 1:
        add('Q', true);
        if (*rc::gen::arbitrary<bool>()) add('S');
        copy_data();
        break;
      case 2:
        for (const char type : std::string_view{"PBDES"})
          add(type);
        break;
      case 3:  // a batch of several, with Flush
        for (const char type : std::string_view{"PBEHBDES"})
          add(type);
        break;
      case 4:  // a Query ends the batch
        for (const char type : std::string_view{"PBDEQ"})
          add(type);
        add('S');
        break;
      case 5:  // COPY as libpq sends it: a Sync that is swallowed
        for (const char type : std::string_view{"PB"})
          add(type);
        add('E', true);
        if (*rc::gen::arbitrary<bool>()) add('S');
        copy_data();
        add('S');
        break;
      default:
        add('S');
    }
  }
  return script;
}

std::size_t body_size(char type) {
  return type == 'S' || type == 'H' ? 0 : 2;
}

byte_buffer answer_of(char type) {
  if (type == 'Z') return message_of('Z', "I");
  return type == 'E' ? message_of('E', "SERROR\0WCOPY t, line 1\0\0"sv) : message_of(type, 9);
}

RC_GTEST_PROP(SessionTrackerModel, AgreesWithTheServerWheneverAllIsAnswered, ()) {
  const std::vector<request> script = random_script();
  session_tracker tracker;
  model_server server;
  std::deque<request> sent;
  std::deque<char> answers;
  std::size_t next = 0;
  std::string history;  // told when it fails: what the tracker saw
  int ready_owed = 0;   // as the model knows it: ReadyForQuery produced and not delivered

  while (next < script.size() || !sent.empty() || !answers.empty()) {
    std::vector<char> possible;
    if (next < script.size()) possible.push_back('s');
    if (!sent.empty()) possible.push_back('r');
    if (!answers.empty()) possible.push_back('a');
    const char choice = possible[pick(std::size_t{0}, possible.size())];
    if (choice == 's') {
      const request& message = script[next++];
      sent.push_back(message);
      RC_ASSERT(tracker.client_bytes(message_of(message.type, body_size(message.type))) == walk_result::ok);
      history += fmt::format(" {}{}{}", message.type, message.fails ? "!" : "", message.copy ? "*" : "");
    } else if (choice == 'r') {
      for (const char type : server.read(sent.front())) {
        answers.push_back(type);
        ready_owed += type == 'Z' ? 1 : 0;
      }
      sent.pop_front();
    } else {
      ready_owed -= answers.front() == 'Z' ? 1 : 0;
      const byte_buffer message = answer_of(answers.front());
      history += fmt::format(" <{}", answers.front());
      answers.pop_front();
      RC_ASSERT(tracker.server_bytes(message) == walk_result::ok);
    }
    RC_LOG(history);
    if (ready_owed > 0 || (sent.empty() && server.expects_more())) RC_ASSERT(tracker.busy());
    if (sent.empty() && answers.empty()) RC_ASSERT(tracker.busy() == server.expects_more());
  }
}

/// Any bytes: the tracker ends in the same state however they are cut.
RC_GTEST_PROP(SessionTrackerModel, RandomChunksEqualTheWhole, ()) {
  byte_buffer stream;
  for (int i = *rc::gen::inRange(0, 40); i > 0; --i) {
    stream = stream + message_of(*rc::gen::elementOf(std::string{"QPBDECSFcdfXZGEWT123nIs"}),
                                 *rc::gen::inRange<std::size_t>(0, 90));
  }
  for (const direction way : {direction::client_to_server, direction::server_to_client}) {
    const auto feed = [&](session_tracker& tracker, byte_span bytes) {
      return way == direction::client_to_server ? tracker.client_bytes(bytes) : tracker.server_bytes(bytes);
    };
    session_tracker whole;
    session_tracker cut;
    RC_ASSERT(feed(whole, stream) == walk_result::ok);
    for (byte_span rest{stream}; !rest.empty();) {
      const auto size = std::min<std::size_t>(rest.size(), *rc::gen::inRange(1, 60));
      RC_ASSERT(feed(cut, exact(rest.first(size))) == walk_result::ok);
      rest = rest.subspan(size);
    }
    RC_ASSERT(whole.busy() == cut.busy());
    RC_ASSERT(whole.status() == cut.status());
    RC_ASSERT(whole.terminate_seen() == cut.terminate_seen());
    RC_ASSERT(whole.fatal_sqlstate() == cut.fatal_sqlstate());
    RC_ASSERT(cut.at_message_boundary(way));
  }
}

}  // namespace
}  // namespace trunkline::protocol
