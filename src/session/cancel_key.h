// The BackendKeyData that a client gets is the gateway's own (wire.md 5). Two forms:
//
// protocol 3.0: 8 bytes. pid = replica (10 bits) | slot (21 bits), never 0 and never negative; secret = 32
// random bits. protocol 3.2: pid as above, and a key of 35 bytes:
//     version (1) = 1 | replica (2) | session id (8) | random (8) | MAC (16)
//   MAC = the first 16 bytes of HMAC-SHA-256 over pid and what stands before it, under a key that replicas
//   can share: any replica can tell a genuine key, and to whom it must go, without asking. Longer keys of
//   later versions begin with another version byte.
// Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace trunkline::session {

inline constexpr unsigned cancel_slot_bits = 21;
inline constexpr unsigned cancel_replica_bits = 10;
inline constexpr std::size_t cancel_slots = std::size_t{1} << cancel_slot_bits;

struct cancel_pid {
  std::uint16_t replica = 1;  ///< 1 .. 1023
  std::uint32_t slot = 0;     ///< 0 .. cancel_slots - 1

  std::uint32_t encode() const { return (std::uint32_t{replica} << cancel_slot_bits) | slot; }
  static cancel_pid decode(std::uint32_t pid) {
    return {static_cast<std::uint16_t>(pid >> cancel_slot_bits),
            static_cast<std::uint32_t>(pid & (cancel_slots - 1))};
  }
};

inline constexpr std::size_t short_cancel_key_bytes = 4;
inline constexpr std::size_t long_cancel_key_bytes = 35;
using long_cancel_key = std::array<std::byte, long_cancel_key_bytes>;
/// What is enough to know a key again: of a long one the MAC, which covers the rest, and only the client has.
using cancel_key_end = std::array<std::byte, 16>;
using cancel_mac_key = std::array<std::byte, 32>;
using cancel_nonce = std::array<std::byte, 8>;

long_cancel_key make_long_key(const cancel_mac_key& mac_key, cancel_pid pid, std::uint64_t session,
                              const cancel_nonce& nonce);

struct long_key_facts {
  std::uint16_t replica = 0;
  std::uint64_t session = 0;
};
/// Nothing where the key is not one of ours; constant time in the MAC.
std::optional<long_key_facts> read_long_key(const cancel_mac_key& mac_key, std::uint32_t pid, byte_span key);

}  // namespace trunkline::session
