// The file sink on a disk that fails at each call in turn, and what a kill leaves behind.
#include "audit/file_sink.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include <nlohmann/json.hpp>

#include "audit/test_support.h"
#include "audit/verify.h"
#include "base/limits.h"

namespace trunkline::audit {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using time_point = line_sink::time_point;

enum class call { create, write, truncate, sync_data, sync };

/// The real disk, but for the calls that it is told to fail.
class failing_io final : public file_io {
 public:
  int code = ENOSPC;
  std::size_t partly = 0;  ///< so much of a failing write goes in
  std::function<bool(call)> fails = [](call) { return false; };
  std::vector<call> seen;

  void fail_nth(std::size_t nth) {
    fails = [this, nth, begin = seen.size()](call) { return seen.size() - begin == nth; };
  }
  void heal() {
    fails = [](call) { return false; };
  }

  int create(int folder, const std::string& name, runtime::unique_fd& file) override {
    return refuse(call::create) ? code : file_io::create(folder, name, file);
  }
  int write(int file, std::string_view bytes, std::size_t& written) override {
    if (!refuse(call::write)) return file_io::write(file, bytes, written);
    EXPECT_EQ(file_io::write(file, bytes.substr(0, partly), written), 0);
    return code;
  }
  int truncate(int file, std::uint64_t size) override {
    return refuse(call::truncate) ? code : file_io::truncate(file, size);
  }
  int sync_data(int file) override { return refuse(call::sync_data) ? code : file_io::sync_data(file); }
  int sync(int folder) override { return refuse(call::sync) ? code : file_io::sync(folder); }

 private:
  bool refuse(call which) {
    seen.push_back(which);
    return fails(which);
  }
};

class FileSink : public testing::Test {
 protected:
  FileSink() {
    how.path = folder.path();
    how.segment_age = std::chrono::milliseconds{0};
  }

  void open() {
    auto opened = file_sink::open(how, "host", disk);
    ASSERT_TRUE(opened) << opened.error().message;
    sink = std::move(*opened);
  }
  void add(int count = 1) {
    sink->begin_batch(now, false);
    for (; count > 0; --count) {
      const std::string body = R"("time":"t","event":"exchange","number":)" + std::to_string(added++);
      sink->add(body, {.event = "exchange"});
    }
  }
  bool commit() { return sink->commit(now); }
  /// Behind the time for which a failed sink is left alone.
  bool retry() {
    now += limits::audit_sink_retry;
    return commit();
  }
  void close() {
    if (sink) sink->end();
    sink.reset();
  }
  std::vector<json> lines() const {
    std::vector<json> all;
    for (const std::string& name : test::segments_in(folder.path())) {
      for (const std::string& line : test::lines_of(test::content_of(name)))
        all.push_back(json::parse(line, nullptr, false));
    }
    return all;
  }
  std::vector<int> numbers() const {
    std::vector<int> all;
    for (const json& line : lines())
      if (line.is_object() && line.contains("number")) all.push_back(line["number"]);
    return all;
  }
  std::vector<json> starts() const {
    std::vector<json> all;
    for (json& line : lines())
      if (line.value("event", "") == "segment.start") all.push_back(std::move(line));
    return all;
  }
  verify_report check(bool removed_before = false) {
    found.clear();
    const auto report = verify(folder.path(), removed_before, [&](const verify_finding& one) {
      if (one.wrong) found += one.segment + ':' + std::to_string(one.line) + ": " + one.what + '\n';
    });
    EXPECT_TRUE(report);
    return report ? *report : verify_report{};
  }
  /// Each line once, in order, and a chain that holds.
  void expect_whole() {
    std::vector<int> expected;
    for (int i = 0; i < added; ++i)
      expected.push_back(i);
    EXPECT_EQ(numbers(), expected);
    EXPECT_EQ(check().findings, 0u) << found;
  }

  test::scratch_folder folder;
  config::audit_sink how;
  failing_io disk;
  std::unique_ptr<file_sink> sink;
  time_point now = std::chrono::steady_clock::now();
  int added = 0;
  std::string found;
};

TEST_F(FileSink, WhicheverCallFailsNoLineIsLostOrDoubled) {
  how.segment_bytes = 1;  // each commit rotates: write, segment.end, segment.start
  for (const int code : {ENOSPC, EIO, EROFS}) {
    for (const std::size_t partly : {0u, 1u, 100u}) {
      disk.code = code;
      disk.partly = partly;
      ASSERT_NO_FATAL_FAILURE(open());
      std::size_t failures = 0;
      for (std::size_t nth = 1; nth <= 9; ++nth) {
        disk.fail_nth(nth);
        add(3);
        const bool done = commit();
        failures += done ? 0 : 1;
        EXPECT_EQ(sink->failed(), !done);
        EXPECT_EQ(sink->problem().empty(), done) << sink->problem();
        disk.heal();
        ASSERT_TRUE(retry()) << sink->problem();
      }
      EXPECT_EQ(failures, 8u)
          << "write and sync of the batch, of segment.end, create, write, sync, sync of the "
             "folder; giving back what was reserved may fail";
      close();
      expect_whole();
    }
  }
}

TEST_F(FileSink, GivesBackWhatItReserved) {
  const auto taken = [](const std::string& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_blocks * 512;
  };
  open();
  add();
  ASSERT_TRUE(commit());
  sink.reset();  // as if killed
  open();
  add();
  ASSERT_TRUE(commit());
  close();
  ASSERT_EQ(test::segments_in(folder.path()).size(), 2u);
  for (const std::string& name : test::segments_in(folder.path()))
    EXPECT_LE(taken(name), 64 * 1024) << name;
  expect_whole();
}

TEST_F(FileSink, CutsATornWriteOffAsSoonAsTheDiskLetsIt) {
  open();
  disk.partly = 40;
  disk.fails = [](call which) { return which == call::write || which == call::truncate; };
  add(2);
  EXPECT_FALSE(commit());
  EXPECT_EQ(lines().back().is_discarded(), true) << "torn";
  disk.fails = [](call which) { return which == call::truncate; };
  EXPECT_FALSE(retry()) << "nothing is written behind what is torn";
  EXPECT_NE(sink->problem().find("cut a torn write off"), std::string::npos) << sink->problem();
  disk.heal();
  EXPECT_TRUE(retry()) << sink->problem();
  close();
  expect_whole();
}

TEST_F(FileSink, TriesNoMoreOftenThanItShould) {
  open();
  disk.fails = [](call) { return true; };
  add();
  EXPECT_FALSE(commit());
  const std::size_t calls = disk.seen.size();
  now += limits::audit_sink_retry - std::chrono::milliseconds{1};
  EXPECT_FALSE(commit());
  EXPECT_EQ(disk.seen.size(), calls);
}

TEST_F(FileSink, AFirstSegmentThatCannotBeBegunIsRefusedAndLeavesNothing) {
  for (std::size_t nth = 1; nth <= 4; ++nth) {  // create, write, sync, sync of the folder
    disk.fail_nth(nth);
    const auto opened = file_sink::open(how, "host", disk);
    ASSERT_FALSE(opened) << nth;
    EXPECT_NE(opened.error().message.find(error_text(ENOSPC)), std::string::npos) << opened.error().message;
    EXPECT_TRUE(test::segments_in(folder.path()).empty()) << nth;
  }
  disk.heal();
  open();
  add();
  EXPECT_TRUE(commit());
  close();
  expect_whole();
}

TEST_F(FileSink, BetweenTwoSegmentsItWaitsAndGoesOn) {
  how.segment_bytes = 1;
  open();
  add();
  disk.fails = [](call which) { return which == call::create; };
  EXPECT_FALSE(commit());
  EXPECT_EQ(lines().back()["event"], "segment.end");
  add();
  EXPECT_FALSE(retry());
  disk.heal();
  EXPECT_TRUE(retry());
  close();
  const auto begun = starts();
  ASSERT_GE(begun.size(), 2u);
  EXPECT_EQ(begun[1]["reason"], "rotated");
  EXPECT_EQ(begun[1]["previous"], begun[0]["segment"]);
  expect_whole();
}

TEST_F(FileSink, KilledBetweenTwoSegmentsTheChainGoesOn) {
  how.segment_bytes = 1;
  open();
  add();
  disk.fails = [](call which) { return which == call::create; };
  EXPECT_FALSE(commit());
  sink.reset();
  disk.heal();
  open();
  add();
  EXPECT_TRUE(commit());
  close();
  EXPECT_EQ(starts()[1]["reason"], "start") << "nothing was lost";
  expect_whole();
}

TEST_F(FileSink, BeginsANewSegmentBySize) {
  how.segment_bytes = 2'000;
  open();
  for (int i = 0; i < 60; ++i) {
    add();
    ASSERT_TRUE(commit());
  }
  close();
  const auto segments = test::segments_in(folder.path());
  EXPECT_GT(segments.size(), 4u);
  for (const std::string& one : segments)
    EXPECT_LT(fs::file_size(one), 3'000u);
  expect_whole();
}

TEST_F(FileSink, BeginsANewSegmentByAgeButNoneForNothing) {
  how.segment_age = std::chrono::hours{1};
  open();
  EXPECT_FALSE(sink->deadline());
  now += std::chrono::hours{2};
  EXPECT_TRUE(commit());
  EXPECT_EQ(test::segments_in(folder.path()).size(), 1u) << "no event, no rotation";
  now -= std::chrono::hours{2};
  add();
  EXPECT_TRUE(commit() && sink->deadline());
  now = *sink->deadline();
  EXPECT_TRUE(commit());
  EXPECT_EQ(test::segments_in(folder.path()).size(), 2u);
  EXPECT_FALSE(sink->deadline());
  close();
  expect_whole();
}

TEST_F(FileSink, HasNoDeadlineWhileItFails) {
  how.segment_age = std::chrono::hours{1};
  open();
  add();
  EXPECT_TRUE(commit());
  now = *sink->deadline();
  disk.fails = [](call) { return true; };
  EXPECT_FALSE(commit());
  EXPECT_FALSE(sink->deadline()) << "it is over, and whoever sleeps until then never sleeps";
}

TEST_F(FileSink, ASegmentThatIsRemovedTakesNothingOfTheBatchWithIt) {
  open();
  add(2);
  EXPECT_TRUE(commit());
  fs::remove(test::segments_in(folder.path()).front());
  add(2);
  EXPECT_TRUE(commit()) << sink->problem();
  close();
  EXPECT_EQ(numbers(), (std::vector{2, 3}));
  EXPECT_EQ(starts().front()["reason"], "recovered");
  EXPECT_EQ(check(true).findings, 0u) << found;
  EXPECT_EQ(check(false).findings, 1u) << "and what went is missed";
}

TEST_F(FileSink, AKillAtAnyByteOfTheLastTwoLinesLosesNoWholeLine) {
  open();
  add(3);
  ASSERT_TRUE(commit());
  const std::string name = fs::path(test::segments_in(folder.path()).front()).filename();
  const std::string whole = test::content_of(folder / name);
  sink.reset();
  const std::size_t second = whole.rfind('\n', whole.size() - 2) + 1;
  const std::size_t first = whole.rfind('\n', second - 2) + 1;
  for (std::size_t size = first; size <= whole.size(); ++size) {
    fs::remove_all(folder.path());
    fs::create_directory(folder.path());
    std::ofstream(folder / name, std::ios::binary) << whole.substr(0, size);
    ASSERT_NO_FATAL_FAILURE(open()) << size;
    close();
    const std::size_t kept = size == whole.size() ? size : size >= second ? second : first;
    ASSERT_EQ(test::content_of(folder / name), whole.substr(0, kept)) << size;
    ASSERT_EQ(fs::exists(folder / (name + ".torn")), size != kept);
    ASSERT_EQ(test::content_of(folder / (name + ".torn")), whole.substr(kept, size - kept));
    const json start = starts().at(1);
    ASSERT_EQ(start["reason"], "recovered");
    ASSERT_EQ(start["previous"], name);
    ASSERT_EQ(start.value("tornBytes", std::size_t{0}), size - kept);
    const auto report = check();
    ASSERT_EQ(report.findings, 0u) << size << found;
    ASSERT_EQ(report.recovered, 1u);
  }
}

TEST_F(FileSink, AKillInAFirstLineGoesOnFromTheSegmentBefore) {
  open();
  add();
  ASSERT_TRUE(commit());
  close();
  open();
  const std::string newest = test::segments_in(folder.path()).back();
  sink.reset();
  for (const std::size_t size : {0u, 1u, 60u, 200u}) {
    fs::resize_file(newest, size);
    ASSERT_NO_FATAL_FAILURE(open()) << size;
    EXPECT_EQ(starts().back()["reason"], "recovered");
    EXPECT_EQ(starts().back().value("tornBytes", std::size_t{0}), size);
    EXPECT_EQ(check().findings, 0u) << found;
    const std::string made = test::segments_in(folder.path()).back();
    sink.reset();
    if (made != newest) fs::rename(made, newest);
  }
}

}  // namespace
}  // namespace trunkline::audit
