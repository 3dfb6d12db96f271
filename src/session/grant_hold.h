// A session's hold on its grant: while it is there the office tells the session what becomes of the grant.
// Owner: the session, by its facts; one loop thread.
#pragma once

#include <memory>
#include <utility>

#include "grants/stay.h"
#include "runtime/loop.h"

namespace trunkline::session {

class grant_hold {
 public:
  using callback = void (*)(void* context);

  explicit grant_hold(std::unique_ptr<grants::stay> stay) : stay_(std::move(stay)) {}
  grant_hold(const grant_hold&) = delete;
  grant_hold& operator=(const grant_hold&) = delete;
  ~grant_hold() {
    if (bell_ != nullptr) bell_->call = nullptr;
  }

  grants::stay& at() { return *stay_; }
  /// `call` runs on the loop, soon after each change from now on, as long as this lives.
  void listen(runtime::loop& where, callback call, void* context) {
    bell_ = std::make_shared<bell>(call, context);
    stay_->listen([&where, bell = bell_] {
      where.post([bell] {
        if (bell->call != nullptr) bell->call(bell->context);
      });
    });
  }

 private:
  /// Touched on the loop's thread only.
  struct bell {
    callback call;
    void* context;
  };

  std::unique_ptr<grants::stay> stay_;
  std::shared_ptr<bell> bell_;
};

}  // namespace trunkline::session
