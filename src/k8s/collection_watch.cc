#include "k8s/collection_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace trunkline::k8s {

namespace {

using std::chrono::milliseconds;

constexpr long ok = 200;
constexpr long gone = 410;
/// So many of the longest pages may be in one list.
constexpr std::size_t list_pages = 4;
/// A watch that is refused so often is not asked for again without a list.
constexpr int failures_until_list = 3;

/// For a query (RFC 3986): what could mean something else is escaped.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      made += c;
    else
      made += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return made;
}

std::optional<std::uint64_t> number_of(std::string_view version) {
  std::uint64_t made = 0;
  const auto read = std::from_chars(version.data(), version.data() + version.size(), made);
  if (read.ec != std::errc() || read.ptr != version.data() + version.size()) return std::nullopt;
  return made;
}

milliseconds scaled(milliseconds most, double part) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::duration<double, std::milli>(most) * part);
}

}  // namespace

std::string collection_watch::selectors() const {
  std::string made;
  if (!of_.labels.empty()) made += "&labelSelector=" + escaped(of_.labels);
  if (!of_.fields.empty()) made += "&fieldSelector=" + escaped(of_.fields);
  return made;
}

collection_watch::question collection_watch::ask(moment now, double chance) {
  began_ = now;
  received_.clear();
  bad_.clear();
  accepted_ = gone_ = page_too_long_ = false;
  if (stage_ == stage::list) {
    // Without a resourceVersion it is the newest state, from the quorum.
    std::string target = fmt::format("{}?limit={}{}", of_.path, page_objects_, selectors());
    if (!continue_.empty()) target += "&continue=" + escaped(continue_);
    return {.target = std::move(target), .timeout = limits::k8s_request_timeout};
  }
  const auto time = std::chrono::ceil<std::chrono::seconds>(scaled(limits::k8s_watch_time, 1 - chance / 2));
  return {
      .target = fmt::format("{}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}{}",
                            of_.path, escaped(version_), time.count(), selectors()),
      .timeout = time + limits::k8s_watch_grace};
}

bool collection_watch::take(long status, std::string_view bytes, moment now) {
  if (status != ok) {
    received_.append(
        bytes.substr(0, limits::k8s_refusal_bytes - std::min(limits::k8s_refusal_bytes, received_.size())));
    return true;
  }
  accepted_ = true;
  received_ += bytes;
  if (stage_ == stage::watch) return take_lines(now);
  page_too_long_ = received_.size() > limits::k8s_page_bytes;
  return !page_too_long_;
}

// ---- a watch ----

bool collection_watch::refuse(std::string why) {
  bad_ = std::move(why);
  return false;
}

bool collection_watch::take_lines(moment now) {
  std::size_t begin = 0;
  for (;;) {
    const auto end = received_.find('\n', begin);
    if (end == std::string::npos) break;
    const auto line = std::string_view(received_).substr(begin, end - begin);
    if (!line.empty() && !take_event(line, now)) return false;
    begin = end + 1;
  }
  received_.erase(0, begin);
  if (received_.size() > limits::k8s_event_bytes)
    return refuse(fmt::format("an event is longer than {} bytes", limits::k8s_event_bytes));
  return true;
}

bool collection_watch::take_event(std::string_view line, moment now) {
  const json event = json::parse(line, nullptr, false);
  const std::string type = text_of(event, "type");
  const json& object = field_of(event, "object");
  if (type == "ERROR") {
    gone_ = field_of(object, "code") == gone;
    return refuse("the watch was ended: " + text_of(object, "message"));
  }
  const bool known = type == "ADDED" || type == "MODIFIED" || type == "DELETED" || type == "BOOKMARK";
  if (!known || !object.is_object()) return refuse("what a watch says is no event");
  const std::string version = resource_version_of(object);
  if (version.empty()) return refuse("an event has no resourceVersion");
  if (!advance(version)) return false;
  if (type != "BOOKMARK") {
    if (name_of(object).empty()) return refuse("an event's object has no name");
    if (type == "DELETED")
      sink_.remove(object);
    else
      sink_.put(object);
  }
  sink_.confirmed(now);
  return true;
}

/// Versions are opaque, but for this: those that are numbers grow. An API server of which they do not cannot
/// be believed to tell everything from here on.
bool collection_watch::advance(const std::string& version) {
  const auto before = number_of(version_);
  const auto now = number_of(version);
  if (before && now && *now < *before)
    return refuse(fmt::format("resource versions go back, from {} to {}", version_, version));
  version_ = version;
  return true;
}

milliseconds collection_watch::end_watch(const http::exchange_end& how, moment now, double chance) {
  const bool worked = how.status == ok && now - began_ >= limits::k8s_watch_worked;
  if (worked) failures_ = 0;
  if (how.status == gone) gone_ = true;
  // That a version is forgotten is no failure, unless it happens over and over.
  if (gone_) {
    list_again();
    return failures_++ == 0 ? milliseconds(0) : back_off(chance);
  }
  if (!bad_.empty()) {
    list_again();
    return fail_with(bad_, chance);
  }
  if (how.status != ok) {
    const auto wait = fail_with(describe(how), chance, how.retry_after);
    // It may be the version that it cannot do anything with.
    if (how.status != 0 && failures_ >= failures_until_list) list_again();
    return wait;
  }
  if (worked && how.failure.empty()) {
    sink_.confirmed(now);  // it told everything up to here
    return milliseconds(0);
  }
  if (!worked && !how.failure.empty()) return fail_with(describe(how), chance);
  ++failures_;
  return back_off(chance);
}

void collection_watch::tick(moment now) {
  if (stage_ != stage::watch || !accepted_ || failures_ == 0 || now - began_ < limits::k8s_watch_worked)
    return;
  failures_ = 0;
  sink_.confirmed(now);
}

// ---- a list ----

void collection_watch::list_again() {
  stage_ = stage::list;
  listed_.clear();
  listed_bytes_ = 0;
  continue_.clear();
}

void collection_watch::forget() {
  list_again();
  version_.clear();
  failures_ = 0;
}

result<> collection_watch::take_page() {
  json page = json::parse(received_, nullptr, false);
  const auto no_list = [](const char* why) { return fail({.message = std::string("a list ") + why}); };
  if (!page.is_object() || !field_of(page, "items").is_array()) return no_list("is none");
  const std::string version = resource_version_of(page);
  if (version.empty()) return no_list("has no resourceVersion");
  auto& items = page["items"].get_ref<json::array_t&>();
  for (json& each : items) {
    if (name_of(each).empty() || resource_version_of(each).empty())
      return no_list("has an object without a name");
    listed_.push_back(std::move(each));
  }
  if (listed_.size() > limits::k8s_objects)
    return fail({.message = fmt::format("a list has more than {} objects", limits::k8s_objects)});
  listed_bytes_ += received_.size();
  if (listed_bytes_ > list_pages * limits::k8s_page_bytes)
    return fail(
        {.message = fmt::format("a list is longer than {} bytes", list_pages * limits::k8s_page_bytes)});
  continue_ = text_of(field_of(page, "metadata"), "continue");
  if (!continue_.empty() && items.empty()) return no_list("goes on for ever");
  if (continue_.empty()) version_ = version;
  return {};
}

milliseconds collection_watch::end_list(const http::exchange_end& how, moment now, double chance) {
  if (page_too_long_ && page_objects_ > 1) {
    page_objects_ /= 2;
    return milliseconds(0);
  }
  if (page_too_long_) {
    list_again();
    return fail_with(fmt::format("an object is longer than {} bytes", limits::k8s_page_bytes), chance);
  }
  // The rest of the list is forgotten: from the beginning.
  if (how.status == gone && !continue_.empty()) {
    list_again();
    return failures_++ == 0 ? milliseconds(0) : back_off(chance);
  }
  if (how.status != ok || !how.failure.empty()) {
    list_again();
    return fail_with(describe(how), chance, how.retry_after);
  }
  if (auto taken = take_page(); !taken) {
    list_again();
    return fail_with(taken.error().message, chance);
  }
  if (!continue_.empty()) return milliseconds(0);
  stage_ = stage::watch;
  listed_bytes_ = 0;
  sink_.replace(std::exchange(listed_, {}));
  sink_.confirmed(now);
  return milliseconds(0);
}

milliseconds collection_watch::over(const http::exchange_end& how, moment now, double chance) {
  const auto wait = stage_ == stage::list ? end_list(how, now, chance) : end_watch(how, now, chance);
  std::string().swap(received_);
  return wait;
}

// ---- failures ----

std::string collection_watch::describe(const http::exchange_end& how) const {
  if (how.status == 0 || how.status == ok) return of_.path + ": " + how.failure;
  const std::string said = status_message(received_);
  return fmt::format("{}: status {}{}{}", of_.path, how.status, said.empty() ? "" : ": ", said);
}

milliseconds collection_watch::give_up(const std::string& why, double chance) {
  return fail_with(why, chance);
}

milliseconds collection_watch::fail_with(const std::string& why, double chance,
                                         std::chrono::seconds retry_after) {
  ++failures_;
  sink_.failed(why);
  const milliseconds asked = std::min<milliseconds>(retry_after, limits::k8s_retry_after_most);
  // What everybody was told to wait for is not what everybody should come back after.
  return std::max(back_off(chance), asked + scaled(limits::k8s_retry, chance));
}

/// From half of it to the whole: gateways that lost the same API server do not come back together.
milliseconds collection_watch::back_off(double chance) {
  milliseconds wait = limits::k8s_retry;
  for (int i = 1; i < failures_ && wait < limits::k8s_retry_most; ++i)
    wait *= 2;
  return scaled(std::min(wait, limits::k8s_retry_most), 0.5 + chance / 2);
}

}  // namespace trunkline::k8s
