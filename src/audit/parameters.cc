#include "audit/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "audit/binary_values.h"
#include "audit/json_pieces.h"
#include "audit/json_text.h"
#include "audit/pg_types.h"
#include "audit/redact.h"
#include "base/limits.h"
#include "protocol/message_reader.h"

namespace trunkline::audit {

namespace {

using config::audit_parameters;

/// One parameter as it stands in the message.
struct value_seen {
  byte_span bytes;         ///< what is there of it
  std::size_t length = 0;  ///< what there should be
  bool binary = false;
  std::uint32_t oid = 0;
};

void append_hex(std::string& out, const value_seen& value) {
  const byte_span shown = value.bytes.first(std::min(value.bytes.size(), limits::audit_parameter_bytes / 2));
  out += "{\"hex\":\"";
  for (const std::byte each : shown)
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned>(each));
  fmt::format_to(std::back_inserter(out), "\",\"bytes\":{}}}", value.length);
}

/// `whole`: nothing of the value is missing from `text`.
void append_limited(std::string& out, std::string_view text, bool whole, std::size_t length) {
  if (looks_secret(text)) {
    append_json_text(out, redacted_mark);
    return;
  }
  const std::string_view shown = utf8_prefix(text, limits::audit_parameter_bytes);
  if (whole && shown.size() == text.size()) {
    append_json_text(out, text);
    return;
  }
  out += "{\"text\":";
  append_json_text(out, shown);
  fmt::format_to(std::back_inserter(out), ",\"bytes\":{}}}", length);
}

void append_value(std::string& out, const value_seen& value) {
  const bool whole = value.bytes.size() == value.length;
  if (!value.binary) return append_limited(out, as_text(value.bytes), whole, value.length);
  const pg_type type = find_pg_type(value.oid);
  // Of text the beginning is worth something, of other forms it is not.
  const bool readable = whole || (type.form == binary_form::text && !type.array);
  const auto text = readable ? read_binary_value(type, value.bytes, limits::audit_parameter_bytes)
                             : std::optional<std::string>{};
  if (!text) return append_hex(out, value);
  append_limited(out, *text, whole, value.length);
}

void append_type(std::string& out, const value_seen& value) {
  out += "{\"type\":";
  const pg_type type = find_pg_type(value.oid);
  if (!type.name.empty()) {
    append_json_text(out, type.name);
  } else if (value.oid != 0) {
    append_number(out, value.oid);
  } else {
    out += "null";
  }
  append_field(out, "bytes", std::uint64_t{value.length});
  out += '}';
}

class bind_reader {
 public:
  bind_reader(byte_span body, std::span<const std::uint32_t> types) : reader_(body), types_(types) {}

  void append(std::string& out, audit_parameters how);

 private:
  bool binary(std::size_t index) const {
    const std::size_t at = formats_.size() == 2 ? 0 : 2 * index;
    return at + 2 <= formats_.size() && load_u16(formats_.data() + at) == 1;
  }
  bool one(std::string& out, std::size_t index, audit_parameters how);

  protocol::message_reader reader_;
  std::span<const std::uint32_t> types_;
  byte_span formats_;  // two bytes each
};

/// False: there is nothing to read behind it.
bool bind_reader::one(std::string& out, std::size_t index, audit_parameters how) {
  const auto length = static_cast<std::int32_t>(reader_.u32());
  if (!reader_.ok() || length < -1) return false;
  if (index > 0) out += ',';
  if (length == -1) {
    out += "null";
    return true;
  }
  const auto size = static_cast<std::size_t>(length);
  const bool whole = reader_.remaining() >= size;
  value_seen value;
  value.length = size;
  value.binary = binary(index);
  value.oid = index < types_.size() ? types_[index] : 0;
  value.bytes = whole ? reader_.bytes(size) : reader_.rest();
  how == audit_parameters::full ? append_value(out, value) : append_type(out, value);
  return true;
}

void bind_reader::append(std::string& out, audit_parameters how) {
  reader_.text();
  reader_.text();
  formats_ = reader_.bytes(2 * std::size_t{reader_.u16()});
  const std::uint16_t count = reader_.u16();
  if (!reader_.ok()) return;
  const std::size_t begin = out.size();
  std::size_t shown = 0;
  while (shown < count && out.size() - begin < limits::audit_parameter_list_bytes && one(out, shown, how))
    ++shown;
  if (shown < count)
    fmt::format_to(std::back_inserter(out), "{}{{\"more\":{}}}", shown > 0 ? "," : "", count - shown);
}

}  // namespace

void append_parameters(std::string& out, byte_span bind_body, bool cut, std::span<const std::uint32_t> types,
                       audit_parameters how) {
  out += '[';
  // A body that ends too early says so by itself, cut or malformed.
  static_cast<void>(cut);
  if (how != audit_parameters::off) bind_reader(bind_body, types).append(out, how);
  out += ']';
}

}  // namespace trunkline::audit
