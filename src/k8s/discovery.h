// Finds the endpoints of upstreams, and the authorities of their certificates, in Kubernetes: for each
// upstream that says so a feed of its EndpointSlices, which share their watches, and for each Secret that one
// refers to, what it holds.
// Owner: the gateway, on one thread, but for `secrets_changed`.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "k8s/api_client.h"
#include "k8s/slice_watches.h"
#include "pool/endpoint_feed.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

class secret_text_watch;

class discovery {
 public:
  /// Whether a text holds authorities.
  using judge = std::function<result<>(const std::string& pem)>;

  /// `client` and `log` outlive it.
  discovery(api_client& client, telemetry::logger& log, judge authorities)
      : client_(client),
        log_(log),
        usable_(std::move(authorities)),
        slices_([&client](collection of, std::shared_ptr<object_sink> sink) {
          return client.watch(std::move(of), std::move(sink));
        }) {}

  /// Watches what these upstreams want, beside what is watched already.
  void want(const config::settings& settings);
  /// And from now on nothing else.
  void keep_only(const config::settings& settings);

  /// Null where the upstream's endpoints are not looked for. The same one as long as the upstream wants the
  /// same.
  std::shared_ptr<pool::endpoint_feed> feed_of(const config::upstream& upstream) const;
  /// Who must have signed the certificates of the upstream's servers, PEM; empty: not known yet.
  std::string authorities_of(const config::upstream& upstream) const;
  /// Waits for the Secrets' first answers, but no longer than this.
  void wait_for_secrets(std::chrono::milliseconds at_most) const;
  /// Whether a Secret that was asked for has changed since the last call.
  bool secrets_changed() { return changed_->exchange(false); }

 private:
  struct search {
    config::kubernetes_discovery what;
    std::shared_ptr<pool::endpoint_feed> feed;
    std::shared_ptr<slice_reader> reader;
  };
  struct reference {
    std::shared_ptr<secret_text_watch> value;
    std::shared_ptr<const void> watch;
  };

  const search* find(const config::upstream& upstream) const;
  search begin(const config::upstream& upstream);
  reference refer(const config::kubernetes_discovery& what);

  api_client& client_;
  telemetry::logger& log_;
  const judge usable_;
  std::shared_ptr<std::atomic<bool>> changed_ = std::make_shared<std::atomic<bool>>(false);
  slice_watches slices_;
  std::multimap<std::string, search> searches_;  // by upstream; two while it changes
  std::map<std::string, reference> references_;  // by namespace/name/key
};

}  // namespace trunkline::k8s
