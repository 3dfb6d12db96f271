#include "audit/segment_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <vector>

namespace trunkline::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "audit-";
constexpr std::string_view suffix = ".jsonl";
constexpr std::size_t stamp_size = 16;  // 20260102T030405Z
constexpr std::size_t chunk_bytes = 256 * 1024;

std::unexpected<error> cannot(std::string what, int code) {
  return fail({.message = fmt::format("audit: cannot {}: {}", what, error_text(code))});
}

struct found_segment {
  std::uint64_t seq = 0;
  std::string name;
};

result<std::vector<found_segment>> list_segments(const std::string& path, unsigned lane) {
  std::vector<found_segment> list;
  std::error_code code;
  fs::directory_iterator entries(path, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    std::string name = entries->path().filename().string();
    const auto id = segment_id_of(name);
    if (!id || id->lane != lane) continue;
    const std::uint64_t seq = id->seq;
    list.push_back({seq, std::move(name)});
  }
  if (code) return cannot("list " + path, code.value());
  std::ranges::sort(
      list, [](const auto& a, const auto& b) { return std::tie(a.seq, a.name) > std::tie(b.seq, b.name); });
  return list;
}

bool read_at(int file, std::uint64_t at, std::size_t size, std::string& into) {
  into.resize(size);
  for (std::size_t done = 0; done < size;) {
    const ssize_t count = ::pread(file, into.data() + done, size - done, static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

struct last_line {
  std::uint64_t end = 0;  ///< behind its line end; 0: no whole line
  bool is_end = false;    ///< a segment.end
  chain_state chain;
};

/// Each line end from the back is tried with the line before it, in a window that doubles until it holds one.
std::optional<last_line> find_last_line(int file, std::uint64_t size, line_hash& hash) {
  std::string window;
  for (std::uint64_t length = std::min<std::uint64_t>(size, chunk_bytes);;
       length = std::min(size, 2 * length)) {
    const std::uint64_t begin = size - length;
    if (!read_at(file, begin, length, window)) return std::nullopt;
    const std::string_view text = window;
    for (std::size_t end = text.rfind('\n'); end != text.npos;) {
      const std::size_t before = end == 0 ? text.npos : text.rfind('\n', end - 1);
      if (before == text.npos && begin != 0) break;
      const std::size_t from = before == text.npos ? 0 : before + 1;
      const std::string_view line = text.substr(from, end - from);
      last_line found;
      if (read_chain(line, found.chain, hash)) {
        const std::size_t event = line.find(",\"event\":\"");
        found.is_end = event != line.npos && line.substr(event + 10).starts_with("segment.end\"");
        found.end = begin + end + 1;
        return found;
      }
      end = before;
    }
    if (begin == 0) return last_line{};
  }
}

/// A name that is not taken yet.
std::string torn_name(const std::string& path) {
  std::string name = path + ".torn";
  for (int i = 2; ::access(name.c_str(), F_OK) == 0; ++i)
    name = fmt::format("{}.torn{}", path, i);
  return name;
}

/// Copied and on disk before anything is cut off.
int keep_aside(int file, std::uint64_t from, std::uint64_t size, const std::string& path) {
  const runtime::unique_fd aside(
      ::open(torn_name(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!aside) return errno;
  std::string piece;
  for (std::uint64_t at = from; at < size; at += piece.size()) {
    if (!read_at(file, at, std::min<std::uint64_t>(size - at, chunk_bytes), piece)) return EIO;
    std::size_t written = 0;
    if (const int code = file_io::real().write(aside.get(), piece, written); code != 0) return code;
  }
  return ::fsync(aside.get()) == 0 ? 0 : errno;
}

/// Answers whether it has a whole line and so is the one to continue.
result<bool> recover_one(const std::string& path, segment_history& history, line_hash& hash) {
  const runtime::unique_fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts{};
  if (!file || ::fstat(file.get(), &facts) != 0) return cannot("open " + path, errno);
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  const auto last = size == 0 ? last_line{} : find_last_line(file.get(), size, hash);
  if (!last) return cannot("read " + path, EIO);
  history.torn_bytes += size - last->end;
  if (last->end == 0) {
    history.ended = false;
    const bool gone =
        size == 0 ? ::unlink(path.c_str()) == 0 : ::rename(path.c_str(), torn_name(path).c_str()) == 0;
    if (!gone) return cannot("put aside " + path, errno);
    return false;
  }
  // Nobody gave back what was reserved for it.
  if (!last->is_end) file_io::real().truncate(file.get(), size);
  if (last->end < size) {
    history.ended = false;
    if (const int code = keep_aside(file.get(), last->end, size, path); code != 0) {
      return cannot("keep the torn end of " + path, code);
    }
    if (::ftruncate(file.get(), static_cast<off_t>(last->end)) != 0 || ::fsync(file.get()) != 0) {
      return cannot("cut the torn end off " + path, errno);
    }
  }
  history.ended = history.ended && last->is_end;
  history.chain = last->chain;
  return true;
}

}  // namespace

std::string segment_name(std::int64_t time_us, std::uint64_t seq, unsigned lane) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{}{:04}{:02}{:02}T{:02}{:02}{:02}Z-{:012}{}{}", prefix, parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, seq,
                     lane == 0 ? "" : fmt::format("-{}", lane), suffix);
}

std::optional<segment_id> segment_id_of(std::string_view name) {
  const std::size_t least = prefix.size() + stamp_size + 2 + suffix.size();
  if (name.size() < least || !name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  const std::string_view stamp = name.substr(prefix.size(), stamp_size + 1);
  const std::string_view digits = "0123456789";
  for (std::size_t i = 0; i < stamp.size(); ++i) {
    const bool fits = i == 8    ? stamp[i] == 'T'
                      : i == 15 ? stamp[i] == 'Z'
                      : i == 16 ? stamp[i] == '-'
                                : digits.contains(stamp[i]);
    if (!fits) return std::nullopt;
  }
  name.remove_suffix(suffix.size());
  name.remove_prefix(prefix.size() + stamp_size + 1);
  segment_id id{.stamp = stamp.substr(0, stamp_size)};
  const char* const begin = name.data();
  const char* const end = begin + name.size();
  auto read = std::from_chars(begin, end, id.seq);
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-') {
    read = std::from_chars(read.ptr + 1, end, id.lane);
    if (id.lane == 0) return std::nullopt;
  }
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return id;
}

result<segment_lane> open_segment_folder(const std::string& path, file_io& files, unsigned first,
                                         unsigned last) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make the folder " + path, errno);
  segment_lane made;
  if (const int code = files.open_folder(path, made.folder); code != 0)
    return cannot("open the folder " + path, code);
  for (made.lane = first; made.lane <= last; ++made.lane) {
    if (made.lane != 0) {
      const std::string name = fmt::format("lane-{}.lock", made.lane);
      made.lock = runtime::unique_fd(
          ::openat(made.folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
      if (!made.lock) return cannot(fmt::format("open {}/{}", path, name), errno);
    }
    if (::flock((made.lane == 0 ? made.folder : made.lock).get(), LOCK_EX | LOCK_NB) == 0) return made;
    if (errno != EWOULDBLOCK) return cannot("lock the folder " + path, errno);
  }
  return fail({.message = fmt::format("audit: {} is in use by another process or sink", path),
               .hint = "each gateway, and each sink, needs a folder of its own"});
}

result<segment_history> recover_segments(const std::string& path, unsigned lane, line_hash& hash) {
  const auto list = list_segments(path, lane);
  if (!list) return fail(list.error());
  segment_history history;
  for (const found_segment& one : *list) {
    const auto whole = recover_one(path + '/' + one.name, history, hash);
    if (!whole) return fail(whole.error());
    if (!*whole) continue;
    history.previous = one.name;
    break;
  }
  return history;
}

}  // namespace trunkline::audit
