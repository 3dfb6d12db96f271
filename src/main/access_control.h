// Requests for access in one process: the office and its store, who is told of what becomes of them, and who
// may use the API. The store, a file or objects of Kubernetes, is opened with the first configuration that
// names one and stays open: another one needs another process. Owner: the gateway; `prepare` and `apply` on
// its thread, the rest any thread.
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
#include "grants/store.h"
#include "grants/token_file.h"
#include "grants/webhook.h"
#include "k8s/event_poster.h"
#include "k8s/request_store.h"
#include "session/deployment.h"
#include "session/grant_wait.h"
#include "session/observer.h"
#include "telemetry/logger.h"

namespace trunkline::main {

class access_control final : public admin::access_source {
 public:
  struct parts {
    telemetry::logger& log;
    /// What is in force.
    std::function<std::shared_ptr<const session::deployment>()> current;
    /// Takes events, from any thread.
    std::function<void(decltype(audit::rare_event::what))> audit;
    std::function<void(std::int64_t)> grant_over;
    /// Of the API server, for requests that are kept there.
    k8s::request_lines lines;
    decltype(k8s::request_store::parts::watch) watch;
    std::function<void(k8s::event_note)> post;
  };

  explicit access_control(parts with);
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

  /// What a store is opened by: another one of it needs another process.
  struct store_place {
    std::string file = {};
    k8s::request_scope objects = {};
    bool operator==(const store_place&) const = default;
    std::string text() const { return file.empty() ? "AccessRequests of " + objects.gateway() : file; }
  };

  static store_place place_of(const config::settings& of);
  result<> open_store(const store_place& at);
  void open_office(const store_place& at);
  bool is_administrator(const grants::person& who) const;
  grants::answer<grants::question> question_of_wish(const grants::wish& what);
  std::optional<grants::person> by_token_file(const secret_text& token);
  /// May wait for an issuer: on the API's thread for what is patient.
  std::optional<grants::person> by_issuer(const secret_text& token);
  void tell(const grants::change& what);
  void log_change(const grants::change& what);
  void post_event(const grants::change& what);

  const parts with_;
  telemetry::logger& log_;
  const std::string gateway_;

  session::grant_wait waits_;
  store_place place_;
  std::unique_ptr<grants::store> opened_;   ///< prepared, not in force
  k8s::request_store* objects_ = nullptr;   ///< the same store, where it is one; or the office's
  std::optional<grants::token_file> read_;  ///< prepared, not in force
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
