#include "session/grant_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grants/quorum.h"
#include "grants/request_json.h"
#include "protocol/answer_messages.h"
#include "protocol/authentication.h"
#include "runtime/deadline.h"
#include "runtime/remote_wake.h"
#include "session/access_gate.h"
#include "session/grant_hold.h"
#include "session/grant_question.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

/// A request that its gateway could not end in time, because the store fails, ends here so long after.
constexpr std::chrono::seconds late_end{5};

/// One session more that waits, as long as it lives.
class counted {
 public:
  explicit counted(std::atomic<std::uint64_t>& in) : in_(in) { in_.fetch_add(1, std::memory_order_relaxed); }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { in_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t>& in_;
};

/// What others have written reaches a terminal without its control characters.
std::string plain(std::string_view text) {
  std::string made(text);
  std::replace_if(
      made.begin(), made.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  return made;
}

login_end not_granted(const login_context& context, const std::string& why, std::string hint = {}) {
  return {.cause = {cause::policy_denied},
          .detail = why,
          .tell = error{.code = sqlstates::invalid_authorization,
                        .message = "access to database \"" + context.facts->database.str() + "\": " + why,
                        .hint = std::move(hint)}};
}

login_end refused_request(const login_context& context, const grants::refusal& why) {
  auto made = not_granted(context, why.message);
  if (why.what == grants::refusal::kind::invalid)
    made.tell->hint =
        "Say why: options='-c trunkline.reason=...' (blanks as \\ ), reason=... in application_name, or "
        "trunkline access request --reason.";
  if (why.what == grants::refusal::kind::limit) made.tell->code = sqlstates::configuration_limit_exceeded;
  if (why.what == grants::refusal::kind::unavailable) {
    made.tell->code = sqlstates::cannot_connect_now;
    made.tell->reaction = error_reaction::retry;
  }
  return made;
}

std::string by_whom(const grants::record& of) {
  std::string made;
  if (!of.over_by.empty()) made += " by " + plain(of.over_by);
  if (!of.over_reason.empty()) made += ": " + plain(of.over_reason);
  return made;
}

login_end ended_request(const login_context& context, const grants::record& of) {
  const std::string request = fmt::format("request {}", of.id);
  switch (of.now) {
    case grants::state::denied:
      return not_granted(context, request + " was denied" + by_whom(of));
    case grants::state::timed_out:
      return not_granted(context, "nobody has answered " + request + " in time");
    case grants::state::withdrawn:
      return not_granted(context, request + " was withdrawn" + by_whom(of));
    case grants::state::revoked:
      return not_granted(context, "what " + request + " was granted has been revoked" + by_whom(of));
    default:
      return not_granted(context, "what " + request + " was granted has expired");
  }
}

login_end no_answer(const login_context& context) {
  return refused_request(context,
                         {grants::refusal::kind::unavailable, "the store of requests does not answer"});
}

/// Clients take notices only behind AuthenticationOk.
void tell(login_context& context, std::string_view sentence) {
  std::vector<std::byte> out;
  if (!std::exchange(context.authentication_told, true)) append_authenticated(context, out);
  protocol::append_notice(out, sentence);
  context.client.write(out);
}

std::string sentence_of(const grants::record& of) {
  std::string made =
      fmt::format("access to database \"{}\" waits for {}: request {}, until {}", plain(of.what.database),
                  plain(grants::what_is_missing(of)), of.id, grants::time_text(of.answer_by));
  if (of.reason.empty()) made += "; `trunkline access request --reason` tells those who decide why";
  return made;
}

grants::question asked_by(const login_context& context) {
  const session_facts& facts = *context.facts;
  return question_of({.who = facts.access->who.get(),
                      .user = facts.user.str(),
                      .database = facts.database.str(),
                      .client = facts.client,
                      .reason = reason_of(context.startup)},
                     *facts.route, *facts.access->policy);
}

runtime::duration until(std::chrono::steady_clock::time_point when) {
  return std::max(std::chrono::steady_clock::duration(0), when - std::chrono::steady_clock::now());
}

/// Until it is no longer open. Nothing in the answer: the client is in by it.
runtime::task<step<>> wait_for_answer(login_context* context, grant_hold* hold) {
  runtime::deadline late(*context->loop, context->changed, limits::access_answer);
  runtime::deadline again(*context->loop, context->changed);
  bool told = false;
  for (;;) {
    const grants::standing now = hold->at().now();
    if (now.why) co_return std::unexpected(refused_request(*context, *now.why));
    if (now.of && now.of->now == grants::state::active) {
      note_grant(*context, context->loop->now() + until(now.ends));
      co_return step<>();
    }
    if (now.of && now.of->now != grants::state::open)
      co_return std::unexpected(ended_request(*context, *now.of));
    if (now.of && !told) late.arm(until(now.ends) + late_end);
    if (now.of && (!told || again.passed())) {
      told = true;
      tell(*context, sentence_of(*now.of));
      again.arm(limits::access_notice);
    }
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    if (context->server.connected() && context->server.ended())
      co_return std::unexpected(server_ended(context->server));
    if (late.passed()) co_return std::unexpected(no_answer(*context));
    co_await context->changed.wait();
  }
}

}  // namespace

runtime::task<step<>> grant_wait::ask(login_context* context) {
  grants::office* const office = office_.load();
  if (office == nullptr) co_return std::unexpected(no_answer(*context));
  const counted one(waiting_);
  const runtime::remote_wake here(*context->loop, context->changed);
  auto hold = std::make_unique<grant_hold>(
      office->ask(asked_by(*context), [caller = here.handle()] { caller.wake(); }));
  context->begin_patience();
  auto answered = co_await wait_for_answer(context, hold.get());
  context->end_patience();
  if (answered) context->facts->access.edit().grant = std::move(hold);
  co_return answered;
}

}  // namespace trunkline::session
