// The prepared statements and portals of each session, by name, as its server knows them. Bounded for each
// session and in all: beyond, the statement that was prepared first is forgotten, and a later use of its name
// is of an unknown statement. Texts are shared with the statement cache and counted once. Owner: the audit
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/statement_cache.h"

namespace trunkline::audit {

/// A text that is longer than what is kept of it. `length` 0: it is whole.
struct cut_text {
  std::uint64_t length = 0;
  std::string sha256;  ///< 32 bytes, or empty: not known
};

struct prepared_statement {
  std::string name;
  statement_list list;  ///< its first entry is the statement
  std::vector<std::uint32_t> types;
  cut_text cut;
  bool uncertain = false;  ///< prepared before a gap: it may have been replaced unseen
  // Where the walk that is under way put it (exchange_walk.h).
  std::uint64_t walk = 0;
  std::size_t step = 0;
};
using prepared_ref = std::shared_ptr<prepared_statement>;

struct portal {
  prepared_ref statement;  ///< null: of an unknown one, whose name is
  std::string unknown;
  std::uint64_t walk = 0;
  std::size_t step = 0;
};

struct name_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class Value>
using name_map = std::unordered_map<std::string, Value, name_hash, std::equal_to<>>;

class statement_names {
  struct node;
  using order = std::list<node>;

 public:
  /// One session's. Must be given back with `forget`.
  class of_session {
   public:
    prepared_ref unnamed;
    portal unnamed_portal;
    name_map<portal> portals;

    /// PostgreSQL compares the first 63 bytes. Null: none of that name.
    const prepared_ref* find(std::string_view name) const;
    portal* find_portal(std::string_view name);
    /// The portal to be filled; an older one of that name is gone.
    portal& make_portal(std::string_view name);
    void close_portal(std::string_view name);
    void close_portals();
    /// A gap: what is known may have changed unseen.
    void doubt();

   private:
    friend class statement_names;
    name_map<order::iterator> named_;
    std::list<order::iterator> ages_;  // the oldest first
  };

  void put(of_session& session, prepared_ref statement);
  /// What was there stays alive until `release`.
  void erase(of_session& session, std::string_view name);
  void forget(of_session& session);
  void release() { removed_.clear(); }
  std::size_t bytes() const { return bytes_; }
  /// Calls `change(prepared_statement&)` for each named statement, with its text's share counted anew.
  template <class Change>
  void each(Change change) {
    for (node& one : all_) {
      release_text(one.statement->list);
      change(*one.statement);
      hold_text(one.statement->list);
    }
  }

 private:
  struct node {
    prepared_ref statement;
    of_session* owner = nullptr;
    std::size_t bytes = 0;  ///< of its own, the text left out
    std::list<order::iterator>::iterator age;
  };
  struct shared_text {
    std::size_t users = 0;
    std::size_t bytes = 0;
  };

  void remove(order::iterator which);
  void hold_text(const statement_list& list);
  void release_text(const statement_list& list);
  static std::size_t own_bytes(const prepared_statement& statement);

  order all_;  // the oldest first
  std::unordered_map<const void*, shared_text> texts_;
  std::vector<prepared_ref> removed_;
  std::size_t bytes_ = 0;
};

}  // namespace trunkline::audit
