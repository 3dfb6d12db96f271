// The admin server of this process: made with the first configuration that has an address for it, moved and
// ended with later ones. Owner: `serve`; all calls on its thread. Destroyed before the gateway that its
// observer shows stops.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "admin/admin_site.h"
#include "admin/http_server.h"
#include "base/result.h"
#include "config/settings.h"
#include "main/inheritance.h"
#include "session/observer.h"
#include "telemetry/logger.h"

namespace trunkline::main {

class admin_server {
 public:
  /// All outlive it. What `inherited` has is taken rather than opened.
  admin_server(session::observer& seen, admin::access_source& access, telemetry::logger& log,
               inheritance& inherited);

  /// Opens the address of `next` where it is not open already. On an error nothing has changed; on success
  /// nothing has either, until `apply`. Another `prepare` forgets the first.
  result<> prepare(const config::admin& next);
  /// What was prepared is in force; says in the log where the server listens.
  void apply();
  /// For another process to take over; nothing where there is no address.
  std::optional<handed_socket> socket_to_hand_over() const;
  /// Another process listens there now.
  void hand_over();

 private:
  telemetry::logger& log_;
  inheritance& inherited_;
  admin::admin_site site_;
  std::unique_ptr<admin::http_server> server_;
  std::optional<config::address> current_;  ///< as configured
  std::optional<config::address> wanted_;
  std::optional<admin::open_admin_socket> opened_;
  runtime::unique_fd kept_;  // the server's socket, to be handed over
};

}  // namespace trunkline::main
