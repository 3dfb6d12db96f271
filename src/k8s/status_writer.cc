#include "k8s/status_writer.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "base/limits_kubernetes.h"
#include "k8s/times.h"
#include "telemetry/utf8.h"

namespace trunkline::k8s {

using telemetry::log_level;

namespace {

/// Of a condition's message the API takes 32 KiB; nobody reads so much.
constexpr std::size_t message_bytes = 1'024;

const json* find_condition(const json& in, std::string_view type) {
  if (!in.is_array()) return nullptr;
  for (const json& each : in)
    if (text_of(each, "type") == type) return &each;
  return nullptr;
}

json condition(std::string_view type, bool status, const std::string& reason, std::string message,
               std::int64_t generation) {
  if (message.size() > message_bytes) message.resize(message_bytes);
  return {{"type", type},
          {"status", status ? "True" : "False"},
          {"reason", reason},
          {"message", telemetry::valid_utf8(message)},
          {"observedGeneration", generation}};
}

/// Where it became bad, or good again.
std::optional<event_note> event_of(const object_fate& fate, const json& before) {
  const json* was = find_condition(before, "Accepted");
  const std::string status = was == nullptr ? "" : text_of(*was, "status");
  const bool is_news = fate.accepted ? status == "False"
                                     : status != "False" || text_of(*was, "reason") != fate.reason ||
                                           text_of(*was, "message") != fate.message;
  if (!is_news) return std::nullopt;
  return event_note{.about = {.api_version = object_version,
                              .kind = std::string(config::kind_of(fate.kind)),
                              .name_space = fate.name_space,
                              .name = fate.name,
                              .uid = fate.uid},
                    .warning = !fate.accepted,
                    .reason = fate.reason,
                    .action = "Accept",
                    .text = fate.accepted ? "the object is in force" : fate.message};
}

/// With the time of the last change. True: it is there already.
bool settle(json& made, const json* before, const std::string& time) {
  const bool same_status = before != nullptr && field_of(*before, "status") == made["status"];
  const std::string since = before == nullptr ? "" : text_of(*before, "lastTransitionTime");
  made["lastTransitionTime"] = same_status && !since.empty() ? since : time;
  return before != nullptr && *before == made;
}

}  // namespace

json conditions_of(const object_fate& fate, const json& now, const std::string& time) {
  json accepted = condition("Accepted", fate.accepted, fate.reason, fate.message, fate.generation);
  json programmed = condition("Programmed", fate.programmed, fate.programmed ? "Programmed" : "Pending", "",
                              fate.generation);
  if (!fate.accepted) {
    programmed["reason"] = "NotAccepted";
    programmed["message"] = "it is not in force at the gateway";
  } else if (!fate.programmed) {
    programmed["message"] = "the gateway could not be configured anew; its log says why";
  }
  const bool same_accepted = settle(accepted, find_condition(now, "Accepted"), time);
  const bool same_programmed = settle(programmed, find_condition(now, "Programmed"), time);
  if (same_accepted && same_programmed) return nullptr;
  json made = json::array({accepted, programmed});
  if (!now.is_array()) return made;
  for (const json& each : now) {
    const std::string type = text_of(each, "type");
    if (type != "Accepted" && type != "Programmed") made.push_back(each);
  }
  return made;
}

struct status_writer::state : std::enable_shared_from_this<status_writer::state> {
  using key = std::tuple<config::object_kind, std::string, std::string>;
  struct entry {
    object_fate fate;
    int written = 0;  // times that just this was written, of late
    moment last_written{};
    std::string sent = {};  // the version that it was last written over
    bool queued = false;
    bool under_way = false;
    bool left_alone = false;  // until it is to be told something else
  };
  struct errand {
    key which;
    api_question what;
    std::optional<event_note> event;  // where it succeeds
  };

  state(asker to, finder looks, event_poster& posts, telemetry::logger& logger, clock time)
      : ask(std::move(to)), find(std::move(looks)), events(posts), log(logger), clock_now(std::move(time)) {}

  // ---- under the lock ----

  void enqueue(const key& which, entry& of) {
    if (std::exchange(of.queued, true)) return;
    queue.push_back(which);
  }
  void enqueue_all(moment now) {
    for (auto& [which, of] : wanted)
      enqueue(which, of);
    looked_at = now;
  }

  bool may_send(moment now) {
    if (under_way >= limits::k8s_status_under_way || now < not_before) return false;
    paid_until = std::max(paid_until, now);
    return paid_until - now <= limits::k8s_status_gap * (limits::k8s_status_burst - 1);
  }

  std::vector<errand> next_errands(moment now) {
    std::vector<errand> made;
    // Each at most once: what has to wait for its watch stands in the line again.
    for (std::size_t left = queue.size(); left > 0 && may_send(now); --left) {
      const key which = std::move(queue.front());
      queue.pop_front();
      const auto found = wanted.find(which);
      if (found == wanted.end()) continue;
      found->second.queued = false;
      if (auto next = errand_for(which, found->second, now)) {
        made.push_back(std::move(*next));
        paid_until += limits::k8s_status_gap;
        ++under_way;
      }
    }
    return made;
  }

  std::optional<errand> errand_for(const key& which, entry& of, moment now) {
    if (of.under_way || of.left_alone) return std::nullopt;
    const object_fate& fate = of.fate;
    const auto known = find(fate.kind, fate.name_space, fate.name);
    // Another one of that name, or a newer one, is told when it has been judged.
    if (known == nullptr || known->what.uid != fate.uid || known->what.generation != fate.generation)
      return std::nullopt;
    json conditions = conditions_of(fate, known->conditions, time_of(std::chrono::system_clock::now()));
    if (conditions.is_null()) return std::nullopt;
    if (known->resource_version == of.sent) {
      enqueue(which, of);
      return std::nullopt;
    }
    if (now - of.last_written > limits::k8s_status_repeats_within) of.written = 0;
    if (of.written >= limits::k8s_status_repeats) {
      leave_alone(of, "somebody else changes it again and again");
      return std::nullopt;
    }
    of.sent = known->resource_version;
    of.under_way = true;
    return errand{.which = which,
                  .what = {.method = "PATCH",
                           .target = path_of(fate.kind, fate.name_space) + "/" + fate.name + "/status",
                           .body = {{"metadata", {{"resourceVersion", known->resource_version}}},
                                    {"status", {{"conditions", std::move(conditions)}}}},
                           .type = merge_patch_type},
                  .event = event_of(fate, known->conditions)};
  }

  void leave_alone(entry& of, const std::string& why) {
    of.left_alone = true;
    const std::string name = of.fate.name_space + "/" + of.fate.name;
    log.write(log_level::warning, "status.given_up", why + ": its status is left alone",
              {{"kind", config::kind_of(of.fate.kind)}, {"object", std::string_view(name)}});
  }

  void answered(const errand& of, const api_answer& got) {
    --under_way;
    const moment now = clock_now();
    complain(got, now);
    const auto found = wanted.find(of.which);
    if (found == wanted.end()) return;
    entry& one = found->second;
    one.under_way = false;
    if (got.ok()) {
      ++one.written;
      one.last_written = now;
    } else if (got.is_missing()) {
      return leave_alone(one, got.problem);
    } else if (!got.is_conflict()) {
      one.sent.clear();
    }
    // As soon as its watch has told of the newer one: it may be one that somebody else changed, or it is to
    // be told something else by now.
    enqueue(of.which, one);
  }

  /// What is no answer to one object's question is one to all.
  void complain(const api_answer& got, moment now) {
    if (got.is_conflict() || got.is_missing()) return;
    if (got.ok()) {
      failures = 0;
    } else {
      const auto wait = std::min<std::chrono::milliseconds>(
          limits::k8s_status_retry * (1 << std::min(failures, 10)), limits::k8s_status_retry_most);
      not_before = now + std::max<std::chrono::milliseconds>(wait, got.retry_after);
      ++failures;
    }
    if (got.ok() == problem.empty()) return;
    problem = got.problem;
    if (got.ok()) return log.write(log_level::info, "status.ok", "");
    log.write(log_level::warning, "status.failed",
              got.problem + ": objects are not told what became of them");
  }

  // ---- not under it ----

  void go_on(moment now) {
    std::vector<errand> next;
    {
      std::lock_guard lock(mutex);
      if (leads) next = next_errands(now);
    }
    for (errand& each : next) {
      api_question what = std::move(each.what);
      ask(std::move(what), [self = shared_from_this(), of = std::move(each)](const api_answer& got) mutable {
        {
          std::lock_guard lock(self->mutex);
          self->answered(of, got);
        }
        if (got.ok() && of.event) self->events.post(std::move(*of.event));
        self->go_on(self->clock_now());
      });
    }
  }

  const asker ask;
  const finder find;
  event_poster& events;
  telemetry::logger& log;
  const clock clock_now;
  std::mutex mutex;
  std::map<key, entry> wanted;
  std::deque<key> queue;
  moment looked_at{};
  moment not_before{};
  moment paid_until{};
  std::size_t under_way = 0;
  int failures = 0;  // in a row
  bool leads = false;
  std::string problem;  // as the log has it
};

status_writer::status_writer(asker ask, finder find, event_poster& events, telemetry::logger& log, clock now)
    : state_(std::make_shared<state>(std::move(ask), std::move(find), events, log, std::move(now))) {}

void status_writer::want(std::vector<object_fate> all) {
  state& my = *state_;
  std::lock_guard lock(my.mutex);
  auto before = std::exchange(my.wanted, {});
  for (object_fate& each : all) {
    const state::key which{each.kind, each.name_space, each.name};
    state::entry& made = my.wanted[which];
    if (const auto known = before.find(which); known != before.end()) {
      const bool same = known->second.fate == each;
      made = std::move(known->second);
      if (!same) {
        made.written = 0;
        made.left_alone = false;
        my.enqueue(which, made);
      }
    } else {
      my.enqueue(which, made);
    }
    made.fate = std::move(each);
  }
}

void status_writer::pump(bool leads) {
  const moment now = state_->clock_now();
  {
    std::lock_guard lock(state_->mutex);
    const bool begins = leads && !state_->leads;
    state_->leads = leads;
    if (!leads) return;
    if (begins || now - state_->looked_at >= limits::k8s_status_look_again) state_->enqueue_all(now);
  }
  state_->go_on(now);
}

}  // namespace trunkline::k8s
