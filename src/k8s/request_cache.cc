#include "k8s/request_cache.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {

namespace {

using grants::record;
using grants::state;
using grants::wall_time;
using kind = access_request::kind;

std::optional<std::uint64_t> as_number(std::string_view text) {
  std::uint64_t made = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), made);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return made;
}

/// Versions that are numbers grow (decisions/0025); of others, what comes later counts.
bool is_newer(const std::string& version, const std::string& known) {
  const auto one = as_number(version);
  const auto other = as_number(known);
  return one && other ? *one > *other : version != known;
}

std::string place_in(const json& object) {
  return text_of(field_of(object, "metadata"), "namespace") + "/" + name_of(object);
}

bool is_live_record(const access_request& of) {
  return of.what == kind::record && grants::is_live(of.of.now);
}

}  // namespace

request_cache::request_cache(request_scope of, std::function<wall_time()> now)
    : scope_(std::move(of)), now_(std::move(now)) {}

void request_cache::listen(std::function<void()> changed) {
  std::lock_guard lock(mutex_);
  changed_ = std::move(changed);
}

void request_cache::wake() {
  if (changed_) changed_();
}

// ---- what the API server says ----

void request_cache::replace(const std::string& name_space, const std::vector<json>& all) {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> there;  // uid by place
  for (const json& each : all)
    there[place_in(each)] = text_of(field_of(each, "metadata"), "uid");
  for (auto at = all_.begin(); at != all_.end();) {
    const auto known = at++;
    const access_request& what = known->second.what;
    const auto found = there.find(known->first);
    const bool gone = found == there.end() || found->second != what.uid;
    // What no watch has told of yet may be younger than the list.
    if (gone && known->second.watched && (name_space.empty() || what.name_space == name_space))
      remove_locked(known);
  }
  for (const json& each : all)
    put_locked(each, true);
  wake();
}

void request_cache::put(const json& object) {
  std::lock_guard lock(mutex_);
  put_locked(object, true);
  wake();
}

std::optional<record> request_cache::answered(const json& object) {
  std::lock_guard lock(mutex_);
  put_locked(object, false);
  wake();
  access_request mine = read_access_request(object, scope_);
  if (mine.what != kind::record) return std::nullopt;
  const auto newest = all_.find(mine.place());
  const bool is_newest = newest != all_.end() && newest->second.what.uid == mine.uid &&
                         newest->second.what.version == mine.version;
  if (is_newest) return told(newest->second);
  mine.of.version = 0;
  return std::move(mine.of);
}

void request_cache::remove(const json& object) {
  std::lock_guard lock(mutex_);
  const auto found = all_.find(place_in(object));
  if (found == all_.end()) return;
  // What was told of later may be another one of that name.
  if (found->second.what.uid != text_of(field_of(object, "metadata"), "uid")) return;
  remove_locked(found);
  wake();
}

void request_cache::remove(const std::string& place) {
  std::lock_guard lock(mutex_);
  const auto found = all_.find(place);
  if (found == all_.end()) return;
  remove_locked(found);
  wake();
}

void request_cache::put_locked(const json& object, bool watched) {
  auto read = read_access_request(object, scope_);
  const auto known = all_.find(read.place());
  const bool told = known != all_.end() && known->second.what.problem == read.problem;
  if (known != all_.end()) {
    const access_request& before = known->second.what;
    known->second.watched |= watched;
    if (before.uid == read.uid && !is_newer(read.version, before.version)) return;
    if (before.uid == read.uid) watched = known->second.watched;
    // What was live and is none any more has ended, however it came to that.
    const bool lost = is_live_record(before) && (before.uid != read.uid || read.what != kind::record);
    if (lost) bury(known->second);
    forget_index(known->second);
    all_.erase(known);
  }
  if (read.what == kind::bad && !told) complain(read);
  const json& generation = field_of(field_of(object, "metadata"), "generation");
  entry made;
  made.watched = watched;
  if (generation.is_number_integer()) made.generation = generation.get<std::int64_t>();
  if (read.what == kind::draft) made.spec = field_of(object, "spec");
  made.what = std::move(read);
  auto& added = all_[made.what.place()] = std::move(made);
  index(added);
}

void request_cache::remove_locked(entries::iterator which) {
  if (is_live_record(which->second.what)) bury(which->second);
  forget_index(which->second);
  all_.erase(which);
}

void request_cache::index(entry& added) {
  added.number = ++number_;
  const access_request& what = added.what;
  if (what.what != kind::record) return;
  // A number that two have is the first one's.
  if (!by_id_.emplace(what.of.id, what.place()).second) return;
  by_number_[added.number] = what.place();
  if (is_live_record(what)) by_subject_.emplace(what.subject, what.place());
}

void request_cache::forget_index(const entry& gone) {
  const std::string place = gone.what.place();
  const auto id = by_id_.find(gone.what.of.id);
  if (gone.what.what != kind::record || id == by_id_.end() || id->second != place) return;
  by_id_.erase(id);
  by_number_.erase(gone.number);
  const auto [from, to] = by_subject_.equal_range(gone.what.subject);
  const auto same = std::find_if(from, to, [&](const auto& each) { return each.second == place; });
  if (same != to) by_subject_.erase(same);
}

void request_cache::bury(const entry& gone) {
  record last = gone.what.of;
  last.now = last.now == state::open ? state::withdrawn : state::revoked;
  last.over = now_();
  last.over_reason = "its AccessRequest was deleted";
  last.gateways.clear();
  last.unjudged.clear();
  last.erased = true;
  last.version = ++number_;
  buried_.emplace(last.version, std::move(last));
  if (buried_.size() > limits::k8s_requests_buried) buried_.erase(buried_.begin());
}

void request_cache::complain(const access_request& of) {
  if (problems_.size() < limits::k8s_requests_buried)
    problems_.push_back("AccessRequest " + of.place() + " does not count: " + of.problem);
}

std::vector<std::string> request_cache::take_problems() {
  std::lock_guard lock(mutex_);
  return std::exchange(problems_, {});
}

// ---- what is known ----

record request_cache::told(const entry& of) const {
  record made = of.what.of;
  made.version = of.number;
  return made;
}

std::optional<record> request_cache::find(std::int64_t id) const {
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return told(all_.at(found->second));
}

std::optional<record> request_cache::find_live(const std::string& subject) const {
  std::lock_guard lock(mutex_);
  const entry* best = nullptr;
  const auto before = [](const entry& one, const entry& other) {
    const bool active = one.what.of.now == state::active;
    if (active != (other.what.of.now == state::active)) return active;
    return std::pair(one.what.created, one.what.uid) < std::pair(other.what.created, other.what.uid);
  };
  const auto [from, to] = by_subject_.equal_range(subject);
  for (auto at = from; at != to; ++at) {
    const entry& each = all_.at(at->second);
    if (best == nullptr || before(each, *best)) best = &each;
  }
  if (best == nullptr) return std::nullopt;
  return told(*best);
}

std::vector<record> request_cache::live() const {
  std::lock_guard lock(mutex_);
  std::vector<const entry*> found;
  for (const auto& [subject, place] : by_subject_)
    found.push_back(&all_.at(place));
  std::sort(found.begin(), found.end(), [](const entry* one, const entry* other) {
    return std::pair(one->what.of.asked, one->what.uid) < std::pair(other->what.of.asked, other->what.uid);
  });
  std::vector<record> made;
  for (const entry* each : found)
    made.push_back(told(*each));
  return made;
}

std::vector<record> request_cache::changed_since(std::int64_t number, std::size_t most) const {
  std::lock_guard lock(mutex_);
  std::vector<record> made;
  auto at = by_number_.upper_bound(number);
  auto dead = buried_.upper_bound(number);
  while (made.size() < most && (at != by_number_.end() || dead != buried_.end())) {
    const bool is_dead = at == by_number_.end() || (dead != buried_.end() && dead->first < at->first);
    made.push_back(is_dead ? (dead++)->second : told(all_.at((at++)->second)));
  }
  return made;
}

std::vector<record> request_cache::latest(std::size_t most) const {
  std::lock_guard lock(mutex_);
  std::vector<const entry*> found;
  for (const auto& [id, place] : by_id_)
    found.push_back(&all_.at(place));
  std::sort(found.begin(), found.end(), [](const entry* one, const entry* other) {
    return std::pair(one->what.of.asked, one->what.uid) > std::pair(other->what.of.asked, other->what.uid);
  });
  if (found.size() > most) found.resize(most);
  std::vector<record> made;
  for (const entry* each : found)
    made.push_back(told(*each));
  return made;
}

std::vector<grants::wish> request_cache::wishes() const {
  std::lock_guard lock(mutex_);
  std::vector<grants::wish> made;
  for (const auto& [place, each] : all_)
    if (each.what.what == kind::wish) made.push_back(each.what.asked);
  return made;
}

request_cache::place_of request_cache::written(const entry& of) {
  return {.name_space = of.what.name_space,
          .name = of.what.name,
          .uid = of.what.uid,
          .version = of.what.version,
          .generation = of.generation,
          .created = of.what.created,
          .number = of.number,
          .spec = of.spec};
}

std::optional<request_cache::place_of> request_cache::at(const std::string& place) const {
  std::lock_guard lock(mutex_);
  const auto found = all_.find(place);
  if (found == all_.end()) return std::nullopt;
  return written(found->second);
}

std::optional<request_cache::place_of> request_cache::at(std::int64_t id) const {
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return written(all_.at(found->second));
}

std::optional<request_cache::place_of> request_cache::draft_of(const std::string& subject) const {
  std::lock_guard lock(mutex_);
  for (const auto& [place, each] : all_)
    if (each.what.what == kind::draft && each.what.subject == subject) return written(each);
  return std::nullopt;
}

std::vector<request_cache::place_of> request_cache::drafts(wall_time before) const {
  std::lock_guard lock(mutex_);
  std::vector<place_of> made;
  for (const auto& [place, each] : all_)
    if (each.what.what == kind::draft && each.what.created < before) made.push_back(written(each));
  return made;
}

std::int64_t request_cache::next_name(const std::string& name_space, const std::string& base) const {
  std::lock_guard lock(mutex_);
  const std::string begin = name_space + "/" + base + "-";
  std::int64_t last = 0;
  for (auto at = all_.lower_bound(begin); at != all_.end() && at->first.starts_with(begin); ++at) {
    const auto number = as_number(std::string_view(at->first).substr(begin.size()));
    if (number && *number < 1'000'000'000) last = std::max(last, static_cast<std::int64_t>(*number));
  }
  return last + 1;
}

std::vector<request_cache::place_of> request_cache::to_forget(wall_time before, std::size_t most) const {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<wall_time, const entry*>> ended;
  for (const auto& [id, place] : by_id_) {
    const entry& each = all_.at(place);
    if (each.what.of.over && !is_live_record(each.what)) ended.emplace_back(*each.what.of.over, &each);
  }
  std::sort(ended.begin(), ended.end());
  std::vector<place_of> made;
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (ended[i].first >= before && ended.size() - i <= most) break;
    made.push_back(written(*ended[i].second));
  }
  return made;
}

// ---- the sink ----

request_sink::request_sink(std::shared_ptr<request_cache> to, std::string name_space,
                           std::function<void(bool)> told)
    : to_(std::move(to)), name_space_(std::move(name_space)), told_(std::move(told)) {}

void request_sink::replace(std::vector<json> all) {
  to_->replace(name_space_, all);
  {
    std::lock_guard lock(mutex_);
    listed_ = true;
  }
  told_(true);
}

void request_sink::confirmed(moment) {
  {
    std::lock_guard lock(mutex_);
    problem_.clear();
  }
  told_(true);
}

void request_sink::failed(const std::string& why) {
  {
    std::lock_guard lock(mutex_);
    problem_ = why;
  }
  told_(false);
}

bool request_sink::is_listed() const {
  std::lock_guard lock(mutex_);
  return listed_;
}

std::string request_sink::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace trunkline::k8s
