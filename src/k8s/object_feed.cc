#include "k8s/object_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "config/json_tree.h"
#include "k8s/times.h"

namespace trunkline::k8s {

namespace {

using config::object_kind;
using telemetry::log_level;

constexpr std::array all_kinds{object_kind::upstream, object_kind::route, object_kind::policy};

const char* plural_of(object_kind kind) {
  switch (kind) {
    case object_kind::upstream:
      return "postgresupstreams";
    case object_kind::route:
      return "postgresroutes";
    case object_kind::policy:
      return "accesspolicies";
  }
  return "";
}

std::int64_t integer_of(const json& in, std::string_view key) {
  const json& value = field_of(in, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

known_object_ptr read(object_kind kind, const json& from) {
  auto made = std::make_shared<known_object>();
  const json& metadata = field_of(from, "metadata");
  const json& spec = field_of(from, "spec");
  made->what.kind = kind;
  made->what.name_space = text_of(metadata, "namespace");
  made->what.name = text_of(metadata, "name");
  made->what.uid = text_of(metadata, "uid");
  made->what.generation = integer_of(metadata, "generation");
  made->what.created_seconds = seconds_of_time(text_of(metadata, "creationTimestamp"));
  made->resource_version = resource_version_of(from);
  made->conditions = field_of(field_of(from, "status"), "conditions");
  made->text = spec.dump(-1, ' ', false, json::error_handler_t::replace);
  auto tree = config::tree_of(spec.is_null() ? json::object() : spec);
  if (tree)
    made->what.spec = std::move(*tree);
  else
    made->unreadable = "spec: " + tree.error().text;
  return made;
}

/// An empty one: all.
std::vector<std::string> namespaces_of(const std::optional<config::kubernetes_objects>& what,
                                       const std::string& own) {
  if (!what) return {};
  const auto& named = what->namespaces;
  if (named.empty()) return {own};
  if (std::find(named.begin(), named.end(), "*") != named.end()) return {""};
  return named;
}

/// Nothing but its status, or what others note on it, differs.
bool says_the_same(const known_object& a, const known_object& b) {
  return a.what.uid == b.what.uid && a.what.generation == b.what.generation && a.text == b.text &&
         a.what.created_seconds == b.what.created_seconds;
}

}  // namespace

std::string path_of(object_kind kind, const std::string& name_space) {
  const std::string where = name_space.empty() ? "" : "namespaces/" + name_space + "/";
  return "/apis/trunkline.dev/v1alpha1/" + where + plural_of(kind);
}

/// What all watches bring. An object is in one of them only.
struct object_feed::store {
  using key = std::tuple<object_kind, std::string, std::string>;

  explicit store(telemetry::logger& to, std::function<void()> listener)
      : log(to), changed(std::move(listener)) {}

  /// True: something is to be read anew.
  bool put(known_object_ptr made) {
    auto& known = objects[{made->what.kind, made->what.name_space, made->what.name}];
    const bool differs = known == nullptr || !says_the_same(*known, *made);
    known = std::move(made);
    return differs;
  }

  telemetry::logger& log;
  const std::function<void()> changed;
  mutable std::mutex mutex;
  mutable std::condition_variable answered;
  std::map<key, known_object_ptr> objects;
  bool over = false;  // the feed is gone
};

/// One watch: a kind in one namespace, or in all.
class object_feed::sink final : public object_sink {
 public:
  sink(object_kind kind, std::string name_space, std::shared_ptr<store> to)
      : kind_(kind), name_space_(std::move(name_space)), to_(std::move(to)) {}

  void replace(std::vector<json> all) override {
    bool differs = false;
    {
      std::lock_guard lock(to_->mutex);
      if (retired_) return;
      std::set<store::key> there;
      for (const json& each : all) {
        auto made = read(kind_, each);
        there.emplace(kind_, made->what.name_space, made->what.name);
        differs = to_->put(std::move(made)) || differs;
      }
      differs = std::erase_if(to_->objects,
                              [&](const auto& each) {
                                return is_mine(each.first) && !there.contains(each.first);
                              }) > 0 ||
                differs;
    }
    answer("");
    if (differs) tell();
  }
  void put(const json& object) override {
    auto made = read(kind_, object);
    bool differs = false;
    {
      std::lock_guard lock(to_->mutex);
      if (retired_) return;
      const bool is_new = !to_->objects.contains({kind_, made->what.name_space, made->what.name});
      if (!is_new || to_->objects.size() < limits::k8s_objects) differs = to_->put(std::move(made));
    }
    if (differs) tell();
  }
  void remove(const json& object) override {
    bool differs = false;
    {
      std::lock_guard lock(to_->mutex);
      if (retired_) return;
      differs = to_->objects.erase(
                    {kind_, text_of(field_of(object, "metadata"), "namespace"), name_of(object)}) > 0;
    }
    if (differs) tell();
  }
  void confirmed(moment now) override {
    {
      std::lock_guard lock(to_->mutex);
      confirmed_ = now;
    }
    answer("");
  }
  void failed(const std::string& why) override { answer(why); }

  object_kind kind() const { return kind_; }
  const std::string& name_space() const { return name_space_; }
  // Under the store's lock:
  bool answered() const { return answered_; }
  std::optional<moment> confirmed_at() const { return confirmed_; }
  const std::string& problem() const { return problem_; }
  bool is_mine(const store::key& which) const {
    return std::get<0>(which) == kind_ && (name_space_.empty() || std::get<1>(which) == name_space_);
  }
  void retire() { retired_ = true; }

 private:
  void tell() {
    std::lock_guard lock(to_->mutex);
    if (!to_->over && !retired_) to_->changed();
  }
  void answer(const std::string& why) {
    std::lock_guard lock(to_->mutex);
    answered_ = true;
    to_->answered.notify_all();
    if (why.empty() == problem_.empty() || retired_) return;
    problem_ = why;
    const std::string_view kind = config::kind_of(kind_);
    const std::string_view where = name_space_.empty() ? "*" : std::string_view(name_space_);
    if (why.empty()) {
      to_->log.write(log_level::info, "objects.ok", "", {{"kind", kind}, {"namespace", where}});
      return;
    }
    const bool missing = why.find("status 404") != std::string::npos;
    to_->log.write(
        log_level::warning, "objects.failed",
        missing ? why + ": is the CustomResourceDefinition installed? What was known before stays in force"
                : why + ": what was known before stays in force",
        {{"kind", kind}, {"namespace", where}});
  }

  const object_kind kind_;
  const std::string name_space_;  // empty: all
  const std::shared_ptr<store> to_;
  bool answered_ = false;
  bool retired_ = false;
  std::optional<moment> confirmed_;
  std::string problem_;
};

object_feed::object_feed(watch_starter watch, telemetry::logger& log, std::function<void()> changed)
    : watch_(std::move(watch)), store_(std::make_shared<store>(log, std::move(changed))) {}

object_feed::~object_feed() {
  std::lock_guard lock(store_->mutex);
  store_->over = true;
}

void object_feed::configure(const std::optional<config::kubernetes_objects>& what, const std::string& own) {
  if (what == wanted_ && own == own_) return;
  wanted_ = what;
  own_ = own;
  watches_.clear();
  std::vector<std::shared_ptr<sink>> made;
  for (const object_kind kind : all_kinds) {
    for (const std::string& each : namespaces_of(what, own))
      made.push_back(std::make_shared<sink>(kind, each, store_));
  }
  {
    std::lock_guard lock(store_->mutex);
    sinks_.swap(made);
    for (const auto& each : made)
      each->retire();
    // What nobody tells of any more is known no more.
    std::erase_if(store_->objects, [this](const auto& each) {
      return std::none_of(sinks_.begin(), sinks_.end(),
                          [&](const auto& one) { return one->is_mine(each.first); });
    });
  }
  for (const auto& each : sinks_)
    watches_.push_back(
        watch_({.path = path_of(each->kind(), each->name_space()), .labels = what->labels}, each));
}

bool object_feed::wait_for_first(std::chrono::milliseconds at_most) const {
  std::unique_lock lock(store_->mutex);
  return store_->answered.wait_for(lock, at_most, [this] {
    return std::all_of(sinks_.begin(), sinks_.end(), [](const auto& each) { return each->answered(); });
  });
}

std::vector<known_object_ptr> object_feed::now() const {
  std::lock_guard lock(store_->mutex);
  std::vector<known_object_ptr> all;
  all.reserve(store_->objects.size());
  for (const auto& [key, each] : store_->objects)
    all.push_back(each);
  return all;
}

known_object_ptr object_feed::find(object_kind kind, const std::string& name_space,
                                   const std::string& name) const {
  std::lock_guard lock(store_->mutex);
  const auto found = store_->objects.find({kind, name_space, name});
  return found == store_->objects.end() ? nullptr : found->second;
}

std::vector<kind_state> object_feed::states() const {
  std::lock_guard lock(store_->mutex);
  std::vector<kind_state> made;
  for (const object_kind kind : all_kinds) {
    kind_state one;
    one.kind = kind;
    bool all_confirmed = true;
    bool any = false;
    for (const auto& each : sinks_) {
      if (each->kind() != kind) continue;
      any = true;
      all_confirmed = all_confirmed && each->confirmed_at();
      if (each->confirmed_at())
        one.confirmed =
            one.confirmed ? std::min(*one.confirmed, *each->confirmed_at()) : *each->confirmed_at();
      if (!each->problem().empty()) one.problem = each->problem();
    }
    if (!any) continue;
    if (!all_confirmed) one.confirmed.reset();
    one.objects = static_cast<std::size_t>(
        std::count_if(store_->objects.begin(), store_->objects.end(),
                      [kind](const auto& each) { return std::get<0>(each.first) == kind; }));
    made.push_back(std::move(one));
  }
  return made;
}

}  // namespace trunkline::k8s
