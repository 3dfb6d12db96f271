// Single questions to the API server about requests for access: what they tell of its clock, and whether it
// can be asked at all. One that did not answer is left alone for a while, so that nobody waits for it again
// and again. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "grants/record.h"
#include "grants/store.h"
#include "k8s/api_question.h"
#include "k8s/server_clock.h"

namespace trunkline::k8s {

/// How questions are asked: as api_client does, or as a test likes.
struct request_lines {
  std::function<api_answer(api_question)> ask_and_wait;
  std::function<void(api_question, api_reply)> ask;
};

class request_talk : public std::enable_shared_from_this<request_talk> {
 public:
  explicit request_talk(request_lines by);

  /// Waits for the answer, up to limits::k8s_store_timeout. Not on the client's thread.
  api_answer ask(api_question what);
  /// The same without waiting. `told` is called on the client's thread, unless nobody talks any more.
  void send(api_question what, api_reply told);

  /// The API server's clock; this machine's until it is known.
  grants::wall_time now() const;
  /// What is wrong; empty: the last question was answered.
  std::string problem() const;
  /// The API server is heard again, by a watch.
  void heard();

 private:
  using moment = std::chrono::steady_clock::time_point;

  void note(const api_answer& got, moment sent);

  const request_lines by_;
  mutable std::mutex mutex_;
  server_clock clock_;
  std::string problem_;
  moment rests_until_{};
};

/// What an answer that is no success means for a store.
grants::store_failure failure_of(const api_answer& got);

}  // namespace trunkline::k8s
