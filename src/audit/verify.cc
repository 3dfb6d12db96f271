#include "audit/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "audit/archive.h"
#include "audit/line_chain.h"
#include "audit/line_source.h"

namespace trunkline::audit {

namespace {

struct line_ends {
  std::uint64_t seq = 0;
  std::string_view prev;
  std::string_view event;
};

/// The frame that every line has; what is between is covered by the hash.
bool read_ends(std::string_view line, line_ends& ends) {
  constexpr std::string_view tail = "\"}";
  constexpr std::string_view event_key = ",\"event\":\"";
  const std::size_t frame = line_before_hash.size() + 64 + tail.size();
  if (!line.starts_with(line_begin) || !line.ends_with(tail) || line.size() < line_begin.size() + frame)
    return false;
  const std::string_view end = line.substr(line.size() - frame);
  if (!end.starts_with(line_before_hash)) return false;
  ends.prev = end.substr(line_before_hash.size(), 64);
  const char* const digits = line.data() + line_begin.size();
  const auto number = std::from_chars(digits, line.data() + line.size(), ends.seq);
  if (number.ec != std::errc{} || number.ptr == digits || *number.ptr != ',') return false;
  const std::size_t event = line.find(event_key);
  if (event == std::string_view::npos) return false;
  const std::size_t begin = event + event_key.size();
  ends.event = line.substr(begin, line.find('"', begin) - begin);
  return ends.prev.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

class verifier {
 public:
  verifier(std::string folder, bool removed_before, const std::function<void(const verify_finding&)>& tell)
      : folder_(std::move(folder)), removed_before_(removed_before), tell_(tell) {}
  result<verify_report> run();

 private:
  result<> lane(const std::vector<segment_file>& segments);
  result<> segment(const segment_file& file, bool newest);
  void line(std::string_view text);
  void first_line(const line_ends& ends, std::string_view text);
  void own_event(const line_ends& ends, std::string_view text);
  void finding(std::string what);
  void note(std::string what);
  std::string_view hash() const { return {hash_.data(), hash_.size()}; }

  std::string folder_;
  bool removed_before_;
  const std::function<void(const verify_finding&)>& tell_;
  verify_report report_;
  line_hash hasher_;
  std::array<char, 64> hash_;  // of the last line
  std::uint64_t seq_ = 0;      // of the last line
  std::string before_;         // the segment before this one; empty: this is the first
  std::string name_;
  std::uint64_t number_ = 0;
  bool ended_ = true;   // by a segment.end
  bool begun_ = false;  // a line of this lane was seen
  std::string buffer_;
};

void verifier::finding(std::string what) {
  ++report_.findings;
  tell_({true, name_, number_, std::move(what)});
}

void verifier::note(std::string what) {
  tell_({false, name_, number_, std::move(what)});
}

/// A segment says what it continues: by name, number and hash.
void verifier::first_line(const line_ends& ends, std::string_view text) {
  if (ends.event != "segment.start") return finding("the segment does not begin with segment.start");
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) return finding("the line is no JSON");
  const std::string previous = parsed.contains("previous") && parsed["previous"].is_string()
                                   ? parsed["previous"].get<std::string>()
                                   : "";
  const std::string reason =
      parsed.contains("reason") && parsed["reason"].is_string() ? parsed["reason"].get<std::string>() : "";
  if (before_.empty() && !begun_ && ends.seq != 1) {
    const std::string what =
        fmt::format("the audit begins with line {}: {} lines before it are not here{}", ends.seq,
                    ends.seq - 1, previous.empty() ? "" : ", the last of them in " + previous);
    removed_before_ ? note(what) : finding(what);
    // Where it went on from, only the line itself knows.
    seq_ = ends.seq - 1;
    std::ranges::copy(ends.prev, hash_.begin());
  } else if (!before_.empty() && !previous.empty() && previous != before_) {
    finding(fmt::format("it continues {}, which is missing; the segment before it is {}", previous, before_));
  }
  if (reason == "recovered") {
    ++report_.recovered;
    note(
        "recovered: the gateway before it ended without a word (a crash or kill -9); what it had not yet "
        "committed, "
        "at most the last 10 ms, is not in the audit");
  } else if (!before_.empty() && !ended_) {
    finding(fmt::format("{} has no segment.end: lines are missing at its end", before_));
  }
}

void verifier::own_event(const line_ends& ends, std::string_view text) {
  ended_ = ends.event == "segment.end";
  if (ends.event != "gap") return;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  const std::uint64_t events =
      parsed.is_object() && parsed.contains("events") && parsed["events"].is_number_unsigned()
          ? parsed["events"].get<std::uint64_t>()
          : 0;
  ++report_.gaps;
  report_.lost_events += events;
  note(fmt::format("gap: {} events were not written, as the gateway said at the time", events));
}

void verifier::line(std::string_view text) {
  ++number_;
  line_ends ends;
  if (!read_ends(text, ends)) {
    finding("the line is none that the audit writes: it was changed or damaged");
  } else {
    if (ended_ && number_ > 1) finding("a line behind segment.end: it was added");
    if (number_ == 1) first_line(ends, text);
    const bool follows = ends.prev == hash();
    if (ends.seq > seq_ + 1) {
      finding(
          fmt::format("lines {} to {} are missing before line number {}", seq_ + 1, ends.seq - 1, ends.seq));
    } else if (ends.seq <= seq_) {
      finding(
          fmt::format("line number {} comes behind {}: lines were added, repeated or moved", ends.seq, seq_));
    } else if (!follows) {
      finding(
          fmt::format("it does not fit the line before it: line number {} was changed, or this one", seq_));
    }
    seq_ = ends.seq;
    own_event(ends, text);
  }
  hasher_.of(text, hash_);
  begun_ = true;
  ++report_.lines;
}

result<> verifier::segment(const segment_file& file, bool newest) {
  const std::string path = folder_ + "/" + file.name;
  name_ = file.name;
  number_ = 0;
  line_source source(path, 0, file.size, buffer_);
  if (!source.is_open()) return fail({.message = fmt::format("{}: cannot be read", path)});
  for (std::string_view lines = source.next_lines(); !lines.empty(); lines = source.next_lines()) {
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      line(lines.substr(at, end - at));
      at = end + 1;
    }
  }
  if (source.problem() != 0) return fail({.message = fmt::format("{}: cannot be read", path)});
  if (number_ == 0 && file.size == 0) newest ? note("not begun yet") : finding("the segment is empty");
  if (!source.torn().empty()) {
    ++number_;
    newest
        ? note("the last line has no end: it is being written now, or its gateway ended in the middle of it")
        : finding("the last line has no end: it was cut");
  }
  report_.bytes += file.size;
  ++report_.segments;
  before_ = file.name;
  return {};
}

result<> verifier::lane(const std::vector<segment_file>& segments) {
  hash_.fill('0');
  seq_ = 0;
  before_.clear();
  ended_ = true;
  begun_ = false;
  for (const segment_file& each : segments)
    if (auto done = segment(each, &each == &segments.back()); !done) return done;
  if (!ended_) {
    note(
        "the newest segment has no segment.end: it is being written, or its gateway ended without a word, or "
        "lines were "
        "cut off behind this one");
  }
  report_.lanes[segments.front().lane] = {seq_, std::string(hash())};
  return {};
}

result<verify_report> verifier::run() {
  auto files = find_segments(folder_);
  if (!files) return fail(files.error());
  std::map<unsigned, std::vector<segment_file>> lanes;
  for (segment_file& each : *files)
    lanes[each.lane].push_back(std::move(each));
  for (const auto& [number, segments] : lanes)
    if (auto done = lane(segments); !done) return fail(done.error());
  return report_;
}

}  // namespace

result<verify_report> verify(const std::string& folder, bool removed_before,
                             const std::function<void(const verify_finding&)>& tell) {
  return verifier(folder, removed_before, tell).run();
}

}  // namespace trunkline::audit
