// Whoever has a pooled session: only it knows which server connection the session has at the moment (wire.md
// 5), so cancel requests are for it to carry out.
#pragma once

#include <cstdint>
#include <functional>

namespace trunkline::runtime {
class loop;
}

namespace trunkline::session {

class cancel_taker {
 public:
  using answer = std::move_only_function<void(bool cancelled)>;

  // ---- any thread, while it has a place in the registry ----

  virtual std::uint64_t session_number() const = 0;
  virtual runtime::loop& where() const = 0;

  // ---- on that loop ----

  /// Cancels what runs now, if anything does. `done` is called on the same loop, when the server has heard.
  virtual void take_cancel(answer done) = 0;
  /// The server has heard of it, or cannot.
  virtual void cancel_over() = 0;

 protected:
  ~cancel_taker() = default;
};

}  // namespace trunkline::session
