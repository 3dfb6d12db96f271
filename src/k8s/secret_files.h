// What Secrets hold, as files in memory: whoever reads files reads them too. Each reference that the
// configuration makes has a path of its own (/proc/self/fd/N), the same as long as it is made; what stands
// there changes only between two loads. Nothing is ever on a disk, no other program inherits it, and it is
// wiped when nobody refers to it any more. Owner: the configuration's source, on the control thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/kubernetes.h"
#include "k8s/secret_watch.h"
#include "k8s/watch_starter.h"
#include "runtime/unique_fd.h"

namespace trunkline::k8s {

class secret_files {
 public:
  /// `changed` is called on the client's thread when a value is there that no file has yet. `log` outlives
  /// all watches.
  secret_files(watch_starter watch, telemetry::logger& log, std::function<void()> changed);
  ~secret_files();

  /// A load begins: files get what is known now.
  void begin();
  /// The file of this one. Errors say why there is none.
  result<std::string> path_of(const config::secret_reference& which);
  /// Whether the API server has not answered yet for one that the load asked for.
  bool waits() const;
  /// For those answers, but no longer than this.
  void wait(std::chrono::milliseconds at_most);
  /// The load is in force: what it did not ask for is dropped.
  void keep_asked();
  bool holds(const std::string& path) const;

 private:
  struct file {
    runtime::unique_fd memory;
    secret_text content;
  };
  struct secret {
    std::shared_ptr<secret_watch> watch;
    std::shared_ptr<const void> ticket;
    std::map<std::string, file> files;  // by key
  };
  struct bell;
  using place = std::pair<std::string, std::string>;  // namespace and name

  secret& watched(const place& where, const std::string& key);
  void follow(secret& which, const place& where, std::vector<std::string> keys);

  const watch_starter watch_;
  telemetry::logger& log_;
  const std::shared_ptr<bell> bell_;
  std::map<place, secret> secrets_;
  std::map<place, std::set<std::string>> asked_;
};

}  // namespace trunkline::k8s
