// Any text as a pgbouncer.ini, and as an auth_file: it is read or refused with a place, and what was read
// becomes YAML or problems. Nothing that is said of it has a control character.
#include <cstdlib>
#include <string>

#include "config/tree.h"
#include "pgbouncer/convert.h"
#include "pgbouncer/userlist.h"

using namespace trunkline;
using namespace trunkline::pgbouncer;

namespace {

void check(const config::problem& each) {
  const auto text = each.render();
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const text_reader read = [&](const std::string&) -> std::expected<secret_text, std::string> {
    return secret_text(text);
  };
  if (const auto users = read_userlist(secret_text(text), "u"); !users) check(users.error());
  const auto file = read_ini("i", read);
  if (!file) {
    check(file.error());
    return 0;
  }
  const auto settings = read_settings(*file);
  if (!settings) {
    for (const auto& each : settings.error())
      check(each);
    return 0;
  }
  const auto made = convert(*settings, {.folder = "/", .has_ipv6 = true, .read = read});
  if (!made && made.error().empty()) std::abort();
  if (!made) {
    for (const auto& each : made.error())
      check(each);
    return 0;
  }
  // A key is at most once in what is made, and every text survives its quotes.
  if (!config::parse_tree(made->yaml) && made->yaml.size() < 100'000) std::abort();
  return 0;
}
