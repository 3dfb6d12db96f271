#include "auth/key_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace trunkline::auth {
namespace {

client_keys keys_with(unsigned first_byte) {
  digest key{};
  key[0] = static_cast<std::byte>(first_byte);
  return {.client_key = secret_key{key}, .server_key = secret_key{}};
}

unsigned first_byte(const std::optional<client_keys>& keys) {
  return keys ? std::to_integer<unsigned>(keys->client_key.reveal()[0]) : 999;
}

TEST(KeyCache, FindsOnlyWhatIsTheSameInEveryPart) {
  key_cache cache(as_bytes("process secret"), 10);
  cache.put("alice", "secret", as_bytes("salt"), 4096, keys_with(7));
  EXPECT_EQ(first_byte(cache.find("alice", "secret", as_bytes("salt"), 4096)), 7U);
  EXPECT_FALSE(cache.find("alicf", "secret", as_bytes("salt"), 4096));
  EXPECT_FALSE(cache.find("alice", "secreu", as_bytes("salt"), 4096));
  EXPECT_FALSE(cache.find("alice", "secret", as_bytes("salu"), 4096));
  EXPECT_FALSE(cache.find("alice", "secret", as_bytes("salt"), 4097));
  EXPECT_FALSE(cache.find("alices", "ecret", as_bytes("salt"), 4096));
  EXPECT_FALSE(cache.find("alice", "secrets", as_bytes("alt"), 4096));
}

TEST(KeyCache, ForgetsTheLeastRecentlyUsed) {
  key_cache cache(as_bytes("process secret"), 2);
  cache.put("a", "", {}, 1, keys_with(1));
  cache.put("b", "", {}, 1, keys_with(2));
  EXPECT_TRUE(cache.find("a", "", {}, 1));
  cache.put("c", "", {}, 1, keys_with(3));
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_FALSE(cache.find("b", "", {}, 1));
  EXPECT_EQ(first_byte(cache.find("a", "", {}, 1)), 1U);
  cache.put("a", "", {}, 1, keys_with(4));  // the same name again: replaced, nothing else goes
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(first_byte(cache.find("a", "", {}, 1)), 4U);
  EXPECT_EQ(first_byte(cache.find("c", "", {}, 1)), 3U);
  cache.clear();
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_FALSE(cache.find("a", "", {}, 1));
}

TEST(KeyCache, KeepsNothingWithoutCapacity) {
  key_cache cache(as_bytes("process secret"), 0);
  cache.put("a", "", {}, 1, keys_with(1));
  EXPECT_EQ(cache.size(), 0U);
}

TEST(KeyCache, ServesManyThreads) {
  key_cache cache(as_bytes("process secret"), 8);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&cache, &wrong, thread] {
      for (unsigned i = 0; i < 2'000; ++i) {
        const unsigned user = (i * 7 + thread) % 16;
        const auto found = cache.find(std::to_string(user), "", {}, 1);
        if (found && first_byte(found) != user) ++wrong[thread];
        if (!found) cache.put(std::to_string(user), "", {}, 1, keys_with(user));
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
  EXPECT_EQ(cache.size(), 8U);
}

}  // namespace
}  // namespace trunkline::auth
