#include "telemetry/logger.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

#include "telemetry/line_writer.h"

namespace trunkline::telemetry {
namespace {

std::string_view name_of(log_level level) {
  switch (level) {
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warning:
      return "warning";
    case log_level::error:
      return "error";
  }
  return "error";
}

/// JSON's escapes; bytes that are not UTF-8 cannot appear in a JSON text, so all above ASCII that a client
/// chose stays only where it is a well-formed sequence.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte < 0x80) {
      out += static_cast<char>(byte);
    } else {
      const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
      bool whole = length != 0 && byte <= 0xf4 && i + length <= text.size();
      for (std::size_t k = 1; whole && k < length; ++k) {
        whole = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
      }
      if (whole) {
        out += text.substr(i, length);
        i += length;
        continue;
      }
      out += "\\ufffd";
    }
    ++i;
  }
  out += '"';
}

bool is_plain_word(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || static_cast<unsigned char>(c) >= 0x7f) return false;
  }
  return true;
}

void append_value(std::string& out, const field& each, bool quote_always) {
  if (const auto* text = std::get_if<std::string_view>(&each.value)) {
    if (!quote_always && is_plain_word(*text)) {
      out += *text;
    } else {
      append_quoted(out, *text);
    }
  } else if (const auto* number = std::get_if<std::int64_t>(&each.value)) {
    out += fmt::format("{}", *number);
  } else if (const auto* real = std::get_if<double>(&each.value)) {
    out += fmt::format("{:.6g}", *real);
  } else {
    out += std::get<bool>(each.value) ? "true" : "false";
  }
}

std::string render_json(std::string_view time, log_level level, std::string_view event,
                        std::string_view message, std::span<const field> fields) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":"{}")", time, name_of(level), event);
  if (!message.empty()) {
    line += ",\"message\":";
    append_quoted(line, message);
  }
  for (const field& each : fields) {
    line += ",\"";
    line += each.name;
    line += "\":";
    append_value(line, each, true);
  }
  return line + "}";
}

std::string now_rfc3339() {
  const auto now = std::chrono::system_clock::now();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  const std::time_t whole = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, micros % 1'000'000);
}

}  // namespace

std::string render_line(log_format format, std::string_view time, log_level level, std::string_view event,
                        std::string_view message, std::span<const field> fields) {
  if (format == log_format::json) return render_json(time, level, event, message, fields);
  std::string line = fmt::format("{} {:<7} {}", time, name_of(level), event);
  if (!message.empty()) {
    line += ": ";
    // A client may have chosen parts of it: no line of theirs may look like one of ours.
    for (const char c : message)
      line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  for (const field& each : fields) {
    line += ' ';
    line += each.name;
    line += '=';
    append_value(line, each, false);
  }
  return line;
}

logger::logger(log_format format, log_level lowest, std::FILE* also) : format_(format), lowest_(lowest) {
  std::vector<std::FILE*> files{stderr};
  if (also != nullptr) files.push_back(also);
  out_ = std::make_unique<line_writer>(std::move(files));
}

logger::~logger() = default;

std::uint64_t logger::dropped() const {
  return out_->dropped();
}

void logger::write(log_level level, std::string_view event, std::string_view message,
                   std::span<const field> fields) {
  if (!enabled(level)) return;
  out_->push(render_line(format_, now_rfc3339(), level, event, message, fields), level >= log_level::warning);
}

}  // namespace trunkline::telemetry
