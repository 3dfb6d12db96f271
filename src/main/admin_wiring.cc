#include "main/admin_wiring.h"

#include <utility>

namespace trunkline::main {

admin_server::admin_server(session::observer& seen, telemetry::logger& log)
    : log_(log), site_(seen, TRUNKLINE_VERSION) {}

result<> admin_server::prepare(const config::admin& next) {
  wanted_ = next.address;
  opened_.reset();
  if (!wanted_ || wanted_ == current_) return {};
  auto opened = admin::open_admin(*wanted_);
  if (!opened) return fail(opened.error());
  opened_ = std::move(*opened);
  return {};
}

void admin_server::apply() {
  current_ = wanted_;
  if (!wanted_) {
    server_.reset();
    return;
  }
  if (!opened_) return;
  const std::string where = opened_->address.text();
  if (server_ == nullptr) server_ = std::make_unique<admin::http_server>(site_);
  server_->listen(std::move(*opened_));
  opened_.reset();
  log_.write(telemetry::log_level::info, "admin", "metrics, health and API over HTTP",
             {{"address", std::string_view(where)}});
}

}  // namespace trunkline::main
