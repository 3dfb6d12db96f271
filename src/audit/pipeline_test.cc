// The audit thread as a whole: workers' taps on one side, folders and pipes on the other, disks that fail
// between.
#include "audit/pipeline.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "audit/test_support.h"
#include "audit/verify.h"

namespace trunkline::audit {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using clock = std::chrono::steady_clock;

/// A disk that is full while `full`.
struct full_disk final : file_io {
  std::atomic<bool> full{false};

  int create(int folder, const std::string& name, runtime::unique_fd& file) override {
    return full ? ENOSPC : file_io::create(folder, name, file);
  }
  int write(int file, std::string_view bytes, std::size_t& written) override {
    return full ? ENOSPC : file_io::write(file, bytes, written);
  }
};

bool soon(const std::function<bool()>& is_so) {
  for (const auto end = clock::now() + 30s; clock::now() < end; std::this_thread::sleep_for(1ms))
    if (is_so()) return true;
  return is_so();
}

class Pipeline : public testing::Test {
 protected:
  Pipeline() : audit({.boot = "01234567", .replica = "host", .files = &disk}) {}

  void configure(const std::vector<std::string>& folders, bool query_text = true) {
    how.sinks.clear();
    how.query_text = query_text;
    for (const std::string& path : folders)
      how.sinks.push_back({.path = path});
    const auto done = audit.configure(how, {});
    ASSERT_TRUE(done) << done.error().message;
  }
  void begin(config::audit_failure on_failure, const std::vector<std::string>& folders) {
    how.on_failure = on_failure;
    worker = &audit.add_worker();
    ASSERT_NO_FATAL_FAILURE(configure(folders));
    audit.start();
  }
  /// One exchange for each session; the session's number is what tells them apart.
  static void tell(pipeline& to, tap& by, std::uint64_t session) {
    while (!by.has_room(16 * tap::cost(sizeof(telemetry::exchange_facts))))
      std::this_thread::yield();
    test::script write([&](const tap_header& head, byte_span body) { by.write(head, body); }, session);
    write.client('Q', 1, test::text("select 1"));
    write.server('C', 1, test::text("SELECT 1"));
    write.end(1, 'I', {}, telemetry::exchange_kind::simple);
    by.publish();
    to.notify();
  }
  void tell(std::uint64_t session) { tell(audit, *worker, session); }
  bool written(std::uint64_t events) {
    return soon([&] { return audit.state().events >= events; });
  }
  bool blocks() {
    return soon([&] { return audit.blocked(); });
  }
  bool flows() {
    return soon([&] { return !audit.blocked() && audit.state().lag_seconds == 0; });
  }

  static std::vector<json> events(const std::string& in, std::string_view name) {
    std::vector<json> all;
    for (const std::string& segment : test::segments_in(in)) {
      for (const std::string& line : test::lines_of(test::content_of(segment))) {
        json event = json::parse(line, nullptr, false);
        if (event.is_object() && event["event"] == name) all.push_back(std::move(event));
      }
    }
    return all;
  }
  /// The sessions whose exchanges stand in the folder, in their order.
  static std::vector<std::uint64_t> sessions(const std::string& in) {
    std::vector<std::uint64_t> all;
    for (const json& event : events(in, "exchange"))
      all.push_back(std::stoull(event["session"].get<std::string>().substr(9)));
    return all;
  }
  static verify_report check(const std::string& in) {
    std::string found;
    const auto report = verify(in, false, [&](const verify_finding& each) {
      if (each.wrong) found += each.segment + ':' + std::to_string(each.line) + ": " + each.what + '\n';
    });
    EXPECT_TRUE(report);
    EXPECT_EQ(found, "") << in;
    return report ? *report : verify_report{};
  }

  using numbers = std::vector<std::uint64_t>;

  test::scratch_folder folder;
  const std::string one = folder / "one";
  const std::string other = folder / "other";
  full_disk disk;
  config::audit how;
  tap* worker = nullptr;
  pipeline audit;
};

TEST_F(Pipeline, ASinkThatIsAddedAndOneThatIsRemovedHaveWhatCameMeanwhile) {
  begin(config::audit_failure::block, {one});
  tell(1);
  ASSERT_TRUE(written(1));
  configure({one, other});
  ASSERT_TRUE(soon([&] { return !test::segments_in(other).empty(); }));
  // The thread takes a configuration before it reads on.
  tell(2);
  ASSERT_TRUE(written(2));
  configure({other});
  tell(3);
  ASSERT_TRUE(written(3));
  audit.stop();
  EXPECT_EQ(sessions(one), (numbers{1, 2}));
  EXPECT_EQ(sessions(other), (numbers{2, 3}));
  EXPECT_EQ(events(one, "segment.end").size(), 1u);
  check(one);
  check(other);
}

TEST_F(Pipeline, AFolderThatCannotBeOpenedChangesNothing) {
  begin(config::audit_failure::block, {one});
  config::audit wrong = how;
  wrong.sinks = {{.path = other}, {.path = folder / "not/there"}};
  EXPECT_FALSE(audit.configure(wrong, {}));
  tell(1);
  ASSERT_TRUE(written(1));
  configure({one, other});  // it is not locked any more
  tell(2);
  ASSERT_TRUE(written(2));
  audit.stop();
  EXPECT_EQ(sessions(one), (numbers{1, 2}));
  EXPECT_EQ(sessions(other), (numbers{2}));
  check(one);
  check(other);
}

TEST_F(Pipeline, BlockSaysSoAndRecoversByItself) {
  begin(config::audit_failure::block, {one});
  tell(1);
  ASSERT_TRUE(written(1));
  disk.full = true;
  tell(2);
  ASSERT_TRUE(blocks());
  EXPECT_NE(audit.state().problem.find("No space"), std::string::npos) << audit.state().problem;
  tell(3);
  EXPECT_GT(audit.state().lag_seconds, 0);
  disk.full = false;
  ASSERT_TRUE(written(3));
  ASSERT_TRUE(flows());
  EXPECT_EQ(audit.state().problem, "");
  EXPECT_EQ(audit.state().dropped, 0u);
  audit.stop();
  EXPECT_EQ(sessions(one), (numbers{1, 2, 3}));
  EXPECT_TRUE(events(one, "gap").empty());
  check(one);
}

TEST_F(Pipeline, ContinueCountsWhatIsLostAndTellsIt) {
  begin(config::audit_failure::go_on, {one});
  tell(1);
  ASSERT_TRUE(written(1));
  disk.full = true;
  for (std::uint64_t session = 2; session < 12; ++session)
    tell(session);
  ASSERT_TRUE(soon([&] { return audit.state().dropped == 10; })) << audit.state().dropped;
  EXPECT_TRUE(audit.blocked());
  disk.full = false;
  ASSERT_TRUE(flows());
  tell(12);
  ASSERT_TRUE(written(2));
  audit.stop();
  EXPECT_EQ(audit.state().events, 2u);
  EXPECT_EQ(audit.state().dropped, 10u);
  EXPECT_EQ(sessions(one), (numbers{1, 12}));
  const verify_report report = check(one);
  EXPECT_EQ(report.lost_events, 10u);
  EXPECT_GE(report.gaps, 1u);
}

TEST_F(Pipeline, AFailingSinkThatIsRemovedHoldsNothingAnyMore) {
  begin(config::audit_failure::block, {one});
  disk.full = true;
  tell(1);
  ASSERT_TRUE(blocks());
  configure({});
  ASSERT_TRUE(flows());
  EXPECT_FALSE(audit.state().enabled);
  disk.full = false;
  configure({other});
  tell(2);
  ASSERT_TRUE(soon([&] { return sessions(other) == numbers{2}; }));
  audit.stop();
  EXPECT_EQ(sessions(one), numbers{});
  check(one);
  check(other);
}

TEST_F(Pipeline, AFailingSinkThatIsReplacedLeavesTheNewOneWhole) {
  begin(config::audit_failure::block, {one});
  ASSERT_NO_FATAL_FAILURE(configure({one, other}));
  disk.full = true;
  tell(1);
  ASSERT_TRUE(blocks());
  configure({other});
  disk.full = false;
  tell(2);
  ASSERT_TRUE(flows());
  audit.stop();
  EXPECT_EQ(sessions(other), (numbers{1, 2}));
  check(other);
}

TEST_F(Pipeline, WhatIsHeldSurvivesANewConfiguration) {
  begin(config::audit_failure::block, {one});
  disk.full = true;
  for (std::uint64_t session = 1; session <= 20; ++session) {
    test::script write([&](const tap_header& head, byte_span body) { worker->write(head, body); }, session);
    write.client('P', 1, test::parse("s", "select " + std::string(100, '1')));
    write.client('B', 2, test::bind("", "s"));
    write.client('E', 3, test::execute());
    write.end(4);
  }
  worker->publish();
  audit.notify();
  ASSERT_TRUE(blocks());
  configure({one}, false);  // every statement is looked at again
  disk.full = false;
  ASSERT_TRUE(written(20));
  audit.stop();
  EXPECT_EQ(sessions(one).size(), 20u);
  check(one);
}

TEST_F(Pipeline, ContinueLetsGoOfWhatBlockHeld) {
  begin(config::audit_failure::block, {one});
  disk.full = true;
  tell(1);
  ASSERT_TRUE(blocks());
  how.on_failure = config::audit_failure::go_on;
  configure({one});
  ASSERT_TRUE(soon([&] { return audit.state().dropped == 1; }));
  disk.full = false;
  audit.stop();
  EXPECT_EQ(check(one).lost_events, 1u);
}

TEST_F(Pipeline, StoppingTriesOnceMore) {
  begin(config::audit_failure::block, {one});
  disk.full = true;
  tell(1);
  ASSERT_TRUE(blocks());
  tell(2);
  disk.full = false;
  audit.stop();
  EXPECT_EQ(sessions(one), (numbers{1, 2}));
  check(one);
}

TEST_F(Pipeline, StoppingCountsWhatIsStillInTheTaps) {
  begin(config::audit_failure::block, {one});
  disk.full = true;
  tell(1);
  ASSERT_TRUE(blocks());
  for (std::uint64_t session = 2; session <= 5; ++session)
    tell(session);
  audit.stop();
  EXPECT_EQ(audit.state().dropped, 5u);
  check(one);
}

TEST_F(Pipeline, StoppingEndsThoughNothingCanBeWritten) {
  for (const auto on_failure : {config::audit_failure::block, config::audit_failure::go_on}) {
    disk.full = false;
    pipeline ends({.boot = "01234567", .replica = "host", .files = &disk});
    tap& by = ends.add_worker();
    how.on_failure = on_failure;
    how.sinks = {{.path = one}, {.path = other}};
    ASSERT_TRUE(ends.configure(how, {}));
    ends.start();
    disk.full = true;
    for (std::uint64_t session = 1; session <= 1'000; ++session)
      tell(ends, by, session);
    const auto began = clock::now();
    ends.stop();
    EXPECT_LT(clock::now() - began, 10s);
    EXPECT_EQ(ends.state().events, 0u);
    EXPECT_EQ(ends.state().dropped, 1'000u);
    check(one);
    check(other);
  }
}

TEST_F(Pipeline, AHundredThousandExchangesOfTwoWorkersAreAllThereOnce) {
  constexpr std::uint64_t each = 50'000;
  how.sinks = {{.path = one, .segment_bytes = 4 << 20}};
  std::array<tap*, 2> taps{&audit.add_worker(), &audit.add_worker()};
  ASSERT_TRUE(audit.configure(how, {}));
  audit.start();
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < taps.size(); ++i) {
      workers.emplace_back([&, i] {
        for (std::uint64_t n = 0; n < each; ++n)
          tell(audit, *taps[i], 2 * n + i + 1);
      });
    }
  }
  audit.stop();
  EXPECT_EQ(audit.state().events, 2 * each);
  EXPECT_EQ(audit.state().dropped, 0u);
  const numbers all = sessions(one);
  EXPECT_EQ(all.size(), 2 * each);
  const std::set<std::uint64_t> once(all.begin(), all.end());
  EXPECT_EQ(once.size(), 2 * each);
  EXPECT_EQ(*once.begin(), 1u);
  EXPECT_EQ(*once.rbegin(), 2 * each);
  EXPECT_GT(test::segments_in(one).size(), 2u);
  EXPECT_EQ(check(one).recovered, 0u);
}

}  // namespace
}  // namespace trunkline::audit
