#include "session/peer_watch.h"

#include <utility>

namespace trunkline::session {
namespace {

/// Of an address that needs no look-up.
result<net::socket_address> literal(const config::address& from) {
  return from.is_unix() ? net::socket_address::unix_path(from.path)
                        : net::socket_address::ip(from.host, from.port);
}

}  // namespace

peer_watch::peer_watch(std::unique_ptr<runtime::loop> loop, runtime::work_pool& work, peer_table& into,
                       telemetry::logger& log)
    : loop_(std::move(loop)), work_(work), table_(into), log_(log) {}

peer_watch::~peer_watch() {
  stop();
}

void peer_watch::configure(const config::replicas& all) {
  if (!thread_.joinable()) {
    if (!all.has_peers()) return;
    thread_ = runtime::owned_thread("peers", [this] { loop_->run(); });
  }
  loop_->post([this, all] { apply(all); });
}

void peer_watch::stop() {
  if (!thread_.joinable()) return;
  loop_->post([this] {
    sources_.clear();
    loop_->stop();
  });
  thread_.join();
}

void peer_watch::apply(const config::replicas& all) {
  const bool same = current_.endpoints == all.endpoints && current_.found == all.found;
  current_ = all;
  if (same) return;
  for (source& each : sources_)
    loop_->dispose(std::move(each.names));
  sources_.clear();
  for (const config::address& each : all.endpoints)
    watch(each, all.found.resolver);
  if (all.found.kind == config::discovery_kind::dns)
    watch({.host = all.found.name, .port = all.found.port}, all.found.resolver);
  publish();
}

void peer_watch::watch(const config::address& named, const std::string& resolver) {
  source made{.named = std::make_shared<const config::address>(named), .names = nullptr};
  if (!literal(named)) {
    made.names = std::make_unique<pool::name_watch>(
        *loop_, work_,
        pool::name_watch::question{.name = named.host, .port = named.port, .resolver = resolver},
        [](void* self) { static_cast<peer_watch*>(self)->publish(); }, this);
  }
  sources_.push_back(std::move(made));
}

void peer_watch::publish() {
  std::vector<pool::server_place> all;
  std::vector<std::string> problems;
  for (const source& each : sources_) {
    if (each.names == nullptr) {
      all.push_back({each.named, *literal(*each.named)});
      continue;
    }
    for (const net::socket_address& address : each.names->addresses())
      all.push_back({each.named, address});
    if (!each.names->problem().empty()) problems.push_back(each.names->problem());
  }
  table_.set(std::move(all));
  if (problems == told_) return;
  for (const std::string& each : problems)
    log_.write(telemetry::log_level::warning, "replicas", each);
  told_ = std::move(problems);
}

}  // namespace trunkline::session
