#include "session/side_errand.h"

#include <variant>

#include "base/limits.h"
#include "protocol/frame.h"
#include "protocol/notice_fields.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"

namespace trunkline::session {

bool side_errand::take(byte_span bytes) {
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  std::size_t done = 0;
  // What comes behind its ReadyForQuery in one piece with it is a notification or a notice, and no less the
  // client's.
  for (;;) {
    const auto read =
        protocol::next_frame(byte_span(unread_).subspan(done), limits::pooled_message, error_source::server);
    if (const auto* wrong = std::get_if<protocol::bad>(&read)) {
      failed_ = over_ = true;
      problem_ = wrong->why;
      status_ = '?';
      return true;
    }
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) break;
    done += whole->size;
    take_message(whole->type, whole->body);
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(done));
  return over_ && unread_.empty();
}

void side_errand::take_message(char type, byte_span body) {
  switch (type) {
    case 'S':
      if (const auto status = protocol::decode_parameter_status(body))
        parameters_.set(status->name, status->value);
      break;
    case 'D':
      if (const auto read = protocol::decode_data_row(body)) {
        row made;
        for (const auto& each : *read)
          made.emplace_back(each ? as_text(*each) : std::string_view());
        rows_.push_back(std::move(made));
      }
      break;
    case 'E': {
      const protocol::notice_fields fields(body);
      failed_ = true;
      problem_ = {
          .source = error_source::server, .code = fields.code(), .message = std::string(fields.message())};
      detail_ = fields.find('D').value_or(std::string_view());
      break;
    }
    case 'A':
      notifications_.emplace_back(body.begin(), body.end());
      break;
    case 'Z':
      status_ = body.empty() ? '?' : static_cast<char>(body[0]);
      over_ = true;
      break;
    default:
      break;
  }
}

}  // namespace trunkline::session
