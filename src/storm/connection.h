// One connection to whoever stands first on a path: found, connected, secured, and in the end closed, with
// the time of each stage. What is said over it is session.h's. Owner: a client's coroutine on the loop
// thread; its signal is raised whenever something happens here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/channel.h"
#include "net/socket_address.h"
#include "protocol/frame.h"
#include "runtime/task.h"
#include "storm/path.h"
#include "tls/tls_stream.h"

namespace trunkline::storm {

/// Told when a stage is over that went well. In `stalled` of its time this process kept it waiting.
/// `own_pace`: the client itself took its time, so that nothing follows from it.
class stage_witness {
 public:
  virtual void stage_took(stage which, microseconds took, runtime::duration stalled, bool own_pace) = 0;

 protected:
  ~stage_witness() = default;
};

/// Where a connection went, so that another one can go there too.
struct reached_place {
  server_address server;
  net::socket_address address;
};

class connection {
 public:
  connection(path& of, runtime::signal& changed, stage_witness& witness);

  /// dns, connect, ssl: tries the DSN's hosts and their addresses in order, or goes to one place.
  static runtime::task<outcome<>> reach(connection* self, std::optional<reached_place> same);
  /// Waits for a whole message, which stays until `consume` of its size.
  static runtime::task<outcome<protocol::frame>> next_message(connection* self);
  /// Waits until the peer has closed.
  static runtime::task<outcome<>> await_end(connection* self);
  /// Ends it now, with what the kernel makes of that.
  void drop();
  /// Ends it with a reset.
  void reset();

  bool is_open() const { return channel_ && channel_->connected() && !channel_->ended(); }
  bool exists() const { return channel_ != nullptr; }
  net::channel& channel() { return *channel_; }
  const tls::tls_stream* tls() const { return tls_; }
  const reached_place& place() const { return place_; }
  std::uint16_t local_port() const { return local_port_; }
  path& of() const { return *path_; }
  runtime::signal& changed() const { return *changed_; }

  // The clock of stages.
  /// The stage begins now, with so much patience for each wait.
  void enter(stage which, runtime::duration patience);
  /// It went well. So much of it was a wait for a pooled connection.
  void leave_stage(bool own_pace = false, microseconds lease = microseconds(0));
  /// So much of it was this process's own work.
  void forgive(runtime::duration own) { began_ += own; }
  microseconds elapsed() const;
  stage now_in() const { return stage_; }
  /// Nothing has arrived for longer than the patience.
  bool is_late();
  /// The stage's problem as things stand: the connection ended, or there was no answer in time.
  problem silence(const std::string& waiting_for) const;
  problem failed(fault what, std::string message) const;

  /// Receives into a small window, so that a slow reader is felt by whoever sends. For the next `reach`.
  void set_slow_reader() { slow_reader_ = true; }

 private:
  using addresses = std::vector<net::socket_address>;
  static constexpr runtime::time_point nobody_waits = runtime::time_point::max();

  /// A stage is short, and its patience long: the timer of an earlier one is left to fire, and looks then.
  static void timer_fired(void* self);
  void wait_until(runtime::time_point due);

  static runtime::task<outcome<addresses>> look_up(connection* self, server_address server);
  static runtime::task<outcome<>> reach_address(connection* self, reached_place place);
  static runtime::task<outcome<>> secure(connection* self);
  static runtime::task<outcome<bool>> ask_for_tls(connection* self);
  static runtime::task<outcome<>> await_connected(connection* self);

  path* path_;
  runtime::signal* changed_;
  stage_witness* witness_;
  std::unique_ptr<net::channel> channel_;
  const tls::tls_stream* tls_ = nullptr;
  reached_place place_;
  std::uint16_t local_port_ = 0;
  bool slow_reader_ = false;

  stage stage_ = stage::dns;
  runtime::time_point began_{};
  runtime::duration stalls_before_{};
  runtime::duration patience_{};
  runtime::timer timer_;
  runtime::time_point due_ = nobody_waits;
  std::uint64_t seen_bytes_ = 0;  // when `due_` was set
};

}  // namespace trunkline::storm
