#include "grants/sqlite_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "grants/test_support.h"

namespace trunkline::grants {
namespace {

using testing::HasSubstr;

record draft(const std::string& principal) {
  record made;
  made.what = {
      .principal = principal, .policy = "p", .terms = "t", .route = "r", .database = "d", .user = "u"};
  made.asked = wall_time(std::chrono::milliseconds(5));
  made.rule.any_of = {"dba", "leads"};
  made.approvals = {
      {.by = "bob", .when = wall_time(std::chrono::milliseconds(7)), .reason = "why", .as = {"dba"}}};
  made.over = wall_time(std::chrono::milliseconds(9));
  made.gateways = {"g"};
  return made;
}

std::unique_ptr<sqlite_store> opened(const std::string& path, std::size_t most = limits::access_store_bytes) {
  auto made = sqlite_store::open(path, most);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  ::chmod(path.c_str(), 0600);
}

std::string problem_of(const std::string& path) {
  auto made = sqlite_store::open(path);
  return made ? "" : made.error().message;
}

TEST(sqlite_store, gives_back_what_it_was_given) {
  const store_file file;
  auto store = opened(file.path());
  auto made = store->create(draft("alice"));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->id, 1);
  store.reset();
  store = opened(file.path());
  EXPECT_EQ(store->find(1)->value(), *made);
  EXPECT_EQ(store->find_live(made->what)->value(), *made);
  EXPECT_EQ(store->find(2)->has_value(), false);
}

TEST(sqlite_store, has_one_live_record_of_a_subject) {
  const store_file file;
  const auto store = opened(file.path());
  auto made = store->create(draft("alice"));
  const auto twice = store->create(draft("alice"));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().what, store_failure::kind::conflict);
  made->now = state::denied;
  ASSERT_EQ(store->update({*made})->size(), 1u);
  EXPECT_TRUE(store->create(draft("alice")));
}

TEST(sqlite_store, does_not_overwrite_what_somebody_else_has_written) {
  const store_file file;
  const auto store = opened(file.path());
  const auto other = opened(file.path());
  const auto made = store->create(draft("alice"));
  record theirs = *made;
  theirs.reason = "theirs";
  ASSERT_EQ(other->update({theirs})->size(), 1u);
  record ours = *made;
  ours.reason = "ours";
  EXPECT_EQ(store->update({ours})->size(), 0u);
  EXPECT_EQ(store->find(made->id)->value().reason, "theirs");
}

TEST(sqlite_store, names_of_subjects_cannot_be_shifted_into_each_other) {
  const store_file file;
  const auto store = opened(file.path());
  record one = draft("a");
  one.what.policy = "bc";
  record other = draft("ab");
  other.what.policy = "c";
  ASSERT_TRUE(store->create(one));
  EXPECT_TRUE(store->create(other));
}

TEST(sqlite_store, a_text_that_is_no_utf8_is_kept_as_one_that_is) {
  const store_file file;
  auto store = opened(file.path());
  record made = draft("alice");
  made.reason = "a\xff\xfe";
  const auto stored = store->create(made);
  ASSERT_TRUE(stored);
  EXPECT_THAT(store->find(stored->id)->value().reason, HasSubstr("a"));
}

TEST(sqlite_store, full_is_an_answer_and_what_was_there_stays) {
  const store_file file;
  const auto store = opened(file.path(), 64 * 1024);
  record made = draft("alice");
  made.reason = std::string(1'000, 'x');
  std::size_t written = 0;
  for (;; ++written) {
    made.what.principal = "alice" + std::to_string(written);
    const auto stored = store->create(made);
    if (stored) continue;
    EXPECT_EQ(stored.error().what, store_failure::kind::full) << stored.error().message;
    break;
  }
  EXPECT_GT(written, 5u);
  EXPECT_EQ(store->live()->size(), written);
}

TEST(sqlite_store, forgets_what_ended_long_ago_and_too_many) {
  const store_file file;
  const auto store = opened(file.path());
  for (int i = 0; i < 10; ++i) {
    auto made = store->create(draft("alice" + std::to_string(i)));
    if (i < 6) made->now = state::denied;
    made->over = wall_time(std::chrono::milliseconds(i));
    ASSERT_TRUE(store->update({*made}));
  }
  EXPECT_EQ(store->forget(wall_time(std::chrono::milliseconds(3)), 100).value(), 3u);
  EXPECT_EQ(store->forget(wall_time{}, 5).value(), 2u);
  EXPECT_EQ(store->live()->size(), 4u);
}

TEST(sqlite_store, refuses_files_that_are_not_its_own) {
  const store_file file;
  write_file(file.path(), "this is a text, and a rather long one, so that it is no empty database at all");
  EXPECT_THAT(problem_of(file.path()), HasSubstr("file is not a database"));
  std::filesystem::remove(file.path());
  ::mkdir(file.path().c_str(), 0700);
  EXPECT_NE(problem_of(file.path()), "");
  EXPECT_THAT(problem_of(file.folder() + "/no/such/file"), HasSubstr("No such file"));
}

TEST(sqlite_store, refuses_a_file_that_others_may_write) {
  const store_file file;
  opened(file.path());
  ::chmod(file.path().c_str(), 0660);
  EXPECT_THAT(problem_of(file.path()), HasSubstr("chmod go-w"));
}

TEST(sqlite_store, refuses_a_link) {
  const store_file file;
  std::filesystem::create_symlink(file.folder() + "/other", file.path());
  EXPECT_THAT(problem_of(file.path()), HasSubstr("symbolic link"));
}

TEST(sqlite_store, refuses_a_damaged_file) {
  const store_file file;
  {
    const auto store = opened(file.path());
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(store->create(draft("alice" + std::to_string(i))));
  }
  std::fstream open(file.path(), std::ios::in | std::ios::out | std::ios::binary);
  open.seekp(4096 * 3);
  for (int i = 0; i < 4096 * 8; ++i)
    open.put('\x5a');
  open.close();
  EXPECT_THAT(problem_of(file.path()), HasSubstr("damaged"));
}

TEST(sqlite_store, is_readable_for_its_owner_only) {
  const store_file file;
  opened(file.path());
  struct stat about{};
  ASSERT_EQ(::stat(file.path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST(record, is_none_where_a_part_is_missing) {
  EXPECT_FALSE(record_of("{}"));
  EXPECT_FALSE(record_of("[1]"));
  EXPECT_FALSE(record_of("{\"id\":1"));
  std::string text = to_text(draft("alice"));
  EXPECT_TRUE(record_of(text));
  text.replace(text.find("\"open\""), 6, "\"oben\"");
  EXPECT_FALSE(record_of(text));
}

}  // namespace
}  // namespace trunkline::grants
