// The roles that grants have at servers: made when a grant's first session comes, dropped when it is over or
// the gateway stops, and looked for where a crash has left them behind. A thread and loop of its own, so that
// no worker waits for it, and it can end a role when no session is left. Owner: main; destroyed after the
// workers.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "grants/stay.h"
#include "pool/loop_guard.h"
#include "runtime/owned_thread.h"
#include "session/kept_role.h"
#include "session/role_desk.h"
#include "telemetry/logger.h"

namespace trunkline::session {

class role_keeper final : public role_desk, private role_host {
 public:
  struct parts {
    std::unique_ptr<runtime::loop> loop;
    pool::key_deriver keys;  ///< `where` is filled in
    pool::loop_guard* guard = nullptr;
    telemetry::logger& log;
    std::string gateway;  ///< a name that no other process has
    std::function<std::shared_ptr<const deployment>()> current;
    /// On the keeper's thread: a role was made, or dropped.
    std::function<void(role_event, const ephemeral_role&)> told;
  };
  struct figures {
    std::size_t roles = 0;  ///< there are, or are being made or dropped
    std::uint64_t created = 0;
    std::uint64_t dropped = 0;
    std::uint64_t failures = 0;  ///< attempts at either
  };

  explicit role_keeper(parts with);
  role_keeper(const role_keeper&) = delete;
  role_keeper& operator=(const role_keeper&) = delete;
  ~role_keeper() override;

  /// From now on; any number of times.
  void start();
  /// Drops what is there, within limits::role_farewell. No session waits for a role any more.
  void stop();

  // Any thread:
  runtime::task<std::expected<pool::server_secret, login_end>> role_for(login_context* context) override;
  void doubt(std::int64_t grant) override;
  void grant_over(std::int64_t grant);
  figures seen() const;

 private:
  struct entry {
    /// The configuration that it was made by: where the newest does not know of it any more, this still does.
    std::shared_ptr<const deployment> setup;
    std::unique_ptr<kept_role> kept = {};
  };
  using configuration = std::shared_ptr<const deployment>;
  /// A grant, an upstream and a database there: a reload may lead a route elsewhere while the grant lasts.
  using place = std::tuple<std::int64_t, std::string, std::string>;

  void want(const grants::standing& granted, const configuration& setup, const std::string& route,
            const std::string& database, std::shared_ptr<role_answer> who);
  kept_role& add(ephemeral_role what, configuration setup, kept_role::beginning how);
  void each_of(std::int64_t grant, void (kept_role::*what)());
  void collect();
  configuration newest(const ephemeral_role& of) const;
  talk_request talk_to(const configuration& setup, const config::route& route, const std::string& database);
  static runtime::task<> sweep_now_and_then(role_keeper* self);
  static runtime::task<> sweep_all(role_keeper* self, configuration setup);
  static runtime::task<> sweep(role_keeper* self, configuration setup, const config::route* route);
  void swept(const std::string& route, const std::string& problem);
  static runtime::task<> take_leave(role_keeper* self);

  runtime::loop& where() override { return *with_.loop; }
  const std::string& gateway() const override { return with_.gateway; }
  talk_request talk_about(const ephemeral_role& role, const std::string& database) override;
  void tell(role_event what, const ephemeral_role& role, const std::string& problem) override;
  void retired(const ephemeral_role& role) override;

  parts with_;
  // The thread's own:
  std::map<place, std::string> in_use_;       // the name of the one that sessions are given
  std::map<std::string, entry> roles_;        // by the name
  std::map<std::string, std::string> swept_;  // what was wrong, by the route
  runtime::signal changed_;
  runtime::task<> sweeps_;
  runtime::task<> leaving_;

  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint64_t> created_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> failures_{0};
  runtime::owned_thread thread_;
};

}  // namespace trunkline::session
