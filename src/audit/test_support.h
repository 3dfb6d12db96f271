// Shared by the tests and benchmarks of this folder: a worker's side of a tap, messages as records, and
// folders that go when the test is over.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/session_model.h"
#include "audit/tap.h"

namespace trunkline::audit::test {

using namespace std::string_view_literals;

inline std::string be16(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
}
inline std::string be32(std::uint32_t value) {
  return be16(static_cast<std::uint16_t>(value >> 16)) + be16(static_cast<std::uint16_t>(value & 0xffff));
}
inline std::string text(std::string_view value) {
  return std::string(value) + '\0';
}

inline std::string parse(std::string_view name, std::string_view sql,
                         const std::vector<std::uint32_t>& types = {}) {
  std::string body = text(name) + text(sql) + be16(static_cast<std::uint16_t>(types.size()));
  for (const auto type : types)
    body += be32(type);
  return body;
}
inline std::string bind(std::string_view portal, std::string_view statement,
                        const std::vector<std::string>& values = {}) {
  std::string body =
      text(portal) + text(statement) + be16(0) + be16(static_cast<std::uint16_t>(values.size()));
  for (const auto& value : values)
    body += be32(static_cast<std::uint32_t>(value.size())) + value;
  return body + be16(0);
}
inline std::string execute(std::string_view portal = "") {
  return text(portal) + be32(0);
}
inline std::string error_body(std::string_view code) {
  return 'C' + text(code) + '\0';
}

/// Writes records, to whatever takes them.
template <class Write>
class script {
 public:
  explicit script(Write write, std::uint64_t session = 7) : write_(std::move(write)), session_(session) {}

  void client(char type, std::uint64_t request, std::string_view body) {
    record(tap_kind::client_message, type, request, body);
  }
  void server(char type, std::uint64_t request, std::string_view body) {
    record(tap_kind::server_message, type, request, body);
  }
  void end(std::uint64_t last_request, char status = 'I', std::string_view code = {},
           telemetry::exchange_kind kind = telemetry::exchange_kind::extended) {
    telemetry::exchange_facts facts;
    facts.began = began;
    facts.total = std::chrono::microseconds{1'500};
    facts.at(telemetry::phase::server) = std::chrono::microseconds{1'200};
    facts.at(telemetry::phase::gateway) = std::chrono::microseconds{12};
    facts.bytes_in = 50;
    facts.bytes_out = 61;
    facts.last_request = last_request;
    facts.kind = kind;
    facts.transaction_status = status;
    if (!code.empty()) {
      facts.code = sqlstate(code);
      facts.how = telemetry::outcome::error;
    }
    end(facts);
  }
  void end(const telemetry::exchange_facts& facts) {
    write_({.kind = tap_kind::exchange_end, .session = session_, .request = facts.last_request},
           byte_span{reinterpret_cast<const std::byte*>(&facts), sizeof facts});
  }
  /// In pieces of `piece` bytes.
  void record(tap_kind kind, char type, std::uint64_t request, std::string_view body,
              std::size_t piece = 16'384) {
    tap_header head{
        .kind = kind, .type = type, .session = session_, .request = request, .length = body.size()};
    do {
      const std::string_view now = body.substr(0, piece);
      body.remove_prefix(now.size());
      head.last = body.empty();
      write_(head, as_bytes(now));
    } while (!body.empty());
  }
  /// Only `kept` is kept of a body of `length` bytes.
  void cut(tap_kind kind, char type, std::uint64_t request, std::string_view kept, std::uint64_t length,
           std::string_view hash) {
    tap_header head{
        .kind = kind, .type = type, .last = 0, .session = session_, .request = request, .length = length};
    write_(head, as_bytes(kept));
    head.last = 1;
    head.cut = 1;
    write_(head, as_bytes(hash));
  }
  void event(decltype(rare_event::what) what) {
    rare_event* given = new rare_event{session_, began, std::move(what)};
    write_({.kind = tap_kind::event, .session = session_},
           byte_span{reinterpret_cast<const std::byte*>(&given), sizeof given});
  }
  void gap(std::uint64_t exchanges, std::uint64_t events) {
    const tap_gap lost{exchanges, events, began, began + std::chrono::seconds{2}};
    write_({.kind = tap_kind::gap}, byte_span{reinterpret_cast<const std::byte*>(&lost), sizeof lost});
  }

  std::chrono::steady_clock::time_point began{std::chrono::seconds{1'000}};

 private:
  Write write_;
  std::uint64_t session_;
};

/// Takes records as a worker's message_gather would: whole messages wait for the next record that is none.
template <class Write>
class gathering {
 public:
  explicit gathering(Write write) : write_(std::move(write)) {}

  void operator()(const tap_header& head, byte_span payload) {
    const bool message = head.kind == tap_kind::client_message || head.kind == tap_kind::server_message;
    if (message && payload.size() == head.length && head.last != 0) return keep(head, payload);
    std::string whole;
    if (head.kind == tap_kind::exchange_end) {
      whole = std::string(as_text(payload)) + std::exchange(kept_, {});
    } else {
      if (!kept_.empty())
        write_({.kind = tap_kind::messages, .session = head.session}, as_bytes(std::exchange(kept_, {})));
      whole = as_text(payload);
    }
    write_(head, as_bytes(whole));
  }

 private:
  void keep(const tap_header& head, byte_span body) {
    const gathered_message one{.request = head.request,
                               .size = static_cast<std::uint32_t>(body.size()),
                               .type = head.type,
                               .from_client = head.kind == tap_kind::client_message};
    kept_.append(reinterpret_cast<const char*>(&one), sizeof one);
    kept_ += as_text(body);
  }

  Write write_;
  std::string kept_;
};

/// A folder of the test's own.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "trunkline-audit-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The names of the segments, the oldest first.
inline std::vector<std::string> segments_in(const std::string& folder) {
  std::vector<std::pair<std::uint64_t, std::string>> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const std::size_t dash = name.rfind('-');
    if (name.ends_with(".jsonl"))
      found.emplace_back(std::strtoull(name.c_str() + dash + 1, nullptr, 10), name);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [seq, name] : found)
    names.push_back(folder + '/' + name);
  return names;
}

}  // namespace trunkline::audit::test
