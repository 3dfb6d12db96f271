#include "doctor/look_up.h"

#include <utility>

#include "doctor/line.h"
#include "net/resolve.h"
#include "runtime/apart.h"
#include "runtime/deadline.h"

namespace trunkline::doctor {

bool needs_look_up(const client::server_address& server) {
  return !server.is_unix() && !net::socket_address::ip(server.reached_at, server.port);
}

runtime::task<outcome<found_addresses>> look_up(examination* of, std::string host, std::uint16_t port,
                                                runtime::duration patience) {
  runtime::signal changed(*of->where);
  runtime::deadline late(*of->where, changed, patience);
  const auto began = std::chrono::steady_clock::now();
  using answer = result<std::vector<net::socket_address>>;
  struct timed {
    answer found;
    std::chrono::steady_clock::time_point at;
  };
  runtime::apart<timed> work(*of->where, changed);
  const bool accepted = work.start([host = std::move(host), port] {
    auto found = net::resolve(host, port);
    return timed{std::move(found), std::chrono::steady_clock::now()};
  });
  if (!accepted)
    co_return std::unexpected(failure{failure::kind::no_address, "this host has no thread for a look-up"});
  while (!work.done() && !late.passed())
    co_await changed.wait();
  if (!work.done())
    co_return std::unexpected(failure{failure::kind::timed_out, "the name's addresses did not come in time"});
  timed done = work.take();
  if (!done.found) co_return std::unexpected(failure{failure::kind::no_address, done.found.error().message});
  co_return found_addresses{std::move(*done.found),
                            std::chrono::duration_cast<microseconds>(done.at - began)};
}

}  // namespace trunkline::doctor
