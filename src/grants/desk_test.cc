#include "grants/desk_contract.h"
#include "grants/sqlite_place.h"

namespace trunkline::grants::desk_contract {

INSTANTIATE_TEST_SUITE_P(sqlite, desks, testing::Values(&sqlite_place::make));

}  // namespace trunkline::grants::desk_contract
