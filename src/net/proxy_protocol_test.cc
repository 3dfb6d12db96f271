#include "net/proxy_protocol.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <string_view>

namespace trunkline::net {
namespace {

using namespace std::string_view_literals;
using bytes = std::vector<std::byte>;

constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;

proxy_result read(std::string_view text) {
  const bytes copy(as_bytes(text).begin(), as_bytes(text).end());  // a sanitizer sees any read past it
  return read_proxy_header(copy);
}
proxy_header header_of(std::string_view text) {
  const proxy_result result = read(text);
  EXPECT_TRUE(std::holds_alternative<proxy_header>(result)) << text;
  return std::holds_alternative<proxy_header>(result) ? std::get<proxy_header>(result) : proxy_header{};
}
bool is_bad(std::string_view text) {
  return std::holds_alternative<proxy_bad>(read(text));
}
bool needs_more(std::string_view text) {
  return std::holds_alternative<proxy_need_more>(read(text));
}

std::string v2(std::string_view command_and_family, std::string_view rest) {
  std::string text{signature};
  text += command_and_family;
  text += static_cast<char>(rest.size() >> 8);
  text += static_cast<char>(rest.size() & 0xff);
  text += rest;
  return text;
}

proxy_address ipv4(std::uint8_t last, std::uint16_t port) {
  proxy_address address{proxy_family::ipv4, {}, port};
  address.bytes[0] = std::byte{10};
  address.bytes[3] = std::byte{last};
  return address;
}
proxy_address ipv6(std::uint8_t last, std::uint16_t port) {
  proxy_address address{proxy_family::ipv6, {}, port};
  address.bytes[0] = std::byte{0x20};
  address.bytes[1] = std::byte{0x01};
  address.bytes[15] = std::byte{last};
  return address;
}

TEST(ProxyProtocol, Version1) {
  const proxy_header header = header_of("PROXY TCP4 10.0.0.1 10.0.0.2 56324 5432\r\n\0\0"sv);
  EXPECT_FALSE(header.local);
  EXPECT_EQ(header.source, ipv4(1, 56'324));
  EXPECT_EQ(header.destination, ipv4(2, 5432));
  EXPECT_EQ(header.consumed, 41u);
}

TEST(ProxyProtocol, Version1Ipv6InItsSpellings) {
  for (const std::string_view one : {"2001::1", "2001:0:0:0:0:0:0:1", "2001:0000::0001", "2001::0.0.0.1"}) {
    const std::string line = "PROXY TCP6 " + std::string{one} + " 2001::2 1 65535\r\n";
    EXPECT_EQ(header_of(line).source, ipv6(1, 1)) << one;
    EXPECT_EQ(header_of(line).destination, ipv6(2, 65'535)) << one;
  }
  EXPECT_EQ(header_of("PROXY TCP6 :: ::1 1 2\r\n").source.bytes, (std::array<std::byte, 16>{}));
  for (const std::string_view wrong :
       {":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7::8",
        "12345::", "g::", "1:", "::1:", "1.2.3.4::", "::1.2.3", "1.2.3.4", ""}) {
    EXPECT_TRUE(is_bad("PROXY TCP6 " + std::string{wrong} + " ::1 1 2\r\n")) << wrong;
  }
}

TEST(ProxyProtocol, Version1Unknown) {
  EXPECT_TRUE(header_of("PROXY UNKNOWN\r\n").local);
  EXPECT_TRUE(header_of("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n").local);
  EXPECT_TRUE(is_bad("PROXY UNKNOWNX\r\n"));
}

TEST(ProxyProtocol, Version1Malformed) {
  for (const std::string_view line :
       {"TCP4 10.0.0.1 10.0.0.2 1", "TCP4 10.0.0.1 10.0.0.2 1 2 3", "TCP4 10.0.0.256 10.0.0.2 1 2",
        "TCP4 10.0.0.01 10.0.0.2 1 2", "TCP4 10.0.0 10.0.0.2 1 2", "TCP4 10.0.0.1 10.0.0.2 65536 2",
        "TCP4 10.0.0.1 10.0.0.2 -1 2", "TCP4 10.0.0.1 10.0.0.2 +1 2", "TCP4 ::1 ::2 1 2",
        "TCP5 10.0.0.1 10.0.0.2 1 2", "TCP4  10.0.0.1 10.0.0.2 1", ""}) {
    EXPECT_TRUE(is_bad("PROXY " + std::string{line} + "\r\n")) << line;
  }
  EXPECT_TRUE(is_bad("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n"));
  EXPECT_TRUE(is_bad("PROXY " + std::string(200, 'x')));
  EXPECT_TRUE(needs_more("PROXY " + std::string(100, 'x')));
}

TEST(ProxyProtocol, Version2) {
  const proxy_header four = header_of(v2("\x21\x11", "\x0a\0\0\1\x0a\0\0\2\xdc\x04\x15\x38"sv) + "behind");
  EXPECT_FALSE(four.local);
  EXPECT_EQ(four.source, ipv4(1, 56'324));
  EXPECT_EQ(four.destination, ipv4(2, 5432));
  EXPECT_EQ(four.consumed, 28u);
}

TEST(ProxyProtocol, Version2SkipsTlvs) {
  const proxy_header header = header_of(v2("\x21\x11", "\x0a\0\0\1\x0a\0\0\2\0\1\0\2\x04\0\1x"sv));
  EXPECT_EQ(header.source, ipv4(1, 1));
  EXPECT_EQ(header.consumed, 32u);
}

TEST(ProxyProtocol, Version2LocalAndOtherFamilies) {
  EXPECT_TRUE(header_of(v2("\x20\0"sv, "")).local);
  EXPECT_TRUE(header_of(v2("\x20\x11", "anything")).local);
  EXPECT_TRUE(header_of(v2("\x21\0"sv, "")).local);
  EXPECT_TRUE(header_of(v2("\x21\x12", std::string(12, 'u'))).local) << "UDP";
  EXPECT_TRUE(header_of(v2("\x21\x31", std::string(216, 'p'))).local) << "unix";
}

TEST(ProxyProtocol, Version2Malformed) {
  EXPECT_TRUE(is_bad(v2("\x11\x11", std::string(12, 'x')))) << "version 1";
  EXPECT_TRUE(is_bad(v2("\x22\x11", std::string(12, 'x')))) << "unknown command";
  EXPECT_TRUE(is_bad(v2("\x21\x11", std::string(11, 'x')))) << "addresses cut short";
  EXPECT_TRUE(is_bad(v2("\x21\x21", std::string(35, 'x')))) << "addresses cut short";
  EXPECT_TRUE(is_bad(v2("\x21\x11", std::string(2'049, 'x')))) << "too long";
  EXPECT_EQ(header_of(v2("\x21\x11", std::string(2'048, 'x'))).consumed, proxy_header_bytes_max);
}

TEST(ProxyProtocol, AMismatchShowsAtItsFirstByte) {
  EXPECT_TRUE(needs_more(""));
  EXPECT_TRUE(is_bad("\x16"));
  EXPECT_TRUE(is_bad("GET"));
  EXPECT_TRUE(is_bad("PRI"));
  EXPECT_TRUE(is_bad(std::string{signature.substr(0, 11)} + "X"));
  EXPECT_TRUE(is_bad(std::string{signature} + "\x23"));
  const proxy_result result = read("\0\0\0\x08"sv);
  EXPECT_EQ(std::get<proxy_bad>(result).why.source, error_source::client);
}

proxy_address random_address(proxy_family family) {
  proxy_address address;
  address.family = family;
  address.port = *rc::gen::arbitrary<std::uint16_t>();
  const std::size_t size = family == proxy_family::ipv4 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i)
    address.bytes[i] = std::byte{*rc::gen::arbitrary<std::uint8_t>()};
  return address;
}

RC_GTEST_PROP(ProxyProtocol, WhatIsWrittenIsReadAndEveryTruncationNeedsMore,
              (bool v6, bool local, bool second)) {
  const proxy_family family = v6 ? proxy_family::ipv6 : proxy_family::ipv4;
  proxy_header header;
  header.local = local;
  if (!local) {
    header.source = random_address(family);
    header.destination = random_address(family);
  }
  bytes out;
  second ? append_proxy_v2(out, header) : append_proxy_v1(out, header);
  RC_ASSERT(out.size() <= (second ? proxy_header_bytes_max : limits::proxy_v1_header_bytes));
  for (std::size_t size = 0; size < out.size(); ++size) {
    const bytes cut(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    const proxy_result result = read_proxy_header(cut);
    RC_ASSERT(std::holds_alternative<proxy_need_more>(result));
    RC_ASSERT(std::get<proxy_need_more>(result).bytes >= 1u);
    RC_ASSERT(std::get<proxy_need_more>(result).bytes <= out.size() - size);
  }
  const proxy_result result = read_proxy_header(out);
  RC_ASSERT(std::holds_alternative<proxy_header>(result));
  const proxy_header& back = std::get<proxy_header>(result);
  RC_ASSERT(back.local == local);
  RC_ASSERT(back.source == header.source);
  RC_ASSERT(back.destination == header.destination);
  RC_ASSERT(back.consumed == out.size());
}

TEST(ProxyProtocol, FamiliesThatDifferAreWrittenAsUnknown) {
  proxy_header header{false, ipv4(1, 1), ipv6(2, 2), 0};
  bytes one;
  append_proxy_v1(one, header);
  EXPECT_EQ(as_text(one), "PROXY UNKNOWN\r\n");
  bytes two;
  append_proxy_v2(two, header);
  EXPECT_EQ(as_text(two), std::string{signature} + std::string("\x20\0\0\0", 4));
}

}  // namespace
}  // namespace trunkline::net
