// What RBAC says of one user and one route: shared by all sessions and logins of both, so that they are one
// question, and told to them when it changes. The authorizer asks and answers. Time is a parameter. Any
// thread; what it calls back runs on the loop that wants it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "auth/identity.h"
#include "config/access.h"
#include "config/kubernetes.h"
#include "runtime/loop.h"
#include "runtime/remote_wake.h"

namespace trunkline::identity {

using moment = std::chrono::steady_clock::time_point;

/// What RBAC gives; no level: it does not let the user in.
struct rbac_verdict {
  std::optional<config::access_level> level = {};
  std::string reason = {};  ///< the API server's, for log and audit
  bool operator==(const rbac_verdict&) const = default;
};

/// How things stand.
struct rbac_standing {
  rbac_verdict verdict = {};  ///< the last one
  bool fresh = false;         ///< a new client may rely on it
  bool lapsed = false;        ///< nobody could be asked for longer than is allowed
  std::string problem = {};   ///< why the last question has no answer; empty: it has one
};

class access_case {
 public:
  access_case(auth::identity who, config::rbac_object route)
      : who_(std::move(who)), route_(std::move(route)) {}
  access_case(const access_case&) = delete;
  access_case& operator=(const access_case&) = delete;

  const auth::identity& who() const { return who_; }
  const config::rbac_object& route() const { return route_; }
  rbac_standing look(moment now) const;
  /// Grows with each question that is over, for good or ill.
  std::uint64_t answers() const;

  // ---- for whoever asks the API server ----

  /// `told` wakes when the next question is over. True: it has to be asked; false: it is, or will be.
  bool want(moment now, runtime::remote_wake::caller told);
  /// It is to be asked again for those who hold it. False: not yet, or somebody has seen to it.
  bool want_again(moment now);
  /// It is asked now. False: that is not needed any more. `waited`: the one who waits for longest.
  bool begin(moment now, std::optional<moment>& waited);
  void answer(rbac_verdict what, moment now);
  void fail(std::string problem);
  /// Tells those who hold it where nobody could be asked for too long.
  void note_silence(moment now);
  /// Nobody holds it, and nobody would rely on it.
  bool is_over(moment now) const;

 private:
  friend class access_hold;
  struct bell {
    runtime::loop* where = nullptr;  ///< as the others, touched on that loop's thread only once it is set
    void (*call)(void*) = nullptr;
    void* context = nullptr;
    bool listens = false;  ///< under the mutex
  };
  using bells = std::list<std::shared_ptr<bell>>;

  bool is_fresh(moment now) const;
  bool has_lapsed(moment now) const;
  void ring();
  void wake_waiting();

  const auth::identity who_;
  const config::rbac_object route_;
  mutable std::mutex mutex_;
  rbac_verdict verdict_;
  std::optional<moment> confirmed_;  ///< when `verdict_` was given last
  std::optional<moment> asked_;      ///< the last question began
  std::optional<moment> wanted_;     ///< somebody waits since then
  std::string problem_;
  bool queued_ = false;
  bool under_way_ = false;
  bool lapse_told_ = false;
  std::uint64_t answers_ = 0;
  std::vector<runtime::remote_wake::caller> waiting_;
  bells held_by_;
};

/// As long as it lives the case is asked about again and again. Owner: a login, then its session; one loop
/// thread.
class access_hold {
 public:
  using callback = void (*)(void* context);

  explicit access_hold(std::shared_ptr<access_case> of);
  access_hold(const access_hold&) = delete;
  access_hold& operator=(const access_hold&) = delete;
  ~access_hold();

  access_case& at() const { return *of_; }
  const std::shared_ptr<access_case>& shared() const { return of_; }
  /// `call` runs on the loop, soon after each change from now on, as long as this lives.
  void listen(runtime::loop& where, callback call, void* context);

 private:
  const std::shared_ptr<access_case> of_;
  std::shared_ptr<access_case::bell> bell_;
  access_case::bells::iterator place_;
};

}  // namespace trunkline::identity
