// What the audit's events look like (interfaces.md, "Audit events"; docs/audit.md). An event's body is its
// line without what a sink adds: `{"v":1,"seq":N,` before it and `,"prev":"…"}` behind it (line_chain.h).
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "audit/event.h"
#include "audit/exchange_walk.h"
#include "audit/message_log.h"
#include "config/settings.h"
#include "telemetry/exchange.h"

namespace trunkline::audit {

/// How a session is named in its events; made once for each.
struct session_labels {
  std::string session;  ///< "BOOT-N"
  std::string principal;
  std::string database;
  std::string endpoint;  ///< of its server
  std::string fields;    ///< `,"session":…` and so on, ready for a body
};

/// What is known of an event beside its text. Views and pointers live until the batch is written or dropped,
/// `steps` only for the call.
struct event_facts {
  std::int64_t time_us = 0;  ///< since 1970, UTC
  double seconds = 0;
  std::string_view event;
  const session_labels* who = nullptr;  ///< null: of no session
  sqlstate code = {};
  std::span<const statement_step> steps = {};
};

/// RFC 3339 in UTC with microseconds. Remembers the second it wrote last.
class time_text {
 public:
  /// Until the next call.
  std::string_view of(std::int64_t time_us);

 private:
  void begin_second(std::int64_t second);

  std::int64_t second_ = -1;
  std::string text_;
};

/// The name of the event, and its own fields.
std::string_view name_of(const rare_event& event);
void append_fields(std::string& out, const session_started& event);
void append_fields(std::string& out, const session_login& event);
void append_fields(std::string& out, const session_ended& event);
void append_fields(std::string& out, const cancel_served& event);
void append_fields(std::string& out, const config_reloaded& event);
void append_fields(std::string& out, const access_changed& event);
void append_fields(std::string& out, const operator_acted& event);

/// Of a `gap`: `events` are missing between the two times; `reason` says where they were lost.
void append_gap(std::string& out, time_text& times, std::int64_t from_us, std::int64_t to_us,
                std::uint64_t events, std::string_view reason);

/// `with_request`: for exchanges in parts, whose answers may come in a later part than their statement.
void append_statement(std::string& out, const statement_step& step, const message_log& log,
                      config::audit_parameters parameters, bool with_request);
/// What an exchange has beside its statements.
void append_fields(std::string& out, const telemetry::exchange_facts& facts);

}  // namespace trunkline::audit
