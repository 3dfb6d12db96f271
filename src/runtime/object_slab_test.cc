#include "runtime/object_slab.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace trunkline::runtime {
namespace {

TEST(ObjectSlab, EveryObjectHasItsOwnAlignedMemory) {
  object_slab slab(100);
  std::vector<std::byte*> all;
  for (int i = 0; i < 2000; ++i) {
    all.push_back(static_cast<std::byte*>(slab.take()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all.back()) % __STDCPP_DEFAULT_NEW_ALIGNMENT__, 0U);
    std::memset(all.back(), i % 251, 100);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < 100; ++k)
      ASSERT_EQ(all[i][k], static_cast<std::byte>(i % 251));
  }
  for (std::byte* each : all)
    slab.give_back(each);
}

TEST(ObjectSlab, WhatIsGivenBackIsTakenAgainAndEmptyBlocksGoBack) {
  object_slab slab(1000);
  std::vector<void*> all;
  for (int i = 0; i < 1000; ++i)
    all.push_back(slab.take());
  const std::size_t most = slab.blocks();
  EXPECT_GE(most, 1000U * 1000 / object_slab::block_bytes);
  // Every second one goes: half of the room is used before there is more.
  for (std::size_t i = 0; i < all.size(); i += 2)
    slab.give_back(all[i]);
  EXPECT_EQ(slab.blocks(), most);
  for (std::size_t i = 0; i < all.size(); i += 2)
    all[i] = slab.take();
  EXPECT_EQ(slab.blocks(), most);
  EXPECT_EQ(std::set<void*>(all.begin(), all.end()).size(), all.size());
  for (void* each : all)
    slab.give_back(each);
  EXPECT_EQ(slab.blocks(), 1U) << "one is kept for the next";
}

TEST(ObjectSlab, FillsTheFirstBlocksSoThatTheLastOnesEmpty) {
  object_slab slab(1000);
  std::vector<void*> crowd;
  for (int i = 0; i < 1000; ++i)
    crowd.push_back(slab.take());
  // A few at work among a thousand that come and go.
  std::vector<void*> busy;
  for (void* each : crowd) {
    slab.give_back(each);
    if (busy.size() < 50) busy.push_back(slab.take());
  }
  EXPECT_LE(slab.blocks(), 3U);
  for (void* each : busy)
    slab.give_back(each);
}

TEST(ObjectSlab, IsForAnyThread) {
  object_slab slab(64);
  const auto work = [&] {
    std::vector<void*> mine;
    for (int i = 0; i < 20000; ++i) {
      mine.push_back(slab.take());
      if (mine.size() < 100) continue;
      for (void* each : mine)
        slab.give_back(each);
      mine.clear();
    }
    for (void* each : mine)
      slab.give_back(each);
  };
  std::thread one(work);
  std::thread two(work);
  one.join();
  two.join();
  EXPECT_EQ(slab.blocks(), 1U);
}

struct counted final : slab_object<counted> {
  std::uint64_t number = 7;
};

TEST(ObjectSlab, IsWhereAClassPutsItsObjects) {
  auto first = std::make_unique<counted>();
  auto second = std::make_unique<counted>();
  EXPECT_EQ(first->number + second->number, 14U);
  if (!uses_slabs) return;
  const void* const was = first.get();
  first.reset();
  EXPECT_EQ(std::make_unique<counted>().get(), was);
}

}  // namespace
}  // namespace trunkline::runtime
