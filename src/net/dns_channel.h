// c-ares for one look-up: the search list, the hosts file, and questions to name servers until a deadline.
// Owner: the thread that waits in it, never a loop's. Nothing is shared with other channels.
#pragma once

#include <ares.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/socket_address.h"

namespace trunkline::net {

/// What came of one question: a status of c-ares, and the message where that is ARES_SUCCESS.
struct dns_reply {
  int status = ARES_SUCCESS;
  bool done = false;
  std::vector<std::byte> message = {};
};

class dns_channel {
 public:
  /// `resolver` as `dns_options` has it; the deadline is `timeout` from now.
  dns_channel(const std::string& resolver, std::chrono::milliseconds timeout);

  /// Other than ARES_SUCCESS: why this channel cannot be used.
  int status() const { return status_; }
  /// Whom it asks, for messages: "127.0.0.1:53, 127.0.0.2:53".
  const std::string& resolvers() const { return resolvers_; }

  /// The names that `name` may stand for, in the order in which they are to be asked for (resolv.conf(5):
  /// search, ndots).
  std::vector<std::string> candidates(const std::string& name) const;
  /// What /etc/hosts says, with port 0; for "localhost" always something (RFC 6761, 6.3). Empty: it says
  /// nothing.
  std::vector<socket_address> hosts_file(const std::string& name);
  /// Asks for records of each of the types at once and waits for the answers. One that has not come by the
  /// deadline has status ARES_ETIMEOUT.
  std::vector<dns_reply> ask(const std::string& name, std::span<const int> types);

 private:
  struct closer {
    void operator()(ares_channeldata* channel) const { ::ares_destroy(channel); }
  };
  using channel_owner = std::unique_ptr<ares_channeldata, closer>;

  int open(const std::string& resolver, int flags, std::chrono::milliseconds timeout);
  std::size_t list_resolvers();
  void read_search_list();
  void wait(std::span<const dns_reply> replies);
  void turn(std::chrono::milliseconds left);

  const std::chrono::steady_clock::time_point deadline_;
  channel_owner channel_;
  int status_ = ARES_SUCCESS;
  std::string resolvers_;
  std::vector<std::string> search_;
  int dots_for_as_is_ = 1;
};

}  // namespace trunkline::net
