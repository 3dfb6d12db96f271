#include "sql/normal_form.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "sql/scanner.h"

namespace trunkline::sql {

namespace {

/// SipHash-1-3-128 over words of 8 bytes.
class sip_hash {
 public:
  sip_hash(std::uint64_t low, std::uint64_t high)
      : v0_(low ^ 0x736f6d6570736575),
        v1_(high ^ 0x646f72616e646f6d ^ 0xee),
        v2_(low ^ 0x6c7967656e657261),
        v3_(high ^ 0x7465646279746573) {}

  void add(std::uint64_t word) {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }

  text_key end() {
    v2_ ^= 0xee;
    for (int i = 0; i < 3; ++i)
      round();
    text_key key;
    key.low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    for (int i = 0; i < 3; ++i)
      round();
    key.high = v0_ ^ v1_ ^ v2_ ^ v3_;
    return key;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

std::uint64_t load_last(const char* from, std::size_t size) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(size, 8); ++i)
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << i * 8;
  return word;
}

/// Up to 8 bytes at `from`, the rest zero. `end`: of what may be read.
inline std::uint64_t load(const char* from, std::size_t size, const char* end) {
  std::uint64_t word = 0;
  if (end - from < 8) return load_last(from, size);
  std::memcpy(&word, from, 8);
  return size >= 8 ? word : word & ((std::uint64_t{1} << size * 8) - 1);
}

/// ASCII letters in lower case, eight at once.
std::uint64_t fold(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t seven = word & (0x7f * ones);
  const std::uint64_t from_a = seven + (0x80 - 'A') * ones;
  const std::uint64_t above_z = seven + (0x80 - 'Z' - 1) * ones;
  const std::uint64_t capital = from_a & ~above_z & ~word & (0x80 * ones);
  return word | capital >> 2;
}

/// A token as words: the first byte tells its kind and how long it is, so that no two sequences of tokens
/// give the same words.
template <bool Folded>
void add_token(sip_hash& hash, unsigned head, std::string_view text, const char* end) {
  const auto word = [&](std::size_t at) {
    const std::uint64_t raw = load(text.data() + at, text.size() - at, end);
    return Folded ? fold(raw) : raw;
  };
  if (text.size() <= 7) return hash.add(word(0) << 8 | head | text.size() << 4);
  hash.add(text.size() << 8 | head | 8U << 4);
  for (std::size_t at = 0; at < text.size(); at += 8)
    hash.add(word(at));
}

/// "float(n)" is refused for some n.
bool is_float(std::string_view word, const char* end) {
  return word.size() == 5 && fold(load(word.data(), 5, end)) == 0x74616f6c66;
}

}  // namespace

normaliser::normaliser(const std::array<std::byte, 16>& secret) {
  std::memcpy(&secret_low_, secret.data(), 8);
  std::memcpy(&secret_high_, secret.data() + 8, 8);
}

normal_form normaliser::shape_of(std::string_view text, lexical_rules rules) const {
  sip_hash hash(secret_low_, secret_high_);
  const char* const end = text.data() + text.size();
  normal_form form;
  scanner tokens(text, rules);
  token each;
  while (tokens.next(each)) {
    const std::string_view raw = text.substr(each.begin, each.end - each.begin);
    const unsigned head = static_cast<unsigned>(each.kind) | (each.blank ? 8U : 0U);
    form.content_matters = form.content_matters || each.content_matters;
    switch (each.kind) {
      case token_kind::word:
        form.content_matters = form.content_matters || is_float(raw, end);
        add_token<true>(hash, head, raw, end);
        break;
      case token_kind::string:
        hash.add(static_cast<std::uint64_t>(each.prefix) << 8 | head);
        break;
      case token_kind::integer:
      case token_kind::number:
        hash.add(head);
        break;
      default:
        add_token<false>(hash, head, raw, end);
    }
  }
  form.uncertain = tokens.doubtful();
  form.key = hash.end();
  return form;
}

text_key normaliser::key_of(std::string_view text) const {
  sip_hash hash(secret_low_, secret_high_);
  const char* const end = text.data() + text.size();
  // No token begins with this byte.
  hash.add(text.size() << 8 | 0xff);
  for (std::size_t at = 0; at < text.size(); at += 8)
    hash.add(load(text.data() + at, text.size() - at, end));
  return hash.end();
}

}  // namespace trunkline::sql
