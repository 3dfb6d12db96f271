#include "main/reload_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace trunkline::main {
namespace {

class fake_files {
 public:
  reload_watch::look look() {
    return [this](const std::string& path) -> std::optional<file_fingerprint> {
      const auto found = state_.find(path);
      if (found == state_.end()) return std::nullopt;
      return file_fingerprint{.inode = found->second};
    };
  }
  void write(const std::string& path) { state_[path] = ++last_; }
  void remove(const std::string& path) { state_.erase(path); }

 private:
  std::map<std::string, std::uint64_t> state_;
  std::uint64_t last_ = 0;
};

TEST(ReloadWatch, TellsEachChangeOnceWhenItHasSettled) {
  fake_files files;
  files.write("a");
  files.write("b");
  reload_watch watch(files.look());
  watch.watch({"a", "b"});
  EXPECT_FALSE(watch.poll());
  files.write("a");
  EXPECT_FALSE(watch.poll());  // the key of this certificate may follow in a moment
  files.write("b");
  EXPECT_FALSE(watch.poll());
  EXPECT_TRUE(watch.poll());
  EXPECT_FALSE(watch.poll());
}

TEST(ReloadWatch, AFileThatIsGoneForAMomentCountsWhenItIsBack) {
  fake_files files;
  files.write("a");
  reload_watch watch(files.look());
  watch.watch({"a"});
  files.remove("a");
  EXPECT_FALSE(watch.poll());
  EXPECT_FALSE(watch.poll());
  files.write("a");
  EXPECT_FALSE(watch.poll());
  EXPECT_TRUE(watch.poll());
}

TEST(ReloadWatch, AFileThatStaysAwayIsAChangeInTheEnd) {
  fake_files files;
  files.write("a");
  reload_watch watch(files.look());
  watch.watch({"a"});
  files.remove("a");
  int told = 0;
  for (int i = 0; i < 4 * reload_watch::missing_polls_max; ++i) {
    if (watch.poll()) {
      ++told;
      EXPECT_EQ(i + 1, reload_watch::missing_polls_max);
    }
  }
  EXPECT_EQ(told, 1);
}

TEST(ReloadWatch, AMissingFileThatAppearsIsAChange) {
  fake_files files;
  reload_watch watch(files.look());
  watch.watch({"a"});
  EXPECT_FALSE(watch.poll());
  files.write("a");
  EXPECT_FALSE(watch.poll());
  EXPECT_TRUE(watch.poll());
}

TEST(ReloadWatch, ANewListKeepsWhatIsKnown) {
  fake_files files;
  files.write("a");
  reload_watch watch(files.look());
  watch.watch({"a"});
  files.write("a");
  files.write("b");
  watch.watch({"a", "b"});
  EXPECT_TRUE(watch.poll() || watch.poll());
  EXPECT_FALSE(watch.poll());
}

class ReloadWatchOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "reload-watch-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::filesystem::path& file, const std::string& text) const {
    std::ofstream(folder_ / file) << text;
  }

  std::filesystem::path folder_;
};

/// A mounted Secret: tls.crt -> ..data/tls.crt, and ..data -> ..one is swapped for ..data -> ..two by a
/// rename.
TEST_F(ReloadWatchOnDisk, SeesKubernetesSwapASymlink) {
  namespace fs = std::filesystem;
  for (const char* generation : {"..one", "..two"}) {
    fs::create_directory(folder_ / generation);
    write(fs::path(generation) / "tls.crt", "same size");
  }
  fs::create_symlink("..one", folder_ / "..data");
  fs::create_symlink("..data/tls.crt", folder_ / "tls.crt");
  reload_watch watch;
  watch.watch({folder_ / "tls.crt"});
  EXPECT_FALSE(watch.poll());
  fs::create_symlink("..two", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_FALSE(watch.poll());
  EXPECT_TRUE(watch.poll());
}

TEST_F(ReloadWatchOnDisk, SeesARenameOverTheFile) {
  write("a", "one");
  reload_watch watch;
  watch.watch({folder_ / "a"});
  write("b", "two");
  std::filesystem::rename(folder_ / "b", folder_ / "a");
  EXPECT_FALSE(watch.poll());
  EXPECT_TRUE(watch.poll());
  std::filesystem::remove(folder_ / "a");
  EXPECT_FALSE(watch.poll());
}

}  // namespace
}  // namespace trunkline::main
