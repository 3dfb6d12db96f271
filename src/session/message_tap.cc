#include "session/message_tap.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace trunkline::session {

void message_tap::begin(audit::tap_kind kind, char type, std::uint64_t session, std::uint64_t request,
                        std::uint64_t body) {
  head_ = {.kind = kind, .type = type, .session = session, .request = request, .length = body};
  kept_ = 0;
  hash_.reset();
  if (body <= limits::audit_message_bytes) return;
  hash_.reset(EVP_MD_CTX_new());
  if (hash_ != nullptr) EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr);
}

void message_tap::add(audit_gate& gate, message_gather& small, byte_span piece, bool last) {
  if (piece.size() == head_.length && small.add(head_, piece)) return;
  small.flush(gate, head_.session);
  const bool cut = head_.length > limits::audit_message_bytes;
  if (hash_ != nullptr) EVP_DigestUpdate(hash_.get(), piece.data(), piece.size());
  const byte_span keep = piece.first(std::min(piece.size(), limits::audit_message_bytes - kept_));
  head_.last = last && !cut;
  if (!keep.empty() || head_.last) gate.write(head_, keep);
  kept_ += keep.size();
  if (last && cut) finish_cut(gate);
}

/// The last record of a cut message holds the hash of the whole body; none where memory was short.
void message_tap::finish_cut(audit_gate& gate) {
  std::array<std::byte, 32> digest{};
  const bool done =
      hash_ != nullptr &&
      EVP_DigestFinal_ex(hash_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1;
  head_.cut = 1;
  head_.last = 1;
  gate.write(head_, done ? byte_span(digest) : byte_span());
  hash_.reset();
}

}  // namespace trunkline::session
