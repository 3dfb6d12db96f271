// A login's search for a server: choose one, wait for a turn there, connect; the next one where that fails;
// and where none will do, wait as long as the upstream's `failover.hold` says. Owner: one loop thread; the
// caller owns everything that the request points to.
#pragma once

#include <string>
#include <vector>

#include "pool/cluster.h"
#include "pool/connect.h"
#include "runtime/deadline.h"

namespace trunkline::pool {

struct search_request {
  connect_request connect = {};  ///< `on_behalf_of` ends the search, too
  cluster* of = nullptr;
  config::route_target target = config::route_target::primary;
  std::string_view zone = {};
  /// Set when the search is for the wrong servers meanwhile; it ends the next time it would wait. May be
  /// null.
  const bool* moved = nullptr;
  /// Whoever waits longer is ended by somebody else: the search says why before.
  runtime::time_point give_up = runtime::time_point::max();
};

/// `lease` lasts as long as the session, `turn` until it is logged in.
struct found_server {
  server_connection connection;
  pool::lease lease;
  login_line::turn turn;
};

class search {
 public:
  search(search_request request, net::channel* into);

  /// The first call, or the next one after `reject`. `into` then holds the stream.
  static runtime::task<std::expected<found_server, connect_failure>> next(search* self);
  /// The server that was found will not do: it is another one's turn.
  void reject(const pool::lease& which, const std::string& why);
  /// There is another server to try, or time to wait for one.
  bool can_go_on(const pool::lease& without) const;
  /// How long it has waited, for a server or for its turn.
  runtime::duration waited() const { return waited_; }

 private:
  using found = std::expected<found_server, connect_failure>;
  using verdict = std::expected<void, connect_failure>;

  static runtime::task<verdict> wait_for_any(search* self, const cluster_view* seen);
  /// Until when it makes sense to wait: not later than now where it makes none.
  runtime::time_point patience_ends(const cluster_view& seen);
  /// An empty turn: the server is none any more.
  static runtime::task<std::expected<login_line::turn, connect_failure>> wait_for_turn(search* self,
                                                                                       member* at);
  static runtime::task<std::expected<server_connection, connect_failure>> connect(search* self,
                                                                                  const cluster::choice* at);
  std::optional<cluster::choice> choose(std::span<const routing::endpoint_id> without) const;
  bool is_alone(routing::endpoint_id which) const;
  void note(const std::string& name, const connect_failure& one);
  connect_failure failure(const cluster_view* seen) const;
  runtime::time_point now() const { return request_.connect.where->now(); }
  bool abandoned() const;
  bool moved() const { return request_.moved != nullptr && *request_.moved; }

  const search_request request_;
  net::channel* const into_;
  cluster::subscription changes_;
  std::vector<routing::endpoint_id> tried_;
  std::string failures_;  // what every attempt said
  std::string hint_;
  bool tls_ = false;
  bool cut_short_ = false;  // an endpoint did not get its full connectTimeout
  bool patient_ = false;    // the second round: now each does
  runtime::time_point began_;
  std::optional<runtime::time_point> hold_over_;
  runtime::duration retry_;
  runtime::duration waited_{0};
};

}  // namespace trunkline::pool
