#include "auth/scram_keys.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "auth/base64.h"
#include "auth/saslprep.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

constexpr std::string_view verifier_prefix = "SCRAM-SHA-256$";
constexpr std::string_view keys_prefix = "SCRAM-SHA-256-KEYS$";

error bad_verifier(std::string problem) {
  return {.source = error_source::gateway,
          .reaction = error_reaction::reject,
          .code = sqlstates::invalid_authorization,
          .message = "invalid SCRAM verifier: " + std::move(problem),
          .hint = "Expected SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, as in pg_authid."};
}

error bad_keys(const error& as_verifier) {
  error made = as_verifier;
  made.message.replace(0, made.message.find(':'), "invalid SCRAM keys");
  made.hint =
      "Expected SCRAM-SHA-256-KEYS$<iterations>:<salt>$<ClientKey>:<ServerKey>, as `trunkline scram-keys` "
      "prints it.";
  return made;
}

/// Takes everything before the first `separator` off `rest`; nullopt where there is none.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

std::optional<secret_key> decode_key(std::string_view text) {
  std::optional<std::vector<std::byte>> bytes = base64_decode(text);
  if (!bytes || bytes->size() != sha256_bytes) return std::nullopt;
  digest key;
  std::memcpy(key.data(), bytes->data(), key.size());
  wipe(bytes->data(), bytes->size());
  secret_key out{key};
  wipe(key.data(), key.size());
  return out;
}

}  // namespace

namespace {

/// What both texts have behind their first word.
result<verifier> parse_parts(std::string_view rest) {
  const auto count = take_until(rest, ':');
  const auto salt_text = take_until(rest, '$');
  const auto stored_text = take_until(rest, ':');
  if (!count || !salt_text || !stored_text) return fail(bad_verifier("a part is missing"));

  verifier out;
  const auto [end, problem] = std::from_chars(count->data(), count->data() + count->size(), out.iterations);
  if (problem != std::errc{} || end != count->data() + count->size() || out.iterations == 0 ||
      out.iterations > limits::scram_iterations_max) {
    return fail(bad_verifier("the iteration count is not a number from 1 to " +
                             std::to_string(limits::scram_iterations_max)));
  }
  auto salt = base64_decode(*salt_text);
  if (!salt || salt->empty() || salt->size() > limits::scram_salt_bytes_max) {
    return fail(bad_verifier("the salt is empty, too long or not base64"));
  }
  auto stored_key = decode_key(*stored_text);
  auto server_key = decode_key(rest);
  if (!stored_key || !server_key) return fail(bad_verifier("a key is not 32 bytes in base64"));
  out.salt = std::move(*salt);
  out.stored_key = std::move(*stored_key);
  out.server_key = std::move(*server_key);
  return out;
}

secret_text format_parts(std::string_view first_word, const verifier& value) {
  std::string out(first_word);
  out += std::to_string(value.iterations) + ':' + base64_encode(value.salt) + '$' +
         base64_encode(value.stored_key.reveal()) + ':' + base64_encode(value.server_key.reveal());
  return secret_text{std::move(out)};
}

}  // namespace

result<verifier> parse_verifier(std::string_view text) {
  if (!text.starts_with(verifier_prefix)) return fail(bad_verifier("it does not begin with SCRAM-SHA-256$"));
  return parse_parts(text.substr(verifier_prefix.size()));
}

secret_text format_verifier(const verifier& value) {
  return format_parts(verifier_prefix, value);
}

bool looks_like_client_keys(std::string_view text) {
  return text.starts_with(keys_prefix);
}

result<bound_client_keys> parse_client_keys(std::string_view text) {
  if (!looks_like_client_keys(text))
    return fail(bad_keys(bad_verifier("they do not begin with SCRAM-SHA-256-KEYS$")));
  auto parts = parse_parts(text.substr(keys_prefix.size()));
  if (!parts) return fail(bad_keys(parts.error()));
  return bound_client_keys{
      .keys = {.client_key = std::move(parts->stored_key), .server_key = std::move(parts->server_key)},
      .salt = std::move(parts->salt),
      .iterations = parts->iterations};
}

secret_text format_client_keys(const bound_client_keys& value) {
  return format_parts(keys_prefix, {.iterations = value.iterations,
                                    .salt = value.salt,
                                    .stored_key = value.keys.client_key,
                                    .server_key = value.keys.server_key});
}

client_keys derive(std::string_view password, byte_span salt, std::uint32_t iterations) {
  const secret_text prepared = prepare_password(password);
  const secret_key salted{pbkdf2_sha256(as_bytes(prepared.reveal()), salt, iterations)};
  return {.client_key = secret_key{hmac_sha256(salted.reveal(), {as_bytes("Client Key")})},
          .server_key = secret_key{hmac_sha256(salted.reveal(), {as_bytes("Server Key")})}};
}

verifier verifier_of(const client_keys& keys, byte_span salt, std::uint32_t iterations) {
  return {.iterations = iterations,
          .salt = {salt.begin(), salt.end()},
          .stored_key = secret_key{sha256({keys.client_key.reveal()})},
          .server_key = keys.server_key};
}

std::vector<std::byte> stable_salt(std::string_view user, byte_span server_secret) {
  constexpr std::size_t postgres_salt_bytes = 16;
  const digest hash = hmac_sha256(server_secret, {as_bytes("salt"), as_bytes(user)});
  return {hash.begin(), hash.begin() + postgres_salt_bytes};
}

verifier fake_verifier(std::string_view user, byte_span server_secret, std::uint32_t iterations) {
  // A proof for this StoredKey would need a pre-image of SHA-256.
  return {.iterations = iterations,
          .salt = stable_salt(user, server_secret),
          .stored_key = secret_key{hmac_sha256(server_secret, {as_bytes("stored key"), as_bytes(user)})},
          .server_key = secret_key{hmac_sha256(server_secret, {as_bytes("server key"), as_bytes(user)})}};
}

}  // namespace trunkline::auth
