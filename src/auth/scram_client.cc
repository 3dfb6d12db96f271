#include "auth/scram_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "auth/base64.h"
#include "auth/scram_message.h"
#include "auth/sha256.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

error distrust(std::string message, std::string hint = {}) {
  return {.source = error_source::server,
          .reaction = error_reaction::close,
          .code = sqlstates::invalid_authorization,
          .message = std::move(message),
          .hint = std::move(hint)};
}

error malformed_by_server(std::string problem) {
  return malformed(error_source::server, std::move(problem));
}

error out_of_order() {
  return malformed_by_server("it comes out of order");
}

/// What the server's own words may look like in our error text: short, one line, ASCII.
std::string quoted_from_server(std::string_view text) {
  constexpr std::size_t longest = 100;
  std::string out;
  for (char c : text.substr(0, longest))
    out += c == ' ' ? std::string(1, c) : printable(c);
  return out;
}

std::string gs2_header(const scram_client::options& with) {
  if (with.mechanism == mechanism::scram_sha_256_plus) return std::string(end_point_flag);
  const bool could_bind = with.transport.tls && with.transport.binding;
  return could_bind && !with.server_offered_plus ? "y,," : "n,,";
}

std::optional<std::uint32_t> iteration_count(std::string_view text) {
  std::uint32_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc{} || end != text.data() + text.size() || count == 0) return std::nullopt;
  return count;
}

}  // namespace

result<mechanism> choose_mechanism(std::span<const std::string_view> offered_by_server,
                                   const client_transport& transport) {
  const auto offers = [&](mechanism which) {
    return std::ranges::find(offered_by_server, name_of(which)) != offered_by_server.end();
  };
  if (offers(mechanism::scram_sha_256_plus)) {
    if (!transport.tls) {
      return fail(distrust("server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection",
                           "Something between the gateway and the server ends TLS; let the gateway speak TLS "
                           "to the server itself."));
    }
    if (transport.binding) return mechanism::scram_sha_256_plus;
  }
  if (offers(mechanism::scram_sha_256)) return mechanism::scram_sha_256;
  return fail(distrust("none of the server's SASL authentication mechanisms are supported"));
}

scram_client::scram_client(options with) : with_(std::move(with)) {
  gs2_header_ = gs2_header(with_);
  client_first_ = gs2_header_ + "n=,r=" + base64_encode(with_.client_nonce);
}

result<key_request> scram_client::on_server_first(byte_span data) {
  if (std::exchange(state_, state::failed) != state::wants_first) return fail(out_of_order());
  const auto message = message_text(data, limits::login_message_bytes, error_source::server);
  if (!message) return std::unexpected(message.error());
  if (message->starts_with("m=")) {
    return fail(malformed_by_server("it requires an extension that is not supported"));
  }
  attribute_reader reader(*message, error_source::server);
  const auto nonces = reader.expect('r');
  if (!nonces) return std::unexpected(nonces.error());
  const auto salt_text = reader.expect('s');
  if (!salt_text) return std::unexpected(salt_text.error());
  const auto count_text = reader.expect('i');
  if (!count_text) return std::unexpected(count_text.error());
  while (!reader.at_end()) {
    if (const auto extension = reader.any(); !extension) return std::unexpected(extension.error());
  }

  const std::string own_nonce = base64_encode(with_.client_nonce);
  if (!is_nonce_text(*nonces) || !nonces->starts_with(own_nonce) || nonces->size() == own_nonce.size()) {
    return fail(malformed_by_server("invalid nonce"));
  }
  auto salt = base64_decode(*salt_text);
  if (!salt || salt->empty() || salt->size() > limits::scram_salt_bytes_max) {
    return fail(malformed_by_server("invalid salt"));
  }
  const auto iterations = iteration_count(*count_text);
  if (!iterations) return fail(malformed_by_server("invalid iteration count"));
  if (*iterations > limits::scram_iterations_max) {
    return fail(distrust(fmt::format("server asks for {} SCRAM iterations, more than the limit of {}",
                                     *iterations, limits::scram_iterations_max)));
  }
  nonces_ = *nonces;
  server_first_ = *message;
  request_ = {.salt = std::move(*salt), .iterations = *iterations};
  state_ = state::wants_keys;
  return request_;
}

result<std::string> scram_client::provide(const bound_client_keys& keys) {
  if (state_ == state::wants_keys && !keys.are_for(request_.salt, request_.iterations)) {
    state_ = state::failed;
    return fail(distrust(
        "the server holds a different SCRAM verifier for this user than the gateway",
        "The salt or the iteration count differs, so the client's login cannot be carried on. Copy the "
        "server's verifier (rolpassword in pg_authid) to the gateway, or give the route credentials."));
  }
  return provide(keys.keys);
}

result<std::string> scram_client::provide(const client_keys& keys) {
  if (std::exchange(state_, state::failed) != state::wants_keys) return fail(out_of_order());
  std::vector<std::byte> binding;
  for (char c : gs2_header_)
    binding.push_back(static_cast<std::byte>(c));
  if (with_.mechanism == mechanism::scram_sha_256_plus) {
    if (!with_.transport.binding) {
      error why = distrust("SCRAM-SHA-256-PLUS was chosen without a channel binding");
      why.source = error_source::gateway;
      return fail(std::move(why));
    }
    binding.insert(binding.end(), with_.transport.binding->begin(), with_.transport.binding->end());
  }
  std::string message = "c=" + base64_encode(binding) + ",r=" + nonces_;

  const std::string_view client_first_bare = std::string_view(client_first_).substr(gs2_header_.size());
  const auto sign = [&](const digest& key) {
    return hmac_sha256(key, {as_bytes(client_first_bare), as_bytes(","), as_bytes(server_first_),
                             as_bytes(","), as_bytes(message)});
  };
  const digest proof = exclusive_or(keys.client_key.reveal(), sign(sha256({keys.client_key.reveal()})));
  expected_server_signature_ = secret_key{sign(keys.server_key.reveal())};
  message += ",p=" + base64_encode(proof);
  state_ = state::wants_final;
  return message;
}

result<> scram_client::on_server_final(byte_span data) {
  if (std::exchange(state_, state::failed) != state::wants_final) return fail(out_of_order());
  const auto message = message_text(data, limits::login_message_bytes, error_source::server);
  if (!message) return std::unexpected(message.error());
  if (message->starts_with("e=")) {
    return fail(
        distrust("error received from server in SCRAM exchange: " + quoted_from_server(message->substr(2))));
  }
  attribute_reader reader(*message, error_source::server);
  const auto signature_text = reader.expect('v');
  if (!signature_text) return std::unexpected(signature_text.error());
  while (!reader.at_end()) {
    if (const auto extension = reader.any(); !extension) return std::unexpected(extension.error());
  }
  const auto signature = base64_decode(*signature_text);
  if (!signature || signature->size() != sha256_bytes) {
    return fail(malformed_by_server("invalid server signature"));
  }
  if (!equal_in_constant_time(*signature, expected_server_signature_.reveal())) {
    return fail(distrust("incorrect server signature", "The server does not know this user's password."));
  }
  state_ = state::proved;
  return {};
}

}  // namespace trunkline::auth
