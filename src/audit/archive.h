// A folder of segments as readers see it: its lines, oldest or newest first, through the index where there is
// one. What the index lacks is read line by line, so a missing, old or damaged index costs time and never a
// line. The gateway may write at the same time; a line without its end is not there yet. One owner; not
// thread-safe; blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/block_facts.h"
#include "audit/index_store.h"
#include "audit/line_filter.h"
#include "base/result.h"
#include "runtime/unique_fd.h"

namespace trunkline::audit {

struct segment_file {
  std::string name;
  std::uint64_t first_seq = 0;  ///< as its name says
  std::uint64_t size = 0;
  unsigned lane = 0;
};

/// Oldest first: within a lane by their numbers, among lanes by the times in their names.
result<std::vector<segment_file>> find_segments(const std::string& folder);

/// Where a reader is: to go on behind what was there before.
struct archive_place {
  struct end {
    std::string segment;
    std::uint64_t offset = 0;
  };
  bool begun = false;
  std::map<unsigned, end> lanes;
};

class archive {
 public:
  /// Answers whether to go on.
  using visitor = std::function<bool(std::string_view line, const line_view& view)>;

  static result<archive> open(std::string folder);

  /// Makes what the index lacks, where that is much. Answers how many blocks were added; a problem is no
  /// failure.
  result<std::uint64_t> catch_up();
  /// Fingerprints of statements whose normalised text has `words` in it, as far as the index knows.
  std::vector<std::string> find_statements(std::string_view words);

  result<> forward(const line_filter& filter, const visitor& visit);
  /// The `limit` newest lines that fit, newest first; 0: all.
  result<> backward(const line_filter& filter, std::size_t limit, const visitor& visit);
  /// Lines that have come since `place`, which moves on; an empty one begins at the end.
  result<> follow(const line_filter& filter, archive_place& place, const visitor& visit);

  const std::vector<segment_file>& segments() const { return segments_; }
  /// More than one process wrote: numbers are those of a lane.
  bool has_lanes() const;
  /// What is wrong with the index; empty: nothing.
  const std::string& index_problem() const { return index_problem_; }

 private:
  struct range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool indexed = false;
  };

  explicit archive(std::string folder) : folder_(std::move(folder)) {}
  void open_index();
  std::vector<range> ranges(const segment_file& segment, const line_filter* filter);
  result<bool> scan(const segment_file& segment, const range& part, const line_filter& filter,
                    const visitor& visit);
  void follow_lane(unsigned lane, const line_filter& filter, archive_place::end& place, const visitor& visit);
  result<std::uint64_t> index_range(const segment_file& segment, const range& part);

  std::string folder_;
  std::vector<segment_file> segments_;
  std::unique_ptr<index_store> index_;
  std::string index_problem_;
  std::string buffer_;
};

}  // namespace trunkline::audit
