// What replicas share, what they say to each other, and what one knows of the others.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "session/guess_limiter.h"
#include "session/peer_message.h"
#include "session/peer_table.h"
#include "session/replica_keys.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;

const std::string secret(40, 's');
const runtime::time_point start{1000s};

std::string hex(byte_span bytes) {
  std::string made;
  for (const std::byte each : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    made += digits[std::to_integer<std::size_t>(each >> 4)];
    made += digits[std::to_integer<std::size_t>(each & std::byte{15})];
  }
  return made;
}

TEST(ReplicaKeys, AreThoseOfRfc5869) {
  // Worked out with Python's hmac module, as RFC 5869 says.
  const replica_keys made = derive_replica_keys(secret);
  EXPECT_EQ(hex(made.cancel), "732c63256fc63dce45e6d16751616ac38edf74f2c1af6c9b6e63cd8177c366d9");
  EXPECT_EQ(hex(made.peer), "85d859198c43f1c46f8d201b0c62b4ce8043709639e2b6a9c191e685b587bc17");
}

TEST(ReplicaKeyring, KeepsTheSecretBeforeForADay) {
  replica_keyring ring;
  EXPECT_TRUE(ring.valid(start).empty());
  ring.set(secret, start);
  ring.set(secret, start + 1h);
  EXPECT_EQ(ring.valid(start + 1000h).size(), 1u) << "the same secret is not another one";
  const cancel_pid pid{5, 77};
  const auto old_key = make_long_key(derive_replica_keys(secret).cancel, pid, 9, {});
  ring.set(std::string(40, 't'), start + 2h);
  const auto both = ring.valid(start + 3h);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both.front(), derive_replica_keys(std::string(40, 't')));
  EXPECT_EQ(ring.read(pid.encode(), old_key, start + 25h)->replica, 5);
  EXPECT_FALSE(ring.read(pid.encode(), old_key, start + 27h));
  ring.set(std::string(40, 'u'), start + 4h);
  EXPECT_FALSE(ring.read(pid.encode(), old_key, start + 5h)) << "a third secret forgets the first";
  ring.set("", start + 5h);
  EXPECT_EQ(ring.valid(start + 6h).size(), 2u) << "none is in force, the last still counts";
  EXPECT_TRUE(ring.valid(start + 30h).empty());
}

TEST(ReplicaKeyring, TakesTheSecretBeforeBack) {
  replica_keyring ring;
  ring.set(secret, start);
  ring.set(std::string(40, 't'), start + 1h);
  ring.set(secret, start + 2h);
  const auto both = ring.valid(start + 3h);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both.front(), derive_replica_keys(secret));
}

const peer_nonce nonce{std::byte{1}, std::byte{2}};
const std::vector<std::byte> client_key(35, std::byte{7});

TEST(PeerMessage, AQuestionIsReadBackByWhoeverHasOneOfItsSecrets) {
  const replica_keys newer = derive_replica_keys("n");
  const replica_keys older = derive_replica_keys("o");
  const replica_keys other = derive_replica_keys("x");
  const std::vector<replica_keys> both{newer, older};
  const auto packed = encode_question(both, 12, client_key, nonce);
  EXPECT_LE(packed.size(), limits::cancel_key_bytes_max);
  const auto question = read_question(packed);
  ASSERT_TRUE(question);
  EXPECT_EQ(std::vector(question->key.begin(), question->key.end()), client_key);
  EXPECT_EQ(question->nonce, nonce);
  const std::vector<replica_keys> has_older{other, older};
  EXPECT_EQ(signer_of(*question, 12, has_older), &has_older[1]);
  EXPECT_EQ(signer_of(*question, 13, has_older), nullptr) << "another pid";
  EXPECT_EQ(signer_of(*question, 12, std::vector{other}), nullptr);
}

TEST(PeerMessage, NoBitOfAQuestionMayChange) {
  const std::vector<replica_keys> keys{derive_replica_keys("n")};
  auto packed = encode_question(keys, 12, client_key, nonce);
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    packed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto question = read_question(packed);
    EXPECT_TRUE(!question || signer_of(*question, 12, keys) == nullptr) << bit;
    packed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(read_question(byte_span(packed).first(size))) << size;
}

TEST(PeerMessage, AKeyOfAClientIsNoQuestion) {
  EXPECT_FALSE(read_question(make_long_key({}, {1, 2}, 3, {})));
  EXPECT_FALSE(read_question(std::vector<std::byte>(4, std::byte{2})));
}

TEST(PeerMessage, AnAnswerIsBoundToItsQuestion) {
  const std::vector<replica_keys> keys{derive_replica_keys("n")};
  const peer_answer said{.known = true, .number = 1023, .instance = {std::byte{9}}};
  auto bytes = encode_answer(said, nonce, &keys.front());
  const auto read = read_answer(bytes, nonce, keys);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->known);
  EXPECT_EQ(read->number, 1023);
  EXPECT_EQ(read->instance, said.instance);
  EXPECT_FALSE(read_answer(bytes, peer_nonce{}, keys));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(read_answer(bytes, nonce, keys)) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  const auto unsigned_one = encode_answer(said, nonce, nullptr);
  EXPECT_FALSE(read_answer(unsigned_one, nonce, keys)) << "a secret, and an answer without one";
  EXPECT_TRUE(read_answer(unsigned_one, nonce, {}));
}

RC_GTEST_PROP(PeerMessage, AnyBytesAreReadOrRefused, ()) {
  auto bytes = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
  if (!bytes.empty()) bytes[0] = 2;
  const byte_span input(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  if (const auto question = read_question(input)) RC_ASSERT(question->key.size() <= input.size());
}

pool::server_place place(const std::string& host) {
  return {std::make_shared<const config::address>(config::address{.host = host, .port = 1}),
          *net::socket_address::ip(host, 1)};
}

const instance_id own{std::byte{1}};
const instance_id another{std::byte{2}};

TEST(PeerTable, KnowsWhatEachSaidOfItself) {
  peer_table table(own);
  EXPECT_TRUE(table.empty());
  table.set({place("10.0.0.1"), place("10.0.0.2"), place("10.0.0.3"), place("10.0.0.2")});
  EXPECT_EQ(table.unsure(7, false, start).size(), 3u) << "nothing is known, and each address is there once";
  EXPECT_TRUE(table.learn(place("10.0.0.1").address, {.number = 7, .instance = another}, start));
  EXPECT_FALSE(table.learn(place("10.0.0.1").address, {.number = 7, .instance = another}, start));
  EXPECT_FALSE(table.learn(place("10.0.0.2").address, {.number = 8, .instance = own}, start));
  EXPECT_FALSE(table.learn(place("10.9.9.9").address, {.number = 7, .instance = another}, start));
  ASSERT_EQ(table.named(7).size(), 1u);
  EXPECT_EQ(table.named(7).front().address.text(), "10.0.0.1:1");
  EXPECT_TRUE(table.named(8).empty()) << "that is this process itself";
  EXPECT_EQ(table.unsure(7, false, start + 1s).size(), 1u) << "only the third has said nothing";
  EXPECT_EQ(table.unsure(9, false, start + 1s).size(), 1u);
  EXPECT_EQ(table.unsure(9, true, start + 1s).size(), 3u) << "a genuine key: what was said may be old";
  EXPECT_EQ(table.unsure(9, false, start + 11s).size(), 3u);
  table.set({place("10.0.0.1"), place("10.0.0.4")});
  EXPECT_EQ(table.named(7).size(), 1u) << "an address that stays keeps what is known of it";
  EXPECT_EQ(table.unsure(9, false, start + 1s).size(), 1u);
}

TEST(PeerTable, BlamesOnceUntilItIsWellAgain) {
  peer_table table(own);
  table.set({place("10.0.0.1")});
  EXPECT_TRUE(table.blame(place("10.0.0.1").address));
  EXPECT_FALSE(table.blame(place("10.0.0.1").address));
  table.learn(place("10.0.0.1").address, {.number = 7, .instance = another}, start);
  EXPECT_TRUE(table.blame(place("10.0.0.1").address));
  EXPECT_FALSE(table.blame(place("10.0.0.2").address));
}

TEST(PeerTable, HasAnEnd) {
  peer_table table(own);
  std::vector<pool::server_place> many;
  for (int i = 0; i < 200; ++i)
    many.push_back(place("10.0.1." + std::to_string(i)));
  table.set(many);
  EXPECT_EQ(table.unsure(7, false, start).size(), limits::replica_peers);
}

TEST(GuessLimiter, EmptiesAndFillsAgain) {
  guess_limiter guesses;
  for (std::size_t i = 0; i < limits::cancel_guesses; ++i)
    EXPECT_TRUE(guesses.take("a", start)) << i;
  EXPECT_FALSE(guesses.take("a", start));
  EXPECT_TRUE(guesses.take("b", start)) << "another source has its own";
  guesses.give_back("a");
  EXPECT_TRUE(guesses.take("a", start));
  EXPECT_FALSE(guesses.take("a", start));
  for (std::size_t i = 0; i < limits::cancel_guesses_per_second; ++i)
    EXPECT_TRUE(guesses.take("a", start + 1s)) << i;
  EXPECT_FALSE(guesses.take("a", start + 1s));
}

TEST(GuessLimiter, ForgetsWhoWasHeardLeastLately) {
  guess_limiter guesses;
  for (std::size_t i = 0; i < limits::cancel_guesses; ++i)
    guesses.take("first", start);
  for (std::size_t i = 0; i < limits::cancel_sources - 1; ++i)
    guesses.take(std::to_string(i), start);
  EXPECT_FALSE(guesses.take("first", start)) << "still there, and now the one heard last";
  guesses.take("one more", start);
  EXPECT_FALSE(guesses.take("first", start));
  for (std::size_t i = 0; i < limits::cancel_sources; ++i)
    guesses.take("x" + std::to_string(i), start);
  EXPECT_TRUE(guesses.take("first", start)) << "forgotten";
}

TEST(GuessLimiter, AnIpv6NetworkIsOneSource) {
  EXPECT_EQ(source_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(source_of("unix"), "unix");
}

}  // namespace
}  // namespace trunkline::session
