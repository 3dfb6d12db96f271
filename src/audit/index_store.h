// `index.sqlite` in a folder of segments: which blocks of lines there are and what they hold, and the
// normalised texts of statements. Written by the gateway's audit thread and by readers that catch up, read by
// readers, in any number of processes at once (SQLite's write-ahead log). All of it can be made again from
// the lines, so nothing here waits for the disk. One owner each; not thread-safe. Blocking, in milliseconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/block_facts.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace trunkline::audit {

class index_store {
 public:
  enum class use : std::uint8_t {
    write,  ///< made where it is missing; what is damaged, foreign or of another version is moved aside and
            ///< made anew
    read,   ///< only what is there
  };

  static constexpr std::string_view file_name = "index.sqlite";

  static result<std::unique_ptr<index_store>> open(const std::string& folder, use how);
  index_store(const index_store&) = delete;
  index_store& operator=(const index_store&) = delete;
  ~index_store();

  // Between `begin` and `commit`; an error leaves the transaction rolled back.
  result<> begin();
  result<> put(std::string_view segment, const block_facts& block);
  result<> put_statement(std::string_view fingerprint, std::string_view normalised);
  result<> commit();
  void roll_back();

  /// In the order of their offsets.
  result<std::vector<block_facts>> blocks(std::string_view segment);
  /// Fingerprints of the statements whose normalised text contains `words`, in any case of ASCII letters.
  result<std::vector<std::string>> find_statements(std::string_view words);
  /// The file does not hold together: it should be opened anew for writing, which moves it aside.
  bool damaged() const { return damaged_; }

 private:
  index_store() = default;
  result<> connect(const std::string& path, use how);
  result<> set_up(use how);
  result<> run(const char* sql);
  result<std::int64_t> number(const char* sql);
  result<sqlite3_stmt*> prepared(sqlite3_stmt*& cached, const char* sql);
  result<> finish(sqlite3_stmt* statement);
  error failure(const char* doing);

  sqlite3* db_ = nullptr;
  sqlite3_stmt* add_segment_ = nullptr;
  sqlite3_stmt* add_block_ = nullptr;
  sqlite3_stmt* add_statement_ = nullptr;
  sqlite3_stmt* find_blocks_ = nullptr;
  sqlite3_stmt* find_statements_ = nullptr;
  bool damaged_ = false;
};

}  // namespace trunkline::audit
