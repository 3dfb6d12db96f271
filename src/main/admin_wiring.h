// The admin servers of this process: the one with all pages, and the one that shows health and metrics only.
// Made with the first configuration that has an address for them, moved and ended with later ones. Owner:
// `serve`; all calls on its thread. Destroyed before the gateway that its observer shows stops.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_site.h"
#include "admin/http_server.h"
#include "admin/status_site.h"
#include "base/result.h"
#include "config/settings.h"
#include "main/inheritance.h"
#include "session/observer.h"
#include "telemetry/logger.h"

namespace trunkline::main {

/// One address, and the server that answers there.
class admin_door {
 public:
  /// `name` is a literal, for the hand-over; the others outlive it.
  admin_door(std::string_view name, admin::site& shown, inheritance& inherited)
      : name_(name), shown_(shown), inherited_(inherited) {}

  /// As those of `admin_server`.
  result<> prepare(const std::optional<config::address>& next);
  /// Where it listens from now on; nothing: nowhere, or where it did.
  std::optional<std::string> apply();
  std::optional<handed_socket> socket_to_hand_over() const;
  void hand_over();

 private:
  std::string_view name_;
  admin::site& shown_;
  inheritance& inherited_;
  std::unique_ptr<admin::http_server> server_;
  std::optional<config::address> current_;  ///< as configured
  std::optional<config::address> wanted_;
  std::optional<admin::open_admin_socket> opened_;
  runtime::unique_fd kept_;  // the server's socket, to be handed over
};

class admin_server {
 public:
  /// All outlive it. What `inherited` has is taken rather than opened.
  admin_server(session::observer& seen, admin::access_source& access, admin::objects_source objects,
               telemetry::logger& log, inheritance& inherited);

  /// Opens the addresses of `next` where they are not open already. On an error nothing has changed; on
  /// success nothing has either, until `apply`. Another `prepare` forgets the first.
  result<> prepare(const config::admin& next);
  /// What was prepared is in force; says in the log where the servers listen.
  void apply();
  /// For another process to take over.
  std::vector<handed_socket> sockets_to_hand_over() const;
  /// Another process listens there now.
  void hand_over();

 private:
  telemetry::logger& log_;
  admin::admin_site site_;
  admin::status_site status_site_;
  admin_door all_;
  admin_door status_;
};

}  // namespace trunkline::main
