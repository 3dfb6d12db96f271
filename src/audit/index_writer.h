// The sparse index beside the segments (`index.sqlite`, index_schema.h): one row for each block of lines,
// with what their times, sequence numbers and values span, so that a reader opens only the blocks that may
// hold what it looks for. It is an aid, never the truth: whatever it lacks, readers find in the lines, and
// `problem()` says why; nothing that fails here stops the audit.
//
// Owner: the audit thread. A line costs a few tens of nanoseconds; SQLite is called once in several blocks,
// without waiting for the disk. Readers are other processes, at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "audit/block_facts.h"
#include "audit/text_hash.h"

namespace trunkline::audit {

class index_store;

class index_writer {
 public:
  /// Opens or makes `index.sqlite` in `folder`, which exists. One that is damaged, foreign or of another
  /// version is moved aside (`index.sqlite.bad`).
  explicit index_writer(std::string folder);
  index_writer(const index_writer&) = delete;
  index_writer& operator=(const index_writer&) = delete;
  /// Stores what was collected.
  ~index_writer();

  void begin_segment(std::string_view file_name);
  /// A line of `size` bytes, line end included, was appended at `offset`. Cheap: collects in memory; a block
  /// is stored after `limits::audit_block_lines` lines or when `end_block` is called.
  void line(std::uint64_t offset, std::size_t size, const line_facts& facts);
  /// A further statement of the line just appended (an exchange may have several).
  void more(std::string_view fingerprint, std::string_view sqlstate, std::string_view normalised);
  void end_block();
  /// Empty: all is well.
  std::string problem() const;

 private:
  void open();
  void statement(std::string_view fingerprint, std::string_view normalised);
  void take_block();
  void flush();

  struct pending_block {
    std::string segment;
    block_facts facts;
  };
  struct pending_statement {
    std::string fingerprint;
    std::string normalised;
  };

  std::string folder_;
  std::string segment_;
  block_collector collector_;
  std::vector<pending_block> blocks_;
  std::vector<pending_statement> statements_;
  std::unordered_set<std::uint64_t, identity_hash> known_statements_;
  std::string last_fingerprint_;
  std::unique_ptr<index_store> store_;
  std::string problem_;
};

}  // namespace trunkline::audit
