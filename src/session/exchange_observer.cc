#include "session/exchange_observer.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/prefetch.h"
#include "base/seconds.h"
#include "net/socket.h"

namespace trunkline::session {

using telemetry::exchange_kind;
using telemetry::phase;
using telemetry::side;

namespace {

/// Whoever took longer than this is looked at closely.
constexpr auto slow = std::chrono::milliseconds(20);
/// What TCP knows of a path changes slowly: how often it is asked, and how often while an exchange is slow. A
/// wait for a server connection is no reason: in a crowd all have it, and asking costs two system calls.
constexpr auto path_interval = std::chrono::seconds(1);
constexpr auto path_interval_slow = std::chrono::milliseconds(20);

exchange_kind kind_of(char type) {
  return type == 'Q'   ? exchange_kind::simple
         : type == 'F' ? exchange_kind::function
                       : exchange_kind::extended;
}

bool ends_exchange(char type) {
  return type == 'S' || type == 'Q' || type == 'F';
}

}  // namespace

exchange_observer::exchange_observer(runtime::loop& where, observation& into, audit_gate* gate,
                                     session_facts& facts)
    : loop_(where),
      into_(into),
      facts_(facts),
      metrics_(into.of_route(facts.route->name, facts.route->upstream)),
      gate_(gate),
      hook_(
          where, [](void* self, time_point now) { static_cast<exchange_observer*>(self)->turn_over(now); },
          this) {}

void exchange_observer::watch(runtime::byte_stream& client, runtime::byte_stream& server, memory before) {
  client_ = &client;
  server_ = &server;
  names_ = std::move(before.names);
  slowest_ = std::move(before.slowest);
  exchanges_ = before.exchanges;
  previous_over_ = before.previous_over == time_point() ? loop_.now() : before.previous_over;
  std::copy(std::begin(before.retransmits), std::end(before.retransmits), std::begin(retransmits_));
  look_at_path({});
}

exchange_observer::memory exchange_observer::take_memory() {
  hook_.cancel();
  memory all{.names = std::move(names_),
             .slowest = std::move(slowest_),
             .exchanges = exchanges_,
             .previous_over = previous_over_};
  std::copy(std::begin(retransmits_), std::end(retransmits_), std::begin(all.retransmits));
  return all;
}

/// When the bytes that were just read came in. Mostly now; where the loop was late, TCP knows since when
/// nothing has come, to the millisecond. What was left unread because the other side took nothing is not
/// late.
exchange_observer::time_point exchange_observer::arrival(const runtime::byte_stream& stream) const {
  const time_point now = loop_.now();
  if (!loop_.was_late() || taken_again_ == now) [[likely]]
    return now;
  const auto facts = net::read_tcp_facts(stream.native_handle());
  // TCP counts in ticks of the kernel's clock: less than a tick or so is no lateness.
  if (!facts || facts->since_last_data <= limits::loop_late) return now;
  return std::clamp(now - facts->since_last_data, std::min(loop_.last_look(), now), now);
}

// ---- the client leg ----

void exchange_observer::client_chunk(bool at_boundary) {
  chunk_arrived_ = arrival(*client_);
  if (at_boundary) message_began_ = chunk_arrived_;
}

std::uint32_t exchange_observer::client_message(char type, std::uint32_t length, std::uint64_t request) {
  const time_point began = std::exchange(message_began_, chunk_arrived_);
  if (request == 0) return 0;
  if (flight_ == nullptr) flight_ = into_.lend();
  flight_->timer.request(began, request, kind_of(type), ends_exchange(type));
  switch (type) {
    case 'Q':
    case 'P':
    case 'B':
      return begin_statement(type, length, request);
    case 'E':
    case 'C':
    case 'D':
    case 'F':
      head_wanted_ = name_wanted_ = false;
      return gate_ == nullptr ? 0 : begin_tap(type, length, request);
    default:
      return 0;
  }
}

std::uint32_t exchange_observer::begin_statement(char type, std::uint32_t length, std::uint64_t request) {
  head_wanted_ = flight_->head.empty();
  name_wanted_ = type == 'P';
  if (head_wanted_) flight_->head.begin(type);
  if (gate_ != nullptr) return begin_tap(type, length, request);
  return head_wanted_ || name_wanted_ ? statement_head::wanted : 0;
}

std::uint32_t exchange_observer::begin_tap(char type, std::uint32_t length, std::uint64_t request) {
  flight_->requests.begin(audit::tap_kind::client_message, type, facts_.id, request,
                          length - limits::message_length_min);
  return std::numeric_limits<std::uint32_t>::max();
}

void exchange_observer::client_body(char /*type*/, byte_span piece, bool last) {
  if (flight_ == nullptr) return;
  if (head_wanted_) flight_->head.add(piece);
  if (name_wanted_) learn_name(piece, last);
  if (gate_ != nullptr) flight_->requests.add(*gate_, flight_->small, piece, last);
}

/// A Parse that comes in one piece, as nearly all do, with a name: text for later uses of that name.
void exchange_observer::learn_name(byte_span piece, bool last) {
  name_wanted_ = false;
  const std::string_view body = as_text(piece);
  const std::size_t end = body.find('\0');
  if (end == 0 || end == std::string_view::npos) return;
  const std::string_view text = body.substr(end + 1, limits::statement_head_bytes);
  const std::size_t stop = text.find('\0');
  if (stop == std::string_view::npos && last) return;
  if (names_ == nullptr) names_ = std::make_unique<statement_names>();
  names_->set(body.substr(0, end), text.substr(0, stop));
}

void exchange_observer::client_chunk_walked(std::size_t bytes) {
  metrics_.bytes_received[static_cast<std::size_t>(side::client)].add(bytes);
  if (flight_ == nullptr) return;
  flight_->timer.request_bytes(chunk_arrived_, bytes, server_rtt());
  hook_.schedule();
}

// ---- the server leg ----

void exchange_observer::server_chunk(std::size_t bytes) {
  metrics_.bytes_received[static_cast<std::size_t>(side::server)].add(bytes);
  if (flight_ == nullptr || !flight_->timer.outstanding()) return;
  const time_point now = loop_.now();
  look_at_path(flight_->timer.busy(now) > slow ? runtime::duration(path_interval_slow) : path_interval);
  flight_->timer.answer_bytes(arrival(*server_), now, bytes);
  hook_.schedule();
}

std::uint32_t exchange_observer::server_message(char type, std::uint32_t length, std::uint64_t request) {
  if (flight_ == nullptr) return 0;
  switch (type) {
    case 'G':
      flight_->timer.kind_is(exchange_kind::copy_in);
      return 0;
    case 'H':
      flight_->timer.kind_is(exchange_kind::copy_out);
      return 0;
    case 'W':
      flight_->timer.kind_is(exchange_kind::replication);
      return 0;
    case 'C':
    case 's':
    case 'I':
    case 't':
      if (gate_ == nullptr || request == 0) return 0;
      break;
    default:
      return 0;
  }
  if (length == limits::message_length_min) {
    tap_answer(type, request, {});
    return 0;
  }
  flight_->answers.begin(audit::tap_kind::server_message, type, facts_.id, request,
                         length - limits::message_length_min);
  return std::numeric_limits<std::uint32_t>::max();
}

void exchange_observer::server_body(char /*type*/, byte_span piece, bool last) {
  if (flight_ != nullptr && gate_ != nullptr) flight_->answers.add(*gate_, flight_->small, piece, last);
}

void exchange_observer::error_response(std::uint64_t request, const protocol::error_scan& what) {
  metrics_.errors_by_class[telemetry::class_index(what.code())].add();
  if (flight_ == nullptr) return;
  flight_->timer.failed(what.code());
  if (gate_ == nullptr) return;
  // Only the SQLSTATE goes on record: a message may quote what the client sent.
  std::array<std::byte, 8> body{std::byte{'C'}};
  const sqlstate value = what.code();
  const byte_span code = as_bytes(value.view());
  std::copy(code.begin(), code.end(), body.begin() + 1);
  tap_answer('E', request, body);
}

/// One that is here as a whole.
void exchange_observer::tap_answer(char type, std::uint64_t request, byte_span body) {
  flight_->answers.begin(audit::tap_kind::server_message, type, facts_.id, request, body.size());
  flight_->answers.add(*gate_, flight_->small, body, true);
}

void exchange_observer::ready_for_query(std::uint64_t request, char status) {
  if (flight_ != nullptr) flight_->timer.ready(request, status, server_rtt());
}

// ---- both ----

void exchange_observer::stall(bool client) {
  if (flight_ == nullptr) return;
  if (client) {
    flight_->timer.client_stalls(loop_.now());
  } else {
    flight_->timer.server_stalls(loop_.now());
  }
}

void exchange_observer::client_drained() {
  taken_again_ = loop_.now();
  if (flight_ == nullptr) return;
  flight_->timer.client_takes(loop_.now());
  hook_.schedule();
}

void exchange_observer::server_drained() {
  taken_again_ = loop_.now();
  if (flight_ == nullptr) return;
  flight_->timer.server_takes(loop_.now());
  hook_.schedule();
}

void exchange_observer::lease_waited() {
  if (flight_ != nullptr) flight_->timer.lease_taken(loop_.now());
}

void exchange_observer::lease_nears() const {
  if (flight_ != nullptr) prefetch(&flight_->timer, sizeof(exchange_timer));
}

void exchange_observer::look_at_path(runtime::duration interval) {
  if (loop_.now() - path_looked_at_ < interval) return;
  path_looked_at_ = loop_.now();
  for (const side which : {side::client, side::server}) {
    const auto facts = net::read_tcp_facts((which == side::client ? client_ : server_)->native_handle());
    if (!facts) continue;
    const auto index = static_cast<std::size_t>(which);
    metrics_.tcp_rtt[index].record(facts->rtt);
    metrics_.tcp_retransmits[index].add(facts->retransmits -
                                        std::exchange(retransmits_[index], facts->retransmits));
    rtts_us_[index] = static_cast<std::uint32_t>(facts->rtt.count());
  }
}

std::optional<leg_view> exchange_observer::leg(side which) const {
  const auto index = static_cast<std::size_t>(which);
  if (rtts_us_[index] == 0) return std::nullopt;
  return leg_view{.rtt_seconds = seconds_of(std::chrono::microseconds(rtts_us_[index])),
                  .retransmits = retransmits_[index]};
}

void exchange_observer::turn_over(time_point now) {
  if (flight_ == nullptr) return;
  if (server_->unsent() == 0) flight_->timer.sent(now);
  if (flight_->timer.has_done() && client_->unsent() == 0) {
    flight_->timer.delivered(now, [this](const auto& facts) { exchange_over(facts); });
    previous_over_ = now;
    flight_->head.clear();
    if (gate_ != nullptr) gate_->publish();
  }
  if (flight_->timer.at_rest()) rest();
}

void exchange_observer::exchange_over(const telemetry::exchange_facts& facts) {
  ++exchanges_;
  for (std::size_t i = 0; i < telemetry::phase_count; ++i)
    metrics_.exchange_seconds[i].record(facts.phases[i]);
  metrics_.exchanges[static_cast<std::size_t>(facts.how)].add();
  if (facts.began > previous_over_) {
    auto& between = open_ ? metrics_.idle_in_transaction : metrics_.client_think;
    between.record(facts.began - previous_over_);
  }
  open_ = facts.transaction_status == 'T' || facts.transaction_status == 'E';
  if (facts.total > slow && (slowest_ == nullptr || facts.total > slowest_->total)) [[unlikely]]
    slowest_ = std::make_unique<telemetry::exchange_facts>(facts);
  if (into_.recorder().wants(facts)) [[unlikely]]
    remember(facts);
  if (gate_ != nullptr) flight_->small.end_exchange(*gate_, facts_.id, facts);
}

void exchange_observer::remember(const telemetry::exchange_facts& facts) {
  into_.recorder().keep({.facts = facts,
                         .began = std::chrono::system_clock::now() -
                                  std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                      std::chrono::steady_clock::now() - facts.began),
                         .session = facts_.id,
                         .route = facts_.route->name,
                         .user = facts_.user,
                         .database = facts_.database,
                         .application_name = facts_.application_name,
                         .client = facts_.client,
                         .endpoint = facts_.endpoint,
                         .statement = std::string(flight_->head.text(names_.get()))},
                        loop_.now());
}

void exchange_observer::rest() {
  if (gate_ != nullptr) flight_->small.flush(*gate_, facts_.id);
  into_.give_back(std::move(flight_));
}

std::optional<runtime::time_point> exchange_observer::exchange_began() const {
  if (flight_ == nullptr || !flight_->timer.outstanding()) return std::nullopt;
  return flight_->timer.began();
}

void exchange_observer::ended(std::optional<sqlstate> code, char status) {
  hook_.cancel();
  if (flight_ == nullptr) return;
  const time_point now = loop_.now();
  flight_->timer.cut_off(now, code.value_or(sqlstate()), status, server_rtt());
  flight_->timer.delivered(now, [this](const auto& facts) { exchange_over(facts); });
  rest();
}

}  // namespace trunkline::session
