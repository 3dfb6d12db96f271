// Asks one endpoint what it is, for as long as it is one: over a connection of its own that stays open, at
// the upstream's health.interval, at once when somebody suspects it, and often while something is wrong. With
// a user it logs in and asks (health_query.h); without, it only sees whether the server accepts. Owner:
// cluster_watch; one loop thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/channel.h"
#include "pool/connect.h"
#include "pool/endpoint_report.h"
#include "pool/server_login.h"
#include "pool/watch_setup.h"
#include "routing/topology.h"
#include "runtime/deadline.h"

namespace trunkline::pool {

class endpoint_watch;

/// Whoever owns the watches.
class endpoint_watch_owner {
 public:
  virtual ~endpoint_watch_owner() = default;
  /// Something of it has changed; called on the loop, not inside a call of the owner's.
  virtual void endpoint_changed(endpoint_watch& which) = 0;
  /// Ask often: something is wrong.
  virtual bool in_a_hurry() const = 0;
};

class endpoint_watch {
 public:
  endpoint_watch(runtime::loop& where, key_deriver keys, loop_guard* loops, std::shared_ptr<member> of,
                 endpoint_watch_owner& owner);
  endpoint_watch(const endpoint_watch&) = delete;
  endpoint_watch& operator=(const endpoint_watch&) = delete;
  ~endpoint_watch();

  /// Begins, or goes on with another configuration. Without `health` in it nothing is asked.
  void configure(std::shared_ptr<const watch_setup> setup);
  /// Where its name leads now. Empty: nowhere.
  void set_addresses(std::vector<net::socket_address> addresses);
  const std::vector<net::socket_address>& addresses() const { return addresses_; }
  /// Look at it now.
  void ask_now();
  /// A statement on its connection, at once: pg_promote().
  void run(std::string sql);
  /// What became of it: empty for good, or the server's refusal; nothing: not yet known.
  const std::optional<std::string>& said_of_statement() const { return said_of_statement_; }

  const std::shared_ptr<member>& of() const { return member_; }
  const endpoint_report& report() const { return report_; }

 private:
  using outcome = std::expected<void, login_failure>;
  class asking;

  static runtime::task<> go_on(endpoint_watch* self, std::shared_ptr<const watch_setup> setup);
  static runtime::task<> ask(endpoint_watch* self, std::shared_ptr<const watch_setup> setup);
  static runtime::task<outcome> open(endpoint_watch* self, const watch_setup* setup);
  static runtime::task<outcome> log_in(endpoint_watch* self, const watch_setup* setup,
                                       server_connection connection);
  static runtime::task<outcome> query(endpoint_watch* self, std::string sql);
  static runtime::task<> rest(endpoint_watch* self, runtime::duration time);
  bool is_open() const { return channel_ != nullptr && channel_->connected() && !channel_->ended(); }
  void shut();
  void report(routing::endpoint_state state, std::string said);
  void restart();

  runtime::loop& loop_;
  const key_deriver keys_;
  loop_guard* const loops_;  // may be null
  const std::shared_ptr<member> member_;
  endpoint_watch_owner& owner_;
  std::shared_ptr<const watch_setup> setup_;
  std::vector<net::socket_address> addresses_;
  runtime::signal changed_;
  std::unique_ptr<net::channel> channel_;
  endpoint_report report_;
  bool logged_in_ = false;
  bool looped_ = false;
  bool wanted_now_ = false;
  bool full_query_ = true;  // until the server refuses it
  std::string statement_;   // to be run before the next question
  std::optional<std::string> said_of_statement_;
  runtime::task<> task_;
};

}  // namespace trunkline::pool
