// A folder to which several processes write, as after a hand-over: each lane has a chain of its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "audit/archive.h"
#include "audit/file_sink.h"
#include "audit/segment_folder.h"
#include "audit/test_support.h"
#include "audit/verify.h"
#include "base/limits.h"

namespace trunkline::audit {
namespace {

TEST(SegmentName, NamesItsLane) {
  EXPECT_EQ(segment_name(0, 42), "audit-19700101T000000Z-000000000042.jsonl");
  EXPECT_EQ(segment_name(0, 42, 3), "audit-19700101T000000Z-000000000042-3.jsonl");
  const std::string name = segment_name(1'000'000, 42, 3);
  const auto id = segment_id_of(name);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->seq, 42u);
  EXPECT_EQ(id->lane, 3u);
  EXPECT_EQ(id->stamp, "19700101T000001Z");
}

TEST(SegmentName, OthersAreNone) {
  for (const char* other : {"audit-19700101T000000Z-000000000042-0.jsonl", "audit-19700101T000000Z-1-.jsonl",
                            "audit-19700101T000000Z-1-2-3.jsonl", "audit-19700101T000000Z-1-x.jsonl",
                            "audit-19700101T000000Z--1.jsonl", "audit-19700101T000000Z-1.jsonl.torn"})
    EXPECT_FALSE(segment_id_of(other)) << other;
}

class SegmentLanes : public testing::Test {
 protected:
  SegmentLanes() { how.path = folder.path(); }

  std::unique_ptr<file_sink> open(bool beside) {
    auto opened = file_sink::open(how, "host", file_io::real(), beside);
    return opened ? std::move(*opened) : nullptr;
  }
  void add(file_sink& sink, const std::string& word) {
    sink.begin_batch(now, false);
    const std::string body =
        R"("time":"2026-01-02T03:04:05.000000Z","event":"exchange","word":")" + word + '"';
    sink.add(body, {.event = "exchange"});
    ASSERT_TRUE(sink.commit(now)) << sink.problem();
  }
  verify_report check() {
    found.clear();
    const auto report = verify(folder.path(), false, [&](const verify_finding& one) {
      if (one.wrong) found += one.segment + ':' + std::to_string(one.line) + ": " + one.what + '\n';
    });
    EXPECT_TRUE(report);
    return report ? *report : verify_report{};
  }
  std::vector<std::string> words() {
    std::vector<std::string> all;
    auto from = archive::open(folder.path());
    EXPECT_TRUE(from);
    EXPECT_TRUE(from->forward({}, [&](std::string_view line, const line_view&) {
      const std::size_t at = line.find("\"word\":\"");
      if (at != line.npos) all.emplace_back(line.substr(at + 8, line.find('"', at + 8) - at - 8));
      return true;
    }));
    return all;
  }

  test::scratch_folder folder;
  config::audit_sink how;
  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  std::string found;
};

TEST_F(SegmentLanes, OnlyWhoTakesOverMayWriteBeside) {
  const auto first = open(false);
  ASSERT_TRUE(first);
  EXPECT_FALSE(open(false));
  std::vector<std::unique_ptr<file_sink>> others;
  for (unsigned i = 1; i < limits::audit_lanes; ++i) {
    others.push_back(open(true));
    EXPECT_TRUE(others.back()) << i;
  }
  EXPECT_FALSE(open(true)) << "all lanes are taken";
}

TEST_F(SegmentLanes, EachHasAChainThatGoesOn) {
  auto first = open(false);
  add(*first, "a");
  auto second = open(true);
  add(*second, "b");
  add(*first, "c");
  add(*second, "d");
  first->end();
  first.reset();
  auto third = open(true);  // lane 0 again
  add(*third, "e");
  add(*second, "f");
  for (auto* each : {&second, &third}) {
    (*each)->end();
    each->reset();
  }
  const auto report = check();
  EXPECT_EQ(report.findings, 0u) << found;
  EXPECT_EQ(report.segments, 3u);
  ASSERT_EQ(report.lanes.size(), 2u);
  EXPECT_EQ(report.lanes.at(0).seq, 7u) << "two segments with start and end, and three events";
  EXPECT_EQ(report.lanes.at(1).seq, 5u);
  auto seen = words();
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c", "d", "e", "f"}));
}

TEST_F(SegmentLanes, AChangeInAnyLaneIsFound) {
  auto first = open(false);
  auto second = open(true);
  add(*first, "one");
  add(*second, "two");
  for (auto* each : {first.get(), second.get()})
    each->end();
  ASSERT_EQ(check().findings, 0u) << found;
  for (const std::string& name : test::segments_in(folder.path())) {
    const std::string content = test::content_of(name);
    std::string changed = content;
    changed.replace(changed.find("\"word\":\"") + 8, 3, "xxx");
    std::ofstream(name, std::ios::binary) << changed;
    EXPECT_EQ(check().findings, 1u) << name;
    EXPECT_NE(found.find(std::filesystem::path(name).filename()), std::string::npos) << found;
    std::ofstream(name, std::ios::binary) << content;
  }
}

TEST_F(SegmentLanes, AFollowerSeesEachLane) {
  auto first = open(false);
  add(*first, "before");
  auto reader = archive::open(folder.path());
  ASSERT_TRUE(reader);
  archive_place place;
  std::size_t lines = 0;
  const auto count = [&](std::string_view, const line_view&) { return ++lines > 0; };
  ASSERT_TRUE(reader->follow({}, place, count));
  EXPECT_EQ(lines, 0u) << "it begins at the end";
  auto second = open(true);
  add(*second, "beside");
  add(*first, "more");
  ASSERT_TRUE(reader->follow({}, place, count));
  EXPECT_EQ(lines, 3u) << "segment.start and one event, and one event";
  ASSERT_TRUE(reader->follow({}, place, count));
  EXPECT_EQ(lines, 3u);
}

}  // namespace
}  // namespace trunkline::audit
