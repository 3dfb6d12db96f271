#include "tls/client_hello.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tls/test_raw_peer.h"

namespace trunkline::tls {
namespace {

using test::bytes;

/// What OpenSSL sends first.
bytes hello_of(const char* name, std::string_view alpn, int version = TLS1_3_VERSION) {
  const auto context = test::raw_client(version);
  test::raw_peer client(*context);
  if (name != nullptr) SSL_set_tlsext_host_name(client.ssl(), name);
  if (!alpn.empty()) test::offer_alpn(client, alpn);
  SSL_do_handshake(client.ssl());
  ERR_clear_error();
  return client.take();
}

bytes record(byte_span content) {
  bytes made{std::byte{22}, std::byte{3}, std::byte{1}, static_cast<std::byte>(content.size() >> 8),
             static_cast<std::byte>(content.size() & 0xff)};
  made.insert(made.end(), content.begin(), content.end());
  return made;
}

/// The same message cut into records of at most `size` bytes.
bytes in_records_of(const bytes& hello, std::size_t size) {
  bytes made;
  for (byte_span rest = byte_span(hello).subspan(5); !rest.empty();
       rest = rest.subspan(std::min(size, rest.size()))) {
    const bytes one = record(rest.first(std::min(size, rest.size())));
    made.insert(made.end(), one.begin(), one.end());
  }
  return made;
}

TEST(ClientHello, ReadsNamesAndProtocols) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const bytes hello = hello_of("DB.Example.org", std::string_view("\x02h2\x0apostgresql", 14), version);
    const hello_outcome outcome = parse_client_hello(hello);
    const auto* read = std::get_if<client_hello>(&outcome);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->server_name, "db.example.org");
    EXPECT_EQ(read->alpn, (std::vector<std::string>{"h2", "postgresql"}));
    EXPECT_EQ(read->bytes, hello.size());
  }
  const hello_outcome bare = parse_client_hello(hello_of(nullptr, ""));
  ASSERT_TRUE(std::holds_alternative<client_hello>(bare));
  EXPECT_EQ(std::get<client_hello>(bare).server_name, "");
  EXPECT_TRUE(std::get<client_hello>(bare).alpn.empty());
}

TEST(ClientHello, AtEverySplitItAsksForMoreAndNeverForTooMuch) {
  const bytes hello = in_records_of(hello_of("db.example.org", "\x0apostgresql"), 100);
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const hello_outcome outcome = parse_client_hello(byte_span(hello).first(size));
    const auto* more = std::get_if<hello_need_more>(&outcome);
    ASSERT_NE(more, nullptr) << size;
    EXPECT_GE(more->bytes, 1u);
    EXPECT_LE(size + more->bytes, hello.size());
  }
}

TEST(ClientHello, AcrossRecordsOfAnySize) {
  const bytes hello = hello_of("db.example.org", "\x0apostgresql");
  for (std::size_t size : {1, 2, 3, 4, 5, 50, 200}) {
    const bytes cut = in_records_of(hello, size);
    const hello_outcome outcome = parse_client_hello(cut);
    ASSERT_TRUE(std::holds_alternative<client_hello>(outcome)) << size;
    EXPECT_EQ(std::get<client_hello>(outcome).server_name, "db.example.org");
    EXPECT_EQ(std::get<client_hello>(outcome).bytes, cut.size());
  }
}

TEST(ClientHello, LeavesWhatFollowsAlone) {
  bytes hello = hello_of("db.example.org", "");
  const std::size_t size = hello.size();
  hello.insert(hello.end(), 100, std::byte{0xff});
  const hello_outcome outcome = parse_client_hello(hello);
  ASSERT_TRUE(std::holds_alternative<client_hello>(outcome));
  EXPECT_EQ(std::get<client_hello>(outcome).bytes, size);
}

TEST(ClientHello, RefusesWhatIsNone) {
  const auto bad = [](std::string_view text) {
    return std::holds_alternative<hello_bad>(parse_client_hello(as_bytes(text)));
  };
  EXPECT_TRUE(bad("G"));
  EXPECT_TRUE(bad("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(bad(std::string_view("\x16\x02", 2)));
  EXPECT_TRUE(bad(std::string_view("\x16\x03\x01\x00\x00", 5)));                  // an empty record
  EXPECT_TRUE(bad(std::string_view("\x16\x03\x01\x40\x01", 5)));                  // above 16 KiB
  EXPECT_TRUE(bad(std::string_view("\x16\x03\x01\x00\x04\x02", 6)));              // a ServerHello
  EXPECT_TRUE(bad(std::string_view("\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9)));  // a message of 16 MiB
  EXPECT_TRUE(bad(std::string_view("\x16\x03\x01\x00\x05\x01\x00\x00\x00\x00", 10)));
  EXPECT_FALSE(bad(""));
}

TEST(ClientHello, EveryFlippedByteHasSomeOutcome) {
  const bytes hello = hello_of("db.example.org", "\x0apostgresql");
  for (std::size_t at = 0; at < hello.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      bytes changed = hello;
      changed[at] ^= static_cast<std::byte>(flip);
      const hello_outcome outcome = parse_client_hello(changed);
      const auto* read = std::get_if<client_hello>(&outcome);
      EXPECT_TRUE(read == nullptr || read->bytes <= changed.size()) << at;
    }
  }
}

TEST(ClientHello, IsBounded) {
  bytes endless;
  for (int i = 0; i < 5000; ++i) {
    const bytes one =
        record(as_bytes(i == 0 ? std::string_view("\x01\x00\x3f\xfc", 4) : std::string_view("\x00", 1)));
    endless.insert(endless.end(), one.begin(), one.end());
  }
  EXPECT_TRUE(std::holds_alternative<hello_bad>(parse_client_hello(endless)));
}

}  // namespace
}  // namespace trunkline::tls
