// The console's commands, carried out on the thread that watches the servers. Any thread but that one and the
// workers'.
#pragma once

#include <functional>

#include "pool/watch_room.h"
#include "session/commander.h"

namespace trunkline::main {

class gateway_commander final : public session::commander {
 public:
  explicit gateway_commander(pool::watch_room& servers) : servers_(servers) {}

  result<std::string> pause(const std::string& upstream) override;
  result<std::string> resume(const std::string& upstream) override;
  result<std::string> reconnect(const std::string& upstream) override;
  result<std::string> switch_over(const std::string& upstream, const std::string& endpoint,
                                  std::chrono::milliseconds within) override;

 private:
  using act = std::function<void(pool::cluster_watch&, pool::cluster_watch::answer)>;

  result<std::string> on_one(const std::string& upstream, std::chrono::milliseconds at_most, const act& what);
  result<std::string> on(const std::string& upstream, std::chrono::milliseconds at_most, const act& what);

  pool::watch_room& servers_;
};

}  // namespace trunkline::main
