// The fields of an ErrorResponse ('E') or NoticeResponse ('N') (PostgreSQL documentation, "Error and Notice
// Message Fields"). A view; tolerant: a truncated body yields the fields that are whole. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

class notice_fields {
 public:
  /// `body` may be cut anywhere; it must outlive the view.
  explicit notice_fields(byte_span body) : body_(as_text(body)) {}

  /// The first field with that code (S V C M D H P q p W F L R s t c d n).
  std::optional<std::string_view> find(char code) const;

  /// The severity that is never translated (V, PostgreSQL 9.6 and later), else the translated one (S).
  std::string_view severity() const;
  /// FATAL or PANIC: the server ends the session.
  bool is_fatal() const;
  /// 00000 where the field is missing.
  sqlstate code() const;
  std::string_view message() const { return find('M').value_or(std::string_view{}); }

  /// Calls `visit(code, value)` per field, in order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::string_view rest = body_;
    while (!rest.empty() && rest.front() != '\0') {
      const std::size_t end = rest.find('\0', 1);
      if (end == std::string_view::npos) return;
      visit(rest.front(), rest.substr(1, end - 1));
      rest.remove_prefix(end + 1);
    }
  }

 private:
  std::string_view body_;
};

}  // namespace trunkline::protocol
