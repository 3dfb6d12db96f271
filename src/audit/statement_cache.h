// From the text of a query to what is kept of it: secrets replaced, statements told apart, each with
// PostgreSQL's own fingerprint and normalised text (libpg_query). A text that was seen before costs one hash
// and one comparison. Of texts that differ in literals only, the grammar sees one: the others find their
// shape by their skeleton (sql_skeleton.h). Bounded in bytes: what was not asked for lately is forgotten and
// worked out again.
//
// A text longer than `limits::audit_grammar_bytes`, nested more deeply than `limits::audit_grammar_depth` or
// only the beginning of a longer one is not shown to the grammar: its fingerprint and normalised text are
// empty.
//
// Owner: the audit thread, or the console or admin thread, one cache each; not thread-safe. libpg_query keeps
// memory of its own for each thread that calls it, and frees it when that thread ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/text_hash.h"

namespace trunkline::audit {

struct statement_facts {
  std::string text;         ///< as it may be written: passwords replaced
  std::string normalised;   ///< literals as $1, $2...; empty where the grammar refuses it
  std::string fingerprint;  ///< 16 hex digits; empty where the grammar refuses it
  std::string traceparent;  ///< of a sqlcommenter comment; empty: none
  std::string
      json;  ///< "text":"…","fingerprint":"…" ready for a line (only "fingerprint":… where query text is off)
};
using statement_list =
    std::shared_ptr<const std::vector<statement_facts>>;  ///< one per statement in the text, at least one

class statement_cache {
 public:
  /// Holds about `bytes` of texts and shapes. `keep_text` false: `text` and `json` are made without the text.
  statement_cache(std::size_t bytes, bool keep_text);

  /// `cut`: the text is only the beginning of a longer one. Any bytes are welcome.
  statement_list look(std::string_view sql, bool cut = false);

  /// How often the grammar was asked, for tests and figures.
  std::uint64_t grammar_calls() const { return grammar_calls_; }
  /// Bytes held now, at most about what the constructor was told.
  std::size_t bytes() const { return young_bytes_ + old_bytes_; }

 private:
  struct known_text {
    std::string sql;
    bool cut = false;
    statement_list list;
  };
  struct known_shape {
    std::string skeleton;
    std::string normalised;
    std::string fingerprint;
  };
  using text_map = std::unordered_map<std::uint64_t, known_text, identity_hash>;
  using shape_map = std::unordered_map<std::uint64_t, known_shape, identity_hash>;

  statement_list remember(std::uint64_t key, known_text entry);
  statement_list work_out(std::string_view sql, bool cut);
  void describe(statement_facts& facts, std::string_view skeleton);
  void finish(statement_facts& facts) const;
  void make_room(std::size_t cost);
  const known_shape* find_shape(std::uint64_t key, std::string_view skeleton);
  void keep_shape(std::uint64_t key, known_shape shape);
  static std::size_t cost_of(const known_text& entry);
  static std::size_t cost_of(const known_shape& shape);

  std::size_t budget_;
  bool keep_text_;
  std::uint64_t seed_;
  std::uint64_t grammar_calls_ = 0;
  // Two generations: what is found in the old one moves to the young one, and when that has filled half of
  // the budget it becomes the old one and the old one goes.
  std::array<text_map, 2> texts_;
  std::array<shape_map, 2> shapes_;
  std::size_t young_bytes_ = 0;
  std::size_t old_bytes_ = 0;
  std::string skeleton_;
};

}  // namespace trunkline::audit
