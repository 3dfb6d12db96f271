// Requests for access in one process: the office and its store, who is told of what becomes of them, and who
// may use the API. The store is opened with the first configuration that names one and stays open: another
// file needs another process. Owner: the gateway; `prepare` and `apply` on its thread, the rest any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "admin/access_source.h"
#include "audit/event.h"
#include "base/result.h"
#include "config/settings.h"
#include "grants/office.h"
#include "grants/sqlite_store.h"
#include "grants/token_file.h"
#include "grants/webhook.h"
#include "session/deployment.h"
#include "session/grant_wait.h"
#include "session/observer.h"
#include "telemetry/logger.h"

namespace trunkline::main {

class access_control final : public admin::access_source {
 public:
  /// `current` says what is in force; `audit` takes events, from any thread.
  access_control(telemetry::logger& log, std::function<std::shared_ptr<const session::deployment>()> current,
                 std::function<void(decltype(audit::rare_event::what))> audit,
                 std::function<void(std::int64_t)> grant_over);
  ~access_control() override;

  /// Reads and opens what `next` names. An error says what is wrong with it, and nothing has changed.
  result<> prepare(const config::settings& next);
  /// What was prepared is in force.
  void apply(const config::settings& next);
  /// Sessions that end from now on do so because the gateway does.
  void begin_leaving();
  /// Nobody is told anything any more. The office itself stays, for sessions that are still there.
  void stop();

  /// A name that no other process has.
  const std::string& gateway_name() const { return gateway_; }
  session::grant_wait& waits() { return waits_; }
  session::access_view seen() const;

  grants::office* desk() override { return open_.load(); }
  std::optional<grants::person> who(const secret_text& token) override;
  grants::answer<grants::question> question_of(const grants::person& who,
                                               const admin::access_wish& wish) override;
  void refused(const grants::person* who, const std::string& command, const std::string& why) override;

 private:
  using hooks = std::vector<std::shared_ptr<grants::webhook>>;

  std::optional<grants::person> by_token_file(const secret_text& token);
  /// May wait for an issuer: on the API's thread for what is patient.
  std::optional<grants::person> by_issuer(const secret_text& token);
  void tell(const grants::change& what);
  void log_change(const grants::change& what);

  telemetry::logger& log_;
  const std::function<std::shared_ptr<const session::deployment>()> current_;
  const std::function<void(decltype(audit::rare_event::what))> audit_;
  const std::function<void(std::int64_t)> grant_over_;
  const std::string gateway_;

  session::grant_wait waits_;
  std::string store_path_;
  std::unique_ptr<grants::sqlite_store> opened_;  ///< prepared, not in force
  std::optional<grants::token_file> read_;        ///< the same
  std::unique_ptr<grants::office> office_;
  std::atomic<grants::office*> open_{nullptr};

  mutable std::mutex mutex_;
  std::shared_ptr<const grants::token_file> tokens_;
  std::vector<std::string> administrators_;
  hooks hooks_;
  std::chrono::steady_clock::time_point strangers_told_{};  ///< when writes of nobody known were last told
  std::uint64_t strangers_ = 0;                             ///< of them since
  std::uint64_t delivered_before_ = 0;                      ///< by webhooks that are gone
  std::uint64_t lost_before_ = 0;
};

}  // namespace trunkline::main
