#include "k8s/lease.h"

#include <algorithm>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "base/limits_kubernetes.h"
#include "k8s/times.h"

namespace trunkline::k8s {

using telemetry::log_level;

namespace {

using std::chrono::seconds;

/// A lease that says more is not believed.
constexpr std::int64_t longest_seconds = 3'600;

std::int64_t number_of(const json& in, std::string_view key) {
  const json& value = field_of(in, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

}  // namespace

struct lease::state : std::enable_shared_from_this<lease::state> {
  state(asker to, telemetry::logger& logger, std::string who, clock time)
      : ask(std::move(to)), log(logger), identity(std::move(who)), now(std::move(time)) {}

  bool held() const { return renewed && now() - *renewed < limits::k8s_lease_renew_deadline; }
  bool ours() const { return text_of(field_of(known, "spec"), "holderIdentity") == identity; }
  std::string path() const { return "/apis/coordination.k8s.io/v1/namespaces/" + name_space + "/leases"; }

  // ---- what is known ----

  void observe(json object) {
    const bool same = resource_version_of(object) == resource_version_of(known);
    known = std::move(object);
    if (!same) observed_at = now();
  }
  /// Nobody has it, or whoever had it was not heard of for its whole time.
  bool is_free() const {
    const json& spec = field_of(known, "spec");
    if (text_of(spec, "holderIdentity").empty() || ours()) return true;
    const seconds lasts(
        std::clamp<std::int64_t>(number_of(spec, "leaseDurationSeconds"), 1, longest_seconds));
    return now() - observed_at >= lasts;
  }

  // ---- what is asked ----

  json spec_of(bool taken) const {
    const std::string time = micro_time_of(std::chrono::system_clock::now());
    json spec = field_of(known, "spec");
    if (!spec.is_object()) spec = json::object();
    const bool changes_hands = taken && !ours();
    const std::int64_t hands =
        number_of(spec, "leaseTransitions") + (changes_hands && !known.is_null() ? 1 : 0);
    if (changes_hands || !taken) spec["acquireTime"] = time;
    spec["holderIdentity"] = taken ? identity : "";
    spec["leaseDurationSeconds"] =
        taken ? std::chrono::duration_cast<seconds>(limits::k8s_lease_time).count() : std::int64_t{1};
    spec["renewTime"] = time;
    spec["leaseTransitions"] = hands;
    return spec;
  }
  /// Made where there is none, else replaced in the version that is known, so that of two who try one fails.
  api_question write(bool taken) const {
    json object = known;
    if (known.is_null())
      object = {{"apiVersion", "coordination.k8s.io/v1"},
                {"kind", "Lease"},
                {"metadata", {{"name", name}, {"namespace", name_space}}}};
    object["spec"] = spec_of(taken);
    const bool is_new = known.is_null();
    return {.method = is_new ? "POST" : "PUT",
            .target = is_new ? path() : path() + "/" + name,
            .body = std::move(object)};
  }

  // ---- what is answered; under the lock ----

  /// Nothing, or what to ask next.
  std::optional<api_question> looked(const api_answer& got) {
    if (got.is_missing()) {
      known = nullptr;
      return write(true);
    }
    if (!got.ok()) return complain(got.problem);
    complain("");
    observe(got.body);
    if (is_free()) return write(true);
    due = now() + limits::k8s_lease_retry;
    return std::nullopt;
  }
  void wrote(const api_answer& got, moment sent) {
    due = now() + limits::k8s_lease_retry;
    fresh = got.ok();
    if (got.is_conflict()) return;  // somebody was quicker: look who it is
    if (!got.ok()) return (void)complain(got.problem);
    complain("");
    observe(got.body);
    if (ours()) renewed = sent;  // not when it was answered: others count from before that
    tell();
  }
  std::optional<api_question> complain(const std::string& why) {
    due = now() + limits::k8s_lease_retry;
    if (why.empty() == problem.empty()) return std::nullopt;
    problem = why;
    const std::string_view which = name;
    if (why.empty())
      log.write(log_level::info, "lease.ok", "", {{"lease", which}});
    else
      log.write(log_level::warning, "lease.failed", why, {{"lease", which}});
    return std::nullopt;
  }
  /// Who leads has changed.
  void tell() {
    if (held() == leads) return;
    leads = held();
    log.write(log_level::info, leads ? "lease.taken" : "lease.lost",
              leads ? "this replica writes status and events" : "another replica may write status and events",
              {{"lease", std::string_view(name)}});
  }

  const asker ask;
  telemetry::logger& log;
  const std::string identity;
  const clock now;
  mutable std::mutex mutex;
  std::string name_space;
  std::string name;
  std::uint64_t epoch = 0;  // answers to earlier ones are of another lease
  json known = nullptr;
  moment observed_at{};
  std::optional<moment> renewed;
  moment due{};
  bool under_way = false;
  bool fresh = false;  // `known` is what we last wrote
  bool leads = false;  // as the log has it
  std::string problem;

  void send(api_question what, bool writes) {
    const moment sent = now();
    ask(std::move(what), [self = shared_from_this(), writes, sent, of = epoch](const api_answer& got) {
      std::unique_lock lock(self->mutex);
      if (of != self->epoch) return;
      std::optional<api_question> next;
      if (writes)
        self->wrote(got, sent);
      else
        next = self->looked(got);
      self->under_way = next.has_value();
      lock.unlock();
      if (next) self->send(std::move(*next), true);
    });
  }
};

lease::lease(asker ask, telemetry::logger& log, std::string identity, clock now)
    : ask_(ask), state_(std::make_shared<state>(std::move(ask), log, std::move(identity), std::move(now))) {}

void lease::configure(const std::string& name_space, const std::string& name) {
  state& my = *state_;
  std::lock_guard lock(my.mutex);
  if (my.name_space == name_space && my.name == name) return;
  my.name_space = name_space;
  my.name = name;
  ++my.epoch;
  my.known = nullptr;
  my.renewed.reset();
  my.under_way = my.fresh = my.leads = false;
  my.due = {};
  my.problem.clear();
}

void lease::tick() {
  state& my = *state_;
  std::unique_lock lock(my.mutex);
  my.tell();
  if (my.name.empty() || my.under_way || my.now() < my.due) return;
  my.under_way = true;
  const bool keeps = my.fresh && my.held() && my.ours();
  api_question next = keeps ? my.write(true) : api_question{.target = my.path() + "/" + my.name};
  lock.unlock();
  my.send(std::move(next), keeps);
}

bool lease::is_held() const {
  std::lock_guard lock(state_->mutex);
  return state_->held();
}

std::string lease::holder() const {
  std::lock_guard lock(state_->mutex);
  return text_of(field_of(state_->known, "spec"), "holderIdentity");
}

void lease::release(std::chrono::milliseconds at_most) {
  state& my = *state_;
  api_question last;
  {
    std::lock_guard lock(my.mutex);
    const bool held = my.held() && my.ours() && !my.name.empty();
    ++my.epoch;
    my.renewed.reset();
    const std::string name = std::exchange(my.name, "");
    if (!held) return;
    my.name = name;
    last = my.write(false);
    my.name.clear();
  }
  auto over = std::make_shared<std::promise<void>>();
  ask_(std::move(last), [over](const api_answer&) { over->set_value(); });
  over->get_future().wait_for(at_most);
}

}  // namespace trunkline::k8s
