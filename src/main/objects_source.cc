#include "main/objects_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/limits_kubernetes.h"
#include "base/seconds.h"
#include "k8s/own_namespace.h"
#include "main/replica_number.h"
#include "runtime/random.h"
#include "session/file_parts.h"

namespace trunkline::main {

using std::chrono::steady_clock;
using telemetry::log_level;

namespace {

/// Of this process and no other, also where another one of the same host takes over from it.
std::string own_identity() {
  return fmt::format("{}_{:08x}", own_host_name(), load_u32(runtime::random_bytes<4>().data()));
}

k8s::object_fate fate_of(const config::object_verdict& from) {
  return {.kind = from.kind,
          .name_space = from.name_space,
          .name = from.name,
          .uid = from.uid,
          .generation = from.generation,
          .accepted = from.accepted(),
          .reason = std::string(config::reason_name(from.why)),
          .message = from.message,
          .programmed = false};
}

struct event_words {
  const char* reason;
  const char* text;
  bool warning;
};

event_words words_of(pool::upstream_news::event what) {
  using event = pool::upstream_news::event;
  switch (what) {
    case event::endpoint_up:
      return {"EndpointUp", "accepts sessions again", false};
    case event::endpoint_down:
      return {"EndpointDown", "is down", true};
    case event::endpoint_foreign:
      return {"EndpointForeign", "is not one of these servers", true};
    case event::primary_lost:
      return {"PrimaryLost", "no primary is known", true};
    case event::primary_found:
      return {"PrimaryFound", "is the primary", false};
  }
  return {"Unknown", "", false};
}

k8s::event_note event_of(const pool::upstream_news& news, const config::config_object& about) {
  const event_words words = words_of(news.what);
  std::string text = news.endpoint.empty() ? words.text : news.endpoint + " " + words.text;
  if (!news.said.empty()) text += ": " + news.said;
  return {.about = {.api_version = k8s::object_version,
                    .kind = std::string(config::kind_of(about.kind)),
                    .name_space = about.name_space,
                    .name = about.name,
                    .uid = about.uid},
          .warning = words.warning,
          .reason = words.reason,
          .action = "Watch",
          .text = std::move(text)};
}

}  // namespace

objects_source::objects_source(std::string file, process_parts& parts, std::function<void()> wake)
    : file_(std::move(file)),
      parts_(parts),
      wake_(std::move(wake)),
      feed_(parts.kubernetes.watcher(), parts.log, [this] { changed(); }),
      secrets_(parts.kubernetes.watcher(), parts.log, [this] { changed(); }),
      lease_(parts.kubernetes.asker(), parts.log, own_identity()),
      writer_(
          parts.kubernetes.asker(),
          [this](config::object_kind kind, const std::string& name_space, const std::string& name) {
            return feed_.find(kind, name_space, name);
          },
          parts.kubernetes.events(), parts.log) {
  parts_.told_of_upstream = [this](const pool::upstream_news& news) { tell(news); };
}

// ---- when ----

/// On the client's thread.
void objects_source::changed() {
  std::int64_t nothing = 0;
  const auto now = steady_clock::now().time_since_epoch();
  if (changed_at_ns_.compare_exchange_strong(nothing, std::chrono::nanoseconds(now).count())) wake_();
}

/// Soon, so that what changes together is loaded together; where loading takes long and changes do not end,
/// half of the time is for everything else.
std::optional<objects_source::moment> objects_source::due() const {
  const std::chrono::nanoseconds at(changed_at_ns_.load());
  if (at.count() == 0) return std::nullopt;
  const moment gathered(std::chrono::duration_cast<steady_clock::duration>(at + limits::k8s_gather));
  return std::max(gathered, loaded_at_ + last_load_);
}

// ---- what ----

void objects_source::follow(const config::kubernetes_section& how) {
  followed_ = how;
  parts_.kubernetes.configure(how.access, how.presence);
  const std::string own = k8s::own_namespace(how.presence);
  feed_.configure(how.presence.objects, own);
  lease_.configure(own, how.presence.objects && !own.empty() ? "trunkline-" + how.presence.gateway : "");
}

config::loaded objects_source::load(std::uint64_t generation) {
  const auto began = steady_clock::now();
  changed_at_ns_.store(0);
  // What is wrong with it, the load tells.
  if (const auto how = config::read_kubernetes_section(file_)) follow(*how);
  if (first_ && followed_.presence.objects && !feed_.wait_for_first(limits::k8s_first_answers))
    parts_.log.write(log_level::warning, "objects.late",
                     "the API server has not told the objects in time: the gateway begins without them");
  config::combined made = read(generation);
  if (secrets_.waits()) {
    secrets_.wait(first_ ? limits::k8s_first_answers : limits::k8s_secret_wait);
    made = read(generation);
  }
  first_ = false;
  judge(made);
  loaded_at_ = steady_clock::now();
  last_load_ = loaded_at_ - began;
  return std::move(made.all);
}

config::combined objects_source::read(std::uint64_t generation) {
  secrets_.begin();
  unreadable_.clear();
  std::vector<config::config_object> objects;
  for (const auto& each : feed_.now()) {
    if (each->unreadable.empty())
      objects.push_back(each->what);
    else
      unreadable_.push_back(each);
  }
  config::load_options options;
  options.generation = generation;
  options.secret = [this](const config::secret_reference& which) { return secrets_.path_of(which); };
  options.examine = [this](const config::settings& of, bool is_route, std::size_t index) {
    return examine(of, is_route, index);
  };
  return config::load_file_with(file_, objects, options);
}

/// Which descriptor a Secret stands behind is nobody's business.
std::string objects_source::examine(const config::settings& of, bool is_route, std::size_t index) {
  std::string wrong = is_route ? session::examine(parts_.files, of.routes[index])
                               : session::examine(parts_.files, of.upstreams[index]);
  if (wrong.empty()) return wrong;
  for (const config::secret_file& each : of.secret_files) {
    const auto at = wrong.find(each.path);
    // Not the beginning of another one's.
    if (at == std::string::npos || std::isdigit(static_cast<unsigned char>(wrong[at + each.path.size()])))
      continue;
    wrong.replace(at, each.path.size(),
                  "Secret " + each.of.name_space + "/" + each.of.name + ", key " + each.of.key);
  }
  return wrong;
}

// ---- what has become of it ----

/// Where the file is wrong objects cannot be judged: what was said of them stays.
void objects_source::judge(const config::combined& made) {
  is_judged_ = made.all.value != nullptr;
  if (!is_judged_) return;
  judged_.clear();
  judged_.reserve(made.verdicts.size() + unreadable_.size());
  for (const auto& each : made.verdicts)
    judged_.push_back(fate_of(each));
  for (const auto& each : unreadable_) {
    judged_.push_back({.kind = each->what.kind,
                       .name_space = each->what.name_space,
                       .name = each->what.name,
                       .uid = each->what.uid,
                       .generation = each->what.generation,
                       .accepted = false,
                       .reason = "Invalid",
                       .message = each->unreadable,
                       .programmed = false});
  }
}

void objects_source::settled(bool in_force) {
  if (in_force) {
    in_force_ = followed_;
    secrets_.keep_asked();
  } else if (!(followed_ == in_force_)) {
    follow(in_force_);
  }
  if (std::exchange(is_judged_, false)) tell_fates(in_force);
}

/// Where the gateway could not be configured with them, those are in force that were before.
void objects_source::tell_fates(bool in_force) {
  std::vector<k8s::object_fate> told = std::move(judged_);
  judged_.clear();
  {
    std::lock_guard lock(mutex_);
    std::set<std::pair<std::string, std::int64_t>> before;
    for (const auto& each : fates_)
      if (each.programmed) before.emplace(each.uid, each.generation);
    for (auto& each : told)
      each.programmed = each.accepted && (in_force || before.contains({each.uid, each.generation}));
    fates_ = told;
  }
  writer_.want(std::move(told));
  tick();
}

void objects_source::tick() {
  if (!in_force_.presence.objects) return;
  lease_.tick();
  writer_.pump(lease_.is_held());
}

/// Another process may lead from now on, also one that takes over from this one.
void objects_source::stop() {
  writer_.pump(false);
  lease_.release(limits::k8s_lease_release);
  in_force_.presence = {};
  follow(in_force_);
}

result<> objects_source::set(const std::string& /*key*/, const std::string& /*value*/) {
  return fail({.source = error_source::client,
               .reaction = error_reaction::reject,
               .code = sqlstates::feature_not_supported,
               .message = "settings are those of the configuration's file",
               .hint = "Change the file, then RELOAD; SHOW CONFIG shows what is in force."});
}

void objects_source::tell(const pool::upstream_news& news) {
  const auto slash = news.upstream.find('/');
  if (slash == std::string::npos || !lease_.is_held()) return;
  const auto known = feed_.find(config::object_kind::upstream, news.upstream.substr(0, slash),
                                news.upstream.substr(slash + 1));
  if (known == nullptr) return;
  parts_.kubernetes.events().post(event_of(news, known->what));
}

session::objects_view objects_source::seen() const {
  session::objects_view made;
  const auto now = steady_clock::now();
  std::map<std::string, session::kind_view> kinds;
  for (const auto& each : feed_.states()) {
    session::kind_view& one = kinds[std::string(config::kind_of(each.kind))];
    one.kind = config::kind_of(each.kind);
    one.problem = each.problem;
    if (each.confirmed) one.age_seconds = seconds_of(now - *each.confirmed);
  }
  made.enabled = !kinds.empty();
  if (!made.enabled) return made;
  made.leads = lease_.is_held();
  made.leader = lease_.holder();
  std::lock_guard lock(mutex_);
  for (const auto& each : fates_) {
    const std::string kind(config::kind_of(each.kind));
    ++(each.accepted ? kinds[kind].accepted : kinds[kind].refused);
    made.objects.push_back({.kind = kind,
                            .name_space = each.name_space,
                            .name = each.name,
                            .generation = each.generation,
                            .accepted = each.accepted,
                            .reason = each.reason,
                            .message = each.message,
                            .programmed = each.programmed});
  }
  for (auto& [name, each] : kinds)
    made.kinds.push_back(std::move(each));
  return made;
}

}  // namespace trunkline::main
