#include "k8s/request_store.h"

#include <algorithm>
#include <utility>

#include "base/limits_kubernetes.h"
#include "k8s/access_request_text.h"
#include "telemetry/utf8.h"

namespace trunkline::k8s {

namespace {

using grants::record;
using grants::store_failure;
using grants::stored;
using grants::wall_time;

/// So many names are tried for one request; each time somebody else was there first.
constexpr int names_tried = 16;

std::unexpected<store_failure> conflict() {
  return std::unexpected(store_failure{store_failure::kind::conflict, "somebody else was faster"});
}

/// JSON has no other texts, and two names that become one would be one subject.
bool is_text(const grants::subject& what) {
  const std::string* const parts[] = {&what.principal, &what.policy,   &what.terms,
                                      &what.route,     &what.database, &what.user};
  return std::all_of(std::begin(parts), std::end(parts),
                     [](const std::string* each) { return telemetry::valid_utf8(*each) == *each; });
}

/// Nobody has made a request of it. What was read of it before that is of no use to a write that comes later.
bool is_wish(const request_cache& known, const std::string& place) {
  const auto all = known.wishes();
  return std::any_of(all.begin(), all.end(), [&](const grants::wish& each) { return each.place == place; });
}

}  // namespace

request_store::request_store(parts with)
    : with_(std::move(with)),
      talk_(std::make_shared<request_talk>(with_.ask)),
      known_(std::make_shared<request_cache>(with_.scope, [talk = talk_] { return talk->now(); })),
      leases_(talk_, with_.scope),
      guard_(*talk_) {}

request_store::~request_store() {
  known_->listen(nullptr);
}

std::string request_store::collection_of(const std::string& name_space) const {
  return std::string(requests_api) + (name_space.empty() ? "" : "/namespaces/" + name_space) +
         "/accessrequests";
}

std::string request_store::target(const place_of& of) const {
  return collection_of(of.name_space) + "/" + of.name;
}

// ---- what is known ----

void request_store::look_in(const std::vector<std::string>& namespaces) {
  std::vector<std::string> wanted{with_.scope.name_space};
  for (const std::string& each : namespaces)
    if (std::find(wanted.begin(), wanted.end(), each) == wanted.end()) wanted.push_back(each);
  if (std::find(wanted.begin(), wanted.end(), "*") != wanted.end()) wanted = {""};
  std::lock_guard lock(mutex_);
  for (const std::string& each : wanted) {
    const auto same = std::find_if(watched_.begin(), watched_.end(),
                                   [&](const looked& one) { return one.name_space == each; });
    if (same != watched_.end()) continue;
    auto sink = std::make_shared<request_sink>(known_, each, [talk = talk_, bell = bell_](bool works) {
      if (works) talk->heard();
      const std::lock_guard rung(bell->mutex);
      bell->rung.notify_all();
    });
    auto watch = with_.watch({.path = collection_of(each)}, sink);
    watched_.push_back({.name_space = each, .sink = std::move(sink), .watch = std::move(watch)});
  }
  std::erase_if(watched_, [&](const looked& one) {
    return std::find(wanted.begin(), wanted.end(), one.name_space) == wanted.end();
  });
}

/// What is known is all there is: anywhere, or in that namespace.
stored<> request_store::ready(const std::string& name_space) {
  std::string why =
      "requests of namespace " + name_space + " are not looked for: kubernetes.objects.namespaces";
  std::lock_guard lock(mutex_);
  for (const looked& each : watched_) {
    if (!name_space.empty() && !each.name_space.empty() && each.name_space != name_space) continue;
    if (each.sink->is_listed()) return {};
    why = each.sink->problem();
    if (why.empty()) why = "the API server has not yet listed the requests";
  }
  return std::unexpected(store_failure{store_failure::kind::busy, std::move(why)});
}

void request_store::wait_until(std::chrono::steady_clock::time_point when) const {
  const auto done = [this] {
    std::lock_guard lock(mutex_);
    return std::all_of(watched_.begin(), watched_.end(), [](const looked& each) {
      return each.sink->is_listed() || !each.sink->problem().empty();
    });
  };
  std::unique_lock lock(bell_->mutex);
  bell_->rung.wait_until(lock, when, done);
}

bool request_store::listen(std::function<void()> changed) {
  known_->listen(std::move(changed));
  return true;
}

std::string request_store::problem() {
  for (const std::string& each : known_->take_problems())
    with_.log.write(telemetry::log_level::warning, "access", each);
  if (auto why = talk_->problem(); !why.empty()) return why;
  std::lock_guard lock(mutex_);
  for (const looked& each : watched_)
    if (auto why = each.sink->problem(); !why.empty()) return why;
  return "";
}

stored<std::optional<record>> request_store::find(std::int64_t id) {
  if (auto listed = ready(); !listed) return std::unexpected(listed.error());
  return known_->find(id);
}

stored<std::optional<record>> request_store::find_live(const grants::subject& what) {
  if (auto listed = ready(namespace_of_route(what.route, with_.scope)); !listed)
    return std::unexpected(listed.error());
  return known_->find_live(subject_key(what, with_.scope));
}

stored<std::vector<record>> request_store::live() {
  if (auto listed = ready(); !listed) return std::unexpected(listed.error());
  return known_->live();
}

stored<std::vector<record>> request_store::changed_since(std::int64_t version, std::size_t most) {
  return known_->changed_since(version, most);
}

stored<std::vector<record>> request_store::latest(std::size_t most) {
  if (auto listed = ready(); !listed) return std::unexpected(listed.error());
  return known_->latest(most);
}

// ---- writing ----

api_answer request_store::put_status(const place_of& of, json status) {
  return talk_->ask({.method = "PUT",
                     .target = target(of) + "/status",
                     .body = {{"apiVersion", "trunkline.dev/v1alpha1"},
                              {"kind", "AccessRequest"},
                              {"metadata",
                               {{"name", of.name},
                                {"namespace", of.name_space},
                                {"uid", of.uid},
                                {"resourceVersion", of.version}}},
                              {"status", std::move(status)}}});
}

/// As it is now.
stored<> request_store::look_again(const place_of& of) {
  const auto got = talk_->ask({.target = target(of)});
  if (got.is_missing()) {
    known_->remove(of.name_space + "/" + of.name);
    return {};
  }
  if (!got.ok()) return std::unexpected(failure_of(got));
  (void)known_->answered(got.body);
  return {};
}

/// Conflict: it is another one by now, and known as such.
stored<record> request_store::write(const place_of& of, record what) {
  what.id = request_number(of.uid);
  const auto got = put_status(of, status_of(what, with_.scope, of.generation));
  if (got.is_conflict() || got.is_missing()) {
    if (auto again = look_again(of); !again) return std::unexpected(again.error());
    return conflict();
  }
  if (!got.ok()) return std::unexpected(failure_of(got));
  // Not what is known by now: that may be another gateway's, which tells of it itself.
  auto made = known_->answered(got.body);
  if (!made) return conflict();  // not what was written
  return std::move(*made);
}

stored<std::vector<record>> request_store::update(std::vector<record> changed) {
  std::vector<record> written;
  for (record& each : changed) {
    const auto place = known_->at(each.id);
    if (!place || place->number != each.version) continue;
    auto put = write(*place, std::move(each));
    if (put) {
      written.push_back(std::move(*put));
    } else if (put.error().what != store_failure::kind::conflict) {
      // What is written is written; the rest is tried again.
      if (written.empty()) return std::unexpected(put.error());
      break;
    }
  }
  return written;
}

/// Upon an object that somebody has made.
stored<record> request_store::create_on(record draft) {
  const auto place = known_->at(draft.place);
  if (!place || !is_wish(*known_, draft.place)) return conflict();
  return write(*place, std::move(draft));
}

/// Nothing: the name is somebody else's.
stored<std::optional<record>> request_store::create_at(const record& draft, const std::string& name) {
  const std::string name_space = namespace_of_route(draft.what.route, with_.scope);
  const auto got = talk_->ask({.method = "POST",
                               .target = collection_of(name_space),
                               .body = {{"apiVersion", "trunkline.dev/v1alpha1"},
                                        {"kind", "AccessRequest"},
                                        {"metadata", {{"name", name}, {"namespace", name_space}}},
                                        {"spec", spec_of(draft, with_.scope)}}});
  place_of place;
  place.name_space = name_space;
  place.name = name;
  if (got.is_conflict()) {
    if (auto again = look_again(place); !again) return std::unexpected(again.error());
    return std::nullopt;
  }
  if (!got.ok()) return std::unexpected(failure_of(got));
  (void)known_->answered(got.body);
  const auto made = known_->at(place.name_space + "/" + name);
  // Another gateway may have gone on with it meanwhile.
  if (!made || made->version != resource_version_of(got.body)) return std::nullopt;
  auto put = write(*made, draft);
  if (!put) return std::unexpected(put.error());
  return std::move(*put);
}

stored<record> request_store::create(record draft) {
  if (auto listed = ready(namespace_of_route(draft.what.route, with_.scope)); !listed)
    return std::unexpected(listed.error());
  if (!is_text(draft.what))
    return std::unexpected(store_failure{store_failure::kind::refused,
                                         "names that are not UTF-8 cannot be asked for in Kubernetes"});
  if (!draft.place.empty()) return create_on(std::move(draft));
  const std::string subject = subject_key(draft.what, with_.scope);
  const std::string name_space = namespace_of_route(draft.what.route, with_.scope);
  const std::string base = object_base(draft.what, with_.scope);
  for (int i = 0; i < names_tried; ++i) {
    // The name first: what somebody else makes from here on either is seen below, or has this very name.
    const std::string name = base + "-" + std::to_string(known_->next_name(name_space, base));
    if (known_->find_live(subject)) return conflict();
    // One that was begun is gone on with: nobody else would.
    if (const auto begun = known_->draft_of(subject)) return write(*begun, std::move(draft));
    auto made = create_at(draft, name);
    if (!made) return std::unexpected(made.error());
    if (*made) return std::move(**made);
  }
  return std::unexpected(
      store_failure{store_failure::kind::busy, "every name for this request is somebody else's"});
}

// ---- what is over ----

stored<> request_store::end_drafts(wall_time before) {
  for (const place_of& each : known_->drafts(before)) {
    const auto got =
        put_status(each, refused_status(grants::state::withdrawn, "the gateway that made it has gone",
                                        talk_->now(), with_.scope, each.generation));
    if (got.ok()) (void)known_->answered(got.body);
    if (!got.ok() && !got.is_conflict() && !got.is_missing()) return std::unexpected(failure_of(got));
  }
  return {};
}

stored<std::size_t> request_store::forget(wall_time before, std::size_t most) {
  if (auto listed = ready(); !listed) return std::unexpected(listed.error());
  const wall_time now = talk_->now();
  if (auto ended = end_drafts(now - limits::k8s_request_begun); !ended) return std::unexpected(ended.error());
  if (auto silent = leases_.forget(now - limits::k8s_lease_kept); !silent)
    return std::unexpected(silent.error());
  std::size_t count = 0;
  for (const place_of& each : known_->to_forget(before, std::min(most, limits::k8s_requests_kept))) {
    if (count == limits::k8s_forget_batch) break;
    const auto got = talk_->ask(
        {.method = "DELETE",
         .target = target(each),
         .body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", each.uid}}}}});
    if (!got.ok() && !got.is_missing() && !got.is_conflict()) return std::unexpected(failure_of(got));
    known_->remove(each.name_space + "/" + each.name);
    ++count;
  }
  return count;
}

stored<> request_store::tell_alive(const std::string& gateway, wall_time until) {
  return leases_.tell_alive(gateway, until);
}

stored<std::set<std::string>> request_store::alive(wall_time now) {
  return leases_.alive(now);
}

// ---- what people write ----

stored<std::vector<grants::wish>> request_store::wishes() {
  std::vector<grants::wish> made;
  for (grants::wish& each : known_->wishes()) {
    const auto place = known_->at(each.place);
    if (!place) continue;
    const auto gap = guard_.admission_gap(place->created);
    if (!gap) return std::unexpected(gap.error());
    if (gap->empty()) {
      made.push_back(std::move(each));
      continue;
    }
    if (auto refused = refuse(each, "requests in objects do not count: " + *gap); !refused)
      return std::unexpected(refused.error());
  }
  return made;
}

stored<> request_store::refuse(const grants::wish& what, const std::string& why) {
  const auto place = known_->at(what.place);
  if (!place || !is_wish(*known_, what.place)) return {};
  const auto got = put_status(
      *place, refused_status(grants::state::denied, why, talk_->now(), with_.scope, place->generation));
  if (got.is_conflict() || got.is_missing()) return look_again(*place);
  if (!got.ok()) return std::unexpected(failure_of(got));
  (void)known_->answered(got.body);
  return {};
}

stored<std::string> request_store::objection(const record& of, const grants::written_answer& what) {
  const auto place = known_->at(of.id);
  if (!place) return "its object is gone";
  return guard_.objection(*place, what);
}

}  // namespace trunkline::k8s
