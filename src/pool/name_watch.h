// Looks one name up again and again, as its TTL says, and keeps the last good answer while the resolver
// fails, or says that there is nothing: a name never takes the last server away. Owner: cluster_watch; one
// loop thread. The look-up itself runs in the work pool.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "net/dns_lookup.h"
#include "runtime/loop.h"
#include "runtime/signal.h"
#include "runtime/task.h"
#include "runtime/work_pool.h"

namespace trunkline::pool {

class name_watch {
 public:
  enum class record : std::uint8_t { addresses, services };
  struct question {
    record what = record::addresses;
    std::string name;
    std::uint16_t port = 0;  ///< of addresses
    std::string resolver;    ///< empty: as the system says
    bool operator==(const question&) const = default;
  };

  /// `on_change` is called on the loop when there is another answer, or another problem.
  name_watch(runtime::loop& where, runtime::work_pool& work, question asked, void (*on_change)(void*),
             void* context);
  name_watch(const name_watch&) = delete;
  name_watch& operator=(const name_watch&) = delete;

  const question& asked() const { return asked_; }
  /// An answer, or a failure, has come.
  bool answered() const { return answered_; }
  const std::vector<net::socket_address>& addresses() const { return addresses_; }
  const std::vector<net::dns_service>& services() const { return services_; }
  /// What went wrong the last time; empty: nothing.
  const std::string& problem() const { return problem_; }
  std::uint64_t failures() const { return failures_; }
  void ask_now();

 private:
  using answer = std::variant<net::dns_addresses, net::dns_services, net::dns_failure>;

  static runtime::task<> go_on(name_watch* self);
  static answer look_up(const question& asked);
  /// How long the answer is good for.
  runtime::duration take(answer came);

  runtime::loop& loop_;
  runtime::work_pool& work_;
  const question asked_;
  void (*on_change_)(void*);
  void* context_;
  runtime::signal changed_;
  bool answered_ = false;
  bool wanted_now_ = false;
  std::vector<net::socket_address> addresses_;
  std::vector<net::dns_service> services_;
  std::string problem_;
  std::uint64_t failures_ = 0;
  runtime::task<> task_;
};

}  // namespace trunkline::pool
