#include "session/cancel_sender.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "config/glob.h"
#include "runtime/deadline.h"
#include "session/negotiate.h"

namespace trunkline::session {
namespace {

runtime::task<bool> deliver(runtime::loop* where, net::channel* server, std::uint32_t pid,
                            std::vector<std::byte> key, runtime::duration patience) {
  std::vector<std::byte> packet;
  protocol::append_cancel_request(packet, pid, key);
  server->write(packet);
  runtime::deadline deadline(*where, server->changed(), patience);
  while (!server->ended() && !deadline.passed())
    co_await server->changed().wait();
  co_return server->ended();
}

}  // namespace

runtime::task<bool> send_cancel(runtime::loop* where, std::shared_ptr<const cancel_target> target,
                                net::channel* into) {
  const auto& upstream = target->setup->settings->upstreams[target->upstream];
  pool::connect_request request{.where = where,
                                .upstream = &upstream,
                                .tls = target->setup->upstream_tls[target->upstream].get(),
                                .options = target->setup->socket_options};
  auto connection =
      co_await pool::connect_place(std::move(request), target->place, upstream.connect_timeout, into);
  if (!connection) co_return false;
  co_return co_await deliver(where, into, target->server_pid, target->server_key, upstream.connect_timeout);
}

runtime::task<bool> offer_cancel(login_context* context, std::uint32_t pid, std::vector<std::byte> key) {
  const auto& settings = context->settings();
  std::set<std::size_t> upstreams;
  for (const auto& route : settings.routes) {
    const auto& names = route.match.listeners;
    const bool fits = names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& glob) {
                        return config::glob_match(glob, context->listener().name);
                      });
    if (fits) upstreams.insert(route.upstream_index);
  }
  bool any = false;
  for (const std::size_t index : upstreams) {
    pool::search_request request;
    request.connect = {.where = context->loop,
                       .upstream = &settings.upstreams[index],
                       .options = context->facts->setup->socket_options,
                       .client = header_for_server(*context),
                       .plain = true};
    request.of = context->facts->setup->clusters[index].get();
    request.target = config::route_target::any;
    request.give_up = context->loop->now();  // whoever is there now
    pool::search search(std::move(request), &context->server);
    for (;;) {
      auto found = co_await pool::search::next(&search);
      if (!found) break;
      const bool delivered = co_await deliver(context->loop, &context->server, pid, key,
                                              settings.upstreams[index].connect_timeout);
      any = any || delivered;
      search.reject(found->lease, "");
    }
  }
  co_return any;
}

runtime::task<bool> ask_elder(login_context* context, std::uint32_t pid, std::vector<std::byte> key) {
  if (context->shared->elder == nullptr) co_return false;
  auto stream = context->shared->elder->open_stream(context->facts->client);
  if (!stream) co_return false;
  context->server.attach(context->loop->adopt(stream.release()), true);
  co_await deliver(context->loop, &context->server, pid, std::move(key), limits::handover_cancel);
  co_return !context->server.unread().empty();
}

namespace {

runtime::task<bool> send_twice(runtime::loop* where, std::shared_ptr<const cancel_target> target,
                               net::channel* into, runtime::signal* changed) {
  const bool heard = co_await send_cancel(where, target, into);
  if (!heard) co_return false;  // whoever waits for this errand waits no longer for a dead server
  const runtime::deadline over(*where, *changed, limits::abandoned_server_grace);
  while (!over.passed())
    co_await changed->wait();
  co_return co_await send_cancel(where, target, into);
}

}  // namespace

cancel_errand::cancel_errand(runtime::loop& where, std::shared_ptr<const cancel_target> target,
                             cancel_effort effort, std::move_only_function<void(bool)> after)
    : changed_(where),
      server_(where, changed_),
      done_(where, &tell, this),
      task_(effort == cancel_effort::twice ? send_twice(&where, std::move(target), &server_, &changed_)
                                           : send_cancel(&where, std::move(target), &server_)),
      after_(std::move(after)) {}

void cancel_errand::start(void (*on_done)(void*, cancel_errand*), void* context) {
  on_done_ = on_done;
  context_ = context;
  task_.start(&finished, this);
}

void cancel_errand::finished(void* self) {
  static_cast<cancel_errand*>(self)->done_.schedule();
}

void cancel_errand::tell(void* self) {
  auto* errand = static_cast<cancel_errand*>(self);
  if (errand->after_) errand->after_(errand->task_.take());
  errand->on_done_(errand->context_, errand);
}

}  // namespace trunkline::session
