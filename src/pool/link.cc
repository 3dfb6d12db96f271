#include "pool/link.h"

#include <variant>

#include "base/limits.h"
#include "pool/link_shelf.h"
#include "protocol/frame.h"

namespace trunkline::pool {

void link::rest_at(link_shelf& shelf) {
  shelf_ = &shelf;
  stream->set_handler(this);
  stream->resume_receiving();
}

/// A notice, or a setting whose default has changed, means nothing to nobody; an error is the server's last
/// word.
void link::on_received(runtime::buffer data) {
  const auto bytes = data.bytes();
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  std::size_t done = 0;
  bool good = true;
  while (good) {
    const auto read = protocol::next_frame(byte_span(unread_).subspan(done), limits::login_message_bytes,
                                           error_source::server);
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) {
      good = std::holds_alternative<protocol::need_more>(read);
      break;
    }
    done += whole->size;
    // A reported setting that changes by itself has a new default: who logged in before does not know it.
    good = whole->type == 'N' || whole->type == 'A';
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(done));
  if (unread_.empty()) unread_.shrink_to_fit();
  if (!good || !unread_.empty()) unfit = true;
  if (unfit) shelf_->lost(*this);
}

void link::on_end(runtime::stream_end) {
  shelf_->lost(*this);
}

bool is_server_fact(std::string_view name) {
  return name == "server_version" || name == "server_encoding" || name == "is_superuser" ||
         name == "session_authorization" || name == "integer_datetimes" || name == "in_hot_standby";
}

void note_told(setting_map& in, const link& of, std::string_view name, std::string_view value) {
  const std::string* after_login = of.login_parameters == nullptr ? nullptr : of.login_parameters->find(name);
  if (after_login != nullptr && *after_login == value) {
    in.erase(folded(name));
  } else {
    in.set(folded(name), value);
  }
}

}  // namespace trunkline::pool
