#include "main/replica_number.h"

#include <gtest/gtest.h>

#include <set>

namespace trunkline::main {
namespace {

TEST(ReplicaNumber, IsOneMoreThanTheOrdinal) {
  EXPECT_EQ(replica_number_of("gateway-0", ""), 1);
  EXPECT_EQ(replica_number_of("gateway-3", ""), 4);
  EXPECT_EQ(replica_number_of("my-gateway-17.gateways.prod.svc", ""), 18);
  EXPECT_EQ(replica_number_of("g-1022", ""), 1023);
}

TEST(ReplicaNumber, IsOfTheWholeNameWhereThereIsNoOrdinal) {
  for (const char* host : {"gateway", "gateway-1023", "gateway-99999", "gateway-007", "gateway-x7",
                           "gateway-", "-3", "3", "", "gateway-3x", "gateway--4x"}) {
    const auto made = replica_number_of(host, "0.0.0.0:6432");
    EXPECT_GE(made, 1) << host;
    EXPECT_LE(made, 1023) << host;
    EXPECT_EQ(made, replica_number_of(host, "0.0.0.0:6432")) << host;
  }
  std::set<std::uint16_t> numbers;
  for (int i = 0; i < 20; ++i)
    numbers.insert(replica_number_of("host", "10.0.0.1:" + std::to_string(i)));
  EXPECT_GT(numbers.size(), 17u) << "two gateways on one host differ";
}

}  // namespace
}  // namespace trunkline::main
