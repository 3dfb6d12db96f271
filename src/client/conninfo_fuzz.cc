// DSNs and password files: whatever they are, they are read to their end; what is accepted has what others
// rely on; and a value that is written as the documents say comes back as it was. The input is a DSN, and a
// password file behind its first NUL.
#include <cstdlib>

#include "client/conninfo.h"

namespace {

using trunkline::secret_text;
using trunkline::client::conninfo;

void check(bool holds) {
  if (!holds) std::abort();
}

std::expected<conninfo, std::string> parse(const std::string& dsn, std::string_view file = {}) {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HOME" ? std::optional<std::string>("/nowhere") : std::nullopt;
  };
  const auto files = [&](const std::string&) -> std::optional<secret_text> {
    return secret_text(std::string(file));
  };
  return trunkline::client::parse_conninfo(dsn, "fuzz", environment, files);
}

void read_anything(std::string_view dsn, std::string_view file) {
  const auto read = parse(std::string(dsn), file);
  if (!read) return check(!read.error().empty());
  check(!read->servers.empty() && !read->user.empty() && !read->text().empty());
  for (const auto& each : read->servers)
    check(each.port != 0 && !each.host.empty() && !each.reached_at.empty());
}

void comes_back_quoted(std::string_view value) {
  std::string dsn = "user=u password='";
  for (const char each : value) {
    if (each == '\'' || each == '\\') dsn += '\\';
    dsn += each;
  }
  const auto read = parse(dsn + "'");
  check(read && read->password.reveal() == value);
}

void comes_back_from_a_url(std::string_view value) {
  std::string dsn = "postgresql://u:";
  for (const char each : value) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(each);
    dsn += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  const auto read = parse(dsn + "@h/d");
  // As libpq, a URL cannot hold a NUL.
  if (value.find('\0') == value.npos) check(read && read->password.reveal() == value);
}

void comes_back_from_a_file(std::string_view value) {
  if (value.find_first_of("\r\n") != value.npos) return;
  std::string file = "# a comment\nother:1:d:u:wrong\nh:5432:d:*:";
  for (const char each : value) {
    if (each == '\\') file += '\\';
    file += each;
  }
  const auto found = trunkline::client::find_password(file, {"h", "h", 5432}, "d", "u");
  check(found && found->reveal() == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view dsn = text.substr(0, text.find('\0'));
  const std::string_view file = dsn.size() < text.size() ? text.substr(dsn.size() + 1) : std::string_view();
  read_anything(dsn, file);
  comes_back_quoted(text);
  comes_back_from_a_url(text);
  comes_back_from_a_file(text);
  return 0;
}
