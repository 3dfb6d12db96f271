// What this process has from the one that it takes over from: listening sockets, and the link on which it
// says when it is ready. Without one, everything is empty. Owner: `serve`; its thread.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "main/handover_note.h"
#include "runtime/unique_fd.h"
#include "session/cancel_link.h"

namespace trunkline::main {

/// What the younger process says on the link, once.
inline constexpr std::string_view ready_word = "ready";
inline constexpr std::string_view failed_word = "failed: ";

class inheritance {
 public:
  inheritance() = default;
  /// Reads the environment, once: the variable is gone afterwards, and the descriptors are this process's
  /// alone.
  static result<inheritance> take();

  bool takes_over() const { return elder_ != nullptr; }
  /// A socket that listens on this address already; nothing: it has to be opened.
  std::optional<runtime::unique_fd> socket(socket_use use, std::string_view name,
                                           const config::address& address);
  /// Everything is in place: the elder stops accepting. What was not taken is closed.
  void ready();
  /// This process ends again; the elder goes on.
  void failed(std::string_view why) const;
  /// For sessions' cancel requests; null: there is no elder.
  const session::elder_link* elder() const { return elder_.get(); }
  bool elder_lives() const { return elder_ != nullptr && elder_->lives(); }

 private:
  std::vector<handed_socket> facts_;
  std::vector<runtime::unique_fd> fds_;  // of the same places
  std::unique_ptr<session::elder_link> elder_;
};

}  // namespace trunkline::main
