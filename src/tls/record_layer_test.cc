// The record layer against itself, with the inner protocol under control: what a real peer would never send.
#include "tls/record_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tls/test_support.h"

namespace trunkline::tls {
namespace {

using test::bytes;
using ::testing::HasSubstr;

constexpr std::byte zero{0};

bytes secret_of(unsigned seed) {
  return test::pattern(32, seed);
}

std::unique_ptr<record_cipher> cipher_1_3(flow direction, unsigned seed, std::uint64_t sequence = 0) {
  return record_cipher::of_secret(direction, aead::aes_128_gcm, prf_hash::sha256, secret_of(seed), sequence);
}

std::unique_ptr<record_cipher> cipher_1_2(flow direction, unsigned seed) {
  return record_cipher::of_key(direction, aead::aes_128_gcm, test::pattern(16, seed), test::pattern(4, seed),
                               1);
}

/// A layer under test, and the two ciphers of its peer.
struct bench {
  explicit bench(bool server, bool tls_1_3 = true, std::uint64_t written = 0)
      : layer(server, tls_1_3 ? cipher_1_3(flow::opening, 1) : cipher_1_2(flow::opening, 1),
              tls_1_3 ? cipher_1_3(flow::sealing, 2, written) : cipher_1_2(flow::sealing, 2)),
        peer_writes(tls_1_3 ? cipher_1_3(flow::sealing, 1) : cipher_1_2(flow::sealing, 1)),
        peer_reads(tls_1_3 ? cipher_1_3(flow::opening, 2, written) : cipher_1_2(flow::opening, 2)) {}

  bytes record(content type, byte_span plain) {
    bytes made(plain.size() + peer_writes->overhead());
    EXPECT_TRUE(peer_writes->seal(type, plain, made.data()));
    return made;
  }
  step receive(byte_span wire) {
    out.assign(64 * 1024, std::byte{0xee});
    const step done = layer.decrypt(wire, out, output);
    out.resize(done.produced);
    return done;
  }
  step receive(content type, byte_span plain) { return receive(record(type, plain)); }

  /// The next record among `wire`, opened as the peer would; its inner type last (TLS 1.3).
  bytes open(byte_span& wire) {
    const std::size_t size = load_u16(wire.data() + 3);
    const byte_span fragment = wire.subspan(record_header_bytes, size);
    bytes plain(peer_reads->opened_size(size));
    EXPECT_TRUE(peer_reads->open(wire.first(record_header_bytes), fragment, plain, {}));
    wire = wire.subspan(record_header_bytes + size);
    return plain;
  }
  bytes answer() {
    if (output == nullptr) return {};
    byte_span wire = *output;
    return open(wire);
  }

  record_layer layer;
  std::unique_ptr<record_cipher> peer_writes;
  std::unique_ptr<record_cipher> peer_reads;
  spill output;
  bytes out;
};

bytes of(std::initializer_list<int> values) {
  bytes made;
  for (const int value : values)
    made.push_back(static_cast<std::byte>(value));
  return made;
}

TEST(RecordLayer, KeysAreDerivedAsRfc8448Says) {
  // RFC 8448 section 3, "simple 1-RTT handshake": the server's application traffic secret and its keys.
  const bytes secret =
      of({0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11, 0x6b, 0x45, 0xa9, 0x50, 0x32,
          0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb, 0x6b, 0x3a, 0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43});
  bytes key(16);
  bytes iv(12);
  ASSERT_TRUE(expand_label(prf_hash::sha256, secret, "key", key));
  ASSERT_TRUE(expand_label(prf_hash::sha256, secret, "iv", iv));
  EXPECT_EQ(key, of({0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef, 0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3,
                     0x56}));
  EXPECT_EQ(iv, of({0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84}));
}

TEST(RecordLayer, PaddingIsTakenOff) {
  bench one(true);
  // A padded record is made by sealing content, type and zeros as if it were content of inner type 0.
  bytes inner = of({'a', 'b', 'c', 23});
  inner.resize(1000, zero);
  EXPECT_EQ(one.receive(static_cast<content>(0), inner).what, status::ok);
  EXPECT_EQ(as_text(one.out), "abc");
  EXPECT_EQ(one.receive(static_cast<content>(0), bytes(50, zero)).what, status::failed);
  EXPECT_THAT(one.layer.failure(), HasSubstr("without a type"));
}

TEST(RecordLayer, PaddedContentWithoutRoomIsHeld) {
  bench one(true);
  bytes inner = test::pattern(200);
  inner.push_back(std::byte{23});
  inner.resize(700, zero);
  const bytes wire = one.record(static_cast<content>(0), inner);
  bytes space(64);
  bytes got;
  step done = one.layer.decrypt(wire, space, one.output);
  for (byte_span rest;;) {
    got.insert(got.end(), space.begin(), space.begin() + static_cast<long>(done.produced));
    if (done.what != status::want_output_space) break;
    done = one.layer.decrypt(rest, space, one.output);
  }
  EXPECT_EQ(got, test::pattern(200));
  EXPECT_FALSE(one.layer.has_plaintext());
}

TEST(RecordLayer, WholeRecordsInOneCallAndARestThatWaits) {
  bench one(false);
  bytes wire;
  for (const char* text : {"one ", "two ", "three "}) {
    const bytes made = one.record(content::application_data, as_bytes(text));
    wire.insert(wire.end(), made.begin(), made.end());
  }
  const bytes last = one.record(content::application_data, as_bytes("four"));
  wire.insert(wire.end(), last.begin(), last.begin() + 9);
  EXPECT_EQ(one.receive(wire).consumed, wire.size());
  EXPECT_EQ(as_text(one.out), "one two three ");
  EXPECT_EQ(one.receive(byte_span(last).subspan(9)).what, status::ok);
  EXPECT_EQ(as_text(one.out), "four");
}

TEST(RecordLayer, KeyUpdateInTwoRecordsIsAnswered) {
  bench one(true);
  EXPECT_EQ(one.receive(content::handshake, of({24, 0, 0})).what, status::want_input);
  EXPECT_EQ(one.receive(content::handshake, of({1, 1})).what, status::want_input);
  ASSERT_TRUE(one.peer_writes->update());
  EXPECT_EQ(one.answer(), of({24, 0, 0, 1, 0, 22}));
  EXPECT_EQ(one.receive(content::application_data, as_bytes("new key")).what, status::ok);
  EXPECT_EQ(as_text(one.out), "new key");
}

TEST(RecordLayer, ItsOwnKeyIsRenewedInTime) {
  bench one(true, true, (std::uint64_t{1} << 24) - 1);
  bytes space(1000);
  step done = one.layer.encrypt(as_bytes("last"), space, one.output);
  byte_span wire = byte_span(space).first(done.produced);
  EXPECT_EQ(one.open(wire).size(), 5u);
  done = one.layer.encrypt(as_bytes("first"), space, one.output);
  wire = byte_span(space).first(done.produced);
  EXPECT_EQ(one.open(wire), of({24, 0, 0, 1, 0, 22}));
  ASSERT_TRUE(one.peer_reads->update());
  EXPECT_EQ(one.open(wire).size(), 6u);
  EXPECT_TRUE(wire.empty());
}

TEST(RecordLayer, TicketsAreSkippedByTheClientRole) {
  bench one(false);
  bytes ticket = of({4, 0, 0, 200});
  ticket.resize(150);
  EXPECT_EQ(one.receive(content::handshake, ticket).what, status::want_input);
  bytes rest(54);
  rest.insert(rest.end(), {std::byte{24}, zero, zero, std::byte{1}, zero});  // and a key update behind it
  EXPECT_EQ(one.receive(content::handshake, rest).what, status::want_input);
  ASSERT_TRUE(one.peer_writes->update());
  EXPECT_EQ(one.receive(content::application_data, as_bytes("x")).what, status::ok);
  EXPECT_EQ(one.output, nullptr);
}

struct refusal {
  content type;
  bytes inner;
  int alert;
};

TEST(RecordLayer, RefusesWhatHasNoPlaceAndSaysSo) {
  const refusal refusals[] = {
      {content::handshake, of({4, 0, 0, 1, 0}), 10},       // a ticket, to a server
      {content::handshake, of({1, 0, 0, 1, 0}), 10},       // a ClientHello
      {content::handshake, of({}), 10},                    // nothing at all
      {content::handshake, of({24, 0, 0, 2, 0, 0}), 50},   // a key update of two bytes
      {content::handshake, of({24, 0, 0, 1, 2}), 47},      // a request that does not exist
      {content::handshake, of({24, 0, 0, 1, 0, 24}), 10},  // keys change in mid-record
      {content::change_cipher_spec, of({1}), 10},
      {static_cast<content>(99), of({1}), 10},
      {content::alert, of({2}), 50},
      {content::alert, of({2, 20, 0}), 50},
      {static_cast<content>(23), bytes(record_plaintext + 1), 22},
  };
  for (const refusal& r : refusals) {
    bench one(true);
    EXPECT_EQ(one.receive(r.type, r.inner).what, status::failed) << r.alert;
    EXPECT_FALSE(one.layer.failure().empty());
    EXPECT_EQ(one.answer(), of({2, r.alert, 21})) << one.layer.failure();
  }
}

TEST(RecordLayer, RefusesBrokenHeaders) {
  for (const bytes& header : {of({22, 3, 3, 0, 30}), of({20, 3, 3, 0, 1}), of({23, 2, 3, 0, 30}),
                              of({71, 69, 84, 32, 47}), of({23, 3, 3, 0, 0}), of({23, 3, 3, 0, 15}),
                              of({23, 3, 3, 0xff, 0xff}), of({23, 3, 3, 0x41, 0x01})}) {
    for (const std::size_t cut : {1, 5}) {
      bench one(true);
      bytes wire = header;
      wire.resize(40, zero);
      step done;
      for (byte_span rest = wire; !rest.empty(); rest = rest.subspan(done.consumed)) {
        done = one.receive(rest.first(std::min(cut, rest.size())));
        if (done.what == status::failed) break;
        ASSERT_GT(done.consumed, 0u);
      }
      EXPECT_EQ(done.what, status::failed) << std::to_integer<int>(header[0]);
    }
  }
}

TEST(RecordLayer, AMessageIsNotToBeInterrupted) {
  bench one(true);
  one.receive(content::handshake, of({24, 0}));
  EXPECT_EQ(one.receive(content::application_data, as_bytes("x")).what, status::failed);
  EXPECT_THAT(one.layer.failure(), HasSubstr("interrupted"));
}

TEST(RecordLayer, RecordsWithoutDataEndSomeTime) {
  bench one(true);
  int count = 0;
  while (one.receive(content::application_data, {}).what != status::failed)
    ASSERT_LT(++count, 100);
  EXPECT_EQ(count, 32);
  EXPECT_THAT(one.layer.failure(), HasSubstr("without data"));
}

TEST(RecordLayer, AlertsAreTold) {
  bench server(true);
  EXPECT_EQ(server.receive(content::alert, of({1, 0})).what, status::peer_closed);
  bench client(false);
  EXPECT_EQ(client.receive(content::alert, of({2, 48})).what, status::failed);
  EXPECT_EQ(client.layer.failure(), "the server ended the session with the TLS alert: unknown CA");
  EXPECT_EQ(client.output, nullptr);
  bench calm(true);
  EXPECT_EQ(calm.receive(content::alert, of({1, 90})).what, status::want_input);
}

TEST(RecordLayer, AReplayedOrReorderedRecordIsRefused) {
  bench one(true);
  const bytes first = one.record(content::application_data, as_bytes("first"));
  const bytes second = one.record(content::application_data, as_bytes("second"));
  EXPECT_EQ(one.receive(second).what, status::failed);
  bench two(true);
  const bytes again = two.record(content::application_data, as_bytes("once"));
  EXPECT_EQ(two.receive(again).what, status::ok);
  EXPECT_EQ(two.receive(again).what, status::failed);
  EXPECT_TRUE(two.out.empty());
}

TEST(RecordLayer, AForgedRecordLeavesNoPlaintextBehind) {
  bench one(true);
  bytes wire = one.record(content::application_data, as_bytes("secret words"));
  wire.back() ^= std::byte{1};
  bytes space(100, std::byte{0xee});
  EXPECT_EQ(one.layer.decrypt(wire, space, one.output).what, status::failed);
  EXPECT_EQ(as_text(space).find("secret"), std::string_view::npos);
  EXPECT_EQ(one.answer(), of({2, 20, 21}));
}

TEST(RecordLayer, UnfetchedAnswersStopDecrypting) {
  bench one(true);
  one.output = std::make_unique<bytes>(limits::tls_pending_output_bytes);
  const step done = one.receive(content::application_data, as_bytes("x"));
  EXPECT_EQ(done.what, status::want_output_space);
  EXPECT_EQ(done.consumed, 0u);
}

TEST(RecordLayer, Tls12AnswersRenegotiationAndWarnings) {
  bench one(true, false);
  EXPECT_EQ(one.receive(content::handshake, of({1, 0, 0, 0})).what, status::want_input);
  EXPECT_EQ(one.answer(), of({1, 100}));
  one.output.reset();
  EXPECT_EQ(one.receive(content::alert, of({1, 41})).what, status::want_input);
  EXPECT_EQ(one.receive(content::application_data, as_bytes("goes on")).what, status::ok);
  EXPECT_EQ(as_text(one.out), "goes on");
  EXPECT_EQ(one.receive(content::alert, of({2, 40})).what, status::failed);
}

}  // namespace
}  // namespace trunkline::tls
