// Small messages of one exchange, kept until it ends so that they and what it cost go into the audit's ring
// as one record (audit/tap.h). In order: whatever is written beside it comes after `flush`. Owner: one
// exchange under way; one loop thread.
#pragma once

#include <array>
#include <cstddef>

#include "audit/tap.h"
#include "base/limits.h"
#include "session/audit_gate.h"

namespace trunkline::session {

class message_gather {
 public:
  /// A whole message. False: there is no room for it.
  bool add(const audit::tap_header& head, byte_span body);
  /// What was gathered so far is a record of its own.
  void flush(audit_gate& gate, std::uint64_t session);
  void end_exchange(audit_gate& gate, std::uint64_t session, const telemetry::exchange_facts& facts);
  void clear() { end_ = front; }

 private:
  static constexpr std::size_t front = sizeof(telemetry::exchange_facts);

  std::array<std::byte, front + limits::audit_gathered_bytes> bytes_;
  std::size_t end_ = front;
};

}  // namespace trunkline::session
