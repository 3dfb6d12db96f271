// Lines on standard output, or on another descriptor in a test. Nothing that stands there can be taken back:
// a line that was begun is always completed. Numbers and chain begin anew with each run of the process.
// Owner: the audit thread.
#pragma once

#include "audit/line_sink.h"

namespace trunkline::audit {

class stdout_sink final : public line_sink {
 public:
  explicit stdout_sink(std::string replica, int descriptor = 1);

 private:
  bool write() override;
  bool wait_for_room() const;

  int descriptor_;
  bool is_file_;
};

}  // namespace trunkline::audit
