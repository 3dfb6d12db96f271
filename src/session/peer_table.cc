#include "session/peer_table.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::session {
namespace {

bool same_address(const net::socket_address& a, const net::socket_address& b) {
  return a.text() == b.text();
}

}  // namespace

void peer_table::set(std::vector<pool::server_place> places) {
  std::lock_guard lock(mutex_);
  std::vector<peer> next;
  for (pool::server_place& each : places) {
    if (next.size() == limits::replica_peers) break;
    const auto here = [&](const peer& other) { return same_address(other.place.address, each.address); };
    if (std::any_of(next.begin(), next.end(), here)) continue;
    const auto known = std::find_if(peers_.begin(), peers_.end(), here);
    peer made{.place = {}, .said = {}, .when = {}};
    if (known != peers_.end()) made = *known;
    made.place = std::move(each);
    next.push_back(std::move(made));
  }
  peers_ = std::move(next);
}

bool peer_table::empty() const {
  std::lock_guard lock(mutex_);
  return peers_.empty();
}

std::vector<pool::server_place> peer_table::named(std::uint16_t number) const {
  std::lock_guard lock(mutex_);
  std::vector<pool::server_place> all;
  for (const peer& each : peers_)
    if (each.said && each.said->number == number && !is_self(each)) all.push_back(each.place);
  return all;
}

std::vector<pool::server_place> peer_table::unsure(std::uint16_t number, bool sure,
                                                   runtime::time_point now) const {
  const auto believed =
      sure ? runtime::duration(limits::replica_believed_sure) : runtime::duration(limits::replica_believed);
  std::lock_guard lock(mutex_);
  std::vector<pool::server_place> all;
  for (const peer& each : peers_) {
    if (each.said && (each.said->number == number && !is_self(each))) continue;  // it was named
    if (!each.said || now - each.when > believed) all.push_back(each.place);
  }
  return all;
}

bool peer_table::learn(const net::socket_address& where, const peer_answer& said, runtime::time_point now) {
  std::lock_guard lock(mutex_);
  for (peer& each : peers_) {
    if (!same_address(each.place.address, where)) continue;
    const bool news = !each.said || each.said->number != said.number || each.said->instance != said.instance;
    each.said = said;
    each.when = now;
    each.blamed = false;
    return news && !is_self(each);
  }
  return false;
}

bool peer_table::blame(const net::socket_address& where) {
  std::lock_guard lock(mutex_);
  for (peer& each : peers_)
    if (same_address(each.place.address, where)) return !std::exchange(each.blamed, true);
  return false;
}

}  // namespace trunkline::session
