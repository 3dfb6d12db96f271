#include "auth/scram_server.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/base64.h"
#include "auth/reference_scram.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

constexpr std::string_view salt = "sixteen bytes ok";
constexpr int iterations = 7;
const std::string client_nonce = "rOprNGfwEbeRWgbNEkqO";
const std::string certificate_hash = "thirty-two bytes of certificate.";

nonce fixed_nonce() {
  nonce out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(i * 11);
  return out;
}

std::string server_nonce() {
  return base64_encode(fixed_nonce());
}

end_point_binding binding_of(std::string_view hash) {
  const byte_span bytes = as_bytes(hash);
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

scram_server::options alice(bool with_binding) {
  scram_server::options with;
  with.user = "alice";
  with.verifier = verifier_of(derive("pencil", as_bytes(salt), iterations), as_bytes(salt), iterations);
  with.server_nonce = fixed_nonce();
  if (with_binding) with.binding = binding_of(certificate_hash);
  return with;
}

/// What a client says; every part can be bent by a test.
struct client_words {
  std::string mechanism = "SCRAM-SHA-256";
  std::string gs2 = "n,,";
  std::string bare = "n=,r=" + client_nonce;
  std::string binding_data = {};
  std::string password = "pencil";

  std::string first() const { return gs2 + bare; }
  std::string final_without_proof() const {
    return "c=" + reference::base64(gs2 + binding_data) + ",r=" + client_nonce + server_nonce();
  }
  std::string auth_message() const {
    return bare + ",r=" + client_nonce + server_nonce() + ",s=" + reference::base64(salt) +
           ",i=" + std::to_string(iterations) + "," + final_without_proof();
  }
  std::string final() const {
    return final_without_proof() +
           ",p=" + reference::prove(password, salt, iterations, auth_message()).client;
  }
};

client_words plus_words() {
  return {
      .mechanism = "SCRAM-SHA-256-PLUS", .gs2 = "p=tls-server-end-point,,", .binding_data = certificate_hash};
}

struct outcome {
  std::string code;  ///< "ok", or the SQLSTATE
  std::string message;
  error_source source = error_source::gateway;
};

outcome of(const error& why) {
  EXPECT_EQ(why.reaction, error_reaction::close);
  return {.code = std::string(why.code.view()), .message = why.message, .source = why.source};
}

outcome run(scram_server& server, const client_words& words) {
  const auto first = server.start(words.mechanism, as_bytes(words.first()));
  if (!first) return of(first.error());
  const auto last = server.respond(as_bytes(words.final()));
  if (!last) return of(last.error());
  EXPECT_TRUE(last->finished);
  return {.code = "ok", .message = last->reply};
}

outcome run(const client_words& words, bool with_binding = true) {
  scram_server server(alice(with_binding));
  return run(server, words);
}

/// The outcome where the client's first message is `first`.
outcome run_first(std::string_view first, std::string_view mechanism = "SCRAM-SHA-256",
                  bool with_binding = true) {
  scram_server server(alice(with_binding));
  const auto step = server.start(mechanism, as_bytes(first));
  return step ? outcome{.code = "ok", .message = step->reply} : of(step.error());
}

outcome run_final(std::string_view final, client_words words = {}) {
  scram_server server(alice(true));
  EXPECT_TRUE(server.start(words.mechanism, as_bytes(words.first())));
  const auto step = server.respond(as_bytes(final));
  return step ? outcome{.code = "ok", .message = step->reply} : of(step.error());
}

TEST(ReferenceScram, IsCheckedByRfc7677) {
  const auto rfc_salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value();
  const auto proofs = reference::prove(
      "pencil", as_text(rfc_salt), 4096,
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  EXPECT_EQ(proofs.client, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(proofs.server, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(ScramServer, LogsInAndProvesItself) {
  scram_server server(alice(false));
  const client_words words;
  const auto first = server.start(words.mechanism, as_bytes(words.first()));
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->finished);
  EXPECT_EQ(first->reply, "r=" + client_nonce + server_nonce() + ",s=" + reference::base64(salt) + ",i=7");
  EXPECT_FALSE(server.recovered_keys());
  const auto last = server.respond(as_bytes(words.final()));
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_TRUE(last->finished);
  EXPECT_EQ(last->reply, "v=" + reference::prove("pencil", salt, iterations, words.auth_message()).server);
  EXPECT_FALSE(server.respond(as_bytes(words.final())));  // it is over
}

TEST(ScramServer, RecoversTheClientKey) {
  scram_server server(alice(false));
  ASSERT_EQ(run(server, {}).code, "ok");
  const client_keys expected = derive("pencil", as_bytes(salt), iterations);
  ASSERT_TRUE(server.recovered_keys());
  EXPECT_EQ(server.recovered_keys()->keys.client_key.reveal(), expected.client_key.reveal());
  EXPECT_EQ(server.recovered_keys()->keys.server_key.reveal(), expected.server_key.reveal());
  EXPECT_EQ(as_text(server.recovered_keys()->salt), salt);
  EXPECT_EQ(server.recovered_keys()->iterations, 7U);
}

TEST(ScramServer, OffersPlusOnlyWithABinding) {
  EXPECT_EQ(scram_server(alice(false)).offered().size(), 1U);
  EXPECT_EQ(scram_server(alice(false)).offered()[0], mechanism::scram_sha_256);
  ASSERT_EQ(scram_server(alice(true)).offered().size(), 2U);
  EXPECT_EQ(scram_server(alice(true)).offered()[0], mechanism::scram_sha_256_plus);
}

TEST(ScramServer, ChannelBindingInEveryCombination) {
  EXPECT_EQ(run(plus_words()).code, "ok");
  EXPECT_EQ(run({}).code, "ok");                     // n: channel_binding=disable
  EXPECT_EQ(run({.gs2 = "y,,"}, false).code, "ok");  // we offered none, and the client knows
  EXPECT_EQ(run({}, false).code, "ok");
  const outcome downgraded = run({.gs2 = "y,,"});
  EXPECT_EQ(downgraded.code, "28000");
  EXPECT_EQ(downgraded.message, "SCRAM channel binding negotiation error");
  EXPECT_EQ(downgraded.source, error_source::client);
  EXPECT_EQ(run(plus_words(), false).code, "08P01");  // not offered
}

TEST(ScramServer, AnotherCertificateIsRefused) {
  client_words words = plus_words();
  words.binding_data[0] = 'T';
  EXPECT_EQ(run(words).code, "28000");
  EXPECT_EQ(run(words).message, "SCRAM channel binding check failed");
  words.binding_data.clear();
  EXPECT_EQ(run(words).code, "28000");
}

TEST(ScramServer, AHeaderThatChangesBetweenTheMessagesIsRefused) {
  const std::string final = client_words{.gs2 = "y,,"}.final();
  EXPECT_EQ(run_final(final).code, "08P01");
  EXPECT_EQ(run_final(final).message, "unexpected SCRAM channel-binding attribute in client-final-message");
}

TEST(ScramServer, WrongPasswordAndUnknownUserLookTheSame) {
  const outcome wrong = run({.password = "pencils"});
  EXPECT_EQ(wrong.code, "28P01");
  EXPECT_EQ(wrong.message, "password authentication failed for user \"alice\"");

  scram_server::options unknown = alice(true);
  unknown.verifier = fake_verifier("alice", as_bytes("secret"), iterations);
  unknown.verifier.salt = alice(true).verifier.salt;  // so that the words below fit
  unknown.user_exists = false;
  scram_server server(unknown);
  const outcome refused = run(server, {});
  EXPECT_EQ(refused.code, wrong.code);
  EXPECT_EQ(refused.message, wrong.message);
  EXPECT_FALSE(server.recovered_keys());
}

TEST(ScramServer, AUserThatDoesNotExistFailsEvenWithAProofThatHolds) {
  scram_server::options with = alice(true);
  with.user_exists = false;
  scram_server server(with);
  EXPECT_EQ(run(server, {}).code, "28P01");
  EXPECT_FALSE(server.recovered_keys());
}

TEST(ScramServer, MechanismsAreTakenByTheirExactNames) {
  for (const char* name : {"", "SCRAM-SHA-1", "scram-sha-256", "SCRAM-SHA-256-PLUS2", "SCRAM-SHA-256 "}) {
    const outcome refused = run_first("n,,n=,r=abc", name);
    EXPECT_EQ(refused.code, "08P01") << name;
    EXPECT_EQ(refused.message, "client selected an invalid SASL authentication mechanism");
  }
}

TEST(ScramServer, AnInitialResponseMayComeLater) {
  scram_server server(alice(true));
  const auto empty = server.start("SCRAM-SHA-256", std::nullopt);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->reply, "");
  EXPECT_FALSE(empty->finished);
  const client_words words;
  ASSERT_TRUE(server.respond(as_bytes(words.first())));
  EXPECT_TRUE(server.respond(as_bytes(words.final())));
}

TEST(ScramServer, OrderIsKept) {
  const client_words words;
  scram_server early(alice(true));
  EXPECT_FALSE(early.respond(as_bytes(words.first())));
  EXPECT_FALSE(early.start(words.mechanism, as_bytes(words.first()))) << "an error is final";
  scram_server twice(alice(true));
  EXPECT_TRUE(twice.start(words.mechanism, as_bytes(words.first())));
  EXPECT_FALSE(twice.start(words.mechanism, as_bytes(words.first())));
  EXPECT_FALSE(twice.respond(as_bytes(words.final()))) << "an error is final";
  scram_server other_name(alice(true));
  EXPECT_FALSE(other_name.start("SCRAM-SHA-1", as_bytes(words.first())));
  EXPECT_FALSE(other_name.start(words.mechanism, as_bytes(words.first()))) << "an error is final";
  scram_server guesses(alice(true));
  EXPECT_TRUE(guesses.start(words.mechanism, as_bytes(words.first())));
  EXPECT_FALSE(guesses.respond(as_bytes(client_words{.password = "guess"}.final())));
  EXPECT_FALSE(guesses.respond(as_bytes(words.final()))) << "one guess per exchange";
}

struct bad_message {
  std::string text;
  std::string code;
  std::string message_part;
};

TEST(ScramServer, EveryBadFirstMessageIsRefused) {
  const bad_message cases[] = {
      {"", "08P01", "the message is empty"},
      {std::string("n,,n=,r=abc\0", 12), "08P01", "message length does not match"},
      {"n,,n=,r=" + std::string(limits::sasl_message_bytes, 'a'), "08P01", "longer than 1024"},
      {"x,,n=,r=abc", "08P01", "unexpected channel-binding flag \"x\""},
      {"\x01,,n=,r=abc", "08P01", "unexpected channel-binding flag \"0x01\""},
      {"n", "08P01", "comma expected"},
      {"nn,,n=,r=abc", "08P01", "comma expected"},
      {"n,a=bob,n=,r=abc", "0A000", "client uses authorization identity"},
      {"n,x,n=,r=abc", "08P01", "unexpected attribute in client-first-message"},
      {"n,", "08P01", "unexpected attribute in client-first-message"},
      {"n,,", "08P01", "expected attribute \"n\" but found the end"},
      {"n,,m=ext,n=,r=abc", "0A000", "unsupported SCRAM extension"},
      {"n,,r=abc", "08P01", "expected attribute \"n\" but found \"r\""},
      {"n,,n", "08P01", "expected character \"=\" for attribute \"n\""},
      {"n,,n=,x=abc", "08P01", "expected attribute \"r\" but found \"x\""},
      {"n,,n=", "08P01", "expected attribute \"r\""},
      {"n,,n=,r=a\tb", "08P01", "non-printable characters in SCRAM nonce"},
      {"n,,n=,r=a\x80", "08P01", "non-printable characters in SCRAM nonce"},
      {"n,,n=,r=abc,1=x", "08P01", "invalid character \"1\""},
      {"n,,n=,r=abc,,", "08P01", "invalid character \",\""},
      {"n,,n=,r=abc,x", "08P01", "expected character \"=\" for attribute \"x\""},
      {"p=tls-server-end-point,,n=,r=abc", "08P01", "without channel binding, but"},
  };
  for (const bad_message& bad : cases) {
    const outcome refused = run_first(bad.text);
    EXPECT_EQ(refused.code, bad.code) << bad.text;
    EXPECT_NE(refused.message.find(bad.message_part), std::string::npos)
        << bad.text << ": " << refused.message;
    EXPECT_EQ(refused.source, error_source::client);
  }
  EXPECT_EQ(run_first("n,,n=ignored,r=abc,x=optional").code, "ok");
}

TEST(ScramServer, EveryBadFirstMessageOfPlusIsRefused) {
  const bad_message cases[] = {
      {"n,,n=,r=abc", "08P01", "does not include channel binding data"},
      {"y,,n=,r=abc", "08P01", "does not include channel binding data"},
      {"p=tls-unique,,n=,r=abc", "08P01", "unsupported SCRAM channel-binding type"},
      {"p=tls-server-end-point", "08P01", "comma expected"},
      {"p=tls-server-end-point,a=x,n=,r=abc", "0A000", "authorization identity"},
      {"p", "08P01", "expected character \"=\" for attribute \"p\""},
      {"p,,n=,r=abc", "08P01", "expected character \"=\" for attribute \"p\""},
  };
  for (const bad_message& bad : cases) {
    const outcome refused = run_first(bad.text, "SCRAM-SHA-256-PLUS");
    EXPECT_EQ(refused.code, bad.code) << bad.text;
    EXPECT_NE(refused.message.find(bad.message_part), std::string::npos)
        << bad.text << ": " << refused.message;
  }
}

TEST(ScramServer, EveryBadFinalMessageIsRefused) {
  const std::string good = client_words{}.final();
  const std::string nonces = client_nonce + server_nonce();
  const bad_message cases[] = {
      {"", "08P01", "the message is empty"},
      {"r=" + nonces, "08P01", "expected attribute \"c\""},
      {"c=biws", "08P01", "expected attribute \"r\" but found the end"},
      {"c=biws,r=" + nonces, "08P01", "found end of string"},
      {"c=biws,r=" + nonces + ",p=", "08P01", "malformed proof"},
      {"c=biws,r=" + nonces + ",p=AAAA", "08P01", "malformed proof"},
      {"c=biws,r=" + nonces + ",p=!" + std::string(43, 'A'), "08P01", "malformed proof"},
      {good + ",x=1", "08P01", "garbage found at the end"},
      {"c=biws,r=" + nonces + "x,p=" + std::string(43, 'A') + "=", "08P01", "invalid SCRAM response"},
      {"c=biws,r=" + client_nonce + ",p=" + std::string(43, 'A') + "=", "08P01", "invalid SCRAM response"},
      {"c=biws,r=" + nonces + ",p=" + std::string(43, 'A') + "=", "28P01", "password authentication failed"},
      {"c=biws,r=" + nonces + ",x=1," + good.substr(good.rfind("p=")), "28P01", "password authentication"},
  };
  for (const bad_message& bad : cases) {
    const outcome refused = run_final(bad.text);
    EXPECT_EQ(refused.code, bad.code) << bad.text;
    EXPECT_NE(refused.message.find(bad.message_part), std::string::npos)
        << bad.text << ": " << refused.message;
  }
  EXPECT_EQ(run_final(good).code, "ok");
}

TEST(ScramServer, EveryTruncationOfAMessageIsRefused) {
  for (const client_words& words : {client_words{}, plus_words()}) {
    const std::string final = words.final();
    for (std::size_t size = 0; size < final.size(); ++size) {
      EXPECT_NE(run_final(final.substr(0, size), words).code, "ok") << size;
    }
    // Cut inside the client's nonce, a first message is well-formed, and the proof then does not fit.
    const std::string first = words.first();
    const std::size_t well_formed_from = first.size() - client_nonce.size();
    for (std::size_t size = 0; size < first.size(); ++size) {
      EXPECT_EQ(run_first(first.substr(0, size), words.mechanism).code == "ok", size >= well_formed_from)
          << size;
    }
  }
}

TEST(ScramServer, EverySingleChangedByteOfTheFinalMessageIsRefused) {
  const std::string final = client_words{}.final();
  for (std::size_t at = 0; at < final.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bent = final;
      bent[at] = static_cast<char>(bent[at] ^ (1 << bit));
      EXPECT_NE(run_final(bent).code, "ok") << at << ' ' << bit;
    }
  }
}

}  // namespace
}  // namespace trunkline::auth
