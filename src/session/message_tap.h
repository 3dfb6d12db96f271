// Copies the bodies of one direction's messages for the audit as they pass: small ones are gathered, others
// go into its ring at once; what is too long is cut, and its SHA-256 follows (audit/tap.h). Owner: one
// session; one loop thread.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>

#include "session/audit_gate.h"
#include "session/message_gather.h"

namespace trunkline::session {

class message_tap {
 public:
  /// A message whose body is to be kept begins. `body` is its length.
  void begin(audit::tap_kind kind, char type, std::uint64_t session, std::uint64_t request,
             std::uint64_t body);
  /// A piece of it; `last` marks the final one.
  void add(audit_gate& gate, message_gather& small, byte_span piece, bool last);
  void clear() { hash_.reset(); }

 private:
  struct free_digest {
    void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
  };

  void finish_cut(audit_gate& gate);

  audit::tap_header head_;
  std::size_t kept_ = 0;
  std::unique_ptr<EVP_MD_CTX, free_digest> hash_;  // of a message that is too long
};

}  // namespace trunkline::session
