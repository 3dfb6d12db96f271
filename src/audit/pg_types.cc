#include "audit/pg_types.h"

#include <algorithm>
#include <array>

namespace trunkline::audit {

namespace {

struct entry {
  std::uint32_t oid;
  std::uint32_t array_oid;
  std::string_view name;
  std::string_view array_name;
  binary_form form;
};

constexpr std::array<entry, 31> types{{
    {16, 1000, "bool", "bool[]", binary_form::boolean},
    {17, 1001, "bytea", "bytea[]", binary_form::bytes},
    {18, 1002, "char", "char[]", binary_form::text},
    {19, 1003, "name", "name[]", binary_form::text},
    {20, 1016, "int8", "int8[]", binary_form::integer},
    {21, 1005, "int2", "int2[]", binary_form::integer},
    {23, 1007, "int4", "int4[]", binary_form::integer},
    {25, 1009, "text", "text[]", binary_form::text},
    {26, 1028, "oid", "oid[]", binary_form::unsigned_integer},
    {114, 199, "json", "json[]", binary_form::text},
    {142, 143, "xml", "xml[]", binary_form::text},
    {650, 651, "cidr", "cidr[]", binary_form::network},
    {700, 1021, "float4", "float4[]", binary_form::real},
    {701, 1022, "float8", "float8[]", binary_form::real},
    {705, 0, "unknown", "", binary_form::text},
    {829, 1040, "macaddr", "macaddr[]", binary_form::mac},
    {774, 775, "macaddr8", "macaddr8[]", binary_form::mac},
    {869, 1041, "inet", "inet[]", binary_form::network},
    {1042, 1014, "bpchar", "bpchar[]", binary_form::text},
    {1043, 1015, "varchar", "varchar[]", binary_form::text},
    {1082, 1182, "date", "date[]", binary_form::date},
    {1083, 1183, "time", "time[]", binary_form::time},
    {1114, 1115, "timestamp", "timestamp[]", binary_form::timestamp},
    {1184, 1185, "timestamptz", "timestamptz[]", binary_form::timestamp_with_zone},
    {1186, 1187, "interval", "interval[]", binary_form::interval},
    {1266, 1270, "timetz", "timetz[]", binary_form::time_with_zone},
    {1700, 1231, "numeric", "numeric[]", binary_form::numeric},
    {2950, 2951, "uuid", "uuid[]", binary_form::uuid},
    {3802, 3807, "jsonb", "jsonb[]", binary_form::jsonb},
    {2278, 0, "void", "", binary_form::unknown},
    {2205, 2210, "regclass", "regclass[]", binary_form::unsigned_integer},
}};

}  // namespace

pg_type find_pg_type(std::uint32_t oid) {
  if (oid == 0) return {};
  const auto* found = std::ranges::find_if(
      types, [&](const entry& each) { return each.oid == oid || each.array_oid == oid; });
  if (found == types.end()) return {};
  const bool array = found->oid != oid;
  return {array ? found->array_name : found->name, found->form, array};
}

}  // namespace trunkline::audit
