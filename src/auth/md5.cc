// The low-level MD5_* functions work also where the configured provider of EVP has no MD5.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/md5.h"

#include <openssl/md5.h>

#include <algorithm>

namespace trunkline::auth {
namespace {

constexpr std::string_view prefix = "md5";
constexpr std::size_t hash_text_bytes = 3 + 2 * MD5_DIGEST_LENGTH;

secret_text prefixed_md5(byte_span first, byte_span second) {
  MD5_CTX context;
  std::array<unsigned char, MD5_DIGEST_LENGTH> hash;
  MD5_Init(&context);
  if (!first.empty()) MD5_Update(&context, first.data(), first.size());
  if (!second.empty()) MD5_Update(&context, second.data(), second.size());
  MD5_Final(hash.data(), &context);
  wipe(&context, sizeof context);

  std::string text(prefix);
  for (unsigned char byte : hash) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 0xf];
  }
  return secret_text{std::move(text)};
}

}  // namespace

bool looks_like_md5_hash(std::string_view text) {
  return text.size() == hash_text_bytes && text.starts_with(prefix) &&
         text.substr(prefix.size()).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

secret_text md5_hash(std::string_view password, std::string_view user) {
  return prefixed_md5(as_bytes(password), as_bytes(user));
}

secret_text md5_response(const secret_text& hash, const md5_salt& salt) {
  std::string_view digits = hash.reveal();
  digits.remove_prefix(std::min(prefix.size(), digits.size()));
  return prefixed_md5(as_bytes(digits), salt);
}

secret_text md5_response(const secret_text& password_or_hash, std::string_view user, const md5_salt& salt) {
  if (looks_like_md5_hash(password_or_hash.reveal())) return md5_response(password_or_hash, salt);
  return md5_response(md5_hash(password_or_hash.reveal(), user), salt);
}

}  // namespace trunkline::auth
