// What is different in the answers of a pooled session from what its server says: answers to messages that
// the gateway put in are left out, and answers to messages that it kept back are put in, each in its place
// (wire.md 6). By the numbers of the server's exchange queue. Pure. Owner: a pooled session.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace trunkline::session {

class answer_edits {
 public:
  /// The answer to that request is not for the client.
  void swallow(std::uint64_t request) { swallowed_.push_back(request); }
  /// `message` comes when everything up to that request has been answered.
  void put_in(std::uint64_t behind_request, byte_span message);

  /// Whether the answer to that request is left out; asked once for each.
  bool swallows(std::uint64_t request);
  /// What is due now, where the server is answering that request; 0: it owes nothing. Empty mostly.
  std::vector<std::byte> take_due(std::uint64_t current);
  /// A request failed: nothing is put in between it and the Sync that ends the batch. `sync`: its number, 0
  /// where it has not been sent.
  void fail(std::uint64_t request, std::uint64_t sync);
  bool empty() const { return swallowed_.empty() && put_in_.empty(); }

 private:
  struct insertion {
    std::uint64_t behind;
    std::vector<std::byte> message;
  };
  std::vector<std::uint64_t> swallowed_;  // ascending, as the insertions
  std::vector<insertion> put_in_;
};

}  // namespace trunkline::session
