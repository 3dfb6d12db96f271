#include "k8s/event_poster.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/limits_kubernetes.h"
#include "k8s/times.h"
#include "runtime/random.h"
#include "telemetry/utf8.h"

namespace trunkline::k8s {

namespace {

using telemetry::log_level;

/// What the API takes of `reason`, `action` and `reportingInstance`, of `note`, and of a name.
constexpr std::size_t word_bytes = 128;
constexpr std::size_t note_bytes = 1'024;
constexpr std::size_t name_bytes = 253;

/// Whole characters of it.
std::string cut(std::string text, std::size_t most) {
  if (text.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
      --most;
    text.resize(most);
  }
  return text;
}

/// So that what follows still makes a name.
std::string name_begin(const std::string& name, std::size_t most) {
  std::string made = cut(name, most);
  while (!made.empty() && (made.back() == '.' || made.back() == '-'))
    made.pop_back();
  return made;
}

json body_of(const event_note& what, const std::string& gateway, const std::string& instance) {
  const event_subject& about = what.about;
  const std::string suffix = fmt::format(".{:08x}{:08x}", load_u32(runtime::random_bytes<4>().data()),
                                         load_u32(runtime::random_bytes<4>().data()));
  return {{"apiVersion", "events.k8s.io/v1"},
          {"kind", "Event"},
          {"metadata",
           {{"name", name_begin(about.name, name_bytes - suffix.size()) + suffix},
            {"namespace", about.name_space}}},
          {"eventTime", micro_time_of(std::chrono::system_clock::now())},
          {"type", what.warning ? "Warning" : "Normal"},
          {"reason", cut(what.reason, word_bytes)},
          {"action", cut(what.action, word_bytes)},
          {"note", cut(telemetry::valid_utf8(what.text), note_bytes)},
          {"reportingController", "trunkline.dev/" + gateway},
          {"reportingInstance", cut(instance, word_bytes)},
          {"regarding",
           {{"apiVersion", about.api_version},
            {"kind", about.kind},
            {"namespace", about.name_space},
            {"name", about.name},
            {"uid", about.uid}}}};
}

std::string key_of(const event_note& what) {
  const event_subject& about = what.about;
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", about.kind, about.name_space, about.name, about.uid,
                     what.reason, what.text);
}

}  // namespace

struct event_poster::state {
  explicit state(telemetry::logger& to) : log(to) {}

  /// Room for one more now. What was posted before this is forgotten: so the table has a bound too.
  bool admit(const event_note& what, moment now) {
    if (gateway.empty()) return false;
    std::erase_if(posted, [now](const auto& each) { return now - each.second >= limits::k8s_event_again; });
    if (posted.contains(key_of(what))) return false;
    full_at = std::max(full_at, now);
    if (full_at - now > limits::k8s_event_gap * (limits::k8s_event_burst - 1)) return false;
    if (under_way >= limits::k8s_events_under_way) return false;
    full_at += limits::k8s_event_gap;
    posted.emplace(key_of(what), now);
    ++under_way;
    return true;
  }

  void answered(const api_answer& got) {
    std::lock_guard lock(mutex);
    --under_way;
    if (got.ok() == failed.empty()) return;
    failed = got.problem;
    if (got.ok()) return log.write(log_level::info, "event.ok", "");
    log.write(log_level::warning, "event.failed", got.problem + ": events on objects are lost");
  }

  telemetry::logger& log;
  std::mutex mutex;
  std::string gateway;
  std::string instance;
  std::unordered_map<std::string, moment> posted;
  moment full_at{};  // what was posted is paid for by then
  std::size_t under_way = 0;
  std::string failed;  // as the log has it
};

event_poster::event_poster(asker ask, telemetry::logger& log)
    : ask_(std::move(ask)), state_(std::make_shared<state>(log)) {}

void event_poster::configure(const std::string& gateway, const std::string& instance) {
  std::lock_guard lock(state_->mutex);
  state_->gateway = gateway;
  state_->instance = instance;
}

void event_poster::post(event_note what, moment now) {
  json body;
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->admit(what, now)) return;
    body = body_of(what, state_->gateway, state_->instance);
  }
  // Not under the lock: whoever cannot ask answers at once.
  ask_({.method = "POST",
        .target = "/apis/events.k8s.io/v1/namespaces/" + what.about.name_space + "/events",
        .body = std::move(body)},
       [state = state_](const api_answer& got) { state->answered(got); });
}

}  // namespace trunkline::k8s
