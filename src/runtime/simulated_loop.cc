#include "runtime/simulated_loop.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

namespace trunkline::runtime {

class simulated_stream final : public byte_stream {
 public:
  simulated_stream(simulated_loop& owner, std::size_t capacity) : loop_(&owner), capacity_(capacity) {
    loop_->streams_.push_back(this);
  }
  ~simulated_stream() override {
    close();
    std::erase(loop_->streams_, this);
  }

  void join(simulated_stream& peer) { peer_ = &peer; }
  /// `on_connected` is to come, or a refusal.
  void connects(bool refused) { (refused ? refused_ : connecting_) = true; }
  std::unique_ptr<parked_stream> park() override;

  void resume_receiving() override { receiving_ = true; }
  void pause_receiving() override { receiving_ = false; }

  sending send(buffer data) override {
    if (!open_ || end_ == stream_end::kind::reset) return sending::broken;
    const auto bytes = data.bytes();
    outbox_.insert(outbox_.end(), bytes.begin(), bytes.end());
    push();
    held_ = !outbox_.empty();
    return held_ ? sending::held : sending::done;
  }

  std::size_t unsent() override { return outbox_.size(); }
  void finish_sending() override { finish_ = true; }

  void close() override { leave(stream_end::kind::fin); }
  void reset() override { leave(stream_end::kind::reset); }
  int native_handle() const override { return -1; }

  /// Moves what fits to the peer; true where something happened.
  bool deliver() {
    if (!open_) return false;
    if (std::exchange(refused_, false)) {
      handler_->on_end({stream_end::kind::failed, ECONNREFUSED});
      return true;
    }
    if (std::exchange(connecting_, false)) {
      handler_->on_connected();
      return true;
    }
    bool moved = push();
    if (held_ && outbox_.empty()) {
      held_ = false;
      moved = true;
      handler_->on_drained();
      if (!open_) return true;
    }
    if (finish_ && outbox_.empty() && peer_ != nullptr && !finish_told_) {
      finish_told_ = moved = true;
      peer_->fin_pending_ = true;
    }
    return receive() || moved;
  }

 private:
  bool push() {
    if (peer_ == nullptr || !peer_->open_) return false;
    const std::size_t room = capacity_ - std::min(capacity_, peer_->inbox_.size());
    const std::size_t count = std::min(room, outbox_.size());
    const auto end = outbox_.begin() + static_cast<std::ptrdiff_t>(count);
    peer_->inbox_.insert(peer_->inbox_.end(), outbox_.begin(), end);
    outbox_.erase(outbox_.begin(), end);
    return count > 0;
  }

  bool receive() {
    if (reset_pending_) {
      reset_pending_ = false;
      fin_told_ = true;  // nothing comes after a reset
      receiving_ = false;
      end_ = stream_end::kind::reset;
      handler_->on_end({stream_end::kind::reset, ECONNRESET});
      return true;
    }
    if (!receiving_) return false;
    if (!inbox_.empty()) {
      buffer data = loop_->buffers().lend(buffer_size::small);
      const std::size_t count = std::min(loop_->piece_of(inbox_.size()), data.room().size());
      std::copy_n(inbox_.begin(), count, data.room().begin());
      inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(count));
      data.commit(count);
      handler_->on_received(std::move(data));
      return true;
    }
    if (!fin_pending_ || fin_told_) return false;
    fin_told_ = true;
    handler_->on_end({stream_end::kind::fin, 0});
    return true;
  }

  void leave(stream_end::kind how) {
    if (!open_) return;
    open_ = false;
    if (peer_ == nullptr) return;
    // As TCP does: closing with unread bytes resets.
    if (how == stream_end::kind::reset || !inbox_.empty()) peer_->reset_pending_ = true;
    peer_->fin_pending_ = true;
    peer_->peer_ = nullptr;
    peer_ = nullptr;
  }

  simulated_loop* loop_;
  simulated_stream* peer_ = nullptr;
  const std::size_t capacity_;
  std::deque<std::byte> inbox_;
  std::deque<std::byte> outbox_;
  stream_end::kind end_ = stream_end::kind::fin;
  bool open_ = true;
  bool connecting_ = false;
  bool refused_ = false;
  bool receiving_ = false;
  bool held_ = false;
  bool finish_ = false;
  bool finish_told_ = false;
  bool fin_pending_ = false;
  bool fin_told_ = false;
  bool reset_pending_ = false;
};

namespace {

class parked_simulated_stream final : public parked_stream {
 public:
  explicit parked_simulated_stream(std::unique_ptr<simulated_stream> which) : which_(std::move(which)) {}
  std::unique_ptr<byte_stream> unpark(loop&) override { return std::move(which_); }

 private:
  std::unique_ptr<simulated_stream> which_;
};

}  // namespace

/// The end that goes on is another object, as it is with a socket.
std::unique_ptr<parked_stream> simulated_stream::park() {
  if (!open_ || !outbox_.empty() || end_ != stream_end::kind::fin) return nullptr;
  auto moved = std::make_unique<simulated_stream>(*loop_, capacity_);
  moved->peer_ = std::exchange(peer_, nullptr);
  if (moved->peer_ != nullptr) moved->peer_->peer_ = moved.get();
  moved->inbox_ = std::move(inbox_);
  moved->fin_pending_ = fin_pending_;
  moved->reset_pending_ = reset_pending_;
  open_ = false;
  return std::make_unique<parked_simulated_stream>(std::move(moved));
}

simulated_loop::simulated_loop(std::uint64_t seed) : random_(seed) {
  set_clock(time_point{} + std::chrono::hours(1));
}

simulated_loop::~simulated_loop() {
  bury();
}

std::pair<std::unique_ptr<byte_stream>, std::unique_ptr<byte_stream>> simulated_loop::make_pipe(
    std::size_t capacity) {
  auto one = std::make_unique<simulated_stream>(*this, capacity);
  auto other = std::make_unique<simulated_stream>(*this, capacity);
  one->join(*other);
  other->join(*one);
  return {std::move(one), std::move(other)};
}

std::size_t simulated_loop::piece_of(std::size_t available) {
  if (largest_piece_ == 0) return available;
  return std::min<std::size_t>(available, 1 + random_() % largest_piece_);
}

void simulated_loop::poll(const time_point*) {
  moved_ = false;
  // Streams may come and go inside the callbacks.
  for (std::size_t i = 0; i < streams_.size(); ++i)
    moved_ = streams_[i]->deliver() || moved_;
}

void simulated_loop::settle() {
  // What a timer sends in one turn arrives in the next.
  for (int quiet = 0; quiet < 2;) {
    turn();
    quiet = moved_ || has_immediate_work() ? 0 : quiet + 1;
  }
}

void simulated_loop::advance(duration by) {
  const time_point until = now() + by;
  settle();
  while (!timers().empty() && timers().next_deadline() <= until) {
    set_clock(std::max(now(), timers().next_deadline()));
    settle();
  }
  set_clock(until);
  settle();
}

std::unique_ptr<byte_stream> simulated_loop::adopt(int) {
  return std::make_unique<simulated_stream>(*this, 1);
}

std::unique_ptr<byte_stream> simulated_loop::connect(int socket, const sockaddr*, socklen_t) {
  ::close(socket);
  auto made = std::make_unique<simulated_stream>(*this, 64 * 1024);
  if (refuses_) {
    made->connects(true);
  } else if (accepter_) {
    auto server = std::make_unique<simulated_stream>(*this, 64 * 1024);
    made->join(*server);
    server->join(*made);
    made->connects(false);
    accepter_(std::move(server));
  }
  return made;
}

std::unique_ptr<accept_watch> simulated_loop::watch_listener(int, accept_handler&) {
  return std::make_unique<accept_watch>();
}

}  // namespace trunkline::runtime
