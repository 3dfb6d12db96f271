// One entry of one Secret, as the API server last had it. A Secret that is gone, or holds nothing of use,
// takes nothing away: what it held before stays in use, and the log says so. Fed on the client's thread; read
// by any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "k8s/collection_watch.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

class secret_text_watch final : public object_sink {
 public:
  /// Whether a text can be used.
  using judge = std::function<result<>(const std::string& text)>;

  /// `changed` is set when there is another text. `log` outlives it.
  secret_text_watch(std::string name_space, std::string name, std::string key, judge usable,
                    std::shared_ptr<std::atomic<bool>> changed, telemetry::logger& log);

  collection where() const;
  /// Empty: none yet.
  std::string text() const;
  /// For the first answer, or failure.
  void wait_until(moment when) const;

  void replace(std::vector<json> all) override;
  void put(const json& object) override;
  void remove(const json& object) override;
  void confirmed(moment) override { answered(); }
  void failed(const std::string& why) override;

 private:
  void answered();
  void take(std::string text);
  void complain(const std::string& why);

  const std::string name_space_;
  const std::string name_;
  const std::string key_;
  const judge usable_;
  const std::shared_ptr<std::atomic<bool>> changed_;
  telemetry::logger& log_;
  std::string complaint_;  // as the log has it
  mutable std::mutex mutex_;
  mutable std::condition_variable first_;
  bool answered_ = false;
  std::string text_;
};

}  // namespace trunkline::k8s
