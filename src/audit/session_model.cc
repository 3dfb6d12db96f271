#include "audit/session_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "audit/json_pieces.h"
#include "audit/json_text.h"
#include "audit/trace_context.h"
#include "audit/trace_span.h"
#include "base/limits.h"

namespace trunkline::audit {

using std::chrono::steady_clock;

session_model::session_model(identity who, output& out) : who_(std::move(who)), out_(&out), walk_(names_) {
  cache_ = std::make_unique<statement_cache>(limits::audit_cache_bytes, how_.query_text);
}

/// Statements that were prepared before keep the text that they may have, or lose it.
void session_model::configure(const config::audit& how, bool lines, bool spans) {
  lines_ = lines;
  spans_ = spans;
  if (how.query_text != how_.query_text) {
    cache_ = std::make_unique<statement_cache>(limits::audit_cache_bytes, how.query_text);
    const auto look_again = [&](prepared_statement& one) {
      const std::string& text = one.list->front().text;
      if (text.empty()) return;
      // A batch that a sink could not write yet refers to what was there.
      replaced_.push_back(std::exchange(one.list, cache_->look(text, one.cut.length != 0)));
    };
    names_.each(look_again);
    for (auto& [id, one] : sessions_) {
      if (one->names.unnamed) look_again(*one->names.unnamed);
    }
  }
  how_ = how;
}

std::int64_t session_model::micros(steady_clock::time_point when) const {
  return when.time_since_epoch().count() / 1'000 + offset_.count() / 1'000;
}

std::size_t session_model::bytes() const {
  std::size_t sum = names_.bytes();
  for (const auto& [id, one] : sessions_)
    sum += one->log.bytes();
  return sum;
}

void session_model::release() {
  ++batch_;
  ended_.clear();
  replaced_.clear();
  walk_.release();
}

// ---- sessions ----

session_model::session& session_model::find(std::uint64_t id, std::size_t tap) {
  if (last_ != nullptr && last_->id == id) return *last_;
  auto& place = sessions_[id];
  if (!place) {
    place = std::make_unique<session>();
    place->id = id;
    place->tap = tap;
    place->labels.session = who_.boot + '-' + std::to_string(id);
    append_field(place->labels.fields, "session", place->labels.session);
    append_field(place->labels.fields, "replica", who_.replica);
    last_ = place.get();
    last_->used = batch_;
    if (sessions_.size() > limits::audit_sessions) make_room();
    return *last_;
  }
  last_ = place.get();
  last_->used = batch_;
  return *last_;
}

/// Those that were not heard of for the longest time go, an eighth of all.
void session_model::make_room() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
  by_age.reserve(sessions_.size());
  for (const auto& [id, one] : sessions_) {
    if (one.get() != last_) by_age.emplace_back(one->used, id);
  }
  const std::size_t count = by_age.size() / 8 + 1;
  std::nth_element(by_age.begin(), by_age.begin() + static_cast<std::ptrdiff_t>(count - 1), by_age.end());
  session* const kept = last_;
  for (std::size_t i = 0; i < count; ++i)
    remove(by_age[i].second);
  last_ = kept;
}

void session_model::remove(std::uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  names_.forget(found->second->names);
  ended_.push_back(std::move(found->second));
  sessions_.erase(found);
  last_ = nullptr;
}

// ---- records ----

void session_model::record(std::size_t tap, const tap_header& head, byte_span payload) {
  switch (head.kind) {
    case tap_kind::event: {
      std::array<std::byte, sizeof(void*)> given;
      if (payload.size() != given.size()) return;
      std::ranges::copy(payload, given.begin());
      const std::unique_ptr<rare_event> owned(std::bit_cast<rare_event*>(given));
      if (owned) handle(tap, *owned);
      return;
    }
    case tap_kind::client_message:
    case tap_kind::server_message: {
      session& of = find(head.session, tap);
      of.log.add(head, payload);
      return keep_bounded(of);
    }
    case tap_kind::messages: {
      session& of = find(head.session, tap);
      of.log.add_gathered(payload);
      return keep_bounded(of);
    }
    case tap_kind::exchange_end:
      return exchange_end(find(head.session, tap), payload);
    case tap_kind::gap:
      return gap(tap, payload);
    case tap_kind::wrap:
      return;
  }
}

void session_model::handle(std::size_t tap, const rare_event& event) {
  session* const of = event.session == 0 ? nullptr : &find(event.session, tap);
  if (const auto* start = std::get_if<session_started>(&event.what); start != nullptr && of != nullptr)
    started(*of, *start);
  const auto* login = std::get_if<session_login>(&event.what);
  if (login != nullptr && of != nullptr) logged_in(*of, *login);
  const auto* end = std::get_if<session_ended>(&event.what);
  if (end != nullptr && of != nullptr) cut_off(*of, *end, event.when);
  const session_labels* labels = of == nullptr ? nullptr : &of->labels;
  if (lines_) {
    begin(name_of(event), micros(event.when), labels);
    std::visit([&](const auto& what) { append_fields(body_, what); }, event.what);
    event_facts facts{.time_us = micros(event.when), .event = name_of(event), .who = labels};
    if (login != nullptr && !login->ok) facts.code = login->code;
    if (end != nullptr) {
      facts.code = end->cause.code;
      facts.seconds = end->seconds;
    }
    out_->event(body_, facts);
  }
  const bool only_a_cancel = std::holds_alternative<cancel_served>(event.what) && of != nullptr &&
                             of->labels.principal.empty() && of->labels.database.empty() && of->log.empty();
  if (of != nullptr && (end != nullptr || only_a_cancel)) remove(of->id);
}

void session_model::started(session& of, const session_started& event) {
  of.unnamed_fields = of.labels.fields.size();
  of.labels.database = event.database;
  name(of, event.principal);
  if (find_trace_parent(event.application_name)) of.application_name = event.application_name;
}

void session_model::logged_in(session& of, const session_login& event) {
  of.labels.endpoint = event.endpoint;
  if (!event.principal.empty() && of.unnamed_fields != 0) name(of, event.principal);
}

/// From here on the session's events are this principal's.
void session_model::name(session& of, const std::string& principal) {
  of.labels.principal = principal;
  of.labels.fields.resize(of.unnamed_fields);
  append_field(of.labels.fields, "principal", of.labels.principal);
  append_field(of.labels.fields, "database", of.labels.database);
}

/// The worker ends each exchange that it began; this is for what it did not take for one.
void session_model::cut_off(session& of, const session_ended& event, steady_clock::time_point when) {
  const auto messages = of.log.messages();
  const bool asked = std::ranges::any_of(messages, [](const tapped_message& one) { return one.from_client; });
  if (!asked && of.progress.parts == 0) return;
  telemetry::exchange_facts facts;
  facts.began = when;
  facts.how = telemetry::outcome::cut_off;
  facts.transaction_status = event.transaction_status;
  facts.last_request = ~std::uint64_t{0};
  const bool simple =
      asked && std::ranges::any_of(messages, [](const tapped_message& one) { return one.type == 'Q'; });
  facts.kind = simple ? telemetry::exchange_kind::simple : telemetry::exchange_kind::extended;
  tell(of, facts.last_request, &facts);
}

void session_model::keep_bounded(session& of) {
  if (of.log.bytes() <= limits::audit_exchange_bytes) return;
  // What has been answered is told; where that is not enough, all that is whole.
  std::uint64_t answered = 0;
  std::uint64_t sent = 0;
  for (const tapped_message& one : of.log.messages()) {
    if (!one.complete) continue;
    std::uint64_t& last = one.from_client ? sent : answered;
    last = std::max(last, one.request);
  }
  if (answered > 1) tell(of, answered - 1, nullptr);
  // Of a request that was told before there may be answers only.
  if (of.log.bytes() > limits::audit_exchange_bytes / 2) tell(of, std::max(sent, answered), nullptr);
}

void session_model::exchange_end(session& of, byte_span payload) {
  telemetry::exchange_facts facts;
  if (payload.size() < sizeof facts) return;
  std::memcpy(&facts, payload.data(), sizeof facts);
  if (payload.size() > sizeof facts) {
    of.log.add_gathered(payload.subspan(sizeof facts));
    keep_bounded(of);
  }
  tell(of, facts.last_request, &facts);
}

void session_model::gap(std::size_t tap, byte_span payload) {
  tap_gap lost;
  if (payload.size() != sizeof lost) return;
  std::memcpy(&lost, payload.data(), sizeof lost);
  for (auto& [id, one] : sessions_) {
    if (one->tap == tap) one->names.doubt();
  }
  std::string fields;
  append_gap(fields, time_, micros(lost.from), micros(lost.to), lost.exchanges + lost.events, "queue");
  own_event("gap", lost.to, fields);
  out_->lost(lost.exchanges + lost.events);
}

// ---- events ----

void session_model::begin(std::string_view event, std::int64_t time_us, const session_labels* who) {
  body_.assign("\"time\":\"");
  body_ += time_.of(time_us);
  body_ += "\",\"event\":\"";
  body_ += event;
  body_ += '"';
  if (who != nullptr) {
    body_ += who->fields;
  } else {
    append_field(body_, "replica", who_.replica);
  }
}

void session_model::own_event(std::string_view name, steady_clock::time_point when, std::string_view fields) {
  if (!lines_) return;
  begin(name, micros(when), nullptr);
  body_ += fields;
  out_->event(body_, {.time_us = micros(when), .event = name});
}

void session_model::begin_exchange(session& of, std::int64_t time_us, const telemetry::exchange_facts* facts,
                                   bool in_parts) {
  begin("exchange", time_us, &of.labels);
  if (facts != nullptr) {
    const auto kind = static_cast<std::size_t>(facts->kind);
    body_ += ",\"kind\":\"";
    body_ += telemetry::exchange_kind_names[kind < telemetry::exchange_kind_names.size() ? kind : 0];
    body_ += '"';
  }
  if (in_parts) append_field(body_, "part", std::uint64_t{of.progress.parts} + 1);
  body_ += ",\"statements\":[";
}

void session_model::end_part(session& of, std::int64_t time_us, std::span<const statement_step> steps) {
  body_ += ']';
  out_->event(body_, {.time_us = time_us, .event = "exchange", .who = &of.labels, .steps = steps});
  ++of.progress.parts;
}

/// `facts` null: a part of an exchange that goes on.
void session_model::tell(session& of, std::uint64_t through, const telemetry::exchange_facts* facts) {
  const auto steps = walk_.run(of.names, of.progress, of.log, through, *cache_);
  if (lines_) {
    const std::int64_t time_us = micros(facts != nullptr ? facts->began : steady_clock::now());
    bool in_parts = facts == nullptr || of.progress.parts != 0;
    const bool numbered = in_parts;
    begin_exchange(of, time_us, facts, in_parts);
    std::size_t first = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (i != first) body_ += ',';
      append_statement(body_, steps[i], of.log, how_.parameters, numbered);
      if (body_.size() < limits::audit_event_bytes || i + 1 == steps.size()) continue;
      if (!in_parts) body_.insert(body_.rfind(",\"statements\":["), ",\"part\":1");
      in_parts = true;
      end_part(of, time_us, steps.subspan(first, i + 1 - first));
      first = i + 1;
      begin_exchange(of, time_us, facts, true);
    }
    if (facts == nullptr) {
      end_part(of, time_us, steps.subspan(first));
    } else {
      body_ += ']';
      append_fields(body_, *facts);
      out_->event(body_, {.time_us = time_us,
                          .seconds = static_cast<double>(facts->total.count()) * 1e-9,
                          .event = "exchange",
                          .who = &of.labels,
                          .code = facts->code,
                          .steps = steps.subspan(first)});
    }
  } else if (facts == nullptr) {
    ++of.progress.parts;
  }
  if (facts != nullptr) {
    if (spans_) trace(of, *facts, steps);
    of.progress = {};
    if (facts->transaction_status == 'I') of.names.close_portals();
  }
  of.log.drop_through(through);
}

void session_model::trace(const session& of, const telemetry::exchange_facts& facts,
                          std::span<const statement_step> steps) {
  for (const statement_step& step : steps) {
    if (step.facts == nullptr || step.skipped) continue;
    auto parent = parse_trace_parent(step.facts->traceparent);
    if (!parent && !of.application_name.empty()) parent = find_trace_parent(of.application_name);
    if (parent && parent->sampled)
      out_->span(make_span(*parent, step, facts, of.labels, offset_, how_.query_text));
  }
}

}  // namespace trunkline::audit
