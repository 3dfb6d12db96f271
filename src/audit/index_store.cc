#include "audit/index_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <filesystem>
#include <system_error>

namespace trunkline::audit {

namespace {

/// "TLix", so that no other program's file is taken for ours.
constexpr std::int64_t application = 0x544c6978;
constexpr std::int64_t version = 1;
/// Whoever else writes does so for milliseconds.
constexpr int busy_timeout_ms = 250;

constexpr const char* schema =
    "CREATE TABLE segments (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE blocks (segment INTEGER NOT NULL, offset INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, seconds REAL NOT NULL, "
    "keys BLOB);"
    "CREATE UNIQUE INDEX blocks_place ON blocks (segment, offset);"
    "CREATE TABLE statements (fingerprint TEXT PRIMARY KEY, normalised TEXT NOT NULL) WITHOUT ROWID;";

int bind_text(sqlite3_stmt* statement, int place, std::string_view text) {
  return ::sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void move_aside(const std::string& path) {
  std::error_code ignored;
  std::filesystem::rename(path, path + ".bad", ignored);
  std::filesystem::remove(path + "-wal", ignored);
  std::filesystem::remove(path + "-shm", ignored);
}

std::vector<std::uint32_t> keys_of(const void* blob, int bytes) {
  std::vector<std::uint32_t> keys(static_cast<std::size_t>(bytes) / sizeof(std::uint32_t));
  if (!keys.empty()) std::memcpy(keys.data(), blob, keys.size() * sizeof(std::uint32_t));
  return keys;
}

}  // namespace

error index_store::failure(const char* doing) {
  const int code = db_ == nullptr ? SQLITE_NOMEM : ::sqlite3_errcode(db_);
  damaged_ = damaged_ || code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  return {.message = fmt::format("the audit's index: {}: {}", doing,
                                 db_ == nullptr ? "no memory" : ::sqlite3_errmsg(db_))};
}

index_store::~index_store() {
  for (sqlite3_stmt* each : {add_segment_, add_block_, add_statement_, find_blocks_, find_statements_})
    ::sqlite3_finalize(each);
  ::sqlite3_close(db_);
}

result<> index_store::run(const char* sql) {
  if (::sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fail(failure(sql));
  return {};
}

result<std::int64_t> index_store::number(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (::sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK) return fail(failure(sql));
  const int step = ::sqlite3_step(statement);
  const std::int64_t value = step == SQLITE_ROW ? ::sqlite3_column_int64(statement, 0) : 0;
  ::sqlite3_finalize(statement);
  if (step != SQLITE_ROW && step != SQLITE_DONE) return fail(failure(sql));
  return value;
}

result<> index_store::connect(const std::string& path, use how) {
  const int create = how == use::write ? SQLITE_OPEN_CREATE : 0;
  if (::sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, nullptr) !=
      SQLITE_OK)
    return fail(failure("cannot open it"));
  ::sqlite3_busy_timeout(db_, busy_timeout_ms);
  return set_up(how);
}

result<> index_store::set_up(use how) {
  const auto mark = number("PRAGMA application_id");
  if (!mark) return fail(mark.error());
  const auto made_as = number("PRAGMA user_version");
  if (!made_as) return fail(made_as.error());
  const auto tables = number("SELECT count(*) FROM sqlite_master");
  if (!tables) return fail(tables.error());
  const bool fresh = *tables == 0 && *mark == 0;
  if ((!fresh || how == use::read) && (*mark != application || *made_as != version)) {
    damaged_ = true;
    return fail({.message = "the audit's index was made by another program or version"});
  }
  if (how == use::read) return {};
  if (auto done = run("PRAGMA journal_mode = WAL"); !done) return done;
  if (auto done = run("PRAGMA synchronous = OFF"); !done) return done;
  if (!fresh) {
    const auto sound = number("SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check <> 'ok'");
    damaged_ = damaged_ || (sound && *sound != 0);
    if (!sound || damaged_)
      return fail(sound ? error{.message = "the audit's index is damaged"} : sound.error());
    return {};
  }
  const std::string marks =
      fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", schema,
                  application, version);
  return run(marks.c_str());
}

result<std::unique_ptr<index_store>> index_store::open(const std::string& folder, use how) {
  const std::string path = folder + "/" + std::string(file_name);
  std::unique_ptr<index_store> store(new index_store);
  auto opened = store->connect(path, how);
  if (!opened && how == use::write && store->damaged_) {
    store.reset(new index_store);
    move_aside(path);
    opened = store->connect(path, how);
  }
  if (!opened) return fail(opened.error());
  return store;
}

result<sqlite3_stmt*> index_store::prepared(sqlite3_stmt*& cached, const char* sql) {
  if (cached == nullptr &&
      ::sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &cached, nullptr) != SQLITE_OK)
    return fail(failure("cannot ask it"));
  ::sqlite3_reset(cached);
  return cached;
}

result<> index_store::finish(sqlite3_stmt* statement) {
  const int step = ::sqlite3_step(statement);
  // Before the reset, which clears it.
  auto answer = step == SQLITE_DONE ? result<>{} : result<>(fail(failure("cannot write")));
  ::sqlite3_reset(statement);
  ::sqlite3_clear_bindings(statement);
  return answer;
}

result<> index_store::begin() {
  return run("BEGIN IMMEDIATE");
}
result<> index_store::commit() {
  return run("COMMIT");
}
void index_store::roll_back() {
  ::sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

result<> index_store::put(std::string_view segment, const block_facts& block) {
  auto named = prepared(add_segment_, "INSERT OR IGNORE INTO segments (name) VALUES (?1)");
  if (!named) return fail(named.error());
  bind_text(*named, 1, segment);
  if (auto done = finish(*named); !done) return done;
  auto adding = prepared(
      add_block_,
      "INSERT OR REPLACE INTO blocks SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM segments WHERE name = ?1");
  if (!adding) return fail(adding.error());
  sqlite3_stmt* const row = *adding;
  bind_text(row, 1, segment);
  ::sqlite3_bind_int64(row, 2, static_cast<std::int64_t>(block.offset));
  ::sqlite3_bind_int64(row, 3, static_cast<std::int64_t>(block.bytes));
  ::sqlite3_bind_int64(row, 4, static_cast<std::int64_t>(block.lines));
  ::sqlite3_bind_int64(row, 5, block.first_us);
  ::sqlite3_bind_int64(row, 6, block.last_us);
  ::sqlite3_bind_double(row, 7, block.seconds);
  if (!block.anything)
    ::sqlite3_bind_blob64(row, 8, block.keys.data(), block.keys.size() * sizeof(std::uint32_t),
                          SQLITE_STATIC);
  return finish(row);
}

result<> index_store::put_statement(std::string_view fingerprint, std::string_view normalised) {
  auto adding = prepared(add_statement_, "INSERT OR IGNORE INTO statements VALUES (?1, ?2)");
  if (!adding) return fail(adding.error());
  bind_text(*adding, 1, fingerprint);
  bind_text(*adding, 2, normalised);
  return finish(*adding);
}

result<std::vector<block_facts>> index_store::blocks(std::string_view segment) {
  auto finding = prepared(find_blocks_,
                          "SELECT offset, bytes, lines, first_us, last_us, seconds, keys FROM blocks"
                          " WHERE segment = (SELECT id FROM segments WHERE name = ?1) ORDER BY offset");
  if (!finding) return fail(finding.error());
  sqlite3_stmt* const row = *finding;
  bind_text(row, 1, segment);
  std::vector<block_facts> found;
  int step = ::sqlite3_step(row);
  for (; step == SQLITE_ROW; step = ::sqlite3_step(row)) {
    block_facts& block = found.emplace_back();
    block.offset = static_cast<std::uint64_t>(::sqlite3_column_int64(row, 0));
    block.bytes = static_cast<std::uint64_t>(::sqlite3_column_int64(row, 1));
    block.lines = static_cast<std::uint64_t>(::sqlite3_column_int64(row, 2));
    block.first_us = ::sqlite3_column_int64(row, 3);
    block.last_us = ::sqlite3_column_int64(row, 4);
    block.seconds = ::sqlite3_column_double(row, 5);
    block.anything = ::sqlite3_column_type(row, 6) == SQLITE_NULL;
    block.keys = keys_of(::sqlite3_column_blob(row, 6), ::sqlite3_column_bytes(row, 6));
  }
  auto answer = step == SQLITE_DONE ? result<std::vector<block_facts>>(std::move(found))
                                    : result<std::vector<block_facts>>(fail(failure("cannot read")));
  ::sqlite3_reset(row);
  return answer;
}

result<std::vector<std::string>> index_store::find_statements(std::string_view words) {
  auto finding = prepared(find_statements_,
                          "SELECT fingerprint FROM statements WHERE instr(lower(normalised), lower(?1)) > 0");
  if (!finding) return fail(finding.error());
  bind_text(*finding, 1, words);
  std::vector<std::string> found;
  int step = ::sqlite3_step(*finding);
  for (; step == SQLITE_ROW; step = ::sqlite3_step(*finding)) {
    const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(*finding, 0));
    found.emplace_back(text == nullptr ? "" : text);
  }
  auto answer = step == SQLITE_DONE ? result<std::vector<std::string>>(std::move(found))
                                    : result<std::vector<std::string>>(fail(failure("cannot read")));
  ::sqlite3_reset(*finding);
  return answer;
}

}  // namespace trunkline::audit
