// Writes metrics as text for Prometheus: OpenMetrics 1.0, or the older text format 0.0.4 for scrapers that do
// not ask for it. Names, labels and numbers are the same in both. Whatever stands in a label comes out as
// valid UTF-8, escaped, so that one strange value cannot spoil a scrape. Owner: whoever renders; one text
// each.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/metric_families.h"

namespace trunkline::telemetry {

enum class metrics_format : std::uint8_t { text, openmetrics };

/// What the HTTP header `Content-Type` says of it.
std::string_view content_type_of(metrics_format format);

struct metric_label {
  std::string_view name;
  std::string_view value;
};
using metric_labels = std::initializer_list<metric_label>;

class metrics_writer {
 public:
  explicit metrics_writer(metrics_format format) : format_(format) {}

  /// Its samples follow, up to the next family; each family once.
  void family(const metric_family& which);
  void sample(metric_labels labels, double value);
  void sample(metric_labels labels, std::uint64_t value);
  /// Of a histogram: `buckets` are not cumulative and one more than `bounds_ns`; sums in nanoseconds.
  void distribution(metric_labels labels, std::span<const std::int64_t> bounds_ns,
                    std::span<const std::uint64_t> buckets, std::uint64_t sum_ns);
  /// The whole text.
  std::string finish();

 private:
  void line(std::string_view suffix, metric_labels labels, std::string_view bound, std::string_view value);
  void append_labels(metric_labels labels, std::string_view bound);

  metrics_format format_;
  metric_family family_{};
  std::string out_;
};

/// As both formats write it: "0.005", "5e-05", "345.0", "NaN", "+Inf".
std::string metric_number(double value);

}  // namespace trunkline::telemetry
