// A check: one file, one question to the path. It reads and adds facts, and says what it found. Adding one
// means: a file, its line in checks.cc, its row in docs/doctor.md.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "doctor/examination.h"
#include "doctor/verdict.h"
#include "runtime/task.h"

namespace trunkline::doctor {

/// What must have been found before a check can begin.
enum class need : std::uint8_t {
  nothing,
  address,  ///< somebody accepted a connection
  login,    ///< and let us in
};

struct check {
  std::string_view id;     ///< stable: "split-tcp"
  std::string_view title;  ///< what is asked, as a short line
  need needs = need::nothing;
  runtime::task<judgements> (*run)(examination* of) = nullptr;
};

/// In the order in which they run: the quick set, and what the settings ask for beside it.
std::vector<const check*> checks_for(const settings& how);
/// There is a check of that name.
bool is_check(std::string_view id);

}  // namespace trunkline::doctor
