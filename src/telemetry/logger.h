// Log lines: one event, its fields, as text or as one JSON object. Lines are written to stderr by a thread of
// the logger's own, through a bounded queue; where that is full the oldest line is dropped and the loss is
// counted, so that a stuck stderr never stops a session. Any thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace trunkline::telemetry {

enum class log_format : std::uint8_t { text, json };
enum class log_level : std::uint8_t { debug, info, warning, error };

class line_writer;

struct field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

class logger {
 public:
  /// `also` gets each line too; it outlives the logger.
  logger(log_format format, log_level lowest, std::FILE* also = nullptr);
  logger(const logger&) = delete;
  logger& operator=(const logger&) = delete;
  /// Writes out what is queued.
  ~logger();

  /// Lines lost so far because the queue was full. Whoever has a clock tells of it now and then.
  std::uint64_t dropped() const;
  bool enabled(log_level level) const { return level >= lowest_; }
  /// `event` is a dotted name ("session.end"); `message` is for humans and may be empty.
  void write(log_level level, std::string_view event, std::string_view message,
             std::span<const field> fields);
  void write(log_level level, std::string_view event, std::string_view message,
             std::initializer_list<field> fields = {}) {
    write(level, event, message, std::span(fields.begin(), fields.size()));
  }

 private:
  log_format format_;
  log_level lowest_;
  std::unique_ptr<line_writer> out_;
};

/// What `logger` writes, without a line end: for tests and for `audit`'s text form. `time` is RFC 3339.
std::string render_line(log_format format, std::string_view time, log_level level, std::string_view event,
                        std::string_view message, std::span<const field> fields);

}  // namespace trunkline::telemetry
