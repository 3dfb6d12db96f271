#include "pool/watch_room.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace trunkline::pool {

watch_room::watch_room(std::unique_ptr<runtime::loop> loop, watch_services with)
    : loop_(std::move(loop)), with_(std::move(with)) {
  with_.loop = loop_.get();
  with_.keys.where = loop_.get();
}

watch_room::~watch_room() {
  stop();
}

void watch_room::start() {
  thread_ = runtime::owned_thread("watch", [this] { loop_->run(); });
}

void watch_room::stop() {
  if (!thread_.joinable()) return;
  loop_->post([this] {
    watches_.clear();
    retired_.clear();
    loop_->stop();
  });
  thread_.join();
}

std::shared_ptr<cluster> watch_room::of(const std::string& upstream) {
  std::lock_guard lock(mutex_);
  auto& found = clusters_[upstream];
  if (found == nullptr) found = std::make_shared<cluster>(upstream);
  return found;
}

std::vector<std::shared_ptr<cluster>> watch_room::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<cluster>> list;
  for (const auto& [name, each] : clusters_)
    list.push_back(each);
  return list;
}

void watch_room::configure(std::vector<std::shared_ptr<const watch_setup>> setups) {
  {
    std::unordered_set<std::string_view> wanted;
    for (const auto& each : setups)
      wanted.insert(each->upstream().name);
    std::lock_guard lock(mutex_);
    std::erase_if(clusters_, [&](const auto& known) { return !wanted.contains(known.first); });
  }
  loop_->post([this, setups = std::move(setups)]() mutable { apply(std::move(setups)); });
}

void watch_room::apply(std::vector<std::shared_ptr<const watch_setup>> setups) {
  std::erase_if(retired_, [](const auto& each) { return each->is_empty(); });
  auto before = std::exchange(watches_, {});
  for (auto& setup : setups) {
    const std::string& name = setup->upstream().name;
    auto& watch = watches_[name];
    if (auto known = before.find(name); known != before.end()) watch = std::move(known->second);
    if (watch == nullptr) watch = std::make_unique<cluster_watch>(with_, of(name));
    watch->configure(std::move(setup));
  }
  for (auto& [name, watch] : before) {
    if (watch == nullptr) continue;
    watch->retire();
    retired_.push_back(std::move(watch));
  }
}

bool watch_room::with(const std::string& upstream, std::move_only_function<void(cluster_watch&)> work) {
  {
    std::lock_guard lock(mutex_);
    if (!clusters_.contains(upstream)) return false;
  }
  loop_->post([this, upstream, work = std::move(work)]() mutable {
    if (const auto found = watches_.find(upstream); found != watches_.end()) work(*found->second);
  });
  return true;
}

}  // namespace trunkline::pool
