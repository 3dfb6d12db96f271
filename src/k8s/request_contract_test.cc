#include "grants/desk_contract.h"
#include "grants/office_contract.h"
#include "k8s/fake_requests_api.h"

namespace trunkline::grants::desk_contract {

INSTANTIATE_TEST_SUITE_P(kubernetes, desks, testing::Values(&k8s::requests_place::make));

}  // namespace trunkline::grants::desk_contract

namespace trunkline::grants::office_contract {

INSTANTIATE_TEST_SUITE_P(kubernetes, offices, testing::Values(&k8s::requests_place::make));

}  // namespace trunkline::grants::office_contract
