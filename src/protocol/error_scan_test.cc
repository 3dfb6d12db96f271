#include "protocol/error_scan.h"

#include <gtest/gtest.h>

#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;
using namespace std::string_view_literals;

error_scan scanned(std::string_view body) {
  error_scan scan;
  scan.feed(as_bytes(body));
  return scan;
}

TEST(ErrorScan, ReadsSeverityAndCode) {
  const auto scan = scanned("SERROR\0VERROR\0C42601\0Msyntax error\0P1\0\0"sv);
  EXPECT_FALSE(scan.fatal());
  EXPECT_EQ(scan.code().view(), "42601");
  EXPECT_EQ(scan.progress_of_copy(), copy_progress::unknown);
  EXPECT_TRUE(scanned("SFATAL\0C57P01\0\0"sv).fatal()) << "PostgreSQL before 9.6 has no V";
  EXPECT_TRUE(scanned("SPANIK\0VPANIC\0\0"sv).fatal());
  EXPECT_FALSE(scanned("SFATAL\0VERROR\0\0"sv).fatal()) << "V is never translated";
  EXPECT_FALSE(scanned("SFATALLY\0\0"sv).fatal());
  EXPECT_EQ(scanned("C4260\0\0"sv).code(), sqlstate{});
  EXPECT_EQ(scanned("C426011\0\0"sv).code(), sqlstate{});
}

TEST(ErrorScan, KnowsAnErrorInTheDataOfACopy) {
  EXPECT_EQ(scanned("SERROR\0C22P02\0WCOPY t, line 1, column i: \"x\"\0\0"sv).progress_of_copy(),
            copy_progress::in_data);
  EXPECT_EQ(scanned("WPL/pgSQL function f() line 1 at RAISE\nCOPY t, line 2\0\0"sv).progress_of_copy(),
            copy_progress::in_data);
  EXPECT_EQ(scanned("C22P04\0MCOPY file signature not recognized\0\0"sv).progress_of_copy(),
            copy_progress::in_data);
  EXPECT_EQ(scanned("MCOPY t\0WSQL statement \"COPY t\"\0\0"sv).progress_of_copy(), copy_progress::unknown);
  EXPECT_EQ(scanned("C57014\0MCOPY from stdin failed: enough\0\0"sv).progress_of_copy(),
            copy_progress::in_data);
  EXPECT_EQ(scanned("C57014\0WPL/pgSQL function f() line 1 at RAISE\0\0"sv).progress_of_copy(),
            copy_progress::unknown);
  EXPECT_EQ(scanned("C42809\0Mcannot copy to view\0RCopyFrom\0\0"sv).progress_of_copy(),
            copy_progress::before_data);
  EXPECT_EQ(scanned("RCopyFromTo\0\0"sv).progress_of_copy(), copy_progress::unknown);
  EXPECT_EQ(scanned("WCOP\0Yx\0\0"sv).progress_of_copy(), copy_progress::unknown);
}

TEST(ErrorScan, IsTheSameAtEverySplit) {
  const auto body = "SFEHLER\0VFATAL\0C57P01\0Mx\0Wa\nCOPY t, line 1\0\0"sv;
  for (std::size_t split = 0; split <= body.size(); ++split) {
    error_scan scan;
    scan.feed(exact(as_bytes(body.substr(0, split))));
    scan.feed(exact(as_bytes(body.substr(split))));
    EXPECT_TRUE(scan.fatal()) << split;
    EXPECT_EQ(scan.code(), sqlstates::admin_shutdown) << split;
    EXPECT_EQ(scan.progress_of_copy(), copy_progress::in_data) << split;
  }
}

}  // namespace
}  // namespace trunkline::protocol
