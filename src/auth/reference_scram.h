// The formulas of RFC 5802 once more, written plainly on OpenSSL's generic interfaces: the oracle of this
// room's tests. It shares no code with what it checks, and is itself checked by the vector of RFC 7677.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

namespace trunkline::auth::reference {

inline std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  return {reinterpret_cast<char*>(out), size};
}

inline std::string hash(std::string_view text) {
  unsigned char out[32];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<char*>(out), size};
}

inline std::string pbkdf2(std::string_view password, std::string_view salt, int iterations) {
  unsigned char out[32];
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                    reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                    iterations, EVP_sha256(), sizeof out, out);
  return {reinterpret_cast<char*>(out), sizeof out};
}

inline std::string base64(std::string_view text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

struct proofs {
  std::string client;  ///< base64, the value of p=
  std::string server;  ///< base64, the value of v=
};

inline proofs prove(std::string_view password, std::string_view salt, int iterations,
                    std::string_view auth_message) {
  const std::string salted = pbkdf2(password, salt, iterations);
  const std::string client_key = hmac(salted, "Client Key");
  std::string proof = hmac(hash(client_key), auth_message);
  for (std::size_t i = 0; i < proof.size(); ++i)
    proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  return {.client = base64(proof), .server = base64(hmac(hmac(salted, "Server Key"), auth_message))};
}

}  // namespace trunkline::auth::reference
