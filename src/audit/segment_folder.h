// The folder of a file sink: the names of its segments, the locks that keep a second gateway out, and what a
// new segment has to continue. Nothing here writes an event. Owner: whoever opens the sink, then the audit
// thread.
//
// A folder has lanes: each process that writes holds one, with a chain and a numbering of its own
// (docs/decisions/0014-hand-over.md). Lane 0 is the only one but while a process hands over to another.
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
/// Of another lane than 0: `...-000000000042-LANE.jsonl`.
std::string segment_name(std::int64_t time_us, std::uint64_t seq, unsigned lane = 0);

struct segment_id {
  std::uint64_t seq = 0;
  unsigned lane = 0;
  std::string_view stamp;  ///< of the name: when it was begun
};
/// Nothing where the name is not a segment's.
std::optional<segment_id> segment_id_of(std::string_view name);

/// A folder that this process may write to, in its lane.
struct segment_lane {
  runtime::unique_fd folder;
  runtime::unique_fd lock;  ///< lane 0 is locked by the folder itself, so that nothing else has to be there
  unsigned lane = 0;
};

/// Makes the folder if need be (0700), opens it and locks the first lane from `first` to `last` that is free
/// (flock(2)).
result<segment_lane> open_segment_folder(const std::string& path, file_io& files, unsigned first = 0,
                                         unsigned last = 0);

/// What the folder holds from earlier runs.
struct segment_history {
  chain_state chain;
  std::string previous;          ///< the newest segment; empty: there is none
  bool ended = true;             ///< with a `segment.end`
  std::uint64_t torn_bytes = 0;  ///< that stood behind its last whole line
};

/// Looks at the newest segment of a lane. What stands behind its last whole line is a write that was not
/// completed: it goes into a file `NAME.torn`, and the segment ends with that line. A segment without any
/// whole line becomes `NAME.torn` altogether (where it is empty, it goes), and the one before it is looked
/// at.
result<segment_history> recover_segments(const std::string& path, unsigned lane, line_hash& hash);

}  // namespace trunkline::audit
