// One server connection that listens for all clients of a pool (wire.md 6): LISTEN does not hold a connection
// for each client. The channels are those that somebody listens to; what is said there is passed on to each
// of them. A connection that is lost, or whose server does not answer a LISTEN in time, is made again, and
// everybody is told that something may have been missed, after the channels are listened to again. Works on
// one loop; `subscribe` and `unsubscribe`: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool/link.h"
#include "pool/link_opening.h"
#include "runtime/loop.h"

namespace trunkline::pool {

class link_pool;

/// A NotificationResponse's body: the sender's pid, the channel, the payload. A view into it.
std::string_view channel_of_notification(byte_span body);

/// Who listens. Called on its own loop.
class channel_listener {
 public:
  virtual ~channel_listener() = default;
  /// The server listens to the channel now, or will not. `ticket`: of `subscribe`.
  virtual void subscribed(std::uint64_t ticket, const std::optional<error>& refused) = 0;
  /// A NotificationResponse as the server sent it.
  virtual void heard(byte_span message) = 0;
  /// What was said for a while may not have been heard.
  virtual void may_have_missed() = 0;
};

/// Where a listener is reached from another thread, for as long as it is there.
class listener_box : public std::enable_shared_from_this<listener_box> {
 public:
  listener_box(runtime::loop& where, channel_listener& who) : loop_(where), who_(&who) {}
  /// On the listener's loop: nothing reaches it any more.
  void shut() { who_ = nullptr; }
  template <class Call>
  void tell(Call call) {
    loop_.post([self = shared_from_this(), call = std::move(call)] {
      if (self->who_ != nullptr) call(*self->who_);
    });
  }

 private:
  runtime::loop& loop_;
  channel_listener* who_;  // only ever touched on the loop's thread
};

class listen_hub final : private runtime::stream_handler {
 public:
  /// In a channel's place: all of them.
  static constexpr const char* every_channel = "*";

  listen_hub(link_pool& of, runtime::loop& where);
  listen_hub(const listen_hub&) = delete;
  listen_hub& operator=(const listen_hub&) = delete;
  ~listen_hub() override;

  void subscribe(std::string channel, std::shared_ptr<listener_box> who, std::uint64_t ticket);
  void unsubscribe(std::string channel, std::shared_ptr<listener_box> who);

  // On its loop:
  void close();
  /// Another connection is to be made, if `which` says so of the present one.
  void evict(const std::function<bool(const link&)>& which);

  /// Times that listeners were told that they may have missed something. Any thread.
  std::uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  using box_pointer = std::shared_ptr<listener_box>;
  struct waiting {
    box_pointer who;
    std::uint64_t ticket;
  };
  struct channel_state {
    std::vector<box_pointer> listeners;
    std::vector<waiting> waits;
    bool listened = false;
    bool was_lost = false;
  };

  void add(const std::string& name, box_pointer who, std::uint64_t ticket);
  void remove(const std::string& name, const box_pointer& who);
  void work();
  std::string next_query();
  void open();
  void opened(link_opening::outcome result);
  void answered();
  void not_answered();
  void refuse(const std::vector<std::string>& names, const error& why);
  void dispatch(byte_span message, byte_span body);
  void lose();
  void retry();

  void on_received(runtime::buffer data) override;
  void on_end(runtime::stream_end end) override;

  link_pool& pool_;
  runtime::loop& loop_;
  std::map<std::string, channel_state> channels_;
  std::unique_ptr<link> link_;
  std::unique_ptr<link_opening> opening_;
  std::vector<std::byte> unread_;
  std::vector<std::string> asked_;  // the channels of the query under way
  bool under_way_ = false;
  std::optional<error> problem_;  // of the query under way
  runtime::timer retry_;
  runtime::timer late_;    // the query under way
  runtime::timer linger_;  // nobody listens any more
  runtime::duration retry_after_{0};
  bool closed_ = false;
  std::atomic<std::uint64_t> missed_{0};
  std::atomic<bool> connected_{false};
};

}  // namespace trunkline::pool
