// Records in a file of SQLite's, for gateways on one machine: in WAL mode, each change on the disk before it
// counts (synchronous=FULL), so that a crash at any moment loses nothing that was answered, and half of
// nothing is there. Several processes may have it open; SQLite's locks order what they write. Network file
// systems are refused: their locks do not reach the shared memory that WAL needs
// (https://www.sqlite.org/wal.html). Owner: one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "grants/store.h"

struct sqlite3;

namespace trunkline::grants {

class sqlite_store final : public store {
 public:
  /// Makes the file where there is none, readable for its owner only. Errors say what is wrong with it:
  /// damaged, of another program or of a newer gateway, writable for others, or not to be opened.
  static result<std::unique_ptr<sqlite_store>> open(const std::string& path,
                                                    std::size_t most_bytes = limits::access_store_bytes);
  sqlite_store(const sqlite_store&) = delete;
  sqlite_store& operator=(const sqlite_store&) = delete;
  ~sqlite_store() override;

  stored<record> create(record draft) override;
  stored<std::vector<record>> update(std::vector<record> changed) override;
  stored<std::optional<record>> find(std::int64_t id) override;
  stored<std::optional<record>> find_live(const subject& what) override;
  stored<std::vector<record>> live() override;
  stored<std::vector<record>> changed_since(std::int64_t version, std::size_t most) override;
  stored<std::vector<record>> latest(std::size_t most) override;
  stored<std::size_t> forget(wall_time before, std::size_t most) override;
  stored<> tell_alive(const std::string& gateway, wall_time until) override;
  stored<std::set<std::string>> alive(wall_time now) override;

 private:
  class statement;
  class transaction;

  explicit sqlite_store(std::string path) : path_(std::move(path)) {}

  result<> connect(std::size_t most_bytes);
  result<> check();
  result<> make_schema();
  error said(const std::string& doing) const;
  store_failure failure() const;
  stored<> run(const char* sql);
  stored<std::int64_t> number(const char* sql);
  stored<std::vector<record>> read(statement& from);
  stored<std::int64_t> next_version();
  stored<> write(record& what);

  const std::string path_;
  sqlite3* db_ = nullptr;
};

}  // namespace trunkline::grants
