#include "grants/office_contract.h"
#include "grants/sqlite_place.h"

namespace trunkline::grants::office_contract {

INSTANTIATE_TEST_SUITE_P(sqlite, offices, testing::Values(&sqlite_place::make));

}  // namespace trunkline::grants::office_contract
