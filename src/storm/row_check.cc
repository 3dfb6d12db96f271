#include "storm/row_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace trunkline::storm {
namespace {

constexpr std::string_view prefix = "storm";

struct told_row {
  asker who;
  std::uint32_t number = 0;
};

/// Takes a number and the mark behind it from the front of the text.
template <class Number>
bool take_number(std::string_view& text, char mark, Number& into, int base = 10) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), into, base);
  if (read.ec != std::errc() || read.ptr == text.data() + text.size() || *read.ptr != mark) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()) + 1);
  return true;
}

/// Who made this row, where it is one of ours.
std::optional<told_row> read_row(std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  told_row made;
  if (!take_number(text, '.', made.who.run, 16) || !take_number(text, '.', made.who.client))
    return std::nullopt;
  if (!take_number(text, '.', made.who.session) || !take_number(text, ':', made.who.request))
    return std::nullopt;
  if (!take_number(text, ':', made.number)) return std::nullopt;
  return made;
}

problem found(fault what, std::string message) {
  return {.what = what, .where = stage::transfer, .code = {}, .message = std::move(message)};
}

/// Enough to recognise it by, and nothing that a terminal would obey.
std::string shown(std::string_view row) {
  std::string text(row.substr(0, 60));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string asker::token() const {
  return fmt::format("{}{:x}.{}.{}.{}", prefix, run, client, session, request);
}

row_check::row_check(const asker& who, std::uint32_t count, std::uint32_t padding)
    : who_(who), token_(who.token()), count_(count), padding_(padding) {}

bool row_check::recognises(std::string_view row) {
  return read_row(row).has_value();
}

std::string row_check::sql() const {
  return fmt::format(
      "SELECT '{}:' || g || ':' || pg_catalog.repeat('x', {}) FROM pg_catalog.generate_series(1, {}) AS g",
      token_, padding_, count_);
}

std::string row_check::prepared_sql(std::uint32_t padding) {
  return fmt::format(
      "SELECT $1::text || ':' || g || ':' || pg_catalog.repeat('x', {})"
      " FROM pg_catalog.generate_series(1, $2::int) AS g",
      padding);
}

std::string row_check::row(std::uint32_t number) const {
  return fmt::format("{}:{}:{}", token_, number, std::string(padding_, 'x'));
}

std::optional<problem> row_check::take(std::string_view row) {
  const std::uint32_t expected = seen_ + 1;
  std::string_view rest = row;
  std::uint32_t number = 0;
  if (rest.starts_with(token_) && rest.size() > token_.size() && rest[token_.size()] == ':') {
    rest.remove_prefix(token_.size() + 1);
    if (take_number(rest, ':', number) && number == expected && expected <= count_ &&
        rest.size() == padding_ && rest.find_first_not_of('x') == rest.npos) {
      ++seen_;
      return std::nullopt;
    }
  }
  return judge(row);
}

problem row_check::judge(std::string_view row) const {
  const auto told = read_row(row);
  if (!told) return found(fault::corrupt_row, fmt::format("row {} came as \"{}\"", seen_ + 1, shown(row)));
  if (told->who.run != who_.run || told->who.client != who_.client)
    return found(fault::foreign_answer, fmt::format("{} got a row of {}", token_, told->who.token()));
  if (told->who != who_)
    return found(fault::stale_answer, fmt::format("{} got a row of {}", token_, told->who.token()));
  if (told->number <= seen_)
    return found(fault::duplicate_row, fmt::format("row {} of {} came again", told->number, count_));
  if (told->number > seen_ + 1)
    return found(fault::lost_row,
                 fmt::format("behind row {} of {} came row {}", seen_, count_, told->number));
  return found(fault::corrupt_row,
               fmt::format("row {} came with other bytes: \"{}\"", told->number, shown(row)));
}

problem row_check::missing() const {
  return found(fault::lost_row, fmt::format("{} of {} rows came", seen_, count_));
}

}  // namespace trunkline::storm
