// Lines in a folder of segments: appended, one write and one fdatasync(2) for each batch, a new segment when
// the present one is large or old enough (docs/audit.md). A batch is on disk whole or not at all: what a
// failed write left behind is cut off before anything else is written. Opened by whoever configures the
// audit, then owned by the audit thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "audit/file_io.h"
#include "audit/index_writer.h"
#include "audit/line_sink.h"
#include "audit/segment_folder.h"
#include "base/result.h"
#include "config/settings.h"
#include "runtime/unique_fd.h"

namespace trunkline::audit {

class file_sink final : public line_sink {
 public:
  /// Locks the folder, mends what an earlier run left, and begins a segment. The error says what is in the
  /// way. `beside`: other processes may be writing to the folder, which are to go on.
  static result<std::unique_ptr<file_sink>> open(const config::audit_sink& how, std::string replica,
                                                 file_io& files = file_io::real(), bool beside = false);

  const std::string& path() const { return how_.path; }
  /// New sizes and ages; the same folder.
  void configure(const config::audit_sink& how) { how_ = how; }
  void end() override;
  /// None while it fails: `commit` then tries again by itself.
  std::optional<time_point> deadline() const override;
  /// Of the index; empty: all is well.
  std::string index_problem() const { return index_ ? index_->problem() : std::string(); }

 private:
  file_sink(const config::audit_sink& how, std::string replica, file_io& files);

  bool write() override;
  void written() override;
  bool upkeep(time_point now) override;

  bool begin_segment();
  bool end_segment();
  bool reopen_folder();
  void make_room(std::size_t bytes);
  bool append(std::string_view text);
  bool fail_with(std::string_view what, int code);
  void index_own(std::uint64_t offset, std::size_t size, std::string_view event);
  bool is_due(time_point now) const;

  config::audit_sink how_;
  file_io& files_;
  segment_lane place_;
  runtime::unique_fd segment_;
  std::optional<index_writer> index_;
  std::string name_;  // of the present segment, or the last one
  std::string previous_;
  std::string_view reason_ = "start";  // why the next segment begins
  std::uint64_t torn_bytes_ = 0;
  std::uint64_t size_ = 0;      // what is surely on disk
  std::uint64_t reserved_ = 0;  // up to here the file has its place
  std::uint64_t lines_ = 0;     // of the present segment
  bool torn_ = false;           // more may stand in the file than `size_`
  time_point began_{};
};

}  // namespace trunkline::audit
