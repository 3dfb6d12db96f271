#include "audit/line_chain.h"

#include <openssl/evp.h>

#include <charconv>
#include <new>
#include <span>

#include "audit/json_pieces.h"
#include "audit/json_text.h"
#include "base/bytes.h"

namespace trunkline::audit {

/// Fetched once: looking an algorithm up by its name costs more than hashing a line.
struct line_hash::context {
  EVP_MD* method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* state = EVP_MD_CTX_new();

  ~context() {
    EVP_MD_CTX_free(state);
    EVP_MD_free(method);
  }
};

line_hash::line_hash() : context_(std::make_unique<context>()) {
  if (context_->method == nullptr || context_->state == nullptr) throw std::bad_alloc();
}

line_hash::~line_hash() = default;

void line_hash::of(std::string_view line, std::array<char, 64>& hex) {
  std::array<unsigned char, 32> digest{};
  EVP_DigestInit_ex2(context_->state, context_->method, nullptr);
  EVP_DigestUpdate(context_->state, line.data(), line.size());
  EVP_DigestFinal_ex(context_->state, digest.data(), nullptr);
  put_hex(hex.data(), std::as_bytes(std::span(digest)));
}

std::size_t append_line(std::string& out, std::string_view body, chain_state& state, line_hash& hash) {
  const std::size_t begin = out.size();
  line_part<64> head;
  head.add(line_begin);
  head.add_number(state.seq + 1);
  head.add(",");
  line_part<128> tail;
  tail.add(line_before_hash);
  tail.add(state.hash_text());
  tail.add(line_end);
  out += head.text();
  out += body;
  out += tail.text();
  const std::size_t size = out.size() - begin;
  ++state.seq;
  hash.of(std::string_view(out).substr(begin, size - 1), state.hash);
  return size;
}

std::string_view body_of(std::string_view line) {
  line.remove_prefix(line_begin.size());
  line.remove_prefix(line.find(',') + 1);
  const std::size_t tail = line_before_hash.size() + 64 + line_end.size();
  return line.substr(0, line.size() - tail);
}

bool read_chain(std::string_view line, chain_state& state, line_hash& hash) {
  const std::string_view end = line_end.substr(0, line_end.size() - 1);
  if (!line.starts_with(line_begin) || !line.ends_with(end)) return false;
  const std::size_t tail = line_before_hash.size() + 64 + end.size();
  if (line.size() < line_begin.size() + tail) return false;
  const std::string_view prev = line.substr(line.size() - tail);
  if (!prev.starts_with(line_before_hash)) return false;
  const std::string_view before = prev.substr(line_before_hash.size(), 64);
  if (before.find_first_not_of(hex_digits) != before.npos) return false;
  const std::string_view number = line.substr(line_begin.size());
  std::uint64_t seq = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), seq);
  if (read.ec != std::errc{} || read.ptr == number.data() + number.size() || *read.ptr != ',' || seq == 0)
    return false;
  state.seq = seq;
  hash.of(line, state.hash);
  return true;
}

}  // namespace trunkline::audit
