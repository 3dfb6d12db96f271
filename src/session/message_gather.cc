#include "session/message_gather.h"

#include <cstring>

namespace trunkline::session {

using audit::tap_kind;

bool message_gather::add(const audit::tap_header& head, byte_span body) {
  const audit::gathered_message one{.request = head.request,
                                    .size = static_cast<std::uint32_t>(body.size()),
                                    .type = head.type,
                                    .from_client = head.kind == tap_kind::client_message};
  if (bytes_.size() - end_ < sizeof one + body.size()) return false;
  std::memcpy(bytes_.data() + end_, &one, sizeof one);
  end_ += sizeof one;
  if (!body.empty()) std::memcpy(bytes_.data() + end_, body.data(), body.size());
  end_ += body.size();
  return true;
}

void message_gather::flush(audit_gate& gate, std::uint64_t session) {
  if (end_ == front) return;
  gate.write({.kind = tap_kind::messages, .session = session}, {bytes_.data() + front, end_ - front});
  clear();
}

void message_gather::end_exchange(audit_gate& gate, std::uint64_t session,
                                  const telemetry::exchange_facts& facts) {
  std::memcpy(bytes_.data(), &facts, sizeof facts);
  gate.write({.kind = tap_kind::exchange_end, .session = session, .request = facts.last_request},
             {bytes_.data(), end_});
  clear();
}

}  // namespace trunkline::session
