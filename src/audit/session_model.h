// From the records of the taps to events: what each session sent, what it was answered, and what that was for
// (interfaces.md, "Audit events"). Knows of each session its labels, its prepared statements and portals, and
// the messages of the exchange under way. Records may be missing (a gap): what they told of is then unknown,
// and says so. Owner: the audit thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/event_json.h"
#include "audit/exchange_walk.h"
#include "audit/message_log.h"
#include "audit/otlp_exporter.h"
#include "audit/statement_cache.h"
#include "audit/statement_names.h"
#include "audit/tap.h"
#include "config/settings.h"

namespace trunkline::audit {

class session_model {
 public:
  /// Where events go.
  class output {
   public:
    virtual ~output() = default;
    /// `body` lives for the call, see event_json.h; `facts` as it says there.
    virtual void event(std::string_view body, const event_facts& facts) = 0;
    virtual void span(span_record span) = 0;
    /// Told by a tap: so many events were lost.
    virtual void lost(std::uint64_t events) = 0;
  };

  struct identity {
    std::string boot;     ///< 8 hex digits, of this run of the process
    std::string replica;  ///< the host's name
  };

  session_model(identity who, output& out);

  /// What is wanted from now on: `lines` to be written somewhere, spans of traced statements.
  void configure(const config::audit& how, bool lines, bool spans);
  /// What to add to the steady clock to get the system's; once for each batch.
  void set_clock(std::chrono::nanoseconds offset) { offset_ = offset; }
  /// One record of tap number `tap`; owns the event of an event record.
  void record(std::size_t tap, const tap_header& head, byte_span payload);
  /// An event of the pipeline's own, of no session; `fields` as `,"name":value`.
  void own_event(std::string_view name, std::chrono::steady_clock::time_point when, std::string_view fields);
  /// The events so far are written or dropped.
  void release();

  std::size_t sessions() const { return sessions_.size(); }
  /// What sessions hold that no exchange has taken, and what statements do.
  std::size_t bytes() const;

 private:
  struct session {
    std::uint64_t id = 0;
    std::size_t tap = 0;
    std::uint64_t used = 0;  ///< batch in which it was last seen
    session_labels labels;
    std::size_t unnamed_fields = 0;  ///< of labels.fields, before the principal; 0: it has not started here
    std::string application_name;    ///< only where it holds a traceparent
    statement_names::of_session names;
    message_log log;
    exchange_progress progress;
  };

  session& find(std::uint64_t id, std::size_t tap);
  void make_room();
  void remove(std::uint64_t id);
  void handle(std::size_t tap, const rare_event& event);
  void started(session& of, const session_started& event);
  void logged_in(session& of, const session_login& event);
  static void name(session& of, const std::string& principal);
  void cut_off(session& of, const session_ended& event, std::chrono::steady_clock::time_point when);
  void keep_bounded(session& of);
  void exchange_end(session& of, byte_span payload);
  void gap(std::size_t tap, byte_span payload);
  void begin(std::string_view event, std::int64_t time_us, const session_labels* who);
  void begin_exchange(session& of, std::int64_t time_us, const telemetry::exchange_facts* facts,
                      bool in_parts);
  void tell(session& of, std::uint64_t through, const telemetry::exchange_facts* facts);
  void end_part(session& of, std::int64_t time_us, std::span<const statement_step> steps);
  void trace(const session& of, const telemetry::exchange_facts& facts,
             std::span<const statement_step> steps);
  std::int64_t micros(std::chrono::steady_clock::time_point when) const;

  identity who_;
  output* out_;
  config::audit how_;
  bool lines_ = false;
  bool spans_ = false;
  std::chrono::nanoseconds offset_{0};
  std::unique_ptr<statement_cache> cache_;
  statement_names names_;
  exchange_walk walk_;
  time_text time_;
  std::unordered_map<std::uint64_t, std::unique_ptr<session>> sessions_;
  session* last_ = nullptr;  // the one that was looked up last
  std::vector<std::unique_ptr<session>> ended_;
  std::vector<statement_list> replaced_;
  std::uint64_t batch_ = 1;
  std::string body_;
};

}  // namespace trunkline::audit
