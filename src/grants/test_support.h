// Places for stores, for tests.
#pragma once

#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "grants/store.h"

namespace trunkline::grants {

/// Where any number of gateways can open the same store.
class store_place {
 public:
  virtual ~store_place() = default;
  virtual std::unique_ptr<store> open() = 0;
};
using store_place_maker = std::unique_ptr<store_place> (*)();

/// A folder of its own, gone with the object.
class store_file {
 public:
  store_file() {
    std::string pattern = (std::filesystem::temp_directory_path() / "grants_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  store_file(const store_file&) = delete;
  store_file& operator=(const store_file&) = delete;
  ~store_file() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path() const { return folder_ + "/access.db"; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

}  // namespace trunkline::grants
