// A loop without an operating system, for tests: time stands still until it is told to move, and streams are
// pipes in memory that cut, delay and break as a seed says. The same seed gives the same run. Owner: the
// test's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "runtime/loop.h"

namespace trunkline::runtime {

class simulated_stream;

class simulated_loop final : public loop {
 public:
  explicit simulated_loop(std::uint64_t seed = 1);
  ~simulated_loop() override;

  /// Two ends of one connection. Each direction holds at most `capacity` bytes between them.
  std::pair<std::unique_ptr<byte_stream>, std::unique_ptr<byte_stream>> make_pipe(
      std::size_t capacity = 64 * 1024);
  /// Who hears of each `connect`, and gets its other end. Without one, nobody ever answers.
  using accepter = std::function<void(std::unique_ptr<byte_stream> server)>;
  void set_accepter(accepter who) { accepter_ = std::move(who); }
  /// Connects are refused from now on, or no more.
  void set_refusing(bool refuses) { refuses_ = refuses; }
  /// The largest piece that one delivery hands over; 0: whatever there is. Pieces are of random size up to
  /// it.
  void set_largest_piece(std::size_t bytes) { largest_piece_ = bytes; }

  /// Runs until nothing is left to do at this moment.
  void settle();
  /// Moves time on, firing timers in their order, and settles after each.
  void advance(duration by);

  std::unique_ptr<byte_stream> adopt(int socket) override;
  std::unique_ptr<byte_stream> connect(int socket, const sockaddr* to, socklen_t length) override;
  std::unique_ptr<accept_watch> watch_listener(int socket, accept_handler& handler) override;

 protected:
  void poll(const time_point* deadline) override;
  void wake() override {}
  time_point clock() const override { return now(); }

 private:
  friend class simulated_stream;
  std::size_t piece_of(std::size_t available);

  std::mt19937_64 random_;
  std::size_t largest_piece_ = 0;
  std::vector<simulated_stream*> streams_;
  accepter accepter_;
  bool refuses_ = false;
  bool moved_ = false;  // the last poll delivered something
};

}  // namespace trunkline::runtime
