#include "session/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/error_response.h"
#include "runtime/random.h"

namespace trunkline::session {
namespace {

/// Connections accepted in one turn, before the sessions get theirs.
constexpr int accepts_per_turn = 16;

}  // namespace

worker::acceptor::acceptor(worker& owner, open_listener listener)
    : owner_(owner),
      listener_(std::move(listener)),
      retry_(owner.loop_->timers(), [](void* self) { static_cast<acceptor*>(self)->watch(); }, this) {
  watch();
}

void worker::acceptor::pause() {
  watch_.reset();
  retry_.arm(owner_.loop_->now() + limits::accept_retry);
}

void worker::acceptor::watch() {
  watch_ = owner_.loop_->watch_listener(listener_.socket->get(), *this);
}

/// One call more than there are connections is a call for nothing, and most come alone.
void worker::acceptor::on_acceptable() {
  int taken = 0;
  while (taken < burst_ && owner_.accept_one(*this))
    ++taken;
  burst_ = taken == burst_ ? std::min(2 * burst_, accepts_per_turn) : 1;
}

worker::worker(unsigned number, std::unique_ptr<runtime::loop> loop, services& shared)
    : number_(number),
      loop_(std::move(loop)),
      shared_(shared),
      observation_(*loop_),
      pulse_(
          loop_->timers(), [](void* self) { static_cast<worker*>(self)->pulse(); }, this),
      drain_turn_(loop_->timers(), [](void* self) { static_cast<worker*>(self)->drain_next(); }, this) {}

worker::~worker() {
  errands_.clear();
  while (first_ != nullptr) {
    session* dead = first_;
    first_ = dead->next;
    delete dead;
  }
  if (shared_.pools != nullptr) shared_.pools->close_shelves(number_);
}

void worker::start() {
  loop_->post([this] { pulse(); });
  thread_ = std::thread([this] { loop_->run(); });
}

void worker::join() {
  if (thread_.joinable()) thread_.join();
}

void worker::configure(std::shared_ptr<const deployment> setup, std::vector<open_listener> listeners) {
  loop_->post([this, setup = std::move(setup), listeners = std::move(listeners)]() mutable {
    setup_ = std::move(setup);
    observation_.set_audited(setup_->settings->is_audited());
    if (audit_gate* gate = observation_.gate())
      gate->set_block(setup_->settings->audit.on_failure == config::audit_failure::block);
    acceptors_.clear();
    for (open_listener& each : listeners)
      acceptors_.push_back(std::make_unique<acceptor>(*this, std::move(each)));
    for_each_session([&](session& each) { each.configuration_changed(setup_); });
  });
}

void worker::look(std::move_only_function<void(sessions_view)> take) {
  loop_->post([this, take = std::move(take)]() mutable {
    sessions_view all;
    for_each_session([&](session& each) { all.sessions.push_back(each.view()); });
    if (shared_.pools != nullptr) {
      for (const auto& pool : shared_.pools->all()) {
        pool->shelf(number_).for_each_spare([&](const pool::link& each, bool idle) {
          all.spare.push_back(view_of(each, *pool, loop_->now()));
          all.spare.back().worker = number_;
          if (!idle) all.spare.back().state = "tested";
        });
      }
    }
    take(std::move(all));
  });
}

/// Shows that the loop turns.
void worker::pulse() {
  auto& metrics = observation_.metrics();
  metrics.heartbeat_ns.store(loop_->now().time_since_epoch().count(), std::memory_order_relaxed);
  const auto busy = loop_->busy();
  metrics.busy_ns.add(static_cast<std::uint64_t>((busy - std::exchange(busy_told_, busy)).count()));
  if (number_ == 0 && shared_.pools != nullptr) shared_.pools->forget_unused(loop_->now());
  pulse_.arm(loop_->now() + limits::loop_heartbeat);
}

void worker::drain(runtime::duration spread) {
  loop_->post([this, spread] { begin_drain(spread); });
}

void worker::begin_drain(runtime::duration spread) {
  std::size_t waiting = 0;
  draining_ = true;
  for_each_session([&](session& each) {
    if (spread.count() > 0 && each.rests()) {
      ++waiting;
    } else {
      each.drain();
    }
  });
  drain_turns_ = drain_turns(loop_->now(), spread, waiting);
  await_drain_turn();
}

void worker::await_drain_turn() {
  if (const auto due = drain_turns_.next(load_u32(runtime::random_bytes<4>().data()))) drain_turn_.arm(*due);
}

void worker::drain_next() {
  for (session* each = first_; each != nullptr; each = each->next) {
    if (each->told_to_drain() || !each->facts().logged_in) continue;
    each->drain();
    break;
  }
  await_drain_turn();
}

void worker::evict(const pool::eviction& why) {
  loop_->post([this, why] {
    if (shared_.pools != nullptr) {
      shared_.pools->evict(number_,
                           [&](const pool::link& each) { return each.lease.on() == why.from.get(); });
    }
    for_each_session([&](session& each) { each.leave_server(why); });
  });
}

void worker::kill(session_kill which, std::move_only_function<void(std::size_t)> answer) {
  loop_->post([this, which = std::move(which), answer = std::move(answer)]() mutable {
    std::size_t count = 0;
    for_each_session([&](session& each) {
      const session_facts& facts = each.facts();
      const bool fits = which.id == 0 || facts.id == which.id;
      const bool there = which.database.empty() || facts.database.str() == which.database;
      const bool leads =
          which.upstream.empty() || (facts.route != nullptr && facts.route->upstream == which.upstream);
      if (!fits || !there || !leads || each.is_console()) return;
      each.kill();
      ++count;
    });
    answer(count);
  });
}

void worker::look_at_hold(std::shared_ptr<const pool::member> of) {
  loop_->post([this, of = std::move(of)] {
    if (shared_.pools != nullptr && of->held.load(std::memory_order_relaxed))
      shared_.pools->evict(number_, [&](const pool::link& each) { return each.lease.on() == of.get(); });
    for_each_session([&](session& each) { each.look_at_hold(*of); });
  });
}

void worker::stop() {
  loop_->post([this] {
    stopping_ = true;
    acceptors_.clear();
    younger_.reset();
    for_each_session([](session& each) { each.stop(); });
    stop_when_empty();
  });
}

void worker::stop_when_empty() {
  if (stopping_ && first_ == nullptr && errands_.empty()) loop_->stop();
}

template <class Visit>
void worker::for_each_session(Visit&& visit) {
  for (session* each = first_; each != nullptr;) {
    session* const following = each->next;
    visit(*each);
    each = following;
  }
}

sql::effects_cache& worker::effects() {
  if (effects_ == nullptr) effects_ = std::make_unique<sql::effects_cache>(runtime::random_bytes<16>());
  return *effects_;
}

bool worker::accept_one(acceptor& from) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  const int socket = ::accept4(from.listener().socket->get(), reinterpret_cast<sockaddr*>(&storage), &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) {
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      shared_.log.write(telemetry::log_level::error, "accept", std::strerror(errno),
                        {{"listener", std::string_view(from.listener().name)}});
      from.pause();
      return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
  }
  net::socket_address peer(reinterpret_cast<const sockaddr*>(&storage), length);
  worker& target = least_loaded();
  target.count_.fetch_add(1, std::memory_order_relaxed);
  if (&target == this) {
    begin(socket, peer, from.listener().name);
  } else {
    target.take(socket, std::move(peer), from.listener().name);
  }
  return true;
}

worker& worker::least_loaded() {
  worker* best = this;
  for (const auto& each : peers_) {
    if (each->sessions() < best->sessions()) best = each.get();
  }
  return *best;
}

void worker::take(int socket, net::socket_address peer, std::string listener) {
  loop_->post([this, socket, peer = std::move(peer), listener = std::move(listener)] {
    begin(socket, peer, listener);
  });
}

void worker::begin(int socket, const net::socket_address& peer, const std::string& listener) {
  const auto& listeners = setup_->settings->listeners;
  const auto found = std::find_if(listeners.begin(), listeners.end(),
                                  [&](const config::listener& each) { return each.name == listener; });
  if (found == listeners.end() || stopping_) {  // a reload took it away meanwhile
    ::close(socket);
    count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  session_facts facts;
  auto half_open = places_of("login:" + found->name, peer, found->max_half_open_logins,
                             found->max_half_open_logins_per_source);
  if (!half_open.of_listener) {
    facts.only_cancel = true;
    half_open = places_of("cancel:" + found->name, peer, limits::half_open_cancels,
                          limits::half_open_cancels_per_source);
  }
  if (!half_open.of_listener) {
    refuse(socket, found->name);
    return;
  }
  facts.listener_index = static_cast<std::size_t>(found - listeners.begin());
  facts.client = peer.text();
  adopt(std::move(facts), socket, peer, std::move(half_open));
}

/// Places under both limits, or none.
half_open_places worker::places_of(const std::string& key, const net::socket_address& peer, std::size_t most,
                                   std::size_t most_of_source) {
  half_open_places made{.of_listener = shared_.admissions.enter(key, most)};
  if (!made.of_listener || peer.is_unix()) return made;
  made.of_source = shared_.admissions.enter(key + ":" + peer.host_text(), most_of_source);
  if (!made.of_source) made.of_listener.give_back();
  return made;
}

void worker::adopt(session_facts facts, int socket, const net::socket_address& peer,
                   half_open_places half_open) {
  facts.id = shared_.next_session.fetch_add(1, std::memory_order_relaxed);
  facts.worker = number_;
  facts.setup = setup_;
  auto* made = new session(*this, std::move(facts));
  made->next = first_;
  if (first_ != nullptr) first_->previous = made;
  first_ = made;
  made->start(socket, peer, std::move(half_open));
}

void worker::serve_younger(runtime::unique_fd link) {
  loop_->post([this, link = std::move(link)]() mutable {
    const auto take = [](void* self, int socket, std::string client) {
      static_cast<worker*>(self)->take_cancel(socket, std::move(client));
    };
    younger_ = std::make_unique<younger_door>(*loop_, std::move(link), take, this);
  });
}

/// It carries a CancelRequest; whoever sent it counted it among the half-open logins.
void worker::take_cancel(int socket, std::string client) {
  count_.fetch_add(1, std::memory_order_relaxed);
  session_facts facts;
  facts.client = std::move(client);
  facts.passed_on = true;
  adopt(std::move(facts), socket, net::socket_address::of_self(socket), {});
}

void worker::refuse(int socket, const std::string& listener) {
  const auto message = protocol::error_response(too_many_logins());
  [[maybe_unused]] const auto sent =
      ::send(socket, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::close(socket);
  count_.fetch_sub(1, std::memory_order_relaxed);
  shared_.log.write(telemetry::log_level::warning, "login.refused", "too many logins are under way",
                    {{"listener", std::string_view(listener)}, {"cause", std::string_view("limit")}});
}

void worker::session_over(session& which) {
  if (which.previous != nullptr) which.previous->next = which.next;
  if (which.next != nullptr) which.next->previous = which.previous;
  if (first_ == &which) first_ = which.next;
  count_.fetch_sub(1, std::memory_order_relaxed);
  loop_->dispose(std::unique_ptr<session>(&which));
  stop_when_empty();
}

void worker::run_cancel(std::shared_ptr<const cancel_target> target, cancel_effort effort,
                        std::move_only_function<void(bool)> after) {
  auto errand = std::make_unique<cancel_errand>(*loop_, std::move(target), effort, std::move(after));
  errand->start(
      [](void* self, cancel_errand* which) {
        auto* owner = static_cast<worker*>(self);
        auto& all = owner->errands_;
        const auto at =
            std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.get() == which; });
        owner->loop_->dispose(std::move(*at));
        all.erase(at);
        owner->stop_when_empty();
      },
      this);
  errands_.push_back(std::move(errand));
}

}  // namespace trunkline::session
