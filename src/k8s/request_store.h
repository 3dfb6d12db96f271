// Records of requests as AccessRequest objects (docs/kubernetes-requests.md), for gateways that share an API
// server. What is known comes from watches and costs no question; what is written compares and swaps by
// resourceVersion, and a second live record of a subject by the object's name. An API server that cannot be
// asked takes nothing away: what was granted is known until its end, and nothing new is. Owner: the office's
// thread, but for what says otherwise.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grants/store.h"
#include "k8s/answer_guard.h"
#include "k8s/gateway_leases.h"
#include "k8s/request_cache.h"
#include "k8s/request_talk.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

class request_store final : public grants::store {
 public:
  struct parts {
    request_lines ask;
    std::function<std::shared_ptr<const void>(collection, std::shared_ptr<object_sink>)> watch;
    request_scope scope;
    /// Whether the configuration makes that person an administrator.
    std::function<bool(const grants::person&)> administers;
    telemetry::logger& log;
  };

  explicit request_store(parts with);
  request_store(const request_store&) = delete;
  request_store& operator=(const request_store&) = delete;
  ~request_store() override;

  /// Where requests are, beside the gateway's own namespace; "*": anywhere. Any thread.
  void look_in(const std::vector<std::string>& namespaces);
  /// For the first lists, or the first failure.
  void wait_until(std::chrono::steady_clock::time_point when) const;

  grants::stored<grants::record> create(grants::record draft) override;
  grants::stored<std::vector<grants::record>> update(std::vector<grants::record> changed) override;
  grants::stored<std::optional<grants::record>> find(std::int64_t id) override;
  grants::stored<std::optional<grants::record>> find_live(const grants::subject& what) override;
  grants::stored<std::vector<grants::record>> live() override;
  grants::stored<std::vector<grants::record>> changed_since(std::int64_t version, std::size_t most) override;
  grants::stored<std::vector<grants::record>> latest(std::size_t most) override;
  grants::stored<std::size_t> forget(grants::wall_time before, std::size_t most) override;
  grants::stored<> tell_alive(const std::string& gateway, grants::wall_time until) override;
  grants::stored<std::set<std::string>> alive(grants::wall_time now) override;

  bool listen(std::function<void()> changed) override;
  grants::wall_time now() override { return talk_->now(); }
  std::string problem() override;
  grants::stored<std::vector<grants::wish>> wishes() override;
  grants::stored<> refuse(const grants::wish& what, const std::string& why) override;
  grants::stored<std::string> objection(const grants::record& of,
                                        const grants::written_answer& what) override;
  bool administers(const grants::person& who) override { return with_.administers(who); }

 private:
  struct looked {
    std::string name_space;  ///< empty: all
    std::shared_ptr<request_sink> sink;
    std::shared_ptr<const void> watch;
  };
  using place_of = request_cache::place_of;
  /// Rings when the API server has said something, or that it cannot.
  struct bell {
    std::mutex mutex;
    std::condition_variable rung;
  };

  grants::stored<> ready(const std::string& name_space = {});
  std::string collection_of(const std::string& name_space) const;
  std::string target(const place_of& of) const;
  api_answer put_status(const place_of& of, json status);
  grants::stored<> look_again(const place_of& of);
  grants::stored<grants::record> write(const place_of& of, grants::record what);
  grants::stored<grants::record> create_on(grants::record draft);
  grants::stored<std::optional<grants::record>> create_at(const grants::record& draft,
                                                          const std::string& name);
  grants::stored<> end_drafts(grants::wall_time before);

  const parts with_;
  const std::shared_ptr<request_talk> talk_;
  const std::shared_ptr<request_cache> known_;
  gateway_leases leases_;
  answer_guard guard_;
  const std::shared_ptr<bell> bell_ = std::make_shared<bell>();
  mutable std::mutex mutex_;
  std::vector<looked> watched_;
};

}  // namespace trunkline::k8s
