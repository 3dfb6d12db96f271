#include "audit/otlp_exporter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/limits.h"
#include "http/http_client.h"
#include "runtime/random.h"

namespace trunkline::audit {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// In place: lower case. False: not `digits` hexadecimal digits, or all of them 0.
bool make_id(std::string& id, std::size_t digits) {
  bool any = false;
  for (char& c : id) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
    any = any || c != '0';
  }
  return any && id.size() == digits;
}

std::string random_span_id() {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string id;
  for (const std::byte each : runtime::random_bytes<8>()) {
    id += hex[std::to_integer<unsigned>(each) >> 4];
    id += hex[std::to_integer<unsigned>(each) & 15];
  }
  id.front() = id.front() == '0' ? '1' : id.front();  // never all 0
  return id;
}

/// How many spans the collector refused though it took the request.
std::size_t rejected_spans(const std::string& answer) {
  const auto parsed = nlohmann::json::parse(answer, nullptr, false);
  if (!parsed.is_object()) return 0;
  const auto partial = parsed.find("partialSuccess");
  if (partial == parsed.end() || !partial->is_object()) return 0;
  const auto count = partial->find("rejectedSpans");
  if (count == partial->end()) return 0;
  if (count->is_number_unsigned()) return count->get<std::size_t>();
  std::size_t value = 0;
  if (count->is_string()) {
    const auto& text = count->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), value);
  }
  return value;
}

}  // namespace

/// One HTTP connection, used by the exporter's thread only.
class otlp_exporter::sender {
 public:
  enum class outcome : std::uint8_t { taken, again, refused };
  struct answer {
    outcome how = outcome::refused;
    milliseconds wait{0};      ///< as long as the collector asks for
    std::size_t rejected = 0;  ///< of a batch that was taken
  };

  sender(std::string endpoint, std::string ca_file)
      : endpoint_(std::move(endpoint)), client_(std::move(ca_file)) {}

  answer post(const std::string& body);
  /// A transfer under way ends at that time. Any thread.
  void end_at(clock::time_point when) { client_.end_at(when); }

 private:
  const std::string endpoint_;
  http::client client_;
};

otlp_exporter::sender::answer otlp_exporter::sender::post(const std::string& body) {
  const auto got = client_.send({.url = endpoint_,
                                 .headers = {"Content-Type: application/json"},
                                 .body = &body,
                                 .timeout = limits::otlp_timeout,
                                 .answer_bytes = limits::otlp_answer_bytes});
  if (!got) return {.how = outcome::again};
  const long status = got->status;
  if (status >= 200 && status < 300) return {.how = outcome::taken, .rejected = rejected_spans(got->body)};
  if (status != 429 && status != 502 && status != 503 && status != 504) return {.how = outcome::refused};
  return {.how = outcome::again, .wait = got->retry_after};
}

otlp_exporter::otlp_exporter(std::string endpoint, std::string ca_file)
    : sender_(std::make_unique<sender>(std::move(endpoint), std::move(ca_file))),
      thread_("otlp", [this] { serve(); }) {}

otlp_exporter::~otlp_exporter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    last_moment_ = clock::now() + limits::otlp_farewell;
  }
  sender_->end_at(last_moment_);
  changed_.notify_all();
  thread_.join();
}

void otlp_exporter::add(span_record span) {
  if (!make_id(span.trace_id, 32) || (!span.parent_span_id.empty() && !make_id(span.parent_span_id, 16))) {
    return lose(1);
  }
  const auto cut = [](std::string& text) {
    if (text.size() > limits::otlp_text_bytes) text.resize(limits::otlp_text_bytes);
  };
  cut(span.name);
  if (span.attributes.size() > limits::otlp_attributes) span.attributes.resize(limits::otlp_attributes);
  for (auto& [key, value] : span.attributes) {
    cut(key);
    cut(value);
  }
  span.end_unix_ns = std::max(span.end_unix_ns, span.start_unix_ns);
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= limits::otlp_waiting_spans) return lose(1);
    waiting_.push_back(std::move(span));
    first = waiting_.size() == 1 || waiting_.size() == limits::otlp_batch_spans;
  }
  if (first) changed_.notify_one();
}

std::vector<span_record> otlp_exporter::next_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  changed_.wait_for(lock, limits::otlp_delay,
                    [this] { return stopping_ || waiting_.size() >= limits::otlp_batch_spans; });
  const std::size_t count = std::min(waiting_.size(), limits::otlp_batch_spans);
  std::vector<span_record> batch(
      std::make_move_iterator(waiting_.begin()),
      std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  return batch;
}

bool otlp_exporter::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  const auto until = clock::now() + time;
  while (clock::now() < until) {
    // Its farewell leaves no time to be patient.
    if (stopping_ && last_moment_ < until) return false;
    changed_.wait_until(lock, until);
  }
  return true;
}

void otlp_exporter::deliver(std::vector<span_record> batch) {
  std::vector<std::string> ids(batch.size());
  for (std::string& each : ids)
    each = random_span_id();
  const std::string body = otlp_body(batch, ids);
  milliseconds wait = limits::otlp_retry;
  for (int attempt = 1;; ++attempt) {
    const sender::answer answer = sender_->post(body);
    if (answer.how == sender::outcome::taken) return lose(std::min(answer.rejected, batch.size()));
    if (answer.how == sender::outcome::refused || attempt == limits::otlp_attempts) break;
    if (!pause(std::min(std::max(wait, answer.wait), limits::otlp_retry_most))) break;
    wait *= 2;
  }
  lose(batch.size());
}

void otlp_exporter::serve() {
  for (auto batch = next_batch(); !batch.empty(); batch = next_batch())
    deliver(std::move(batch));
}

}  // namespace trunkline::audit
