#include "runtime/frame_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "runtime/object_slab.h"

namespace trunkline::runtime {
namespace {

TEST(FrameMemory, TheNextOneOfASizeIsTheOneThatCameBackLast) {
  if (!uses_slabs) GTEST_SKIP() << "each is the system's in this build";
  void* one = take_frame(300);
  void* other = take_frame(300);
  give_back_frame(one, 300);
  give_back_frame(other, 300);
  EXPECT_EQ(take_frame(290), other);
  EXPECT_EQ(take_frame(384), one);
  give_back_frame(one, 384);
  give_back_frame(other, 290);
}

TEST(FrameMemory, EachHasAllOfItsBytesToItself) {
  std::vector<std::pair<unsigned char*, std::size_t>> taken;
  for (std::size_t bytes = 1; bytes < 2 * limits::kept_frame_bytes; bytes += 37) {
    auto* frame = static_cast<unsigned char*>(take_frame(bytes));
    std::memset(frame, static_cast<int>(bytes % 251), bytes);
    taken.emplace_back(frame, bytes);
  }
  for (const auto& [frame, bytes] : taken) {
    for (std::size_t i = 0; i < bytes; ++i)
      ASSERT_EQ(frame[i], bytes % 251) << "of " << bytes;
    give_back_frame(frame, bytes);
  }
}

TEST(FrameMemory, NoMoreAreKeptThanTheLimitSays) {
  if (!uses_slabs) GTEST_SKIP() << "none is kept in this build";
  std::vector<void*> taken;
  for (std::size_t i = 0; i < limits::kept_frames + 10; ++i)
    taken.push_back(take_frame(200));
  for (void* each : taken)
    give_back_frame(each, 200);
  // Those that are kept come first; what follows is the system's, and may be anything.
  const std::set<void*> kept(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(limits::kept_frames));
  std::vector<void*> again;
  for (std::size_t i = 0; i < limits::kept_frames; ++i)
    again.push_back(take_frame(200));
  for (void* each : again) {
    EXPECT_TRUE(kept.contains(each));
    give_back_frame(each, 200);
  }
}

TEST(FrameMemory, AFrameMayEndOnAnotherThreadThanItBegan) {
  void* here = take_frame(500);
  std::thread([here] {
    give_back_frame(here, 500);
    void* there = take_frame(500);
    give_back_frame(there, 500);
  }).join();
}

}  // namespace
}  // namespace trunkline::runtime
