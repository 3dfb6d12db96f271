#include "telemetry/line_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace trunkline::telemetry {
namespace {

/// A file in memory.
class memory_file {
 public:
  memory_file() : file_(::open_memstream(&text_, &size_)) {}
  ~memory_file() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* get() const { return file_; }
  std::string text() const { return {text_, size_}; }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

TEST(LineWriter, WritesAllInOrderToEachFile) {
  memory_file one;
  memory_file other;
  {
    line_writer writer({one.get(), other.get()});
    for (int i = 0; i < 1000; ++i)
      writer.push(std::to_string(i), i % 7 == 0);
  }
  std::string wanted;
  for (int i = 0; i < 1000; ++i)
    wanted += std::to_string(i) + "\n";
  EXPECT_EQ(one.text(), wanted);
  EXPECT_EQ(other.text(), wanted);
}

TEST(LineWriter, WritesWithoutBeingAskedToEnd) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::FILE* in = ::fdopen(ends[1], "w");
  {
    line_writer writer({in});
    writer.push("a line", false);
    char seen[16] = {};
    ASSERT_EQ(::read(ends[0], seen, sizeof seen), 7);
    EXPECT_STREQ(seen, "a line\n");
  }
  std::fclose(in);
  ::close(ends[0]);
}

TEST(LineWriter, AReaderThatIsStuckCostsTheOldestLines) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::FILE* in = ::fdopen(ends[1], "w");
  std::string all;
  std::thread reader;
  const std::string filler(100, '.');
  {
    line_writer writer({in});
    // A pipe takes 64 KiB: the writer is stuck in it while these come.
    for (int i = 0; i < 30'000; ++i)
      writer.push(std::to_string(i) + filler, false);
    EXPECT_GT(writer.dropped(), 10'000U);
    reader = std::thread([&] {
      char part[4096];
      for (ssize_t size = 0; (size = ::read(ends[0], part, sizeof part)) > 0;)
        all.append(part, static_cast<std::size_t>(size));
    });
  }
  std::fclose(in);
  reader.join();
  ::close(ends[0]);
  EXPECT_TRUE(all.ends_with("29999" + filler + "\n"));
  // What is left is in order.
  int before = -1;
  for (std::size_t at = 0; at < all.size(); at = all.find('\n', at) + 1) {
    const int number = std::stoi(all.substr(at, all.find('.', at) - at));
    EXPECT_GT(number, before);
    before = number;
  }
}

TEST(LineWriter, ManyThreads) {
  memory_file file;
  {
    line_writer writer({file.get()});
    std::vector<std::thread> all;
    for (int t = 0; t < 4; ++t)
      all.emplace_back([&] {
        for (int i = 0; i < 500; ++i)
          writer.push("line", false);
      });
    for (auto& each : all)
      each.join();
  }
  EXPECT_EQ(file.text().size(), 4U * 500 * 5);
}

}  // namespace
}  // namespace trunkline::telemetry
