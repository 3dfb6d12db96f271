// The console's rows as DataRow messages, in the formats that the client asked for (PostgreSQL: the binary
// forms of int4, int8, float8 and numeric, as their `send` functions write them).
#include <charconv>

#include "base/limits.h"
#include "protocol/answer_messages.h"
#include "session/console_machine.h"

namespace trunkline::session {
namespace {

template <class Integer>
void append(std::string& out, Integer value) {
  std::byte bytes[sizeof value];
  store_big_endian(bytes, value);
  out += as_text(bytes);
}

template <class Number>
Number read_number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Whole numbers that are not negative: digits in base 10,000, most significant first.
std::string binary_numeric(std::string_view text) {
  std::vector<std::uint16_t> digits;
  for (std::size_t end = text.size(); end > 0;) {
    const std::size_t begin = end > 4 ? end - 4 : 0;
    digits.insert(digits.begin(), read_number<std::uint16_t>(text.substr(begin, end - begin)));
    end = begin;
  }
  while (!digits.empty() && digits.front() == 0)
    digits.erase(digits.begin());
  std::string out;
  append(out, static_cast<std::uint16_t>(digits.size()));
  append(out, static_cast<std::uint16_t>(digits.empty() ? 0 : digits.size() - 1));  // weight of the first
  append(out, std::uint16_t{0});                                                    // sign: not negative
  append(out, std::uint16_t{0});                                                    // digits behind the point
  for (const std::uint16_t each : digits)
    append(out, each);
  return out;
}

std::string binary(console_type type, const std::string& text) {
  std::string out;
  switch (type) {
    case console_type::text:
      return text;
    case console_type::int4:
      append(out, read_number<std::int32_t>(text));
      break;
    case console_type::int8:
      append(out, read_number<std::int64_t>(text));
      break;
    case console_type::float8:
      append(out, std::bit_cast<std::uint64_t>(read_number<double>(text)));
      break;
    case console_type::numeric:
      return binary_numeric(text);
  }
  return out;
}

}  // namespace

result<console_answer> write_rows(const console_request& request, console_rows rows) {
  console_answer made;
  made.notice = std::move(rows.notice);
  made.count = rows.rows.size();
  std::vector<std::optional<byte_span>> values;
  std::vector<std::string> held;
  const auto& columns = request.statement.columns;
  for (const console_row& row : rows.rows) {
    values.clear();
    held.assign(columns.size(), {});
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i >= row.size() || !row[i]) {
        values.emplace_back();
        continue;
      }
      const bool as_binary = i < request.formats.size() && request.formats[i] == 1;
      if (as_binary) held[i] = binary(columns[i].type, *row[i]);
      values.emplace_back(as_bytes(as_binary ? held[i] : *row[i]));
    }
    protocol::append_data_row(made.rows, values);
    if (made.rows.size() > limits::console_answer_bytes) {
      return fail({.reaction = error_reaction::reject,
                   .code = sqlstate("54000"),
                   .message = "the answer is too large for the console"});
    }
  }
  return made;
}

}  // namespace trunkline::session
