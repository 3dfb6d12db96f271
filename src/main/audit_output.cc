#include "main/audit_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "audit/json_text.h"

namespace trunkline::main {

namespace {

using nlohmann::json;

const json nothing;

const json& member(const json& line, const char* key) {
  if (!line.is_object()) return nothing;
  const auto found = line.find(key);
  return found == line.end() ? nothing : *found;
}

std::string plain(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string statements_text(const json& line) {
  std::string text;
  for (const json& each : member(line, "statements")) {
    std::string one = audit_text(each, "text");
    if (one.empty() && !audit_text(each, "fingerprint").empty())
      one = "[" + audit_text(each, "fingerprint") + "]";
    if (one.empty()) continue;
    text += (text.empty() ? "" : "; ") + one;
  }
  return text;
}

/// Of what is no exchange: what happened, in a few words.
std::string story(const json& line) {
  constexpr std::array keys{"client",   "listener", "route",   "applicationName", "method", "outcome",
                            "sqlstate", "endpoint", "cause",   "endedBy",         "detail", "likely",
                            "result",   "reason",   "problem", "previous",        "events", "from",
                            "to",       "seconds"};
  std::string text;
  for (const char* const key : keys) {
    const json& value = member(line, key);
    if (value.is_null() || value.is_object()) continue;
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, plain(value));
  }
  return text;
}

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char each : text) {
    const bool blank = each == ' ' || each == '\n' || each == '\t' || each == '\r';
    if (!blank) out += each;
    if (blank && !out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

std::string who(const json& line) {
  const std::string principal = audit_text(line, "principal");
  const std::string database = audit_text(line, "database");
  return principal.empty() && database.empty() ? "-" : principal + "@" + database;
}

bool went_wrong(const json& line) {
  const std::string outcome = audit_text(line, "outcome");
  return (!outcome.empty() && outcome != "ok") || audit_text(line, "event") == "gap";
}

std::string csv(std::string_view text) {
  std::string out = "\"";
  for (const char each : text) {
    if (each == '"') out += '"';
    out += each;
  }
  return out + '"';
}

}  // namespace

std::string terminal_safe(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = audit::utf8_length(text);
    const auto byte = static_cast<unsigned char>(text.front());
    // C1 controls are two bytes in UTF-8; direction marks could turn a line around.
    const bool c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    const bool turns = length == 3 && (text.starts_with("\xe2\x80\xaa") || text.starts_with("\xe2\x80\xab") ||
                                       text.starts_with("\xe2\x80\xac") || text.starts_with("\xe2\x80\xad") ||
                                       text.starts_with("\xe2\x80\xae") || text.starts_with("\xe2\x81\xa6") ||
                                       text.starts_with("\xe2\x81\xa7") || text.starts_with("\xe2\x81\xa8"));
    if (byte < 0x20 || byte == 0x7f) {
      out += byte == '\n'   ? "\\n"
             : byte == '\t' ? "\\t"
             : byte == '\r' ? "\\r"
                            : fmt::format("\\x{:02x}", byte);
    } else if (c1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[1]));
    } else if (length == 0 || turns) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string audit_text(const json& line, const char* key) {
  return plain(member(line, key));
}

double audit_seconds(const json& line) {
  const json& seconds = member(line, "seconds");
  const json& total = seconds.is_object() ? member(seconds, "total") : seconds;
  return total.is_number() ? total.get<double>() : 0;
}

std::string audit_result(const json& line) {
  std::string text;
  for (const json& each : member(line, "statements")) {
    const std::string code = audit_text(each, "sqlstate");
    const std::string one = code.empty() ? audit_text(each, "tag") : "ERROR " + code;
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  if (!text.empty()) return text;
  const std::string code = audit_text(line, "sqlstate");
  return code.empty() ? audit_text(line, "outcome") : "ERROR " + code;
}

void print_audit_heading(const audit_style& style) {
  fmt::print("{}{:<27} {:>9} {:<18} {:<24} {:>10}  {}{}\n", style.colours ? "\x1b[1m" : "", "time", "seq",
             "session", "who", "ms", "what", style.colours ? "\x1b[0m" : "");
}

void print_audit_row(const json& line, const audit_style& style) {
  const std::string event = audit_text(line, "event");
  const bool exchange = event == "exchange";
  const std::string what = exchange
                               ? fmt::format("{:<12} {}", audit_result(line), squeezed(statements_text(line)))
                               : event + " " + story(line);
  const std::string time = exchange ? fmt::format("{:.3f}", audit_seconds(line) * 1'000) : "";
  std::string row =
      terminal_safe(fmt::format("{:<27} {:>9} {:<18} {:<24} {:>10}  {}", audit_text(line, "time"),
                                audit_text(line, "seq"), audit_text(line, "session"), who(line), time, what));
  if (style.width > 0) row = audit::utf8_prefix(row, style.width);
  const bool red = style.colours && went_wrong(line);
  fmt::print("{}{}{}\n", red ? "\x1b[31m" : "", row, red ? "\x1b[0m" : "");
}

void print_audit_event(const json& line, const audit_style& style) {
  print_audit_row(line, {style.colours, 0});
  if (audit_text(line, "event") == "exchange") {
    for (const json& each : member(line, "statements")) {
      for (const char* const key :
           {"text", "normalised", "fingerprint", "name", "parameters", "tag", "sqlstate"}) {
        const std::string value = audit_text(each, key);
        if (!value.empty()) fmt::print("    {:<12} {}\n", key, terminal_safe(value));
      }
    }
  }
  for (const auto& [key, value] : line.items()) {
    if (key == "statements" || key == "prev" || key == "v" || key == "time" || key == "seq" ||
        key == "session" || key == "event")
      continue;
    fmt::print("    {:<12} {}\n", terminal_safe(key), terminal_safe(plain(value)));
  }
}

void print_audit_csv_head() {
  fmt::print("time,seq,event,session,principal,database,seconds,result,fingerprint,text\r\n");
}

void print_audit_csv(const json& line) {
  std::string prints;
  for (const json& each : member(line, "statements"))
    prints += (prints.empty() ? "" : " ") + audit_text(each, "fingerprint");
  const bool exchange = audit_text(line, "event") == "exchange";
  fmt::print("{},{},{},{},{},{},{},{},{},{}\r\n", csv(audit_text(line, "time")), csv(audit_text(line, "seq")),
             csv(audit_text(line, "event")), csv(audit_text(line, "session")),
             csv(audit_text(line, "principal")), csv(audit_text(line, "database")),
             csv(fmt::format("{:.6f}", audit_seconds(line))), csv(audit_result(line)), csv(prints),
             csv(exchange ? statements_text(line) : story(line)));
}

}  // namespace trunkline::main
