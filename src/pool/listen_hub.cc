#include "pool/listen_hub.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "pool/link_pool.h"
#include "pool/setting_map.h"
#include "protocol/frame.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"

namespace trunkline::pool {

std::string_view channel_of_notification(byte_span body) {
  if (body.size() < sizeof(std::uint32_t)) return {};
  const std::string_view rest = as_text(body.subspan(sizeof(std::uint32_t)));
  return rest.substr(0, rest.find('\0'));
}

listen_hub::listen_hub(link_pool& of, runtime::loop& where)
    : pool_(of),
      loop_(where),
      retry_(
          where.timers(), [](void* self) { static_cast<listen_hub*>(self)->work(); }, this),
      late_(
          where.timers(), [](void* self) { static_cast<listen_hub*>(self)->not_answered(); }, this),
      linger_(where.timers(), [](void* self) { static_cast<listen_hub*>(self)->lose(); }, this) {}

listen_hub::~listen_hub() {
  close();
}

void listen_hub::subscribe(std::string channel, std::shared_ptr<listener_box> who, std::uint64_t ticket) {
  loop_.post([keep = pool_.shared_from_this(), this, channel = std::move(channel), who = std::move(who),
              ticket]() mutable { add(channel, std::move(who), ticket); });
}

void listen_hub::unsubscribe(std::string channel, std::shared_ptr<listener_box> who) {
  loop_.post([keep = pool_.shared_from_this(), this, channel = std::move(channel), who = std::move(who)] {
    remove(channel, who);
  });
}

void listen_hub::close() {
  if (std::exchange(closed_, true)) return;
  retry_.disarm();
  linger_.disarm();
  channels_.clear();
  loop_.dispose(std::move(opening_));
  if (link_ != nullptr) lose();
}

void listen_hub::evict(const std::function<bool(const link&)>& which) {
  if (link_ == nullptr || !which(*link_)) return;
  lose();
  retry();
}

void listen_hub::add(const std::string& name, box_pointer who, std::uint64_t ticket) {
  if (closed_) return;
  linger_.disarm();
  channel_state& to = channels_[name];
  if (std::find(to.listeners.begin(), to.listeners.end(), who) == to.listeners.end())
    to.listeners.push_back(who);
  if (to.listened) return who->tell([ticket](channel_listener& of) { of.subscribed(ticket, {}); });
  to.waits.push_back({std::move(who), ticket});
  work();
}

void listen_hub::remove(const std::string& name, const box_pointer& who) {
  for (auto& [each, of] : channels_) {
    if (name != every_channel && name != each) continue;
    std::erase(of.listeners, who);
    std::erase_if(of.waits, [&](const waiting& one) { return one.who == who; });
  }
  work();
}

/// What is to be asked next; empty: nothing. Channels of nobody are forgotten.
std::string listen_hub::next_query() {
  std::string query;
  for (auto at = channels_.begin(); at != channels_.end() && asked_.size() < limits::listen_batch;) {
    channel_state& of = at->second;
    const bool wanted = !of.listeners.empty();
    if (wanted && !of.listened) {
      query += "LISTEN " + quote_identifier(at->first) + ';';
      asked_.push_back(at->first);
    } else if (!wanted && of.listened) {
      query += "UNLISTEN " + quote_identifier(at->first) + ';';
    }
    at = wanted ? std::next(at) : channels_.erase(at);
  }
  return query;
}

void listen_hub::work() {
  if (closed_ || under_way_) return;
  if (link_ == nullptr) {
    if (opening_ == nullptr && !retry_.armed() && !channels_.empty()) open();
    return;
  }
  const std::string query = next_query();
  if (query.empty()) {
    if (channels_.empty()) linger_.arm(loop_.now() + limits::listen_linger);
    return;
  }
  under_way_ = true;
  late_.arm(loop_.now() + limits::listen_answer);
  problem_.reset();
  std::vector<std::byte> out;
  protocol::append_query(out, query);
  for (auto& part : loop_.buffers().copies(out))
    link_->stream->send(std::move(part));
}

// ---- its connection ----

void listen_hub::open() {
  opening_ = std::make_unique<link_opening>(loop_, pool_.source());
  opening_->start(
      [](void* self, link_opening&, link_opening::outcome result) {
        static_cast<listen_hub*>(self)->opened(std::move(result));
      },
      this);
}

void listen_hub::opened(link_opening::outcome result) {
  loop_.dispose(std::move(opening_));
  if (!result) {
    std::vector<std::string> all;
    all.reserve(channels_.size());
    for (const auto& [name, of] : channels_)
      all.push_back(name);
    refuse(all, result.error().why);
    return retry();
  }
  link_ = std::move(*result);
  connected_.store(true, std::memory_order_relaxed);
  link_->stream->set_handler(this);
  link_->stream->resume_receiving();
  work();
}

void listen_hub::lose() {
  connected_.store(false, std::memory_order_relaxed);
  if (link_ == nullptr) return;
  std::vector<std::byte> goodbye;
  protocol::append_terminate(goodbye);
  for (auto& part : loop_.buffers().copies(goodbye))
    link_->stream->send(std::move(part));
  link_->stream->close();
  loop_.dispose(std::move(link_->stream));
  loop_.dispose(std::move(link_));
  unread_.clear();
  asked_.clear();
  under_way_ = false;
  late_.disarm();
  for (auto& [name, of] : channels_) {
    of.was_lost = of.was_lost || of.listened;
    of.listened = false;
  }
}

void listen_hub::retry() {
  if (closed_ || channels_.empty()) return;
  retry_after_ = std::clamp<runtime::duration>(retry_after_ * 2, limits::pool_retry, limits::pool_retry_most);
  retry_.arm(loop_.now() + retry_after_);
}

void listen_hub::on_end(runtime::stream_end) {
  pool_.source()->of->suspect(link_->lease.on()->id);
  lose();
  retry();
}

void listen_hub::on_received(runtime::buffer data) {
  const auto bytes = data.bytes();
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  std::size_t done = 0;
  while (link_ != nullptr) {
    const byte_span rest = byte_span(unread_).subspan(done);
    const auto read = protocol::next_frame(rest, limits::pooled_message, error_source::server);
    if (std::holds_alternative<protocol::bad>(read)) {
      lose();
      return retry();
    }
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) break;
    done += whole->size;
    if (whole->type == 'A') dispatch(rest.first(whole->size), whole->body);
    if (whole->type == 'E') {
      const protocol::notice_fields fields(whole->body);
      problem_ = error{
          .source = error_source::server, .code = fields.code(), .message = std::string(fields.message())};
    }
    if (whole->type == 'Z') answered();
  }
  unread_.erase(unread_.begin(),
                unread_.begin() + static_cast<std::ptrdiff_t>(std::min(done, unread_.size())));
}

void listen_hub::dispatch(byte_span message, byte_span body) {
  const auto at = channels_.find(std::string(channel_of_notification(body)));
  // What comes before the answer to LISTEN is of an earlier one, which nobody wanted any more.
  if (at == channels_.end() || !at->second.listened) return;
  const auto copy = std::make_shared<const std::vector<std::byte>>(message.begin(), message.end());
  for (const auto& each : at->second.listeners)
    each->tell([copy](channel_listener& of) { of.heard(*copy); });
}

/// The query under way is done.
void listen_hub::answered() {
  if (!std::exchange(under_way_, false)) return;
  late_.disarm();
  const auto names = std::exchange(asked_, {});
  if (problem_) {
    refuse(names, *problem_);
    lose();  // what it listens to is not known for certain
    return retry();
  }
  retry_after_ = {};
  std::set<box_pointer> missed;
  for (const auto& name : names) {
    const auto at = channels_.find(name);
    if (at == channels_.end()) continue;
    channel_state& of = at->second;
    of.listened = true;
    for (const auto& each : std::exchange(of.waits, {}))
      each.who->tell([ticket = each.ticket](channel_listener& to) { to.subscribed(ticket, {}); });
    if (std::exchange(of.was_lost, false)) missed.insert(of.listeners.begin(), of.listeners.end());
  }
  for (const auto& each : missed)
    each->tell([](channel_listener& of) { of.may_have_missed(); });
  missed_.fetch_add(missed.size(), std::memory_order_relaxed);
  work();
}

/// The server is there, and says nothing: another connection may do better. Who waits is not kept waiting for
/// that.
void listen_hub::not_answered() {
  refuse(asked_,
         {.source = error_source::server,
          .code = sqlstates::query_canceled,
          .message = "canceling LISTEN: the server connection that listens for this pool does not answer",
          .hint = "It is made again; try again then."});
  pool_.source()->of->suspect(link_->lease.on()->id);
  lose();
  retry();
}

/// Who waits for them hears why, and listens no more; who listened before goes on waiting.
void listen_hub::refuse(const std::vector<std::string>& names, const error& why) {
  for (const auto& name : names) {
    const auto at = channels_.find(name);
    if (at == channels_.end()) continue;
    for (const auto& each : std::exchange(at->second.waits, {})) {
      std::erase(at->second.listeners, each.who);
      each.who->tell(
          [ticket = each.ticket, why](channel_listener& of) { of.subscribed(ticket, std::optional(why)); });
    }
    if (at->second.listeners.empty()) channels_.erase(at);
  }
}

}  // namespace trunkline::pool
