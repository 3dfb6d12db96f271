// A file for stores, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "grants/sqlite_store.h"
#include "grants/test_support.h"

namespace trunkline::grants {

class sqlite_place final : public store_place {
 public:
  static std::unique_ptr<store_place> make() { return std::make_unique<sqlite_place>(); }
  std::unique_ptr<store> open() override {
    auto made = sqlite_store::open(file_.path());
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

 private:
  store_file file_;
};

}  // namespace trunkline::grants
