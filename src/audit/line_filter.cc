#include "audit/line_filter.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "audit/json_text.h"
#include "audit/sql_scan.h"

namespace trunkline::audit {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out.substr(1, out.size() - 2);
}

bool same(std::string_view inside, std::string_view wanted) {
  return wanted.empty() || inside == wanted ||
         (inside.find('\\') != std::string_view::npos && json_plain(inside) == wanted);
}

/// The later in this list, the rarer in audited texts.
std::size_t rarity(char c) {
  constexpr std::string_view common = "\" etaoinsrldcumpfgh,.=():_01b2vyw-34567*89$kq'x;jz";
  const std::size_t place = common.find(lower(c));
  return place == std::string_view::npos ? common.size() : place;
}

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

}  // namespace

/// Goes from one place of the rarest character to the next, which memchr does quickly.
std::size_t find_ignoring_case(std::string_view text, std::string_view words) {
  if (words.empty()) return 0;
  const auto rarest = std::ranges::max_element(words, {}, rarity);
  const auto offset = static_cast<std::size_t>(rarest - words.begin());
  const std::array<char, 2> cases{lower(*rarest), upper(lower(*rarest))};
  std::array<std::size_t, 2> next{};
  const auto search = [&](std::size_t which, std::size_t from) {
    next[which] = text.find(cases[which], from);
  };
  search(0, offset);
  cases[0] == cases[1] ? next[1] = std::string_view::npos : (search(1, offset), std::size_t{0});
  for (;;) {
    const std::size_t which = next[0] <= next[1] ? 0 : 1;
    const std::size_t found = next[which];
    if (found == std::string_view::npos) return found;
    const std::string_view there = text.substr(found - offset, words.size());
    if (std::ranges::equal(there, words, {}, lower, lower)) return found - offset;
    search(which, found + 1);
  }
}

bool line_filter::may_hold(const block_facts& block) const {
  if (no_fingerprint_fits) return false;
  if (since_us && block.last_us < *since_us) return false;
  if (until_us && block.first_us >= *until_us) return false;
  if (slower_than > 0 && block.seconds < slower_than) return false;
  const auto has = [&](block_key kind, const std::string& value) {
    return value.empty() || block.has(block_key_hash(kind, value));
  };
  const bool print = fingerprints.empty() || std::ranges::any_of(fingerprints, [&](const std::string& each) {
                       return has(block_key::fingerprint, each);
                     });
  return print && has(block_key::event, event) && has(block_key::session, session) &&
         has(block_key::principal, principal) && has(block_key::database, database) &&
         has(block_key::sqlstate, sqlstate);
}

bool line_filter::fits(const line_view& line) const {
  if (no_fingerprint_fits) return false;
  if (since_us && line.time_us < *since_us) return false;
  if (until_us && line.time_us >= *until_us) return false;
  if (slower_than > 0 && line.seconds < slower_than) return false;
  if (!same(line.event, event) || !same(line.session, session) || !same(line.principal, principal) ||
      !same(line.database, database))
    return false;
  if (!sqlstate.empty() && std::ranges::find(line.sqlstates, sqlstate) == line.sqlstates.end()) return false;
  if (!fingerprints.empty() &&
      std::ranges::find_first_of(line.fingerprints, fingerprints) == line.fingerprints.end())
    return false;
  if (text.empty()) return true;
  const std::string words = escaped(text);
  return std::ranges::any_of(line.texts, [&](std::string_view each) {
    return find_ignoring_case(each, words) != std::string_view::npos;
  });
}

std::string line_filter::needle() const {
  const auto member = [](std::string_view key, std::string_view value) {
    return "\"" + std::string(key) + "\":\"" + escaped(value) + "\"";
  };
  if (!session.empty()) return member("session", session);
  if (fingerprints.size() == 1) return member("fingerprint", fingerprints[0]);
  if (!sqlstate.empty()) return member("sqlstate", sqlstate);
  if (!text.empty()) return escaped(text);
  if (!principal.empty()) return member("principal", principal);
  if (!database.empty()) return member("database", database);
  if (!event.empty()) return member("event", event);
  return {};
}

}  // namespace trunkline::audit
