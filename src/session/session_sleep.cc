// A pooled client that does nothing for a while has no server connection, and nothing is under way for it:
// its relay and its server leg are taken down to what they remember, and made again with its next byte. Most
// clients of a large pool are like that most of the time (docs/decisions/0021).
#include <utility>

#include "base/limits.h"
#include "session/pooled_login.h"
#include "session/session.h"

namespace trunkline::session {

bool session::may_sleep() const {
  return pooled_ != nullptr && host_.where().now() - facts_.last_bytes() >= limits::awake_time &&
         relay_->is_replaceable() && pooled_->may_rest() && (guard_ == nullptr || guard_->at_rest());
}

void session::fall_asleep() {
  asleep_.reset(new sleep{{},
                          relay_->take_client(),
                          pooled_->rest(),
                          relay_->take_memory(),
                          guard_ == nullptr ? nullptr : std::make_unique<guard_memory>(guard_->memory())});
  asleep_->client->set_handler(this);
  pooled_ = nullptr;
  guard_ = nullptr;
  relay_.reset();
}

void session::wake(relay::early came) {
  const auto slept = std::move(asleep_);
  auto server = std::make_unique<pooled_server>(terms_of(facts_, host_.shared()), std::move(slept->server));
  server->set_owner(this, metrics().assignments);
  pooled_ = server.get();
  auto leg = guarded(std::move(server), slept->guard == nullptr ? guard_memory{} : *slept->guard);
  relay_ = std::make_unique<relay>(host_.where(), host_.observe(), gate(), facts_, *this,
                                   relay::legs{std::move(slept->client), std::move(leg)}, false,
                                   std::move(slept->seen));
  relay_->start(std::move(came), {});
  watch_limits();
}

void session::on_received(runtime::buffer data) {
  relay::early came;
  came.chunks.push_back(std::move(data));
  wake(std::move(came));
}

void session::on_end(runtime::stream_end end) {
  wake({.end = end});
}

}  // namespace trunkline::session
