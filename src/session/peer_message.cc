#include "session/peer_message.h"

#include <algorithm>
#include <cstring>

#include "auth/sha256.h"

namespace trunkline::session {
namespace {

constexpr std::size_t nonce_at = 2;
constexpr std::size_t length_at = nonce_at + sizeof(peer_nonce);
constexpr std::size_t key_at = length_at + 1;
constexpr std::size_t answer_signature_at = peer_answer_bytes - peer_signature_bytes;
constexpr std::byte known_mark{'!'};
constexpr std::byte unknown_mark{'?'};

using signature = std::array<std::byte, peer_signature_bytes>;

/// `what` keeps a signature for one purpose from being shown for the other.
signature sign(const replica_keys& keys, std::string_view what, byte_span context, byte_span content) {
  const auth::digest whole = auth::hmac_sha256(keys.peer, {as_bytes(what), context, content});
  signature made;
  std::copy_n(whole.begin(), made.size(), made.begin());
  return made;
}

signature sign_question(const replica_keys& keys, std::uint32_t pid, byte_span content) {
  std::array<std::byte, 4> context;
  store_u32(context.data(), pid);
  return sign(keys, "question", context, content);
}

signature sign_answer(const replica_keys& keys, const peer_nonce& nonce, byte_span content) {
  return sign(keys, "answer", nonce, content);
}

}  // namespace

std::vector<std::byte> encode_question(std::span<const replica_keys> keys, std::uint32_t pid, byte_span key,
                                       const peer_nonce& nonce) {
  std::vector<std::byte> made(key_at);
  made[0] = peer_question_version;
  made[1] = static_cast<std::byte>(keys.size());
  std::memcpy(made.data() + nonce_at, nonce.data(), nonce.size());
  made[length_at] = static_cast<std::byte>(key.size());
  made.insert(made.end(), key.begin(), key.end());
  const std::size_t content = made.size();
  for (const replica_keys& each : keys) {
    const signature one = sign_question(each, pid, byte_span(made).first(content));
    made.insert(made.end(), one.begin(), one.end());
  }
  return made;
}

std::optional<peer_question> read_question(byte_span key) {
  if (key.size() < key_at || key[0] != peer_question_version) return std::nullopt;
  const auto signatures = std::to_integer<std::size_t>(key[1]);
  const auto length = std::to_integer<std::size_t>(key[length_at]);
  if (key.size() != key_at + length + signatures * peer_signature_bytes) return std::nullopt;
  peer_question made{.key = key.subspan(key_at, length),
                     .signed_part = key.first(key_at + length),
                     .signatures = key.subspan(key_at + length)};
  std::memcpy(made.nonce.data(), key.data() + nonce_at, made.nonce.size());
  return made;
}

const replica_keys* signer_of(const peer_question& question, std::uint32_t pid,
                              std::span<const replica_keys> keys) {
  const std::size_t looked_at =
      std::min(question.signatures.size(), replica_keyring::pairs_most * peer_signature_bytes);
  for (const replica_keys& each : keys) {
    const signature expected = sign_question(each, pid, question.signed_part);
    for (std::size_t at = 0; at < looked_at; at += peer_signature_bytes) {
      if (auth::equal_in_constant_time(expected, question.signatures.subspan(at, peer_signature_bytes)))
        return &each;
    }
  }
  return nullptr;
}

std::array<std::byte, peer_answer_bytes> encode_answer(const peer_answer& answer, const peer_nonce& nonce,
                                                       const replica_keys* keys) {
  std::array<std::byte, peer_answer_bytes> made{};
  made[0] = answer.known ? known_mark : unknown_mark;
  store_u16(made.data() + 1, answer.number);
  std::memcpy(made.data() + 3, answer.instance.data(), answer.instance.size());
  if (keys == nullptr) return made;
  const signature one = sign_answer(*keys, nonce, byte_span(made).first(answer_signature_at));
  std::memcpy(made.data() + answer_signature_at, one.data(), one.size());
  return made;
}

std::optional<peer_answer> read_answer(byte_span bytes, const peer_nonce& nonce,
                                       std::span<const replica_keys> keys) {
  const byte_span content = bytes.first(answer_signature_at);
  const byte_span shown = bytes.subspan(answer_signature_at, peer_signature_bytes);
  const auto fits = [&](const replica_keys& each) {
    return auth::equal_in_constant_time(sign_answer(each, nonce, content), shown);
  };
  if (!keys.empty() && std::none_of(keys.begin(), keys.end(), fits)) return std::nullopt;
  if (content[0] != known_mark && content[0] != unknown_mark) return std::nullopt;
  peer_answer made{.known = content[0] == known_mark, .number = load_u16(content.data() + 1)};
  std::memcpy(made.instance.data(), content.data() + 3, made.instance.size());
  return made;
}

}  // namespace trunkline::session
