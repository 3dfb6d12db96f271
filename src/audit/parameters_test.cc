#include "audit/parameters.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/binary_values.h"

namespace trunkline::audit {
namespace {

using config::audit_parameters;
using namespace std::string_literals;

std::string u16(unsigned v) {
  return {static_cast<char>(v >> 8), static_cast<char>(v)};
}
std::string u32(std::uint32_t v) {
  return u16(v >> 16) + u16(v & 0xffff);
}
std::string value(const std::string& bytes) {
  return u32(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

std::string shown(const std::string& body, std::vector<std::uint32_t> types, audit_parameters how) {
  std::string out;
  append_parameters(out, as_bytes(body), false, types, how);
  return out;
}

std::string binary(std::uint32_t oid, const std::string& bytes) {
  return read_binary_value(find_pg_type(oid), as_bytes(bytes), 1'024).value_or("?");
}

TEST(Parameters, AreShownAsAskedFor) {
  const std::string body =
      "\0\0"s + u16(0) + u16(3) + value("7") + u32(0xffffffff) + value("it's \x01 \xff") + u16(0);
  EXPECT_EQ(shown(body, {23}, audit_parameters::full), R"(["7",null,"it's \u0001 )"
                                                       "\xef\xbf\xbd\"]");
  EXPECT_EQ(shown(body, {23, 25, 999}, audit_parameters::redacted),
            R"([{"type":"int4","bytes":1},null,{"type":999,"bytes":8}])");
  EXPECT_EQ(shown(body, {}, audit_parameters::off), "[]");
  const std::string formats = "\0\0"s + u16(2) + u16(1) + u16(0) + u16(2) + value(u32(42)) + value("x");
  EXPECT_EQ(shown(formats, {23, 25}, audit_parameters::full), R"(["42","x"])");
  EXPECT_EQ(shown(formats, {}, audit_parameters::full), R"([{"hex":"0000002a","bytes":4},"x"])");
}

TEST(Parameters, AreBounded) {
  const std::string body = "\0\0"s + u16(0) + u16(2) + value(std::string(5'000, 'a')) + value("b");
  const auto read = nlohmann::json::parse(shown(body, {}, audit_parameters::full));
  EXPECT_EQ(read[0]["bytes"], 5'000);
  EXPECT_EQ(read[0]["text"].get<std::string>().size(), 1'024U);
  EXPECT_EQ(read[1], "b");
  std::string many = "\0\0"s + u16(0) + u16(65'535);
  for (int i = 0; i < 65'535; ++i)
    many += value("12345678");
  const auto list = nlohmann::json::parse(shown(many, {}, audit_parameters::full));
  EXPECT_EQ(list.size() - 1 + list.back()["more"].get<std::size_t>(), 65'535U);
  const std::string lying = "\0\0"s + u16(0) + u16(3) + value("a") + u32(1'000'000) + "short";
  EXPECT_EQ(shown(lying, {}, audit_parameters::full), R"(["a",{"text":"short","bytes":1000000},{"more":1}])");
}

TEST(Parameters, SecretsGo) {
  EXPECT_EQ(shown("\0\0"s + u16(0) + u16(1) + value("host=h password=x"), {}, audit_parameters::full),
            R"(["<redacted>"])");
}

TEST(Parameters, BinaryValuesReadAsPostgresPrintsThem) {
  EXPECT_EQ(binary(16, "\1"), "t");
  EXPECT_EQ(binary(21, u16(0xffff)), "-1");
  EXPECT_EQ(binary(26, u32(0xffffffff)), "4294967295");
  EXPECT_EQ(binary(20, u32(0x80000000) + u32(0)), "-9223372036854775808");
  EXPECT_EQ(binary(701, u32(0x3fb99999) + u32(0x9999999a)), "0.1");
  EXPECT_EQ(binary(1082, u32(0)), "2000-01-01");
  EXPECT_EQ(binary(1082, u32(59)), "2000-02-29");
  EXPECT_EQ(binary(1082, u32(static_cast<std::uint32_t>(-730'120))), "0001-12-31 BC");
  EXPECT_EQ(binary(1114, u32(0) + u32(1'500'000)), "2000-01-01 00:00:01.5");
  EXPECT_EQ(binary(1184, u32(0xffffffff) + u32(0xffffffff)), "1999-12-31 23:59:59.999999+00");
  EXPECT_EQ(binary(1266, u32(0) + u32(1'000'000) + u32(static_cast<std::uint32_t>(-19'800))),
            "00:00:01+05:30");
  EXPECT_EQ(binary(1186, u32(0) + u32(1'000'000) + u32(3) + u32(14)), "1 year 2 mons 3 days 00:00:01");
  EXPECT_EQ(binary(1700, u16(2) + u16(0) + u16(0x4000) + u16(2) + u16(12) + u16(3'400)), "-12.34");
  EXPECT_EQ(binary(1700, u16(1) + u16(0xffff) + u16(0) + u16(4) + u16(5)), "0.0005");
  EXPECT_EQ(binary(1700, u16(1) + u16(1) + u16(0) + u16(0) + u16(7)), "70000");
  EXPECT_EQ(binary(2950, std::string(16, '\x11')), "11111111-1111-1111-1111-111111111111");
  EXPECT_EQ(binary(869, "\2\x20\0\4\x0a\0\0\1"s), "10.0.0.1");
  EXPECT_EQ(binary(650, "\2\x08\1\4\x0a\0\0\0"s), "10.0.0.0/8");
  EXPECT_EQ(binary(829, "\x01\x02\x03\x04\x05\x06"), "01:02:03:04:05:06");
  EXPECT_EQ(binary(3802, "\1{}"), "{}");
  EXPECT_EQ(binary(17, "\xde\xad"), "\\xdead");
  const std::string array =
      u32(1) + u32(1) + u32(25) + u32(3) + u32(1) + value("a") + u32(0xffffffff) + value("b c");
  EXPECT_EQ(binary(1009, array), R"({a,NULL,"b c"})");
  EXPECT_EQ(binary(1007, u32(0) + u32(0) + u32(23)), "{}");
  EXPECT_EQ(binary(1007, u32(1) + u32(0) + u32(23) + u32(0x7fffffff) + u32(1)), "?");
}

RC_GTEST_PROP(Parameters, AnyBytesGiveValidJson, (const std::string& rest, bool full)) {
  std::string out;
  append_parameters(out, as_bytes("\0\0"s + rest), true, std::vector<std::uint32_t>{1700, 1009, 1186},
                    full ? audit_parameters::full : audit_parameters::redacted);
  RC_ASSERT(nlohmann::json::accept(out));
}

}  // namespace
}  // namespace trunkline::audit
