#include "auth/scram_message.h"

#include <fmt/format.h>

#include <algorithm>

namespace trunkline::auth {

error malformed(error_source from, std::string problem) {
  return {.source = from,
          .reaction = error_reaction::close,
          .code = sqlstates::protocol_violation,
          .message = "malformed SCRAM message: " + std::move(problem)};
}

std::string printable(char c) {
  if (c >= 0x21 && c <= 0x7e) return {c};
  return fmt::format("0x{:02x}", static_cast<unsigned char>(c));
}

bool is_nonce_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

result<std::string_view> message_text(byte_span data, std::size_t limit, error_source from) {
  if (data.empty()) return fail(malformed(from, "the message is empty"));
  if (data.size() > limit) return fail(malformed(from, fmt::format("it is longer than {} bytes", limit)));
  const std::string_view text = as_text(data);
  if (text.find('\0') != std::string_view::npos) {
    return fail(malformed(from, "message length does not match input length"));
  }
  return text;
}

result<std::string_view> attribute_reader::expect(char name) {
  if (rest_.empty() || rest_[0] != name) {
    const std::string found = rest_.empty() ? "the end" : '"' + printable(rest_[0]) + '"';
    return fail(malformed(from_, fmt::format("expected attribute \"{}\" but found {}", name, found)));
  }
  auto found = any();
  if (!found) return std::unexpected(found.error());
  return found->value;
}

result<attribute> attribute_reader::any() {
  if (rest_.empty()) return fail(malformed(from_, "attribute expected, but found end of string"));
  const char name = rest_[0];
  if (!((name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z'))) {
    return fail(malformed(
        from_, fmt::format("attribute expected, but found invalid character \"{}\"", printable(name))));
  }
  if (rest_.size() < 2 || rest_[1] != '=') {
    return fail(malformed(from_, fmt::format("expected character \"=\" for attribute \"{}\"", name)));
  }
  rest_.remove_prefix(2);
  return attribute{.name = name, .value = take_value()};
}

std::string_view attribute_reader::take_value() {
  const std::size_t comma = std::min(rest_.find(','), rest_.size());
  const std::string_view value = rest_.substr(0, comma);
  rest_.remove_prefix(std::min(comma + 1, rest_.size()));
  return value;
}

digest exclusive_or(const digest& left, const digest& right) {
  digest out;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = left[i] ^ right[i];
  return out;
}

}  // namespace trunkline::auth
