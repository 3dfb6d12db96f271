#include "audit/archive.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <unordered_set>

#include "audit/line_source.h"
#include "audit/segment_folder.h"
#include "audit/statement_cache.h"
#include "base/limits.h"

namespace trunkline::audit {

namespace {

/// Less than this is read line by line rather than indexed; the writer comes by itself.
constexpr std::uint64_t worth_indexing = 8 * 1024 * 1024;
constexpr std::uint64_t blocks_per_commit = 64;

error cannot_read(const std::string& path, int code) {
  return {.message = fmt::format("{}: {}", path, std::error_code(code, std::generic_category()).message())};
}

/// Calls `take` for each line, without its end, in which `filter` may find what it wants.
template <class Take>
bool for_lines(std::string_view lines, const std::string& needle, bool any_case, Take&& take) {
  std::size_t at = 0;
  while (at < lines.size()) {
    if (!needle.empty()) {
      const std::string_view rest = lines.substr(at);
      const void* hit = any_case ? nullptr : ::memmem(rest.data(), rest.size(), needle.data(), needle.size());
      const std::size_t found = any_case ? find_ignoring_case(rest, needle)
                                : hit == nullptr
                                    ? std::string_view::npos
                                    : static_cast<std::size_t>(static_cast<const char*>(hit) - rest.data());
      if (found == std::string_view::npos) return true;
      const std::size_t before = found == 0 ? std::string_view::npos : rest.rfind('\n', found - 1);
      if (before != std::string_view::npos) at += before + 1;
    }
    const std::size_t end = lines.find('\n', at);
    if (!take(lines.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

/// Where a clock was set back, numbers are right and times are not: they only decide between lanes.
std::vector<segment_file> merge_lanes(std::vector<segment_file> all) {
  std::map<unsigned, std::vector<segment_file>> lanes;
  for (segment_file& each : all)
    lanes[each.lane].push_back(std::move(each));
  const auto stamp = [](const segment_file& of) { return segment_id_of(of.name)->stamp; };
  std::vector<segment_file> merged;
  for (auto& [lane, list] : lanes) {
    std::ranges::sort(list, [](const auto& a, const auto& b) {
      return std::tie(a.first_seq, a.name) < std::tie(b.first_seq, b.name);
    });
    std::vector<segment_file> both;
    auto next = list.begin();
    for (segment_file& each : merged) {
      while (next != list.end() && stamp(*next) < stamp(each))
        both.push_back(std::move(*next++));
      both.push_back(std::move(each));
    }
    std::move(next, list.end(), std::back_inserter(both));
    merged = std::move(both);
  }
  return merged;
}

bool text_is_needle(const line_filter& filter) {
  return filter.session.empty() && filter.fingerprints.size() != 1 && filter.sqlstate.empty() &&
         !filter.text.empty();
}

}  // namespace

result<std::vector<segment_file>> find_segments(const std::string& folder) {
  std::vector<segment_file> found;
  std::error_code code;
  std::filesystem::directory_iterator entries(folder, code);
  for (; !code && entries != std::filesystem::directory_iterator(); entries.increment(code)) {
    std::string name = entries->path().filename().string();
    const auto id = segment_id_of(name);
    if (!id) continue;
    const auto [seq, lane] = std::pair(id->seq, id->lane);
    std::error_code gone;
    const auto size = entries->file_size(gone);
    if (!gone) found.push_back({std::move(name), seq, size, lane});
  }
  if (code) return fail(cannot_read(folder, code.value()));
  return merge_lanes(std::move(found));
}

result<archive> archive::open(std::string folder) {
  archive opened(std::move(folder));
  auto segments = find_segments(opened.folder_);
  if (!segments) return fail(segments.error());
  opened.segments_ = std::move(*segments);
  opened.open_index();
  return opened;
}

void archive::open_index() {
  auto index = index_store::open(folder_, index_store::use::read);
  if (index) {
    index_ = std::move(*index);
    index_problem_.clear();
  } else {
    index_.reset();
    index_problem_ = index.error().message;
  }
}

/// In order, without holes and overlaps; `filter` leaves out blocks that cannot hold what it wants.
std::vector<archive::range> archive::ranges(const segment_file& segment, const line_filter* filter) {
  std::vector<block_facts> blocks;
  if (index_ != nullptr) {
    auto found = index_->blocks(segment.name);
    if (found) {
      blocks = std::move(*found);
    } else {
      index_problem_ = found.error().message;
      index_.reset();
    }
  }
  std::vector<range> parts;
  std::uint64_t covered = 0;
  for (const block_facts& block : blocks) {
    const std::uint64_t end = block.offset + block.bytes;
    // A block behind the end is of a file that was here before.
    if (end <= covered || end > segment.size) continue;
    if (block.offset > covered) parts.push_back({covered, block.offset, false});
    const std::uint64_t begin = std::max(covered, block.offset);
    if (filter == nullptr || filter->may_hold(block)) parts.push_back({begin, end, true});
    covered = end;
  }
  if (covered < segment.size) parts.push_back({covered, segment.size, false});
  return parts;
}

result<bool> archive::scan(const segment_file& segment, const range& part, const line_filter& filter,
                           const visitor& visit) {
  const std::string path = folder_ + "/" + segment.name;
  line_source source(path, part.begin, part.end, buffer_);
  const std::string needle = filter.needle();
  const bool any_case = text_is_needle(filter);
  line_view view;
  bool more = true;
  for (std::string_view lines = source.next_lines(); more && !lines.empty(); lines = source.next_lines()) {
    more = for_lines(lines, needle, any_case, [&](std::string_view line) {
      return !view.read(line) || !filter.fits(view) || visit(line, view);
    });
  }
  if (source.problem() != 0 && source.problem() != ENOENT) return fail(cannot_read(path, source.problem()));
  return more;
}

result<> archive::forward(const line_filter& filter, const visitor& visit) {
  for (const segment_file& segment : segments_) {
    for (const range& part : ranges(segment, &filter)) {
      const auto more = scan(segment, part, filter, visit);
      if (!more) return fail(more.error());
      if (!*more) return {};
    }
  }
  return {};
}

result<> archive::backward(const line_filter& filter, std::size_t limit, const visitor& visit) {
  std::size_t given = 0;
  line_view view;
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    const auto parts = ranges(*segment, &filter);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      // Of a part that is not indexed, which may be long, only what can still be shown is kept.
      std::vector<std::string> newest;
      std::size_t next = 0;
      const std::size_t most = limit == 0 ? 0 : limit - given;
      const auto done = scan(*segment, *part, filter, [&](std::string_view line, const line_view&) {
        if (most == 0 || newest.size() < most) {
          newest.emplace_back(line);
        } else {
          newest[next % most].assign(line);
        }
        ++next;
        return true;
      });
      if (!done) return fail(done.error());
      for (std::size_t i = 0; i < newest.size(); ++i) {
        const std::size_t place = next - 1 - i;
        const std::string& line = newest[most == 0 ? place : place % most];
        if (!view.read(line) || !visit(line, view)) return {};
        if (++given == limit) return {};
      }
    }
  }
  return {};
}

result<> archive::follow(const line_filter& filter, archive_place& place, const visitor& visit) {
  auto segments = find_segments(folder_);
  if (!segments) return fail(segments.error());
  segments_ = std::move(*segments);
  std::map<unsigned, archive_place::end> ends;
  for (const segment_file& segment : segments_)
    ends[segment.lane] = {segment.name, segment.size};
  if (!std::exchange(place.begun, true)) place.lanes = ends;
  for (const auto& [lane, end] : ends)
    follow_lane(lane, filter, place.lanes[lane], visit);
  return {};
}

/// A lane that was not there yet is read from its beginning.
void archive::follow_lane(unsigned lane, const line_filter& filter, archive_place::end& place,
                          const visitor& visit) {
  line_view view;
  bool reached = place.segment.empty();
  std::string newest;
  for (const segment_file& segment : segments_) {
    if (segment.lane != lane) continue;
    newest = segment.name;
    const bool here = segment.name == place.segment;
    if (!here && !reached) continue;
    reached = true;
    if (!here) place = {segment.name, 0};
    line_source source(folder_ + "/" + segment.name, place.offset, segment.size, buffer_);
    for (std::string_view lines = source.next_lines(); !lines.empty(); lines = source.next_lines()) {
      place.offset = source.offset() + lines.size();
      for_lines(lines, {}, false, [&](std::string_view line) {
        return !view.read(line) || !filter.fits(view) || visit(line, view);
      });
    }
  }
  // The segment that was read is gone: on with what there is.
  if (!reached) place = {newest, 0};
}

bool archive::has_lanes() const {
  return std::ranges::any_of(segments_,
                             [&](const auto& each) { return each.lane != segments_.front().lane; });
}

std::vector<std::string> archive::find_statements(std::string_view words) {
  if (index_ == nullptr) return {};
  auto found = index_->find_statements(words);
  return found ? std::move(*found) : std::vector<std::string>{};
}

result<std::uint64_t> archive::index_range(const segment_file& segment, const range& part) {
  line_source source(folder_ + "/" + segment.name, part.begin, part.end, buffer_);
  block_collector collector;
  statement_cache statements(16 * 1024 * 1024, true);
  std::unordered_set<std::string> seen;
  line_view view;
  std::uint64_t added = 0;
  if (auto done = index_->begin(); !done) return fail(done.error());
  result<> problem;
  const auto store = [&] {
    if (collector.lines() == 0) return problem.has_value();
    problem = index_->put(segment.name, collector.take());
    if (problem && ++added % blocks_per_commit == 0) {
      problem = index_->commit();
      if (problem) problem = index_->begin();
    }
    return problem.has_value();
  };
  const auto remember = [&](std::size_t which) {
    if (view.texts.size() != view.fingerprints.size() || seen.size() >= limits::audit_index_statements)
      return;
    const std::string print(view.fingerprints[which]);
    if (print.empty() || !seen.insert(print).second) return;
    const auto known = statements.look(json_plain(view.texts[which]));
    if (problem && known->size() == 1 && !known->front().normalised.empty())
      problem = index_->put_statement(print, known->front().normalised);
  };
  const auto plain_facts = [&] {
    line_facts facts;
    facts.time_us = view.time_us;
    facts.event = view.event;
    facts.session = view.session;
    facts.principal = view.principal;
    facts.database = view.database;
    facts.seconds = view.seconds;
    return facts;
  };
  for (std::string_view lines = source.next_lines(); problem && !lines.empty(); lines = source.next_lines()) {
    std::uint64_t offset = source.offset();
    for_lines(lines, {}, false, [&](std::string_view line) {
      // What cannot be read belongs to a block too.
      if (!view.read(line)) view = {};
      const std::string principal = json_plain(view.principal);
      const std::string database = json_plain(view.database);
      line_facts facts = plain_facts();
      facts.principal = principal;
      facts.database = database;
      collector.add(offset, line.size() + 1, facts);
      for (const std::string_view each : view.sqlstates)
        collector.more({}, each);
      for (std::size_t i = 0; i < view.fingerprints.size(); ++i) {
        collector.more(view.fingerprints[i], {});
        remember(i);
      }
      offset += line.size() + 1;
      return collector.lines() < limits::audit_block_lines || store();
    });
  }
  if (problem) store();
  if (problem) problem = index_->commit();
  if (!problem) {
    index_->roll_back();
    return fail(problem.error());
  }
  return added;
}

result<std::uint64_t> archive::catch_up() {
  std::vector<std::pair<segment_file, range>> missing;
  for (const segment_file& segment : segments_) {
    for (const range& part : ranges(segment, nullptr)) {
      if (!part.indexed && part.end - part.begin >= worth_indexing) missing.emplace_back(segment, part);
    }
  }
  if (missing.empty()) return 0;
  auto opened = index_store::open(folder_, index_store::use::write);
  if (!opened) {
    index_problem_ = opened.error().message;
    return 0;
  }
  index_ = std::move(*opened);
  index_problem_.clear();
  std::uint64_t added = 0;
  for (const auto& [segment, part] : missing) {
    const auto more = index_range(segment, part);
    if (!more) {
      index_problem_ = more.error().message;
      break;
    }
    added += *more;
  }
  return added;
}

}  // namespace trunkline::audit
