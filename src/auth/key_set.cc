#include "auth/key_set.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "auth/base64.h"
#include "base/limits.h"

namespace trunkline::auth {

namespace {

using json = nlohmann::json;

constexpr std::array<std::string_view, 9> algorithm_names{"RS256", "RS384", "RS512", "PS256", "PS384",
                                                          "PS512", "ES256", "ES384", "ES512"};

error bad_keys(std::string what) {
  return {.message = "the issuer's keys: " + std::move(what)};
}

std::string member_text(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "use" and "key_ops" (RFC 7517 sections 4.2 and 4.3).
bool is_for_signatures(const json& key) {
  if (key.contains("use") && member_text(key, "use") != "sig") return false;
  const auto operations = key.find("key_ops");
  if (operations == key.end()) return true;
  return operations->is_array() &&
         std::find(operations->begin(), operations->end(), json("verify")) != operations->end();
}

/// What is public of it, for libcjose: a private key that is shown by mistake is not used. Nothing where a
/// number is missing or is none: libcjose's own decoder asserts where its input is not base64url.
std::optional<json> public_part(const json& key, bool curve) {
  json made = json::object();
  made["kty"] = curve ? "EC" : "RSA";
  if (curve) made["crv"] = member_text(key, "crv");
  for (const char* name : curve ? std::array{"x", "y"} : std::array{"n", "e"}) {
    const std::string number = member_text(key, name);
    const auto bytes = base64url_decode(number);
    if (!bytes || bytes->empty()) return std::nullopt;
    made[name] = number;
  }
  return made;
}

struct jws_closer {
  void operator()(cjose_jws_t* jws) const { ::cjose_jws_release(jws); }
};

void close_key(void* handle) {
  ::cjose_jwk_release(static_cast<cjose_jwk_t*>(handle));
}

/// libcjose goes by what it reads in the header itself; it must be what the caller has read there.
bool says(cjose_jws_t* jws, signature_algorithm algorithm) {
  cjose_err ignored{};
  const char* said = ::cjose_header_get(::cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &ignored);
  return said != nullptr && name_of(algorithm) == said;
}

}  // namespace

std::optional<signature_algorithm> algorithm_of(std::string_view name) {
  const auto found = std::find(algorithm_names.begin(), algorithm_names.end(), name);
  if (found == algorithm_names.end()) return std::nullopt;
  return static_cast<signature_algorithm>(found - algorithm_names.begin());
}

std::string_view name_of(signature_algorithm algorithm) {
  return algorithm_names[static_cast<std::size_t>(algorithm)];
}

bool key_set::key::fits(signature_algorithm algorithm, std::string_view key_id) const {
  if (only && *only != algorithm) return false;
  if (!key_id.empty() && !id.empty() && id != key_id) return false;
  switch (algorithm) {
    case signature_algorithm::es256:
      return what == kind::p256;
    case signature_algorithm::es384:
      return what == kind::p384;
    case signature_algorithm::es512:
      return what == kind::p521;
    default:
      return what == kind::rsa;
  }
}

std::optional<key_set::key> key_set::read_key(const std::string& text) {
  const json from = json::parse(text, nullptr, false);
  if (!from.is_object() || !is_for_signatures(from)) return std::nullopt;
  key made;
  made.id = member_text(from, "kid");
  if (made.id.size() > limits::token_text_bytes) return std::nullopt;
  if (from.contains("alg")) {
    made.only = algorithm_of(member_text(from, "alg"));
    if (!made.only) return std::nullopt;
  }
  const std::string type = member_text(from, "kty");
  if (type == "EC") {
    const std::string curve = member_text(from, "crv");
    if (curve != "P-256" && curve != "P-384" && curve != "P-521") return std::nullopt;
    made.what = curve == "P-256" ? kind::p256 : curve == "P-384" ? kind::p384 : kind::p521;
  } else if (type != "RSA") {
    return std::nullopt;
  }
  const auto part = public_part(from, made.what != kind::rsa);
  if (!part) return std::nullopt;
  const std::string shown = part->dump();
  cjose_err ignored{};
  cjose_jwk_t* handle = ::cjose_jwk_import(shown.data(), shown.size(), &ignored);
  if (handle == nullptr) return std::nullopt;
  made.handle = std::shared_ptr<void>(handle, &close_key);
  const std::size_t bits = ::cjose_jwk_get_keysize(handle, &ignored);
  const bool fits = bits >= limits::rsa_key_bits_least && bits <= limits::rsa_key_bits_most;
  if (made.what == kind::rsa && !fits) return std::nullopt;
  return made;
}

result<key_set> key_set::parse(std::string_view text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return fail(bad_keys("what it gave is not JSON"));
  const auto list = all.find("keys");
  if (list == all.end() || !list->is_array()) return fail(bad_keys("there is no list `keys`"));
  if (list->size() > limits::jwks_keys)
    return fail(bad_keys(std::to_string(list->size()) + " of them are too many"));
  key_set made;
  made.fingerprint_ = sha256({as_bytes(text)});
  for (const json& each : *list) {
    if (!each.is_object()) return fail(bad_keys("one of them is no object"));
    if (auto one = read_key(each.dump(-1, ' ', false, json::error_handler_t::replace)))
      made.keys_.push_back(std::move(*one));
  }
  if (made.keys_.empty()) return fail(bad_keys("none of " + std::to_string(list->size()) + " can be used"));
  return made;
}

signature_verdict key_set::check(std::string_view token, signature_algorithm algorithm,
                                 std::string_view key_id) const {
  const auto fits = [&](const key& each) { return each.fits(algorithm, key_id); };
  if (std::none_of(keys_.begin(), keys_.end(), fits)) return signature_verdict::no_such_key;
  cjose_err ignored{};
  const std::unique_ptr<cjose_jws_t, jws_closer> jws(
      ::cjose_jws_import(token.data(), token.size(), &ignored));
  if (jws == nullptr || !says(jws.get(), algorithm)) return signature_verdict::wrong;
  const bool good = std::any_of(keys_.begin(), keys_.end(), [&](const key& each) {
    return fits(each) &&
           ::cjose_jws_verify(jws.get(), static_cast<const cjose_jwk_t*>(each.handle.get()), &ignored);
  });
  if (good) return signature_verdict::good;
  // Where tokens do not say which key it is, a new one cannot be told from a forgery.
  return key_id.empty() ? signature_verdict::no_such_key : signature_verdict::wrong;
}

}  // namespace trunkline::auth
