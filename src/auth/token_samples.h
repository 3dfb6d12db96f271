// Tokens and keys for tests, made by hand with OpenSSL: an RSA key and one on P-256, signed as RFC 7518 says.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/base64.h"

namespace trunkline::auth::testing {

struct pkey_release {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using pkey = std::unique_ptr<EVP_PKEY, pkey_release>;

inline std::string base64url(std::string_view bytes) {
  std::string text = base64_encode(as_bytes(bytes));
  while (text.ends_with('='))
    text.pop_back();
  for (char& c : text)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

inline std::string number_of(const EVP_PKEY* key, const char* name, int width = 0) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  std::string bytes(static_cast<std::size_t>(width != 0 ? width : BN_num_bytes(number)), '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  BN_free(number);
  return bytes;
}

/// One key of an issuer.
class signer {
 public:
  static signer rsa(std::string id, unsigned bits = 2048) { return {std::move(id), EVP_RSA_gen(bits), ""}; }
  static signer ec(std::string id, const char* curve = "P-256") {
    return {std::move(id), EVP_EC_gen(curve), curve};
  }

  std::string jwk(const std::string& more = "") const {
    const std::string id = id_.empty() ? "" : R"("kid":")" + id_ + R"(",)";
    if (curve_.empty())
      return "{" + id + more + R"("kty":"RSA","n":")" +
             base64url(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_N)) + R"(","e":")" +
             base64url(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_E)) + R"("})";
    return "{" + id + more + R"("kty":"EC","crv":")" + curve_ + R"(","x":")" +
           base64url(number_of(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, width())) + R"(","y":")" +
           base64url(number_of(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, width())) + R"("})";
  }

  /// `algorithm` such as "PS256": how it is signed, whatever the header says.
  std::string sign(const std::string& header, const std::string& claims,
                   std::string_view algorithm = "RS256") const {
    const std::string input = base64url(header) + "." + base64url(claims);
    return input + "." + base64url(signature(input, algorithm));
  }
  /// With the usual header.
  std::string token(const std::string& claims, std::string_view algorithm = "RS256") const {
    return sign(R"({"alg":")" + std::string(algorithm) + R"(","kid":")" + id_ + R"("})", claims, algorithm);
  }

 private:
  signer(std::string id, EVP_PKEY* key, std::string curve)
      : id_(std::move(id)), key_(key), curve_(std::move(curve)) {}

  int width() const { return curve_ == "P-256" ? 32 : curve_ == "P-384" ? 48 : 66; }

  std::string signature(const std::string& input, std::string_view algorithm) const {
    const auto* hash = algorithm.ends_with("256")   ? EVP_sha256()
                       : algorithm.ends_with("384") ? EVP_sha384()
                                                    : EVP_sha512();
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_PKEY_CTX* options = nullptr;
    EVP_DigestSignInit(context.get(), &options, hash, nullptr, key_.get());
    if (algorithm.starts_with("PS")) {
      EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, bytes, input.size());
    std::string made(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(made.data()), &size, bytes, input.size());
    made.resize(size);
    return curve_.empty() ? made : raw(made);
  }

  /// Two numbers of the curve's width instead of DER (RFC 7518 section 3.4).
  std::string raw(const std::string& der) const {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string made(2 * static_cast<std::size_t>(width()), '\0');
    auto* out = reinterpret_cast<unsigned char*>(made.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, width());
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + width(), width());
    ECDSA_SIG_free(pair);
    return made;
  }

  std::string id_;
  pkey key_;
  std::string curve_;
};

inline std::string jwks(const std::vector<std::string>& keys) {
  std::string list;
  for (const auto& each : keys)
    list += (list.empty() ? "" : ",") + each;
  return R"({"keys":[)" + list + "]}";
}

}  // namespace trunkline::auth::testing
