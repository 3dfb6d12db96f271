// Waits in place for an approval: the client has proved who it is, is told what it waits for by
// NoticeResponses, and goes on where it stands as soon as its request is granted. Nothing is held for it
// meanwhile: no server connection where the gateway itself logs in, no place among the logins under way, and
// loginTimeout does not run. Owner: main, outlives the workers; `ask` is called on loops.
#pragma once

#include <atomic>
#include <cstdint>

#include "grants/office.h"
#include "session/grant_desk.h"
#include "session/login_context.h"

namespace trunkline::session {

class grant_wait final : public grant_desk {
 public:
  /// From now on requests go there. Once; `to` outlives the workers.
  void open(grants::office& to) { office_.store(&to); }

  runtime::task<step<>> ask(login_context* context) override;
  /// Sessions that wait now.
  std::uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  std::atomic<grants::office*> office_{nullptr};
  std::atomic<std::uint64_t> waiting_{0};
};

}  // namespace trunkline::session
