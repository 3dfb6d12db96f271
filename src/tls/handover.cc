#include "tls/handover.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <optional>
#include <string_view>

#include "base/redacted.h"
#include "tls/engine_seed.h"

namespace trunkline::tls {
namespace {

using kdf_ptr = std::unique_ptr<EVP_KDF, releaser<EVP_KDF_free>>;
using kdf_context_ptr = std::unique_ptr<EVP_KDF_CTX, releaser<EVP_KDF_CTX_free>>;

int value_of_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

void read_hexadecimal(std::string_view text, handover::secret& into) {
  into.size = 0;
  if (text.size() % 2 != 0 || text.size() / 2 > into.bytes.size()) return;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value_of_digit(text[i]);
    const int low = value_of_digit(text[i + 1]);
    if (high < 0 || low < 0) return;
    into.bytes[i / 2] = static_cast<std::byte>(high * 16 + low);
  }
  into.size = text.size() / 2;
}

/// A line is "LABEL client-random secret", the latter two in hexadecimal.
void on_key_log(const SSL* ssl, const char* text) {
  handover* collected = engine_access::collected(ssl);
  const std::string_view line(text);
  const std::size_t last = line.rfind(' ');
  if (collected == nullptr || last == std::string_view::npos) return;
  if (line.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
    read_hexadecimal(line.substr(last + 1), collected->client);
  if (line.starts_with("SERVER_TRAFFIC_SECRET_0 "))
    read_hexadecimal(line.substr(last + 1), collected->server);
}

/// Record headers are told before the messages in their records, on both directions.
void on_message(int written, int, int kind, const void* data, std::size_t size, SSL* ssl, void*) {
  handover* collected = engine_access::collected(ssl);
  if (collected == nullptr || size == 0) return;
  const auto first = *static_cast<const unsigned char*>(data);
  std::uint64_t& count = written != 0 ? collected->records_written : collected->records_read;
  if (kind == SSL3_RT_HEADER) {
    if (written == 0 && size == record_header_bytes) {
      collected->bytes_announced += size + load_u16(static_cast<const std::byte*>(data) + 3);
    }
    // TLS 1.3 sends a ChangeCipherSpec for looks; it is not encrypted and has no number.
    if (first != SSL3_RT_CHANGE_CIPHER_SPEC) ++count;
  } else if (kind == SSL3_RT_HANDSHAKE && first == SSL3_MT_FINISHED) {
    // In TLS 1.3 the keys change behind Finished, in TLS 1.2 before it.
    count = SSL_version(ssl) == TLS1_3_VERSION ? 0 : 1;
    (written != 0 ? collected->finished : collected->peer_finished) = true;
  } else if (kind == SSL3_RT_HANDSHAKE && first == SSL3_MT_KEY_UPDATE) {
    collected->keys_updated = true;
  }
}

std::optional<aead> algorithm_of(const SSL& ssl) {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(&ssl);
  switch (cipher == nullptr ? NID_undef : SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm:
      return aead::aes_128_gcm;
    case NID_aes_256_gcm:
      return aead::aes_256_gcm;
    case NID_chacha20_poly1305:
      return aead::chacha20_poly1305;
    default:
      return std::nullopt;
  }
}

std::optional<prf_hash> hash_of(const SSL& ssl) {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(&ssl);
  const EVP_MD* digest = cipher == nullptr ? nullptr : SSL_CIPHER_get_handshake_digest(cipher);
  switch (digest == nullptr ? NID_undef : EVP_MD_get_type(digest)) {
    case NID_sha256:
      return prf_hash::sha256;
    case NID_sha384:
      return prf_hash::sha384;
    default:
      return std::nullopt;
  }
}

/// RFC 5246 section 6.3: PRF(master secret, "key expansion", server random + client random).
bool expand_keys(const SSL& ssl, prf_hash hash, mutable_byte_span block) {
  unsigned char master[SSL_MAX_MASTER_KEY_LENGTH];
  unsigned char randoms[2 * SSL3_RANDOM_SIZE];
  std::size_t size = SSL_SESSION_get_master_key(SSL_get_session(&ssl), master, sizeof master);
  SSL_get_server_random(&ssl, randoms, SSL3_RANDOM_SIZE);
  SSL_get_client_random(&ssl, randoms + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
  char label[] = "key expansion";
  char digest[] = "SHA256";
  char digest_384[] = "SHA384";
  char* name = hash == prf_hash::sha256 ? digest : digest_384;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, size),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms, sizeof randoms),
      OSSL_PARAM_construct_end()};
  const kdf_ptr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr));
  const kdf_context_ptr context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  auto* out = reinterpret_cast<unsigned char*>(block.data());
  const bool good = context != nullptr && EVP_KDF_derive(context.get(), out, block.size(), parameters) == 1;
  wipe(master, sizeof master);
  return good;
}

struct ciphers {
  std::unique_ptr<record_cipher> reader;
  std::unique_ptr<record_cipher> writer;
};

ciphers of_tls_1_2(const SSL& ssl, const handover& collected, aead algorithm, prf_hash hash, bool server) {
  const std::size_t key = algorithm == aead::aes_128_gcm ? 16 : 32;
  const std::size_t iv = algorithm == aead::chacha20_poly1305 ? 12 : 4;
  std::array<std::byte, 2 * (32 + 12)> memory{};
  const mutable_byte_span block = mutable_byte_span(memory).first(2 * (key + iv));
  ciphers made;
  if (expand_keys(ssl, hash, block)) {
    // client key, server key, client IV, server IV
    const std::size_t mine = server ? 1 : 0;
    const std::size_t its = 1 - mine;
    const byte_span ivs = block.subspan(2 * key);
    made.reader = record_cipher::of_key(flow::opening, algorithm, block.subspan(its * key, key),
                                        ivs.subspan(its * iv, iv), collected.records_read);
    made.writer = record_cipher::of_key(flow::sealing, algorithm, block.subspan(mine * key, key),
                                        ivs.subspan(mine * iv, iv), collected.records_written);
  }
  wipe(memory.data(), memory.size());
  return made;
}

ciphers of_tls_1_3(const handover& collected, aead algorithm, prf_hash hash, bool server) {
  const handover::secret& mine = server ? collected.server : collected.client;
  const handover::secret& its = server ? collected.client : collected.server;
  return {record_cipher::of_secret(flow::opening, algorithm, hash, byte_span(its.bytes).first(its.size),
                                   collected.records_read),
          record_cipher::of_secret(flow::sealing, algorithm, hash, byte_span(mine.bytes).first(mine.size),
                                   collected.records_written)};
}

}  // namespace

handover::~handover() {
  wipe(client.bytes.data(), client.bytes.size());
  wipe(server.bytes.data(), server.bytes.size());
}

void install_handover_callbacks(SSL_CTX& context) {
  SSL_CTX_set_keylog_callback(&context, on_key_log);
  SSL_CTX_set_msg_callback(&context, on_message);
}

handover_verdict may_hand_over(const SSL& ssl, const handover& collected) {
  if (collected.keys_updated || !collected.finished || !collected.peer_finished)
    return handover_verdict::never;
  if (!algorithm_of(ssl) || !hash_of(ssl)) return handover_verdict::never;
  const int fragments = SSL_SESSION_get_max_fragment_length(SSL_get_session(&ssl));  // RFC 6066 section 4
  if (fragments >= TLSEXT_max_fragment_length_512 && fragments <= TLSEXT_max_fragment_length_4096) {
    return handover_verdict::never;
  }
  if (SSL_version(&ssl) != TLS1_2_VERSION && SSL_version(&ssl) != TLS1_3_VERSION)
    return handover_verdict::never;
  const bool busy = collected.bytes_taken != collected.bytes_announced || SSL_in_init(&ssl) == 1 ||
                    SSL_pending(&ssl) > 0 || SSL_has_pending(&ssl) == 1;
  return busy ? handover_verdict::not_now : handover_verdict::ready;
}

std::unique_ptr<record_layer> hand_over(const SSL& ssl, const handover& collected, bool server) {
  const auto algorithm = algorithm_of(ssl);
  const auto hash = hash_of(ssl);
  if (!algorithm || !hash) return nullptr;
  ciphers made = SSL_version(&ssl) == TLS1_3_VERSION ? of_tls_1_3(collected, *algorithm, *hash, server)
                                                     : of_tls_1_2(ssl, collected, *algorithm, *hash, server);
  ERR_clear_error();
  if (made.reader == nullptr || made.writer == nullptr) return nullptr;
  return std::make_unique<record_layer>(server, std::move(made.reader), std::move(made.writer));
}

}  // namespace trunkline::tls
