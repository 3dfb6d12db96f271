// The file of `serve -c` together with objects of Kubernetes, and with the Secrets that either refers to.
// Says when something of it has changed, and tells the objects what has become of them. Without a word of
// either in the file it asks nobody anything. Owner: `serve`; control thread only, but for what is marked.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/kubernetes_section.h"
#include "config/objects.h"
#include "k8s/lease.h"
#include "k8s/object_feed.h"
#include "k8s/secret_files.h"
#include "k8s/status_writer.h"
#include "main/configuration_source.h"
#include "main/process_parts.h"

namespace trunkline::main {

class objects_source final : public configuration_source {
 public:
  /// `wake` is called on another thread when there is something to load anew. All outlive it.
  objects_source(std::string file, process_parts& parts, std::function<void()> wake);

  config::loaded load(std::uint64_t generation) override;
  result<> set(const std::string& key, const std::string& value) override;
  config::loaded load_changed(std::uint64_t generation) override { return load(generation); }
  bool is_watched() const override { return true; }
  std::optional<moment> due() const override;
  void settled(bool in_force) override;
  void tick() override;
  void stop() override;
  session::objects_view seen() const override;
  /// Any thread: what somebody should see of an upstream that is an object, is an event on it.
  void tell(const pool::upstream_news& news);

 private:
  void changed();
  void follow(const config::kubernetes_section& how);
  config::combined read(std::uint64_t generation);
  std::string examine(const config::settings& of, bool is_route, std::size_t index);
  void judge(const config::combined& made);
  void tell_fates(bool in_force);

  const std::string file_;
  process_parts& parts_;
  const std::function<void()> wake_;
  k8s::object_feed feed_;
  k8s::secret_files secrets_;
  k8s::lease lease_;
  k8s::status_writer writer_;
  config::kubernetes_section followed_;  ///< as the last load had it
  config::kubernetes_section in_force_;
  std::vector<k8s::known_object_ptr> unreadable_;
  std::atomic<std::int64_t> changed_at_ns_{0};  ///< 0: nothing has, since the last load
  moment loaded_at_{};
  std::chrono::steady_clock::duration last_load_{0};  ///< how long it took
  bool first_ = true;
  std::vector<k8s::object_fate> judged_;  ///< by the last load
  bool is_judged_ = false;
  mutable std::mutex mutex_;
  std::vector<k8s::object_fate> fates_;  ///< of the last load that was judged; under the mutex
};

}  // namespace trunkline::main
