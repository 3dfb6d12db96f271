#include "auth/scram_server.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "auth/base64.h"
#include "auth/scram_message.h"
#include "auth/sha256.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

constexpr std::array strongest_first{mechanism::scram_sha_256_plus, mechanism::scram_sha_256};

error refusal(sqlstate code, std::string message, std::string hint = {}) {
  return {.source = error_source::client,
          .reaction = error_reaction::close,
          .code = code,
          .message = std::move(message),
          .hint = std::move(hint)};
}

error malformed_by_client(std::string problem) {
  return malformed(error_source::client, std::move(problem));
}

}  // namespace

scram_server::scram_server(options with) : with_(std::move(with)) {}

std::span<const mechanism> scram_server::offered() const {
  const std::span all(strongest_first);
  return with_.binding ? all : all.subspan(1);
}

result<scram_server::step> scram_server::start(std::string_view mechanism_name,
                                               std::optional<byte_span> data) {
  if (std::exchange(state_, state::done) != state::fresh) {
    return fail(malformed_by_client("the exchange is over"));
  }
  const std::optional<mechanism> named = mechanism_named(mechanism_name);
  if (!named || (*named == mechanism::scram_sha_256_plus && !with_.binding)) {
    return fail(
        refusal(sqlstates::protocol_violation, "client selected an invalid SASL authentication mechanism"));
  }
  chosen_ = *named;
  state_ = state::wants_first;
  if (!data) return step{};
  return respond(*data);
}

result<scram_server::step> scram_server::respond(byte_span data) {
  // Done unless the message turns out well: an error is final.
  const state before = std::exchange(state_, state::done);
  if (before != state::wants_first && before != state::wants_final) {
    return fail(malformed_by_client("the exchange is over"));
  }
  const auto message = message_text(data, limits::sasl_message_bytes, error_source::client);
  if (!message) return std::unexpected(message.error());
  return before == state::wants_first ? read_client_first(*message) : read_client_final(*message);
}

result<std::string_view> scram_server::read_gs2_header(std::string_view message) {
  const bool plus = chosen_ == mechanism::scram_sha_256_plus;
  std::string_view rest = message.substr(1);
  switch (message[0]) {
    case 'n':
    case 'y':
      if (plus) {
        return fail(
            malformed_by_client("the client selected SCRAM-SHA-256-PLUS, but the SCRAM message does "
                                "not include channel binding data"));
      }
      if (message[0] == 'y' && with_.binding) {
        // RFC 5802, section 6: somebody between took -PLUS off the list.
        return fail(refusal(sqlstates::invalid_authorization, "SCRAM channel binding negotiation error",
                            "The client supports SCRAM channel binding but thinks the server does not. "
                            "However, this server does support channel binding."));
      }
      break;
    case 'p': {
      if (!plus) {
        return fail(
            malformed_by_client("the client selected SCRAM-SHA-256 without channel binding, but the "
                                "SCRAM message includes channel binding data"));
      }
      attribute_reader flag(message, error_source::client);
      const auto type = flag.expect('p');
      if (!type) return std::unexpected(type.error());
      if (*type != "tls-server-end-point") {
        return fail(refusal(sqlstates::protocol_violation, "unsupported SCRAM channel-binding type",
                            "Only tls-server-end-point is supported."));
      }
      rest = message.substr(2 + type->size());
      break;
    }
    default:
      return fail(
          malformed_by_client(fmt::format("unexpected channel-binding flag \"{}\"", printable(message[0]))));
  }

  if (!rest.starts_with(','))
    return fail(malformed_by_client("comma expected after the channel-binding flag"));
  rest.remove_prefix(1);
  if (rest.starts_with('a')) {
    return fail(refusal(sqlstates::feature_not_supported,
                        "client uses authorization identity, but it is not supported"));
  }
  if (!rest.starts_with(','))
    return fail(malformed_by_client("unexpected attribute in client-first-message"));
  rest.remove_prefix(1);
  gs2_header_ = message.substr(0, message.size() - rest.size());
  return rest;
}

result<scram_server::step> scram_server::read_client_first(std::string_view message) {
  const auto bare = read_gs2_header(message);
  if (!bare) return std::unexpected(bare.error());
  client_first_bare_ = *bare;
  if (bare->starts_with('m')) {
    return fail(refusal(sqlstates::feature_not_supported, "client requires an unsupported SCRAM extension"));
  }
  attribute_reader reader(*bare, error_source::client);
  if (const auto user = reader.expect('n'); !user) return std::unexpected(user.error());
  const auto client_nonce = reader.expect('r');
  if (!client_nonce) return std::unexpected(client_nonce.error());
  if (!is_nonce_text(*client_nonce)) {
    return fail(refusal(sqlstates::protocol_violation, "non-printable characters in SCRAM nonce"));
  }
  while (!reader.at_end()) {  // optional extensions are passed over
    if (const auto extension = reader.any(); !extension) return std::unexpected(extension.error());
  }

  nonces_ = std::string(*client_nonce) + base64_encode(with_.server_nonce);
  server_first_ =
      fmt::format("r={},s={},i={}", nonces_, base64_encode(with_.verifier.salt), with_.verifier.iterations);
  state_ = state::wants_final;
  return step{.reply = server_first_};
}

result<> scram_server::check_binding(std::string_view encoded) const {
  const bool plus = chosen_ == mechanism::scram_sha_256_plus;
  std::vector<std::byte> expected;
  for (char c : gs2_header_)
    expected.push_back(static_cast<std::byte>(c));
  if (plus) expected.insert(expected.end(), with_.binding->begin(), with_.binding->end());
  if (equal_in_constant_time(as_bytes(encoded), as_bytes(base64_encode(expected)))) return {};
  if (!plus) {
    return fail(refusal(sqlstates::protocol_violation,
                        "unexpected SCRAM channel-binding attribute in client-final-message"));
  }
  return fail(refusal(sqlstates::invalid_authorization, "SCRAM channel binding check failed",
                      "The client sees another certificate than the one this gateway uses: something between "
                      "ends TLS."));
}

result<scram_server::step> scram_server::read_client_final(std::string_view message) {
  attribute_reader reader(message, error_source::client);
  const auto binding = reader.expect('c');
  if (!binding) return std::unexpected(binding.error());
  if (const auto holds = check_binding(*binding); !holds) return std::unexpected(holds.error());
  const auto nonces = reader.expect('r');
  if (!nonces) return std::unexpected(nonces.error());

  std::string_view without_proof;
  attribute found;
  do {  // optional extensions before the proof are passed over, but are part of what it signs
    without_proof = message.substr(0, message.size() - reader.rest().size());
    const auto next = reader.any();
    if (!next) return std::unexpected(next.error());
    found = *next;
  } while (found.name != 'p');
  without_proof.remove_suffix(1);  // the comma before the proof

  const auto proof = base64_decode(found.value);
  if (!proof || proof->size() != sha256_bytes) {
    return fail(malformed_by_client("malformed proof in client-final-message"));
  }
  if (!reader.at_end()) {
    return fail(malformed_by_client("garbage found at the end of client-final-message"));
  }
  if (!equal_in_constant_time(as_bytes(*nonces), as_bytes(nonces_))) {
    return fail(
        refusal(sqlstates::protocol_violation, "invalid SCRAM response", "The nonce does not match."));
  }
  return check_proof(*proof, without_proof);
}

result<scram_server::step> scram_server::check_proof(byte_span proof, std::string_view without_proof) {
  const auto sign = [&](const secret_key& key) {
    return hmac_sha256(key.reveal(), {as_bytes(client_first_bare_), as_bytes(","), as_bytes(server_first_),
                                      as_bytes(","), as_bytes(without_proof)});
  };
  digest masked;
  std::memcpy(masked.data(), proof.data(), masked.size());
  const secret_key client_key{exclusive_or(masked, sign(with_.verifier.stored_key))};
  // Both are computed in any case, so that an unknown user takes as long as a wrong password.
  const bool proved =
      equal_in_constant_time(sha256({client_key.reveal()}), with_.verifier.stored_key.reveal());
  const digest server_signature = sign(with_.verifier.server_key);
  if (!proved || !with_.user_exists) {
    return fail(refusal(sqlstates::invalid_password,
                        fmt::format("password authentication failed for user \"{}\"", with_.user)));
  }
  recovered_ = bound_client_keys{.keys = {.client_key = client_key, .server_key = with_.verifier.server_key},
                                 .salt = with_.verifier.salt,
                                 .iterations = with_.verifier.iterations};
  return step{.reply = "v=" + base64_encode(server_signature), .finished = true};
}

}  // namespace trunkline::auth
