#include "telemetry/openmetrics.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "telemetry/utf8.h"

namespace trunkline::telemetry {
namespace {

constexpr std::string_view total = "_total";
constexpr std::string_view info = "_info";

std::string_view type_of(metric_kind kind, metrics_format format) {
  const bool open = format == metrics_format::openmetrics;
  switch (kind) {
    case metric_kind::counter:
      return "counter";
    case metric_kind::gauge:
      return "gauge";
    case metric_kind::histogram:
      return "histogram";
    case metric_kind::info:
      return open ? "info" : "gauge";
    case metric_kind::total:
      return open ? "unknown" : "counter";
  }
  return "unknown";
}

/// OpenMetrics names the family without what the kind adds to its samples.
std::string_view family_name(const metric_family& which, metrics_format format) {
  std::string_view name = which.name;
  if (format != metrics_format::openmetrics) return name;
  if (which.kind == metric_kind::counter && name.ends_with(total)) name.remove_suffix(total.size());
  if (which.kind == metric_kind::info && name.ends_with(info)) name.remove_suffix(info.size());
  return name;
}

/// The unit is the last word of the family's name, where that is one.
std::string_view unit_of(std::string_view family) {
  for (const std::string_view unit : {"seconds", "bytes", "ratio"}) {
    if (family.ends_with(unit) && family.size() > unit.size() &&
        family[family.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return {};
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string seconds_text(std::uint64_t whole_ns) {
  return metric_number(static_cast<double>(whole_ns) / 1e9);
}

}  // namespace

std::string_view content_type_of(metrics_format format) {
  return format == metrics_format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string metric_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void metrics_writer::family(const metric_family& which) {
  family_ = which;
  const auto name = family_name(which, format_);
  out_ += fmt::format("# HELP {} ", name);
  // A quote is escaped in OpenMetrics and stands for itself in the older format: our helps have none.
  append_escaped(out_, which.help);
  out_ += fmt::format("\n# TYPE {} {}\n", name, type_of(which.kind, format_));
  if (format_ == metrics_format::openmetrics && !unit_of(name).empty())
    out_ += fmt::format("# UNIT {} {}\n", name, unit_of(name));
}

void metrics_writer::append_labels(metric_labels labels, std::string_view bound) {
  if (labels.size() == 0 && bound.empty()) return;
  char before = '{';
  for (const metric_label& each : labels) {
    out_ += before;
    out_ += each.name;
    out_ += "=\"";
    append_escaped(out_, valid_utf8(each.value));
    out_ += '"';
    before = ',';
  }
  if (!bound.empty()) out_ += fmt::format("{}le=\"{}\"", before, bound);
  out_ += '}';
}

void metrics_writer::line(std::string_view suffix, metric_labels labels, std::string_view bound,
                          std::string_view value) {
  out_ += family_.name;
  out_ += suffix;
  append_labels(labels, bound);
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

void metrics_writer::sample(metric_labels labels, double value) {
  line("", labels, "", metric_number(value));
}

void metrics_writer::sample(metric_labels labels, std::uint64_t value) {
  line("", labels, "", fmt::format("{}", value));
}

void metrics_writer::distribution(metric_labels labels, std::span<const std::int64_t> bounds_ns,
                                  std::span<const std::uint64_t> buckets, std::uint64_t sum_ns) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    const std::string bound =
        i < bounds_ns.size() ? seconds_text(static_cast<std::uint64_t>(bounds_ns[i])) : std::string("+Inf");
    line("_bucket", labels, bound, fmt::format("{}", count));
  }
  line("_sum", labels, "", seconds_text(sum_ns));
  line("_count", labels, "", fmt::format("{}", count));
}

std::string metrics_writer::finish() {
  if (format_ == metrics_format::openmetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace trunkline::telemetry
