#include "main/admin_wiring.h"

#include <fcntl.h>

#include <utility>

namespace trunkline::main {

admin_server::admin_server(session::observer& seen, admin::access_source& access, telemetry::logger& log,
                           inheritance& inherited)
    : log_(log), inherited_(inherited), site_(seen, TRUNKLINE_VERSION, &access) {}

result<> admin_server::prepare(const config::admin& next) {
  wanted_ = next.address;
  opened_.reset();
  if (!wanted_ || wanted_ == current_) return {};
  auto given = inherited_.socket(socket_use::admin, "", *wanted_);
  auto opened = given ? admin::adopt_admin(*wanted_, std::move(*given)) : admin::open_admin(*wanted_);
  if (!opened) return fail(opened.error());
  opened_ = std::move(*opened);
  return {};
}

void admin_server::apply() {
  current_ = wanted_;
  if (!wanted_) {
    server_.reset();
    kept_.reset();
    return;
  }
  if (!opened_) return;
  const std::string where = opened_->address.text();
  if (server_ == nullptr) server_ = std::make_unique<admin::http_server>(site_);
  kept_ = runtime::unique_fd(::fcntl(opened_->socket.get(), F_DUPFD_CLOEXEC, 3));
  server_->listen(std::move(*opened_));
  opened_.reset();
  log_.write(telemetry::log_level::info, "admin", "metrics, health and API over HTTP",
             {{"address", std::string_view(where)}});
}

std::optional<handed_socket> admin_server::socket_to_hand_over() const {
  if (!current_ || !kept_) return std::nullopt;
  return handed_socket{socket_use::admin, "", current_->text(), kept_.get()};
}

void admin_server::hand_over() {
  kept_.reset();
  if (server_ != nullptr) server_->hand_over();
}

}  // namespace trunkline::main
