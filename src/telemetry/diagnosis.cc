#include "telemetry/diagnosis.h"

#include <fmt/format.h>

#include <string_view>

#include "base/seconds.h"
#include "telemetry/idle_timers.h"

namespace trunkline::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string_view side_of(cause which) {
  switch (which) {
    case cause::client_eof:
    case cause::client_reset:
    case cause::client_timeout:
      return "client";
    default:
      return "server";
  }
}

std::string seconds_text(milliseconds value) {
  if (value < seconds(10)) return fmt::format("{:.1f} s", seconds_of(value));
  return fmt::format("{} s", std::chrono::round<seconds>(value).count());
}

std::string how_it_ended(const death& what) {
  const std::string when = what.found_on_write ? " on write"
                           : what.busy         ? " while a statement ran"
                                               : " unasked";
  switch (what.cause.what) {
    case cause::client_eof:
    case cause::server_eof:
      return "FIN" + when;
    case cause::client_reset:
    case cause::server_reset:
      return "RST" + when;
    default:
      return what.found_on_write ? "no answer to what was sent" : "no answer to keepalive probes";
  }
}

bool timed_out(cause which) {
  return which == cause::client_timeout || which == cause::server_timeout;
}

std::string likely(const death& what) {
  if (const idle_timer* found = timer_near(seconds_of(what.idle))) {
    return fmt::format("typical of {}", found->suspect);
  }
  if (timed_out(what.cause.what))
    return "a host or a path that is gone, or a device that drops packets of forgotten connections";
  if (what.found_on_write && what.idle >= seconds(30)) {
    return fmt::format("a device on the path forgot the connection: its idle timeout is at most {}",
                       seconds_text(what.idle));
  }
  if (side_of(what.cause.what) == "client") {
    return what.busy ? "the client gave up while its statement ran, or was killed" : "";
  }
  return what.busy ? "the server process died, or was killed, while it worked"
                   : "the server went away without a word";
}

}  // namespace

bool is_unasked(cause which) {
  switch (which) {
    case cause::client_eof:
    case cause::client_reset:
    case cause::client_timeout:
    case cause::server_eof:
    case cause::server_reset:
    case cause::server_timeout:
      return true;
    default:
      return false;
  }
}

std::string explain(const death& what) {
  if (!is_unasked(what.cause.what)) return "";
  const bool short_idle = what.idle < seconds(1);
  std::string text =
      fmt::format("the {} leg {}", side_of(what.cause.what),
                  timed_out(what.cause.what) || what.found_on_write ? "went silent" : "was ended");
  if (!short_idle) text += fmt::format(" after {} idle", seconds_text(what.idle));
  text += ", " + how_it_ended(what);
  if (what.transaction_status == 'T' || what.transaction_status == 'E') text += ", inside a transaction";
  const std::string guess = likely(what);
  if (!guess.empty()) text += ": " + guess;
  return text;
}

}  // namespace trunkline::telemetry
