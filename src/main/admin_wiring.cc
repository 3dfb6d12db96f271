#include "main/admin_wiring.h"

#include <fcntl.h>

#include <utility>

namespace trunkline::main {

result<> admin_door::prepare(const std::optional<config::address>& next) {
  wanted_ = next;
  opened_.reset();
  if (!wanted_ || wanted_ == current_) return {};
  auto given = inherited_.socket(socket_use::admin, name_, *wanted_);
  auto opened = given ? admin::adopt_admin(*wanted_, std::move(*given)) : admin::open_admin(*wanted_);
  if (!opened) return fail(opened.error());
  opened_ = std::move(*opened);
  return {};
}

std::optional<std::string> admin_door::apply() {
  current_ = wanted_;
  if (!wanted_) {
    server_.reset();
    kept_.reset();
    return std::nullopt;
  }
  if (!opened_) return std::nullopt;
  std::string where = opened_->address.text();
  if (server_ == nullptr) server_ = std::make_unique<admin::http_server>(shown_);
  kept_ = runtime::unique_fd(::fcntl(opened_->socket.get(), F_DUPFD_CLOEXEC, 3));
  server_->listen(std::move(*opened_));
  opened_.reset();
  return where;
}

std::optional<handed_socket> admin_door::socket_to_hand_over() const {
  if (!current_ || !kept_) return std::nullopt;
  return handed_socket{socket_use::admin, std::string(name_), current_->text(), kept_.get()};
}

void admin_door::hand_over() {
  kept_.reset();
  if (server_ != nullptr) server_->hand_over();
}

admin_server::admin_server(session::observer& seen, admin::access_source& access,
                           admin::objects_source objects, telemetry::logger& log, inheritance& inherited)
    : log_(log),
      site_(seen, TRUNKLINE_VERSION, &access, std::move(objects)),
      status_site_(site_),
      all_("", site_, inherited),
      status_("status", status_site_, inherited) {}

result<> admin_server::prepare(const config::admin& next) {
  auto done = all_.prepare(next.address);
  return done ? status_.prepare(next.status) : done;
}

void admin_server::apply() {
  const auto tell = [this](const std::optional<std::string>& where, std::string_view what) {
    if (where) log_.write(telemetry::log_level::info, "admin", what, {{"address", std::string_view(*where)}});
  };
  tell(all_.apply(), "metrics, health and API over HTTP");
  tell(status_.apply(), "metrics and health over HTTP");
}

std::vector<handed_socket> admin_server::sockets_to_hand_over() const {
  std::vector<handed_socket> all;
  for (const admin_door* each : {&all_, &status_})
    if (auto socket = each->socket_to_hand_over()) all.push_back(std::move(*socket));
  return all;
}

void admin_server::hand_over() {
  all_.hand_over();
  status_.hand_over();
}

}  // namespace trunkline::main
