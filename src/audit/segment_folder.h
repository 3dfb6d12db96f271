// The folder of a file sink: the names of its segments, the lock that keeps a second gateway out, and what a
// new segment has to continue. Nothing here writes an event. Owner: whoever opens the sink, then the audit
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/file_io.h"
#include "audit/line_chain.h"
#include "base/result.h"
#include "runtime/unique_fd.h"

namespace trunkline::audit {

/// `audit-20260102T030405Z-000000000042.jsonl`: when it was begun, and the sequence number of its first line.
std::string segment_name(std::int64_t time_us, std::uint64_t seq);
/// Nothing where the name is not a segment's.
std::optional<std::uint64_t> segment_seq(std::string_view name);

/// Makes the folder if need be (0700), opens it and locks it for this process (flock(2)).
result<runtime::unique_fd> open_segment_folder(const std::string& path, file_io& files);

/// What the folder holds from earlier runs.
struct segment_history {
  chain_state chain;
  std::string previous;          ///< the newest segment; empty: there is none
  bool ended = true;             ///< with a `segment.end`
  std::uint64_t torn_bytes = 0;  ///< that stood behind its last whole line
};

/// Looks at the newest segment. What stands behind its last whole line is a write that was not completed: it
/// goes into a file `NAME.torn`, and the segment ends with that line. A segment without any whole line
/// becomes `NAME.torn` altogether (where it is empty, it goes), and the one before it is looked at.
result<segment_history> recover_segments(const std::string& path, line_hash& hash);

}  // namespace trunkline::audit
