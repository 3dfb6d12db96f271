// Some entries of one Secret, as the API server last had them, all of the same version. What is gone takes
// nothing away: what it held before stays in use, and the log says so. Fed on the client's thread; read by
// any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/redacted.h"
#include "k8s/collection_watch.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

class secret_watch final : public object_sink {
 public:
  struct entry {
    secret_text value;    ///< empty: none was ever there
    std::string problem;  ///< why there is none
  };

  /// `told` is called when another value, or the first answer, is there; on the client's thread, without a
  /// lock. `log` outlives it.
  secret_watch(std::string name_space, std::string name, std::vector<std::string> keys,
               std::function<void()> told, telemetry::logger& log);

  collection where() const;
  const std::vector<std::string>& keys() const { return keys_; }
  /// The API server has said something of it, or that it cannot.
  bool answered() const;
  entry of(const std::string& key) const;
  /// What another watch of the same Secret had.
  void inherit(const secret_watch& from);
  /// Nobody is told any more.
  void retire();

  void replace(std::vector<json> all) override;
  void put(const json& object) override;
  void remove(const json& object) override;
  void confirmed(moment) override {}
  void failed(const std::string& why) override;

 private:
  void answer(std::map<std::string, secret_text> values, const std::string& problem);

  const std::string name_space_;
  const std::string name_;
  const std::vector<std::string> keys_;
  telemetry::logger& log_;
  mutable std::mutex mutex_;
  std::function<void()> told_;
  bool answered_ = false;
  std::map<std::string, secret_text> values_;
  std::string problem_;  // of the Secret as a whole, as the log has it
};

}  // namespace trunkline::k8s
