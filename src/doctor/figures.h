// Small arithmetic over measured times, and how they are written. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "doctor/facts.h"

namespace trunkline::doctor {

/// `q` from 0 to 1; 0 of nothing. 0.5 is the median.
microseconds quantile(std::vector<microseconds> of, double q);
inline microseconds median(std::vector<microseconds> of) {
  return quantile(std::move(of), 0.5);
}
microseconds least(const std::vector<microseconds>& of);
microseconds most(const std::vector<microseconds>& of);

/// "180 us", "4.2 ms", "1.30 s".
std::string text_of(microseconds time);

}  // namespace trunkline::doctor
