#include "grants/sqlite_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

#include "grants/store_file.h"

namespace trunkline::grants {

namespace {

/// "TLac", so that no other program's file is taken for ours.
constexpr std::int64_t application = 0x544c6163;
constexpr std::int64_t schema_version = 1;

constexpr const char* tables =
    "CREATE TABLE records (id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL UNIQUE,"
    " live INTEGER NOT NULL, key TEXT NOT NULL, ended INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE UNIQUE INDEX records_live ON records (key) WHERE live = 1;"
    "CREATE INDEX records_ended ON records (ended) WHERE live = 0;"
    "CREATE TABLE counter (version INTEGER NOT NULL);"
    "INSERT INTO counter VALUES (0);"
    "CREATE TABLE gateways (name TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;";

store_failure::kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return store_failure::kind::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return store_failure::kind::busy;
    case SQLITE_FULL:
      return store_failure::kind::full;
    default:
      return code == SQLITE_IOERR_WRITE ? store_failure::kind::full : store_failure::kind::broken;
  }
}

}  // namespace

/// One prepared statement, for one use. A failure to prepare shows when it is stepped.
class sqlite_store::statement {
 public:
  statement(sqlite3* db, std::string_view sql) {
    code_ = ::sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr);
  }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;
  ~statement() { ::sqlite3_finalize(handle_); }

  statement& bind(std::int64_t value) {
    if (handle_ != nullptr) ::sqlite3_bind_int64(handle_, ++bound_, value);
    return *this;
  }
  /// `text` stays until the statement has run.
  statement& bind(std::string_view text) {
    if (handle_ != nullptr)
      ::sqlite3_bind_text(handle_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  /// SQLITE_ROW, SQLITE_DONE or an error.
  int step() { return handle_ == nullptr ? code_ : ::sqlite3_step(handle_); }
  std::int64_t number(int column) const { return ::sqlite3_column_int64(handle_, column); }
  std::string_view text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(::sqlite3_column_text(handle_, column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(::sqlite3_column_bytes(handle_, column))};
  }

 private:
  sqlite3_stmt* handle_ = nullptr;
  int code_ = 0;
  int bound_ = 0;
};

/// Undone where it is not committed.
class sqlite_store::transaction {
 public:
  explicit transaction(sqlite_store& of) : of_(of) {}
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction() {
    if (open_) ::sqlite3_exec(of_.db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  stored<> begin() {
    auto began = of_.run("BEGIN IMMEDIATE");
    open_ = began.has_value();
    return began;
  }
  stored<> commit() {
    auto done = of_.run("COMMIT");
    // Some failures have rolled it back already.
    if (done || ::sqlite3_get_autocommit(of_.db_) != 0) open_ = false;
    return done;
  }

 private:
  sqlite_store& of_;
  bool open_ = false;
};

result<std::unique_ptr<sqlite_store>> sqlite_store::open(const std::string& path, std::size_t most_bytes) {
  if (auto ready = prepare_store_file(path); !ready) return fail(ready.error());
  std::unique_ptr<sqlite_store> made(new sqlite_store(path));
  if (auto connected = made->connect(most_bytes); !connected) return fail(connected.error());
  if (auto sound = made->check(); !sound) return fail(sound.error());
  return made;
}

sqlite_store::~sqlite_store() {
  ::sqlite3_close(db_);
}

error sqlite_store::said(const std::string& doing) const {
  const char* what = db_ == nullptr ? "no memory" : ::sqlite3_errmsg(db_);
  return {.message = fmt::format("access.store: {}: {}: {}", path_, doing, what)};
}

store_failure sqlite_store::failure() const {
  return {.what = kind_of(::sqlite3_extended_errcode(db_)),
          .message = fmt::format("{}: {}", path_, ::sqlite3_errmsg(db_))};
}

stored<> sqlite_store::run(const char* sql) {
  if (::sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return std::unexpected(failure());
  return {};
}

stored<std::int64_t> sqlite_store::number(const char* sql) {
  statement asked(db_, sql);
  if (asked.step() != SQLITE_ROW) return std::unexpected(failure());
  return asked.number(0);
}

result<> sqlite_store::connect(std::size_t most_bytes) {
  constexpr int how = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  if (::sqlite3_open_v2(path_.c_str(), &db_, how, nullptr) != SQLITE_OK)
    return fail(said("cannot be opened"));
  ::sqlite3_extended_result_codes(db_, 1);
  ::sqlite3_busy_timeout(db_, static_cast<int>(limits::access_store_busy.count()));
  statement mode(db_, "PRAGMA journal_mode = WAL");
  if (mode.step() != SQLITE_ROW) return fail(said("cannot be used"));
  if (mode.text(0) != "wal") return fail(said("its file system does not allow a write-ahead log"));
  if (!run("PRAGMA synchronous = FULL")) return fail(said("cannot be used"));
  const auto page = number("PRAGMA page_size");
  if (!page) return fail(said("cannot be used"));
  const std::string bound =
      fmt::format("PRAGMA max_page_count = {}", most_bytes / static_cast<std::size_t>(*page));
  if (!run(bound.c_str())) return fail(said("cannot be used"));
  return {};
}

result<> sqlite_store::check() {
  {
    statement checked(db_, "PRAGMA integrity_check(1)");
    if (checked.step() != SQLITE_ROW) return fail(said("is damaged"));
    if (checked.text(0) != "ok")
      return fail({.message = fmt::format("access.store: {}: is damaged: {}", path_, checked.text(0))});
  }
  if (auto made = make_schema(); !made) return made;
  const auto records = live();
  if (!records)
    return fail({.message = fmt::format("access.store: {}: is damaged: {}", path_, records.error().message)});
  return {};
}

/// In one transaction, so that of two gateways that start at once one makes it.
result<> sqlite_store::make_schema() {
  transaction all(*this);
  if (!all.begin()) return fail(said("cannot be written"));
  const auto whose = number("PRAGMA application_id");
  const auto version = number("PRAGMA user_version");
  const auto objects = number("SELECT count(*) FROM sqlite_schema");
  if (!whose || !version || !objects) return fail(said("cannot be read"));
  if (*whose != application && (*whose != 0 || *objects != 0))
    return fail({.message = fmt::format("access.store: {}: belongs to another program", path_)});
  if (*whose == application && *version != schema_version)
    return fail({.message = fmt::format("access.store: {}: was written by another version of the gateway "
                                        "(schema {}, expected {})",
                                        path_, *version, schema_version)});
  if (*whose == application) return {};
  const std::string ours =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application, schema_version);
  if (!run(tables) || !run(ours.c_str()) || !all.commit()) return fail(said("cannot be written"));
  return {};
}

stored<std::vector<record>> sqlite_store::read(statement& from) {
  std::vector<record> made;
  int step = from.step();
  for (; step == SQLITE_ROW; step = from.step()) {
    auto one = record_of(from.text(2));
    if (!one)
      return std::unexpected(
          store_failure{.message = fmt::format("{}: record {} cannot be read", path_, from.number(0))});
    one->id = from.number(0);
    one->version = from.number(1);
    made.push_back(std::move(*one));
  }
  if (step != SQLITE_DONE) return std::unexpected(failure());
  return made;
}

stored<std::int64_t> sqlite_store::next_version() {
  if (auto counted = run("UPDATE counter SET version = version + 1"); !counted)
    return std::unexpected(counted.error());
  return number("SELECT version FROM counter");
}

stored<record> sqlite_store::create(record draft) {
  transaction all(*this);
  if (auto began = all.begin(); !began) return std::unexpected(began.error());
  const auto version = next_version();
  if (!version) return std::unexpected(version.error());
  draft.version = *version;
  const std::string key = draft.what.key();
  {
    statement added(db_, "INSERT INTO records (version, live, key, ended, body) VALUES (?, 1, ?, 0, '')");
    if (added.bind(draft.version).bind(key).step() != SQLITE_DONE) return std::unexpected(failure());
  }
  draft.id = ::sqlite3_last_insert_rowid(db_);
  if (auto written = write(draft); !written) return std::unexpected(written.error());
  if (auto done = all.commit(); !done) return std::unexpected(done.error());
  return draft;
}

/// Its number and version are those of a row that is there.
stored<> sqlite_store::write(record& what) {
  const std::string body = to_text(what);
  statement put(db_, "UPDATE records SET live = ?, ended = ?, body = ? WHERE id = ?");
  put.bind(is_live(what.now) ? 1 : 0).bind(what.over ? millis(*what.over) : 0).bind(body).bind(what.id);
  if (put.step() != SQLITE_DONE) return std::unexpected(failure());
  return {};
}

stored<std::vector<record>> sqlite_store::update(std::vector<record> changed) {
  transaction all(*this);
  if (auto began = all.begin(); !began) return std::unexpected(began.error());
  std::vector<record> written;
  for (record& each : changed) {
    const auto version = next_version();
    if (!version) return std::unexpected(version.error());
    statement claim(db_, "UPDATE records SET version = ? WHERE id = ? AND version = ?");
    if (claim.bind(*version).bind(each.id).bind(each.version).step() != SQLITE_DONE)
      return std::unexpected(failure());
    if (::sqlite3_changes(db_) == 0) continue;
    each.version = *version;
    if (auto put = write(each); !put) return std::unexpected(put.error());
    written.push_back(std::move(each));
  }
  if (auto done = all.commit(); !done) return std::unexpected(done.error());
  return written;
}

stored<std::optional<record>> sqlite_store::find(std::int64_t id) {
  statement asked(db_, "SELECT id, version, body FROM records WHERE id = ?");
  auto found = read(asked.bind(id));
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

stored<std::optional<record>> sqlite_store::find_live(const subject& what) {
  const std::string key = what.key();
  statement asked(db_, "SELECT id, version, body FROM records WHERE live = 1 AND key = ?");
  auto found = read(asked.bind(key));
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

stored<std::vector<record>> sqlite_store::live() {
  statement asked(db_, "SELECT id, version, body FROM records WHERE live = 1 ORDER BY id");
  return read(asked);
}

stored<std::vector<record>> sqlite_store::changed_since(std::int64_t version, std::size_t most) {
  statement asked(db_, "SELECT id, version, body FROM records WHERE version > ? ORDER BY version LIMIT ?");
  return read(asked.bind(version).bind(static_cast<std::int64_t>(most)));
}

stored<std::vector<record>> sqlite_store::latest(std::size_t most) {
  statement asked(db_, "SELECT id, version, body FROM records ORDER BY id DESC LIMIT ?");
  return read(asked.bind(static_cast<std::int64_t>(most)));
}

stored<std::size_t> sqlite_store::forget(wall_time before, std::size_t most) {
  statement gone(
      db_, "DELETE FROM records WHERE live = 0 AND (ended < ? OR id <= (SELECT max(id) FROM records) - ?)");
  if (gone.bind(millis(before)).bind(static_cast<std::int64_t>(most)).step() != SQLITE_DONE)
    return std::unexpected(failure());
  const auto count = static_cast<std::size_t>(::sqlite3_changes(db_));
  statement silent(db_, "DELETE FROM gateways WHERE until < ?");
  if (silent.bind(millis(before)).step() != SQLITE_DONE) return std::unexpected(failure());
  return count;
}

stored<> sqlite_store::tell_alive(const std::string& gateway, wall_time until) {
  statement told(
      db_, "INSERT INTO gateways VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET until = excluded.until");
  if (told.bind(gateway).bind(millis(until)).step() != SQLITE_DONE) return std::unexpected(failure());
  return {};
}

stored<std::set<std::string>> sqlite_store::alive(wall_time now) {
  statement asked(db_, "SELECT name FROM gateways WHERE until > ?");
  asked.bind(millis(now));
  std::set<std::string> made;
  int step = asked.step();
  for (; step == SQLITE_ROW; step = asked.step())
    made.emplace(asked.text(0));
  if (step != SQLITE_DONE) return std::unexpected(failure());
  return made;
}

}  // namespace trunkline::grants
