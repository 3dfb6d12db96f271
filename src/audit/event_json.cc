#include "audit/event_json.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <utility>

#include "audit/json_pieces.h"
#include "audit/json_text.h"
#include "audit/parameters.h"

namespace trunkline::audit {
namespace {

constexpr std::int64_t million = 1'000'000;

/// `,"gateway":` and so on.
struct phase_head {
  static constexpr std::size_t width = 24;
  std::array<char, width> text{};
  std::size_t size = 0;

  constexpr std::string_view view() const { return {text.data(), size}; }
};

constexpr auto phase_heads = [] {
  std::array<phase_head, telemetry::phase_count> heads{};
  for (std::size_t i = 0; i < heads.size(); ++i) {
    for (const std::string_view piece :
         {std::string_view(",\""), telemetry::phase_names[i], std::string_view("\":")}) {
      for (const char each : piece)
        heads[i].text[heads[i].size++] = each;
    }
  }
  return heads;
}();

void append_two(std::string& out, int value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

void append_flag(std::string& out, std::string_view name, bool value) {
  if (!value) return;
  out += ",\"";
  out += name;
  out += "\":true";
}

void append_leg(std::string& out, std::string_view name, const std::optional<leg_state>& leg) {
  if (!leg) return;
  out += ",\"";
  out += name;
  out += "\":{\"rtt\":";
  append_seconds(out, std::chrono::microseconds{std::max<std::int64_t>(leg->rtt_us, 0)});
  append_field(out, "retransmits", std::uint64_t{leg->retransmits});
  append_field(out, "unacked", std::uint64_t{leg->unacked});
  out += '}';
}

void append_status(std::string& out, char status) {
  out += ",\"txState\":";
  append_json_text(out, {&status, 1});
}

/// The last word where it is a number: `INSERT 0 5`, `SELECT 1`.
std::string_view rows_of(std::string_view tag) {
  const std::size_t blank = tag.rfind(' ');
  if (blank == std::string_view::npos) return {};
  const std::string_view word = tag.substr(blank + 1);
  const bool number = !word.empty() && word.size() <= 20 && word.find_first_not_of("0123456789") == word.npos;
  return number && (word.size() == 1 || word[0] != '0') ? word : std::string_view{};
}

/// A FunctionCall has its parameters as a Bind has them, behind the function's OID.
void append_call(std::string& out, byte_span body, bool cut, config::audit_parameters how) {
  if (body.size() < 4) return;
  append_field(out, "function", std::uint64_t{load_u32(body.data())});
  if (how == config::audit_parameters::off) return;
  std::string as_bind(2, '\0');
  as_bind += as_text(body.subspan(4));
  out += ",\"parameters\":";
  append_parameters(out, as_bytes(as_bind), cut, {}, how);
}

void append_cut(std::string& out, std::string_view length_name, std::uint64_t length,
                std::string_view hash_name, byte_span hash) {
  append_field(out, length_name, length);
  if (hash.empty()) return;
  out += ",\"";
  out += hash_name;
  out += "\":\"";
  append_hex(out, hash);
  out += '"';
}

void append_text(std::string& out, const statement_step& step, const message_log& log) {
  if (step.facts != nullptr && !step.facts->json.empty()) {
    out += ',';
    out += step.facts->json;
  }
  if (step.cut != nullptr) append_cut(out, "length", step.cut->length, "sha256", log.hash(*step.cut));
  if (step.statement != nullptr && step.statement->cut.length != 0) {
    append_cut(out, "length", step.statement->cut.length, "sha256", as_bytes(step.statement->cut.sha256));
  }
}

void append_bind(std::string& out, const statement_step& step, const message_log& log,
                 config::audit_parameters how) {
  const tapped_message& bind = *step.parameters;
  const bool cut = bind.cut || !bind.complete;
  if (step.what == statement_step::kind::function) return append_call(out, log.body(bind), cut, how);
  if (how == config::audit_parameters::off) return;
  out += ",\"parameters\":";
  std::span<const std::uint32_t> types;
  if (step.statement != nullptr) types = step.statement->types;
  append_parameters(out, log.body(bind), cut, types, how);
  if (bind.cut) append_cut(out, "parametersLength", bind.length, "parametersSha256", log.hash(bind));
}

}  // namespace

void time_text::begin_second(std::int64_t second) {
  second_ = second;
  std::tm parts{};
  const std::time_t time = second;
  ::gmtime_r(&time, &parts);
  text_ = std::to_string(parts.tm_year + 1900);
  text_.insert(0, text_.size() < 4 ? 4 - text_.size() : 0, '0');
  for (const auto& [mark, value] : {std::pair{'-', parts.tm_mon + 1},
                                    {'-', parts.tm_mday},
                                    {'T', parts.tm_hour},
                                    {':', parts.tm_min},
                                    {':', parts.tm_sec}}) {
    text_ += mark;
    append_two(text_, value);
  }
  text_ += ".000000Z";
}

std::string_view time_text::of(std::int64_t time_us) {
  std::int64_t second = time_us / million;
  std::int64_t micros = time_us % million;
  if (micros < 0) {
    micros += million;
    --second;
  }
  if (second != second_ || text_.empty()) begin_second(second);
  put_micros(text_.data() + text_.size() - 7, static_cast<std::uint32_t>(micros));
  return text_;
}

std::string_view name_of(const rare_event& event) {
  constexpr std::array<std::string_view, 7> names{"session.start", "session.login", "session.end", "cancel",
                                                  "config.reload", "access",        "operator"};
  if (const auto* access = std::get_if<access_changed>(&event.what)) return access->event;
  if (const auto* acted = std::get_if<operator_acted>(&event.what)) return acted->event;
  static_assert(std::variant_size_v<decltype(event.what)> == names.size());
  return names[event.what.index()];
}

void append_fields(std::string& out, const session_started& event) {
  append_field(out, "client", event.client);
  append_field(out, "listener", event.listener);
  if (!event.tls_version.empty()) {
    out += ",\"tls\":{\"version\":";
    append_json_text(out, event.tls_version);
    append_field(out, "cipher", event.tls_cipher);
    append_field(out, "serverName", event.server_name);
    append_field(out, "clientCert", event.client_certificate);
    out += '}';
  } else {
    append_field(out, "serverName", event.server_name);
  }
  append_field(out, "user", event.user);
  append_field(out, "route", event.route);
  append_field(out, "applicationName", event.application_name);
  append_flag(out, "replication", event.replication);
}

void append_fields(std::string& out, const session_login& event) {
  append_field(out, "method", event.method);
  if (!event.groups.empty()) {
    out += ",\"groups\":[";
    for (std::size_t i = 0; i < event.groups.size(); ++i) {
      if (i > 0) out += ',';
      append_json_text(out, event.groups[i]);
    }
    out += ']';
  }
  append_field(out, "policy", event.policy);
  out += event.ok ? ",\"outcome\":\"ok\"" : ",\"outcome\":\"refused\"";
  if (!event.ok) {
    append_field(out, "sqlstate", event.code.view());
    append_field(out, "reason", event.reason);
  }
  append_field(out, "endpoint", event.endpoint);
  append_field(out, "serverUser", event.server_user);
  constexpr std::array<std::string_view, 4> phases{"\"tls\":", ",\"auth\":", ",\"lease\":", ",\"server\":"};
  out += ",\"seconds\":{";
  for (std::size_t i = 0; i < phases.size(); ++i) {
    out += phases[i];
    append_seconds(out, event.seconds[i]);
  }
  out += '}';
}

void append_fields(std::string& out, const session_ended& event) {
  append_field(out, "cause", event.cause.text());
  append_field(out, "endedBy", telemetry::name_of(event.cause.ended_by()));
  append_field(out, "detail", event.detail);
  append_field(out, "likely", event.likely);
  append_status(out, event.transaction_status);
  out += ",\"seconds\":";
  append_seconds(out, event.seconds);
  out += ",\"idleSeconds\":";
  append_seconds(out, event.idle_seconds);
  append_field(out, "bytesIn", event.bytes_in);
  append_field(out, "bytesOut", event.bytes_out);
  append_field(out, "exchanges", event.exchanges);
  append_leg(out, "client", event.client);
  append_leg(out, "server", event.server);
}

void append_fields(std::string& out, const cancel_served& event) {
  append_field(out, "client", event.client);
  append_field(out, "result", event.result);
}

void append_fields(std::string& out, const config_reloaded& event) {
  append_field(out, "generation", event.generation);
  append_field(out, "reason", event.reason);
  out += event.ok ? ",\"outcome\":\"ok\"" : ",\"outcome\":\"refused\"";
  append_field(out, "problem", event.problem);
}

void append_fields(std::string& out, const access_changed& event) {
  append_field(out, "request", static_cast<std::uint64_t>(event.request));
  append_field(out, "principal", event.principal);
  append_field(out, "by", event.by);
  append_field(out, "reason", event.reason);
  append_field(out, "policy", event.policy);
  append_field(out, "route", event.route);
  append_field(out, "database", event.database);
  append_field(out, "user", event.user);
  append_field(out, "role", event.role);
  append_field(out, "client", event.client);
  append_field(out, "until", event.until);
  append_flag(out, "breakGlass", event.break_glass);
}

void append_fields(std::string& out, const operator_acted& event) {
  append_field(out, "by", event.by);
  append_field(out, "client", event.client);
  append_field(out, "command", event.command);
  out += event.ok ? ",\"outcome\":\"ok\"" : ",\"outcome\":\"refused\"";
  append_field(out, "problem", event.problem);
  if (event.times > 1) append_field(out, "times", event.times);
}

void append_gap(std::string& out, time_text& times, std::int64_t from_us, std::int64_t to_us,
                std::uint64_t events, std::string_view reason) {
  out += ",\"from\":\"";
  out += times.of(from_us);
  out += "\",\"to\":\"";
  out += times.of(to_us);
  out += '"';
  append_field(out, "events", events);
  append_field(out, "reason", reason);
}

void append_statement(std::string& out, const statement_step& step, const message_log& log,
                      config::audit_parameters parameters, bool with_request) {
  using kind = statement_step::kind;
  const std::size_t begin = out.size();
  if (with_request) append_field(out, "request", step.request);
  append_text(out, step, log);
  append_field(out, "name", step.name);
  append_field(out, "portal", step.portal);
  if (step.what == kind::parse) out += ",\"step\":\"parse\"";
  if (step.what == kind::bind) out += ",\"step\":\"bind\"";
  append_flag(out, "unknown", step.unknown);
  append_flag(out, "uncertain", step.statement != nullptr && step.statement->uncertain);
  if (step.parameters != nullptr) append_bind(out, step, log, parameters);
  if (!step.tag.empty()) {
    append_field(out, "tag", step.tag);
    if (const std::string_view rows = rows_of(step.tag); !rows.empty()) {
      out += ",\"rows\":";
      out += rows;
    }
  }
  append_flag(out, "suspended", step.suspended);
  append_flag(out, "empty", step.empty);
  append_flag(out, "skipped", step.skipped);
  if (step.failed) append_field(out, "sqlstate", step.code.view());
  if (out.size() == begin) {
    out += "{}";
    return;
  }
  out[begin] = '{';  // in place of the first comma
  out += '}';
}

void append_fields(std::string& out, const telemetry::exchange_facts& facts) {
  line_part<64> bytes;
  bytes.add(",\"bytesIn\":");
  bytes.add_number(facts.bytes_in);
  bytes.add(",\"bytesOut\":");
  bytes.add_number(facts.bytes_out);
  out += bytes.text();
  append_status(out, facts.transaction_status);
  out += ",\"outcome\":\"";
  const auto how = static_cast<std::size_t>(facts.how);
  out += telemetry::outcome_names[how < telemetry::outcome_count ? how : 0];
  out += '"';
  if (facts.code != sqlstate{}) append_field(out, "sqlstate", facts.code.view());
  line_part<(telemetry::phase_count + 1) * (phase_head::width + seconds_width)> seconds;
  seconds.add(",\"seconds\":{\"total\":");
  seconds.add_seconds(facts.total);
  for (std::size_t i = 0; i < telemetry::phase_count; ++i) {
    seconds.add(phase_heads[i].view());
    seconds.add_seconds(facts.phases[i]);
  }
  seconds.add("}");
  out += seconds.text();
}

}  // namespace trunkline::audit
