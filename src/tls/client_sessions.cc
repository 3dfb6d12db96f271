#include "tls/client_sessions.h"

#include <algorithm>

namespace trunkline::tls {

void client_sessions::keep(const std::string& name, const SSL_SESSION& session) {
  ssl_session_ptr copy(SSL_SESSION_dup(const_cast<SSL_SESSION*>(&session)));
  if (copy == nullptr) return;
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(items_.begin(), items_.end(), [&](const item& one) { return one.name == name; });
  if (at != items_.end()) {
    at->session.swap(copy);
    items_.splice(items_.begin(), items_, at);
    return;
  }
  items_.push_front({name, std::move(copy)});
  if (items_.size() > most_) items_.pop_back();
}

ssl_session_ptr client_sessions::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(items_.begin(), items_.end(), [&](const item& one) { return one.name == name; });
  if (at == items_.end()) return nullptr;
  items_.splice(items_.begin(), items_, at);
  return ssl_session_ptr(SSL_SESSION_dup(at->session.get()));
}

}  // namespace trunkline::tls
