// One role that a grant has at a server, from the statement that makes it to the one that drops it; or one
// that a crash has left behind, whose life begins with its end. Owner: role_keeper; one loop thread.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pool/server_login.h"
#include "runtime/remote_wake.h"
#include "runtime/task.h"
#include "session/ephemeral_role.h"
#include "session/server_talk.h"

namespace trunkline::session {

/// What a session hears of its role, from the keeper's loop.
class role_answer {
 public:
  using outcome = std::expected<pool::server_secret, error>;

  explicit role_answer(runtime::remote_wake::caller caller) : caller_(std::move(caller)) {}
  void give(outcome what) {
    {
      std::lock_guard lock(mutex_);
      got_ = std::move(what);
    }
    caller_.wake();
  }
  std::optional<outcome> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(got_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<outcome> got_;
  const runtime::remote_wake::caller caller_;
};

enum class role_event : std::uint8_t { created, dropped, failed };

/// What a role needs of whoever keeps it. Called on the loop.
class role_host {
 public:
  virtual ~role_host() = default;
  virtual runtime::loop& where() = 0;
  virtual const std::string& gateway() const = 0;
  /// As whoever makes roles, by the newest configuration that knows of it.
  virtual talk_request talk_about(const ephemeral_role& role, const std::string& database) = 0;
  /// `problem`: of `failed`.
  virtual void tell(role_event what, const ephemeral_role& role, const std::string& problem) = 0;
  /// No session is given it any more.
  virtual void retired(const ephemeral_role& role) = 0;
};

class kept_role {
 public:
  enum class beginning : std::uint8_t { made, left_behind };

  kept_role(role_host& host, ephemeral_role what, beginning how);
  kept_role(const kept_role&) = delete;
  kept_role& operator=(const kept_role&) = delete;

  const ephemeral_role& role() const { return role_; }
  /// A session needs it.
  void want(std::shared_ptr<role_answer> who);
  /// A server has not let it in.
  void doubt() { doubted_ = true; }
  /// Its grant is over.
  void end();
  /// The gateway stops: without grace, and with one attempt.
  void hurry();
  /// Nothing is left of it, or nothing can be done about it any more.
  bool is_gone() const { return gone_; }

 private:
  using outcome = server_talk::outcome<>;

  static runtime::task<> live(kept_role* self);
  static runtime::task<> stay(kept_role* self);
  static runtime::task<outcome> make(kept_role* self);
  static runtime::task<> leave(kept_role* self);
  static runtime::task<outcome> drop(kept_role* self);
  static runtime::task<outcome> open(kept_role* self, std::unique_ptr<server_talk>* talk);
  static runtime::task<outcome> end_sessions(kept_role* self, server_talk* talk);
  static runtime::task<> rest(kept_role* self, runtime::duration time);
  void answer(const outcome& made);
  bool is_over() const;

  role_host& host_;
  const ephemeral_role role_;
  const auth::bound_client_keys keys_;
  runtime::signal changed_;
  std::vector<std::shared_ptr<role_answer>> waiting_;
  bool may_be_there_;
  bool doubted_ = false;
  bool ended_ = false;
  bool hurried_ = false;
  bool gone_ = false;
  runtime::task<> life_;
};

}  // namespace trunkline::session
