#include "script.h"

#include <array>
#include <optional>
#include <random>
#include <span>
#include <string_view>

#include "protocol/query_messages.h"

namespace trunkline::conformance {

using namespace protocol;

// v: a COPY into it fails behind CopyInResponse, before a byte is read; so does b, by a trigger. d: its
// transaction fails when it commits.
const char* const session_setup =
    "create temp table t (i int); create temp view v as select 1 as i;"
    "create temp table d (i int unique deferrable initially deferred); create temp table b (i int);"
    "create function pg_temp.boom() returns trigger language plpgsql as 'begin raise exception ''boom''; "
    "end';"
    "create trigger boom before insert on b for each statement execute function pg_temp.boom()";
const char* const session_cleanup = "rollback; reset all; deallocate all; close all; unlisten *";

namespace {

/// K stands for a number that is new in each statement.
constexpr std::array simple_statements{"select K",
                                       "select K",
                                       "select K",
                                       "select K; select K",
                                       "",
                                       " ; ",
                                       "select K where false",
                                       "selec K",
                                       "select 1/0",
                                       "select K; select 1/0; select K",
                                       "begin",
                                       "commit",
                                       "rollback",
                                       "begin; select K; commit",
                                       "begin; select 1/0",
                                       "savepoint a",
                                       "rollback to a",
                                       "insert into t values (K)",
                                       "insert into d values (1), (1)",
                                       "begin; insert into d values (1), (1); commit; select K",
                                       "select generate_series(1, 3000)",
                                       "copy t to stdout",
                                       "copy (select K) to stdout; select K",
                                       "copy t to stdout (format binary)",
                                       "listen c; notify c",
                                       "notify c, 'K'",
                                       "set application_name = 'nK'",
                                       "set datestyle = 'ISO, DMY'",
                                       "do $$begin raise notice 'K'; end$$",
                                       "declare h cursor with hold for select K",
                                       "fetch h",
                                       "vacuum t",
                                       "prepare pK as select K; execute pK",
                                       "select pg_cancel_backend(pg_backend_pid())",

                                       "explain select K"};
constexpr std::array simple_copies{"copy t from stdin",
                                   "copy t from stdin",
                                   "copy t from stdin; copy t from stdin; select K",
                                   "select K; copy t from stdin",
                                   "copy v from stdin",
                                   "copy b from stdin",
                                   "copy t from stdin (format binary)",
                                   "copy t from stdin (freeze)"};
constexpr std::array prepared_statements{"select K",
                                         "select K",
                                         "select K",
                                         "select generate_series(1, 4)",
                                         "select $1::int",
                                         "",
                                         "selec",
                                         "select 1/0",
                                         "begin",
                                         "commit",
                                         "rollback",
                                         "insert into t values (K) returning i",
                                         "insert into d values (1), (1)",
                                         "copy t to stdout",
                                         "copy (select generate_series(1, 2000)) to stdout",
                                         "set application_name = 'eK'",
                                         "do $$begin raise notice 'K'; end$$",
                                         "select pg_cancel_backend(pg_backend_pid())",
                                         "listen c",
                                         "notify c",
                                         "explain select K",

                                         "select 1; select 2"};
constexpr std::array prepared_copies{"copy t from stdin", "copy t from stdin",
                                     "copy t from stdin", "copy v from stdin",
                                     "copy b from stdin", "copy t from stdin (format binary)"};
/// Not beside a COPY: whether it had read a Sync when the time was up depends on the moment.
constexpr std::array slow_statements{"set statement_timeout = 3", "select pg_sleep(0.005)",
                                     "select pg_sleep(0.001)"};
constexpr std::array copy_lines{"1\n", "2\n3\n4\n", "4", "\n", "x\n", "\\.\n", "7\t8\n", "\\N\n"};

class writer {
 public:
  explicit writer(std::uint64_t seed) : random_(seed), slow_(one_in(8)) {}

  script write() {
    for (std::uint64_t parts = 1 + below(8); parts != 0; --parts)
      part();
    return std::move(made_);
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class Array>
  std::string pick(const Array& from) {
    return from[below(from.size())];
  }

  void part() {
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return query(pick(simple_statements));
      case 4:
      case 5:
        return simple_copy();
      case 6:
      case 7:
      case 8:
        return batch();
      case 9:
      case 10:
        return prepared_copy();
      case 11:
        return function_call();
      case 12:
      case 13:
        return loose();
      case 14:
        return malformed();
      default:
        return one_in(6) ? last_words() : pipeline();
    }
  }

  /// Fills K in. Where every row of the statement holds it, it is the value to look for.
  std::string numbered(std::string sql) {
    const std::string number = std::to_string(1'000'000 + below(1'000'000));
    const bool rows = sql.find("select K") != std::string::npos && !sql.starts_with("explain") &&
                      !sql.starts_with("declare") && !sql.starts_with("prepare");
    for (std::size_t at = sql.find('K'); at != std::string::npos; at = sql.find('K', at))
      sql.replace(at, 1, number);
    value_ = rows ? number : "";
    return sql;
  }

  template <class Append>
  void add(Append&& append, std::string value = {}) {
    step made;
    append(made.message);
    made.value = std::move(value);
    const std::uint64_t dice = below(10);
    const bool answers_go_out = std::string_view{"QFSH"}.find(made.type()) != std::string_view::npos;
    made.then = dice < 6 ? pause::none : dice < 8 || !answers_go_out ? pause::write : pause::settle;
    made_.push_back(std::move(made));
  }

  void query(const std::string& sql) {
    const std::string text = numbered(sql);
    add([&](byte_buffer& out) { append_query(out, text); }, value_);
  }
  void sync() {
    end_unread_copy();
    add(append_sync);
  }
  /// A Sync behind data that may be bad would be the COPY's or not, as the server's buffers have it.
  void end_unread_copy() {
    if (copy_data_open_) add([](byte_buffer& out) { message_writer{out, 'f'}.text("enough"); });
    copy_data_open_ = false;
  }
  void flush() { add(append_flush); }

  void parse(const std::string& sql, const std::string& name) {
    const std::string text = numbered(sql);
    add([&](byte_buffer& out) { append_parse(out, name, text); });
  }
  void bind(const std::string& portal, const std::string& name, bool with_value) {
    const std::array<std::optional<std::string_view>, 1> one{"42"};
    const std::span<const std::optional<std::string_view>> values{one.data(), with_value ? 1u : 0u};
    add([&](byte_buffer& out) { append_bind(out, portal, name, values); });
  }
  void describe(describe_target what, const std::string& name) {
    add([&](byte_buffer& out) { append_describe(out, what, name); });
  }
  void execute(const std::string& portal, std::uint32_t limit, const std::string& value = {}) {
    add([&](byte_buffer& out) { append_execute(out, portal, limit); }, value);
  }
  void close(describe_target what, const std::string& name) {
    add([&](byte_buffer& out) { append_close(out, what, name); });
  }

  /// Parse to Execute of one statement, as a driver sends it, or with something left out.
  void statement(const std::string& sql) {
    const bool named = one_in(2);
    const std::string name = named ? "s" + std::to_string(++names_) : "";
    const std::string portal = named ? "p" + std::to_string(names_) : "";
    parse(sql, name);
    const std::string value =
        named ? value_ : "";  // an unnamed one may be an older one's when this one fails
    if (one_in(4)) describe(describe_target::statement, name);
    bind(portal, name, sql.find("$1") != std::string::npos);
    if (one_in(2)) describe(describe_target::portal, portal);
    if (one_in(4)) execute(portal, 1, value);
    execute(portal, one_in(4) ? 2 : 0, value);
    if (one_in(6)) flush();
    if (one_in(6)) close(describe_target::statement, name);
    if (one_in(6)) close(describe_target::portal, portal);
  }

  void batch() {
    for (std::uint64_t statements = 1 + below(3); statements != 0; --statements)
      statement(pick(prepared_statements));
    if (one_in(6)) query(pick(simple_statements));
    if (!one_in(8)) sync();
  }

  void pipeline() {
    for (std::uint64_t statements = 5 + below(30); statements != 0; --statements) {
      statement(one_in(10) ? pick(prepared_statements) : "select K");
      if (one_in(3)) sync();
    }
    sync();
  }

  void copy_data() {
    for (std::uint64_t lines = below(4); lines != 0; --lines) {
      const std::string line = one_in(6) ? pick(copy_lines) : "5\n";
      add([&](byte_buffer& out) { message_writer{out, 'd'}.bytes(as_bytes(line)); });
      copy_data_open_ = true;
    }
    if (one_in(4)) flush();
  }
  void copy_end() {
    if (one_in(8)) return;
    copy_data_open_ = false;
    if (one_in(4)) {
      add([](byte_buffer& out) { message_writer{out, 'f'}.text("enough"); });
    } else {
      add([](byte_buffer& out) { message_writer{out, 'c'}; });
    }
  }

  void simple_copy() {
    if (slow_) return query(pick(slow_statements));
    const std::string sql = pick(simple_copies);
    query(sql);
    if (one_in(6)) sync();
    for (int copies = sql.find("; copy") != std::string::npos ? 2 : 1; copies != 0; --copies) {
      copy_data();
      copy_end();
    }
  }

  void prepared_copy() {
    if (slow_) {
      statement(pick(slow_statements));
      return sync();
    }
    statement(pick(prepared_copies));
    for (std::uint64_t syncs = below(3); syncs != 0; --syncs)
      sync();
    copy_data();
    copy_end();
    if (!one_in(8)) sync();
  }

  void function_call() {
    const bool good = !one_in(3);
    add([&](byte_buffer& out) {  // int4pl(1, 2)
      message_writer{out, 'F'}.u32(good ? 177 : 1).u16(0).u16(2).u32(1).u8('1').u32(1).u8('2').u16(0);
    });
  }

  /// One message out of its place.
  void loose() {
    switch (below(8)) {
      case 0:
        return copy_data();
      case 1:
        return copy_end();
      case 2:
        return sync();
      case 3:
        return flush();
      case 4:
        return execute("nowhere", 0);
      case 5:
        return bind("", "nobody", false);
      case 6:
        return describe(describe_target::statement, "nobody");
      default:
        return close(describe_target::portal, "nowhere");
    }
  }

  /// A known type with a body that it cannot have.
  void malformed() {
    static constexpr std::string_view types{"QPBDECFSHcf"};
    const char type = types[below(types.size())];
    if (type == 'S' || type == 'H') end_unread_copy();
    const std::string_view body = one_in(2) ? std::string_view{"\0", 1} : std::string_view{"xyz"};
    add([&](byte_buffer& out) { message_writer{out, type}.bytes(as_bytes(body)); });
  }

  /// What ends the session.
  void last_words() {
    switch (below(4)) {
      case 0:
        return add(append_terminate);
      case 1:
        return query("select pg_terminate_backend(pg_backend_pid())");
      default:
        return add([&](byte_buffer& out) { message_writer{out, one_in(2) ? 'y' : 'p'}.text("?"); });
    }
  }

  std::mt19937_64 random_;
  script made_;
  std::string value_;
  int names_ = 0;
  bool slow_;                    // statements that time out, and no COPY
  bool copy_data_open_ = false;  // CopyData were sent, and no CopyDone behind them
};

}  // namespace

script random_script(std::uint64_t seed) {
  return writer(seed).write();
}

}  // namespace trunkline::conformance
