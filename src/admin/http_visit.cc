#include "admin/http_visit.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::admin {

visit::visit(const visit_context& where, host_policy hosts, int socket)
    : where_(where),
      hosts_(std::move(hosts)),
      changed_(where.loop),
      peer_(where.loop, changed_),
      time_(where.loop, changed_, limits::admin_request_timeout) {
  peer_.attach(where.loop.adopt(socket), true);
}

void visit::start(void (*on_over)(void*, visit*), void* context) {
  on_over_ = on_over;
  over_context_ = context;
  life_ = run();
  life_.start(&visit::done, this);
}

void visit::done(void* self) {
  auto* over = static_cast<visit*>(self);
  over->on_over_(over->over_context_, over);
}

runtime::task<> visit::run() {
  auto got = co_await read();
  spare_ = false;
  if (got.what == http_reading::state::more) co_return;  // it left
  const bool head = got.request.is_head();
  http_response response = std::move(got.refusal);
  if (got.what == http_reading::state::request) response = co_await answer(std::move(got.request));
  co_await write(render_response(response, head));
}

runtime::task<http_reading> visit::read() {
  for (;;) {
    auto reading = read_request(peer_.unread());
    if (reading.what != http_reading::state::more) co_return reading;
    if (time_.passed()) {
      // A client that sent nothing at all hears nothing.
      if (peer_.unread().empty()) co_return reading;
      co_return http_reading{.what = http_reading::state::bad,
                             .request = {},
                             .refusal = error_response(408, "the request did not arrive in time")};
    }
    if (peer_.ended()) co_return reading;
    co_await changed_.wait();
  }
}

runtime::task<http_response> visit::answer(http_request request) {
  if (!hosts_.allows(request.host)) {
    co_return error_response(421, "this server answers to localhost and its own address, not to this Host");
  }
  const lane which = where_.shown.lane_of(request);
  if (which == lane::here) co_return where_.shown.answer(request);
  runtime::job<http_response> slow(where_.loop, which == lane::brief ? where_.brief : where_.patient,
                                   changed_);
  auto work = [shown = &where_.shown, asked = std::move(request)] { return shown->answer(asked); };
  if (!slow.start(std::move(work))) {
    auto refused = error_response(503, "too many requests wait for an answer");
    refused.fields.emplace_back("Retry-After", "5");
    co_return refused;
  }
  time_.disarm();
  while (!slow.done()) {
    if (peer_.broken()) co_return http_response{};  // nobody waits for it
    co_await changed_.wait();
  }
  co_return slow.take();
}

runtime::task<> visit::write(std::string text) {
  time_.arm(limits::admin_response_timeout);
  peer_.write(as_bytes(text));
  if (peer_.broken()) co_return;
  peer_.stream()->finish_sending();
  // Closing while bytes of the client's are unread would reset the connection under the answer: wait for its
  // end.
  while (!peer_.broken() && !time_.passed()) {
    peer_.consume(peer_.unread().size());
    spare_ = peer_.drained();
    if (spare_ && peer_.ended()) co_return;
    co_await changed_.wait();
  }
}

}  // namespace trunkline::admin
