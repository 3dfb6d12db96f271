#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "config/pod.h"
#include "config/section.h"

namespace trunkline::config {

namespace {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

/// Closes on every way out.
class read_only_file {
 public:
  explicit read_only_file(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~read_only_file() {
    if (fd_ >= 0) close(fd_);
  }
  read_only_file(const read_only_file&) = delete;
  read_only_file& operator=(const read_only_file&) = delete;

  int descriptor() const { return fd_; }
  /// Empty where the path is a readable regular file.
  std::string complaint(int open_errno) const {
    if (fd_ < 0) return system_text(open_errno);
    struct stat facts{};
    if (fstat(fd_, &facts) != 0) return system_text(errno);
    return S_ISREG(facts.st_mode) ? "" : "not a regular file";
  }

 private:
  int fd_;
};

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

/// One byte more than a secret may have is enough to know that it is too long.
secret_text read_secret_file(const std::string& path) {
  const read_only_file file(path);
  std::array<char, limits::config_secret_bytes + 1> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const auto got = read(file.descriptor(), buffer.data() + size, buffer.size() - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  secret_text secret{std::string(buffer.data(), size)};
  wipe(buffer.data(), buffer.size());
  return secret;
}

/// "[" or "." or the end must follow, or "routes[1]" would be taken for a part of "routes[10]".
bool is_at_or_below(std::string_view key, std::string_view parent) {
  if (!key.starts_with(parent)) return false;
  return parent.empty() || key.size() == parent.size() || key[parent.size()] == '.' ||
         key[parent.size()] == '[';
}

}  // namespace

std::string quote(std::string_view text) {
  constexpr std::size_t shown_max = 60;
  std::string shown = "`";
  auto cut = std::min(text.size(), shown_max);
  while (cut < text.size() && cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80)
    --cut;  // not within a character
  for (const char c : text.substr(0, cut))
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return shown + (cut < text.size() ? "…`" : "`");
}

load_state::load_state(std::string file, load_options options)
    : file_(std::move(file)), options_(std::move(options)) {
  if (!options_.environment) options_.environment = environment_variable;
  std::error_code failure;
  const auto absolute = std::filesystem::absolute(file_, failure).lexically_normal();
  folder_ = absolute.parent_path().string();
  referenced.push_back(absolute.string());
}

void load_state::problem(place where, std::string key, std::string text, std::string expected) {
  if (reading_) broken_.insert(key);
  problems.push_back({file_, where.line, where.column, std::move(key), std::move(text), std::move(expected)});
}

void load_state::warning(place where, std::string key, std::string text, std::string expected) {
  warnings.push_back({file_, where.line, where.column, std::move(key), std::move(text), std::move(expected)});
}

bool load_state::sound(std::string_view key_path) const {
  for (auto it = broken_.lower_bound(key_path); it != broken_.end() && it->starts_with(key_path); ++it) {
    if (is_at_or_below(*it, key_path)) return false;
  }
  return true;
}

std::optional<std::string> load_state::expand(const node& scalar, const std::string& key) {
  const std::string& text = scalar.text;
  std::string value;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 3, "$${") == 0) {
      value += "${";
      at += 3;
      continue;
    }
    if (text.compare(at, 2, "${") != 0) {
      value += text[at++];
      continue;
    }
    const auto end = text.find('}', at);
    const auto name = end == std::string::npos ? std::string{} : text.substr(at + 2, end - at - 2);
    if (!is_variable_name(name)) {
      problem(scalar.where, key, quote(text) + " has a `${` that names no environment variable",
              "${NAME}, or $${ for a literal ${");
      return std::nullopt;
    }
    const auto found = options_.environment(name);
    if (!found) {
      problem(scalar.where, key, fmt::format("environment variable {} is not set", name),
              "it to be set, or a value here");
      return std::nullopt;
    }
    value += *found;
    at = end + 1;
  }
  return value;
}

std::string load_state::absolute(const std::string& path) const {
  return (std::filesystem::path(folder_) / path).lexically_normal().string();
}

std::string load_state::resolve_file(place where, const std::string& key, const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    problem(where, key, "is not a path", "the path of a readable file");
    return {};
  }
  const auto resolved = absolute(path);
  if (std::find(referenced.begin(), referenced.end(), resolved) == referenced.end())
    referenced.push_back(resolved);
  if (!options_.check_files) return resolved;
  const read_only_file file(resolved);
  const auto complaint = file.complaint(errno);
  if (!complaint.empty()) {
    problem(where, key, fmt::format("cannot read {}: {}", resolved, complaint),
            "the path of a readable file");
  }
  return resolved;
}

namespace {

constexpr std::string_view secret_placeholder = "secret:";

}  // namespace

bool load_state::is_placeholder(const std::string& path) {
  return path.starts_with(secret_placeholder);
}

std::string load_state::resolve_secret(place where, const std::string& key, const secret_reference& wanted) {
  auto [known, fresh] = secrets.try_emplace(wanted);
  std::string& path = known->second;
  if (!fresh && !is_placeholder(path)) return path;
  path = fmt::format("{}{}/{}/{}", secret_placeholder, wanted.name_space, wanted.name, wanted.key);
  if (!options_.secret) return path;
  auto held = options_.secret(wanted);
  if (held) {
    path = std::move(*held);
    referenced.push_back(path);
  } else {
    problem(where, key, std::move(held.error().message), "a Secret that is there");
    problems.back().of_secret = true;
  }
  return path;
}

std::string load_state::shown(const std::string& path) const {
  for (const auto& [of, known] : secrets)
    if (known == path) return fmt::format("key {} of Secret {}/{}", of.key, of.name_space, of.name);
  return path;
}

secret_text load_state::read_secret(place where, const std::string& key, const std::string& path) {
  if (!options_.check_files || !sound(key) || is_placeholder(path)) return {};
  const secret_text whole = read_secret_file(path);
  std::string_view content = whole.reveal();
  if (content.ends_with('\n')) content.remove_suffix(1);
  if (content.ends_with('\r')) content.remove_suffix(1);
  const bool fits = !content.empty() && whole.reveal().size() <= limits::config_secret_bytes &&
                    content.find_first_of(std::string_view("\0\n\r", 3)) == std::string_view::npos;
  if (fits) return secret_text(std::string(content));
  problem(where, key, fmt::format("{} does not hold one line", shown(path)),
          fmt::format("the password alone, at most {} bytes", limits::config_secret_bytes));
  return {};
}

secret_text load_state::read_key(place where, const std::string& key, const std::string& path) {
  if (!options_.check_files || !sound(key)) return {};
  secret_text whole = read_secret_file(path);
  const std::size_t size = whole.reveal().size();
  if (size >= limits::replica_secret_bytes && size <= limits::config_secret_bytes) return whole;
  problem(where, key,
          fmt::format("{} holds {} bytes", path,
                      size > limits::config_secret_bytes ? "too many" : std::to_string(size)),
          fmt::format("{} to {} random bytes", limits::replica_secret_bytes, limits::config_secret_bytes));
  return {};
}

}  // namespace trunkline::config
