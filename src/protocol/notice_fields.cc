#include "protocol/notice_fields.h"

namespace trunkline::protocol {

std::optional<std::string_view> notice_fields::find(char code) const {
  std::optional<std::string_view> found;
  for_each([&](char each, std::string_view value) {
    if (each == code && !found) found = value;
  });
  return found;
}

std::string_view notice_fields::severity() const {
  if (const auto untranslated = find('V')) return *untranslated;
  return find('S').value_or(std::string_view{});
}

bool notice_fields::is_fatal() const {
  const std::string_view level = severity();
  return level == "FATAL" || level == "PANIC";
}

sqlstate notice_fields::code() const {
  return sqlstate{find('C').value_or(std::string_view{})};
}

}  // namespace trunkline::protocol
