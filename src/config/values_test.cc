#include "config/values.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/glob.h"

namespace trunkline::config {
namespace {

TEST(Duration, IsAWholeNumberWithAUnitOrZero) {
  EXPECT_EQ(parse_duration("0"), milliseconds{0});
  EXPECT_EQ(parse_duration("250ms"), milliseconds{250});
  EXPECT_EQ(parse_duration("30s"), milliseconds{30'000});
  EXPECT_EQ(parse_duration("5m"), milliseconds{300'000});
  EXPECT_EQ(parse_duration("1h"), milliseconds{3'600'000});
  for (const char* wrong : {"", "1", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1d", "1sec",
                            "1m30s", "00x", "9999999999999999h", "99999999999999999999s", "240001h"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Duration, IsShownWithTheLargestFittingUnit) {
  EXPECT_EQ(format_duration(milliseconds{0}), "0");
  EXPECT_EQ(format_duration(milliseconds{90'000}), "90s");
  EXPECT_EQ(format_duration(milliseconds{120'000}), "2m");
  EXPECT_EQ(format_duration(milliseconds{7'200'000}), "2h");
  EXPECT_EQ(format_duration(milliseconds{1'001}), "1001ms");
}

RC_GTEST_PROP(Duration, SurvivesTheRoundTrip, ()) {
  const milliseconds value{*rc::gen::inRange<std::int64_t>(0, std::int64_t{10'000} * 24 * 3'600'000)};
  RC_ASSERT(parse_duration(format_duration(value)) == value);
}

TEST(Size, KnowsBinaryUnitsOnly) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("16MiB"), 16U << 20);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
  for (const char* wrong : {"", "KiB", "1KB", "1k", "-1", "1.5MiB", "9007199254740993", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

RC_GTEST_PROP(Size, SurvivesTheRoundTrip, ()) {
  const auto value = *rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 53);
  RC_ASSERT(parse_size(format_size(value)) == value);
}

TEST(Integer, IsDigitsOnly) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("10000"), 10'000);
  for (const char* wrong :
       {"", "yes", "-1", "+1", "1.0", "0x10", "1e3", "1_000", "1 ", "9999999999999999999"}) {
    EXPECT_FALSE(parse_integer(wrong)) << wrong;
  }
}

TEST(Address, ListensOnIpAddressesAndUnixSockets) {
  const auto v4 = parse_listen_address("0.0.0.0:6432");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->host, "0.0.0.0");
  EXPECT_EQ(v4->port, 6432);
  const auto v6 = parse_listen_address("[::1]:0");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_TRUE(v6->is_local());
  const auto socket = parse_listen_address("unix:/run/a.sock");
  ASSERT_TRUE(socket);
  EXPECT_TRUE(socket->is_unix());
  EXPECT_EQ(socket->path, "/run/a.sock");
  for (const char* wrong :
       {"", ":6432", "6432", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536", "0.0.0.0:x", "localhost:1", "::1:5432",
        "[::1]", "[0.0.0.0]:1", "[::1]:1x", "unix:", "unix:/", "unix:a", "[]:1"}) {
    EXPECT_FALSE(parse_listen_address(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_listen_address("unix:/" + std::string(107, 'a')));
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'a')));
}

TEST(Address, ConnectsToNamesToo) {
  for (const char* right : {"db-0.db.prod.svc:5432", "localhost:5432", "10.0.0.1:5432", "[2001:db8::1]:5432",
                            "db.example.org.:5432", "my_db:1", "unix:/run/postgresql/.s.PGSQL.5432"}) {
    const auto parsed = parse_endpoint(right);
    ASSERT_TRUE(parsed) << right;
    EXPECT_EQ(parsed->text(), right);
  }
  for (const char* wrong : {"db:0", "db", "300.1.1.1:5432", "a b:1", "-a:1", ".a:1", "a..b:1", "user@db:1",
                            "postgres://db:5432", "[db]:5432"}) {
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
  }
}

TEST(Address, LocalMeansThatItDoesNotLeaveTheMachine) {
  EXPECT_TRUE(parse_endpoint("127.0.0.53:1")->is_local());
  EXPECT_TRUE(parse_endpoint("localhost:1")->is_local());
  EXPECT_TRUE(parse_endpoint("[::ffff:127.0.0.1]:1")->is_local());
  EXPECT_FALSE(parse_endpoint("128.0.0.1:1")->is_local());
  EXPECT_FALSE(parse_endpoint("localhost.example.org:1")->is_local());
  EXPECT_FALSE(parse_endpoint("0.0.0.0:1")->is_local());
  EXPECT_FALSE(parse_endpoint("[::]:1")->is_local());
}

TEST(NetworkRange, ContainsWhatItsPrefixSays) {
  const auto range = network_range::parse("10.20.0.0/15");
  ASSERT_TRUE(range);
  EXPECT_TRUE(range->contains(*ip_address::parse("10.21.255.255")));
  EXPECT_FALSE(range->contains(*ip_address::parse("10.22.0.0")));
  EXPECT_FALSE(range->contains(*ip_address::parse("::10.20.0.1")));
  EXPECT_TRUE(network_range::parse("0.0.0.0/0")->contains(*ip_address::parse("255.1.2.3")));
  EXPECT_TRUE(network_range::parse("2001:db8::/33")->contains(*ip_address::parse("2001:db8:7fff::1")));
  EXPECT_FALSE(network_range::parse("2001:db8::/33")->contains(*ip_address::parse("2001:db8:8000::1")));
  EXPECT_TRUE(network_range::parse("10.0.0.7")->contains(*ip_address::parse("::ffff:10.0.0.7")));
  EXPECT_EQ(network_range::parse("::ffff:10.0.0.0/104"), network_range::parse("10.0.0.0/8"));
  for (const char* wrong : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.1.0.0/8", "10.0.0/8", "::/129",
                            "a/8", "10.0.0.0/8 ", "::ffff:10.0.0.0/95", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(network_range::parse(wrong)) << wrong;
  }
}

RC_GTEST_PROP(NetworkRange, SurvivesTheRoundTripAndContainsItsBase, ()) {
  network_range range;
  range.base.v6 = *rc::gen::arbitrary<bool>();
  range.prefix_bits = *rc::gen::inRange(0, range.base.v6 ? 129 : 33);
  for (int bit = 0; bit < range.prefix_bits; ++bit) {
    if (*rc::gen::arbitrary<bool>()) range.base.bytes[static_cast<std::size_t>(bit) / 8] |= 0x80 >> (bit % 8);
  }
  RC_PRE(!range.base.v6 || ip_address::from_bytes(range.base.bytes.data(), 16).v6);
  RC_ASSERT(network_range::parse(range.text()) == range);
  RC_ASSERT(range.contains(range.base));
  RC_ASSERT(range.contains(range));
}

TEST(Nearest, SuggestsWhatIsNear) {
  const std::vector<std::string> keys{"mode", "certificates", "clientCaFile", "minVersion"};
  EXPECT_EQ(nearest("mod", keys), "mode");
  EXPECT_EQ(nearest("MODE", keys), "mode");
  EXPECT_EQ(nearest("moed", keys), "mode");
  EXPECT_EQ(nearest("certificate", keys), "certificates");
  EXPECT_EQ(nearest("client_ca_file", keys), "clientCaFile");
  EXPECT_EQ(nearest("banana", keys), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'm'), keys), std::nullopt);
}

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("app", "app"));
  EXPECT_FALSE(glob_match("app", "App"));
  EXPECT_TRUE(glob_match("app.*", "app.example.org"));
  EXPECT_TRUE(glob_match("*a*b", "xaxbxb"));
  EXPECT_FALSE(glob_match("*a*b", "xaxbx"));
  EXPECT_TRUE(glob_match("?p?", "app"));
  EXPECT_FALSE(glob_match("?", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match_ignoring_case("*.db.Example.org", "APP.DB.example.ORG"));
}

TEST(Glob, CoversOnlyWhatItSurelyMatches) {
  EXPECT_TRUE(glob_covers("*", "a*"));
  EXPECT_TRUE(glob_covers("a*", "ab*"));
  EXPECT_TRUE(glob_covers("a*", "a?"));
  EXPECT_FALSE(glob_covers("a?", "a*"));
  EXPECT_FALSE(glob_covers("ab*", "a*"));
  EXPECT_FALSE(glob_covers("a", "?"));
}

/// What `narrow` can match: each `*` becomes some letters, each `?` one.
std::string instance_of(const std::string& pattern) {
  std::string text;
  for (const char c : pattern) {
    const auto run = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
    if (c == '*') {
      text += run;
    } else {
      text += c == '?' ? *rc::gen::element('a', 'b') : c;
    }
  }
  return text;
}

RC_GTEST_PROP(Glob, CoveringIsNeverTrueByMistake, ()) {
  const auto pattern = rc::gen::container<std::string>(rc::gen::element('a', 'b', '*', '?'));
  const auto wide = *pattern;
  const auto narrow = *pattern;
  const auto text = instance_of(narrow);
  RC_ASSERT(glob_match(narrow, text));
  if (glob_covers(wide, narrow)) RC_ASSERT(glob_match(wide, text));
}

}  // namespace
}  // namespace trunkline::config
