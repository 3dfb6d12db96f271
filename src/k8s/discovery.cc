#include "k8s/discovery.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "k8s/secret_text_watch.h"

namespace trunkline::k8s {

namespace {

bool is_searched(const config::upstream& one) {
  return one.found.kind == config::discovery_kind::kubernetes;
}

std::string key_of(const config::kubernetes_discovery& what) {
  return what.name_space + "/" + what.ca_secret + "/" + what.ca_key;
}

}  // namespace

const discovery::search* discovery::find(const config::upstream& upstream) const {
  const auto [first, last] = searches_.equal_range(upstream.name);
  const auto found = std::find_if(
      first, last, [&](const auto& each) { return each.second.what == upstream.found.in_kubernetes; });
  return found == last ? nullptr : &found->second;
}

discovery::search discovery::begin(const config::upstream& upstream) {
  const config::kubernetes_discovery& what = upstream.found.in_kubernetes;
  auto feed = std::make_shared<pool::endpoint_feed>();
  auto reader = std::make_shared<slice_reader>(what, feed);
  slices_.add(reader);
  return {.what = what, .feed = std::move(feed), .reader = std::move(reader)};
}

discovery::reference discovery::refer(const config::kubernetes_discovery& what) {
  auto value = std::make_shared<secret_text_watch>(what.name_space, what.ca_secret, what.ca_key, usable_,
                                                   changed_, log_);
  auto watch = client_.watch(value->where(), value);
  return {.value = std::move(value), .watch = std::move(watch)};
}

void discovery::want(const config::settings& settings) {
  client_.configure(settings.kubernetes);
  for (const config::upstream& each : settings.upstreams) {
    if (!is_searched(each)) continue;
    if (find(each) == nullptr) searches_.emplace(each.name, begin(each));
    const config::kubernetes_discovery& what = each.found.in_kubernetes;
    if (!what.ca_secret.empty() && !references_.contains(key_of(what)))
      references_.emplace(key_of(what), refer(what));
  }
  slices_.refresh();
}

void discovery::keep_only(const config::settings& settings) {
  std::unordered_map<std::string_view, const config::kubernetes_discovery*> searched;
  std::unordered_set<std::string> referred;
  for (const config::upstream& each : settings.upstreams) {
    if (!is_searched(each)) continue;
    searched.emplace(each.name, &each.found.in_kubernetes);
    referred.insert(key_of(each.found.in_kubernetes));
  }
  std::erase_if(searches_, [&](const auto& one) {
    const auto wanted = searched.find(one.first);
    const bool stays = wanted != searched.end() && *wanted->second == one.second.what;
    if (!stays) slices_.remove(*one.second.reader);
    return !stays;
  });
  slices_.refresh();
  std::erase_if(references_, [&](const auto& one) { return !referred.contains(one.first); });
}

std::shared_ptr<pool::endpoint_feed> discovery::feed_of(const config::upstream& upstream) const {
  const search* found = is_searched(upstream) ? find(upstream) : nullptr;
  return found == nullptr ? nullptr : found->feed;
}

std::string discovery::authorities_of(const config::upstream& upstream) const {
  const auto found = references_.find(key_of(upstream.found.in_kubernetes));
  return found == references_.end() ? "" : found->second.value->text();
}

void discovery::wait_for_secrets(std::chrono::milliseconds at_most) const {
  const moment until = std::chrono::steady_clock::now() + at_most;
  for (const auto& [name, each] : references_)
    each.value->wait_until(until);
}

}  // namespace trunkline::k8s
