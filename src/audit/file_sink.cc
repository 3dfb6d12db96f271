#include "audit/file_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "audit/json_pieces.h"
#include "base/limits.h"

namespace trunkline::audit {

namespace {

/// At once, so that most batches need no new place on the disk, which would have to be written down with
/// them.
constexpr std::uint64_t reserve_bytes = 8 * 1024 * 1024;

}  // namespace

file_sink::file_sink(const config::audit_sink& how, std::string replica, file_io& files)
    : line_sink(std::move(replica)), how_(how), files_(files) {}

result<std::unique_ptr<file_sink>> file_sink::open(const config::audit_sink& how, std::string replica,
                                                   file_io& files, bool beside) {
  std::unique_ptr<file_sink> made(new file_sink(how, std::move(replica), files));
  auto place = open_segment_folder(how.path, files, 0, beside ? limits::audit_lanes - 1 : 0);
  if (!place) return fail(place.error());
  made->place_ = std::move(*place);
  auto history = recover_segments(how.path, made->place_.lane, made->pending().hash());
  if (!history) return fail(history.error());
  made->pending().start_from(history->chain);
  made->previous_ = history->previous;
  made->torn_bytes_ = history->torn_bytes;
  if (!history->ended) made->reason_ = "recovered";
  made->index_.emplace(how.path);
  if (!made->begin_segment()) return fail({.message = "audit: " + made->problem_});
  return made;
}

bool file_sink::fail_with(std::string_view what, int code) {
  problem_ = fmt::format("cannot {} {}/{}: {}", what, how_.path, name_, error_text(code));
  return false;
}

// ---- segments ----

/// Its first line stands on the disk, and its name in the folder, before anything else is written.
bool file_sink::begin_segment() {
  const chain_state before = pending().written();
  chain_state chain = before;
  const std::string name = segment_name(now_us(), before.seq + 1, place_.lane);
  if (!name_.empty()) previous_ = std::exchange(name_, {});
  std::string body = own_body("segment.start");
  append_field(body, "segment", name);
  append_field(body, "previous", previous_);
  append_field(body, "reason", reason_);
  if (place_.lane != 0) append_field(body, "lane", std::uint64_t{place_.lane});
  append_field(body, "lastSeq", before.seq);
  append_field(body, "lastHash", before.hash_text());
  if (torn_bytes_ != 0) append_field(body, "tornBytes", torn_bytes_);
  std::string line;
  append_line(line, body, chain, pending().hash());
  name_ = name;
  if (const int code = files_.create(place_.folder.get(), name, segment_); code != 0) {
    name_ = previous_;
    return fail_with("begin a segment behind", code);
  }
  size_ = reserved_ = lines_ = 0;
  torn_ = false;
  const bool there = append(line);
  const int code = there ? files_.sync(place_.folder.get()) : 0;
  if (!there || code != 0) {
    // A new attempt makes a new file; this one holds no event.
    if (code != 0) fail_with("sync the folder of", code);
    ::unlinkat(place_.folder.get(), name.c_str(), 0);
    segment_.reset();
    name_ = previous_;
    return false;
  }
  pending().rebase(chain);
  began_ = std::chrono::steady_clock::now();
  reason_ = "recovered";
  torn_bytes_ = 0;
  index_->begin_segment(name_);
  index_own(0, line.size(), "segment.start");
  return true;
}

bool file_sink::end_segment() {
  std::string body = own_body("segment.end");
  append_field(body, "lines", lines_ + 1);
  chain_state chain = pending().written();
  std::string line;
  append_line(line, body, chain, pending().hash());
  const std::uint64_t offset = size_;
  if (!append(line)) return false;
  index_own(offset, line.size(), "segment.end");
  index_->end_block();
  files_.truncate(segment_.get(), size_);  // what was reserved
  pending().rebase(chain);
  segment_.reset();
  reason_ = "rotated";
  return true;
}

void file_sink::index_own(std::uint64_t offset, std::size_t size, std::string_view event) {
  ++lines_;
  line_facts facts;
  facts.time_us = now_us();
  facts.event = event;
  index_->line(offset, size, facts);
}

/// Somebody may have removed or replaced the folder. It is not made anew: it may have been a mount.
bool file_sink::reopen_folder() {
  struct stat named{};
  struct stat held{};
  const bool there = ::stat(how_.path.c_str(), &named) == 0;
  if (there && ::fstat(place_.folder.get(), &held) == 0 && named.st_dev == held.st_dev &&
      named.st_ino == held.st_ino) {
    return true;
  }
  if (!there) return fail_with("find the folder of", ENOENT);
  auto opened = open_segment_folder(how_.path, files_, place_.lane, place_.lane);
  if (!opened) {
    problem_ = opened.error().message;
    return false;
  }
  place_ = std::move(*opened);
  index_.emplace(how_.path);
  return true;
}

// ---- writing ----

/// A disk that cannot reserve has it written all the same.
void file_sink::make_room(std::size_t bytes) {
  if (size_ + bytes <= reserved_) return;
  const std::uint64_t from = std::max(size_, reserved_);
  reserved_ = size_ + bytes + std::min<std::uint64_t>(reserve_bytes, how_.segment_bytes);
  files_.reserve(segment_.get(), from, reserved_ - from);
}

/// All or nothing, as far as the disk lets us.
bool file_sink::append(std::string_view text) {
  if (torn_) {
    if (const int code = files_.truncate(segment_.get(), size_); code != 0) {
      return fail_with("cut a torn write off", code);
    }
    torn_ = false;
  }
  make_room(text.size());
  std::size_t written = 0;
  std::string_view what = "write to";
  int code = files_.write(segment_.get(), text, written);
  if (code == 0) {
    what = "sync";
    code = files_.sync_data(segment_.get());
  }
  if (code == 0) {
    size_ += text.size();
    return true;
  }
  torn_ = files_.truncate(segment_.get(), size_) != 0;
  reserved_ = 0;
  return fail_with(what, code);
}

/// A segment that was removed took nothing of this batch with it: it is written to a new one.
bool file_sink::write() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!segment_ && !(reopen_folder() && begin_segment())) return false;
    if (!append(pending().text())) return false;
    if (files_.is_linked(segment_.get())) return true;
    segment_.reset();
    reason_ = "recovered";
  }
  problem_ = fmt::format("{}/{} is removed as soon as it is written", how_.path, name_);
  return false;
}

void file_sink::written() {
  std::uint64_t offset = size_ - pending().text().size();
  std::size_t next = 0;
  const auto& statements = pending().statements();
  for (const pending_line& line : pending().lines()) {
    line_facts facts;
    facts.time_us = line.time_us;
    facts.event = line.event;
    facts.seconds = line.seconds;
    if (line.who != nullptr) {
      facts.session = line.who->session;
      facts.principal = line.who->principal;
      facts.database = line.who->database;
    }
    if (line.code != sqlstate{}) facts.sqlstate = line.code.view();
    if (next < line.statements_end && statements[next].facts != nullptr) {
      facts.fingerprint = statements[next].facts->fingerprint;
      facts.normalised = statements[next].facts->normalised;
    }
    index_->line(offset, line.size, facts);
    for (bool first = true; next < line.statements_end; ++next, first = false) {
      const auto& [known, code] = statements[next];
      const std::string_view state = code == sqlstate{} ? std::string_view{} : code.view();
      if (first && (state.empty() || state == facts.sqlstate)) continue;
      index_->more(known == nullptr ? std::string_view{} : known->fingerprint, state,
                   known == nullptr ? std::string_view{} : known->normalised);
    }
    offset += line.size;
  }
  lines_ += pending().lines().size();
}

bool file_sink::is_due(time_point now) const {
  if (lines_ <= 1) return false;  // a segment without an event has nothing to be closed for
  return size_ >= how_.segment_bytes || (how_.segment_age.count() > 0 && now - began_ >= how_.segment_age);
}

std::optional<line_sink::time_point> file_sink::deadline() const {
  if (failed() || !segment_ || lines_ <= 1 || how_.segment_age.count() == 0) return std::nullopt;
  return began_ + how_.segment_age;
}

bool file_sink::upkeep(time_point now) {
  if (segment_ && is_due(now) && !end_segment()) return false;
  return segment_ || (reopen_folder() && begin_segment());
}

void file_sink::end() {
  if (segment_ && pending().empty()) end_segment();
  segment_.reset();
}

}  // namespace trunkline::audit
