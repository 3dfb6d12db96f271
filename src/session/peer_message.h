// What replicas say to each other about a cancel request (docs/cancel.md). The question is itself a
// CancelRequest, on a connection to any listener of the other one: the pid is the client's, and in the place
// of the key stands
//
//     version (1) = 2 | signatures (1) | nonce (16) | length (1) | the client's key | signature (16) ...
//
// with one signature for each key between replicas that counts at the asker, the newest first. Whoever gets a
// question never passes it on, so that there are no loops. The answer, before the connection is closed as a
// server would close it:
//
//     known (1) = '!' or '?' | number (2) | instance (8) | signature (16)
//
// A signature is the first 16 bytes of HMAC-SHA-256 over what stands before it; the answer's covers the
// nonce too. Without a shared secret a question has no signature, and an answer zeros. Pure; any thread.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "session/replica_keys.h"

namespace trunkline::session {

using peer_nonce = std::array<std::byte, 16>;
/// Tells one process from another; random.
using instance_id = std::array<std::byte, 8>;

inline constexpr std::byte peer_question_version{2};
inline constexpr std::size_t peer_signature_bytes = 16;
inline constexpr std::size_t peer_answer_bytes = 1 + 2 + 8 + peer_signature_bytes;

/// The key of the CancelRequest that asks. Precondition: at most 255 bytes of key; with two
/// pairs the keys of clients fit into a CancelRequest.
std::vector<std::byte> encode_question(std::span<const replica_keys> keys, std::uint32_t pid, byte_span key,
                                       const peer_nonce& nonce);

/// Such a key, taken apart; views into it.
struct peer_question {
  byte_span key;  ///< the client's
  peer_nonce nonce{};
  byte_span signed_part;
  byte_span signatures;
};
/// Nothing: it is not the key of a question.
std::optional<peer_question> read_question(byte_span key);
/// Whose the question is: null where no signature fits.
const replica_keys* signer_of(const peer_question& question, std::uint32_t pid,
                              std::span<const replica_keys> keys);

struct peer_answer {
  bool known = false;  ///< the session is there, and is being cancelled
  std::uint16_t number = 0;
  instance_id instance{};
};
/// `keys` null: there is no secret.
std::array<std::byte, peer_answer_bytes> encode_answer(const peer_answer& answer, const peer_nonce& nonce,
                                                       const replica_keys* keys);
/// `keys`: those that the question was signed with; none: there is no secret, and anybody is believed.
/// Nothing: it is not an answer to this question. Precondition: `bytes` has peer_answer_bytes.
std::optional<peer_answer> read_answer(byte_span bytes, const peer_nonce& nonce,
                                       std::span<const replica_keys> keys);

}  // namespace trunkline::session
