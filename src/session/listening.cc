#include "session/listening.h"

#include <variant>

#include "base/limits.h"
#include "protocol/frame.h"

namespace trunkline::session {

void listening::forget_mail(std::string_view channel) {
  std::vector<std::byte> kept;
  for (byte_span rest = mail; !rest.empty();) {
    const auto read = protocol::next_frame(rest, limits::pooled_message, error_source::server);
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) break;  // the hub passes whole messages on
    const bool is_of_it =
        whole->type == 'A' && (channel.empty() || pool::channel_of_notification(whole->body) == channel);
    if (!is_of_it)
      kept.insert(kept.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(whole->size));
    rest = rest.subspan(whole->size);
  }
  mail = std::move(kept);
}

}  // namespace trunkline::session
