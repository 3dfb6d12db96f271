#include "auth/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/token_cache.h"
#include "auth/token_samples.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

using namespace std::chrono_literals;
using auth::testing::base64url;
using auth::testing::jwks;
using auth::testing::signer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr wall_time now = wall_time(1'700'000'000s);

const signer& rsa() {
  static const signer made = signer::rsa("r1");
  return made;
}
const signer& ec() {
  static const signer made = signer::ec("e1");
  return made;
}

const key_set& keys() {
  static const key_set made = *key_set::parse(jwks({rsa().jwk(), ec().jwk()}));
  return made;
}

token_rules rules() {
  return {.issuer = "https://idp", .audiences = {"other", "db"}, .groups_claim = "groups", .clock_skew = 30s};
}

/// The claims of a good token; `more` stands before them, so that what it says again comes first.
std::string claims(const std::string& more = "", int end = 1'700'000'600) {
  return "{" + more + R"("iss":"https://idp","aud":"db","sub":"alice","groups":["dba","app","dba"],"exp":)" +
         std::to_string(end) + "}";
}

std::string reason_of(const token_verdict& verdict) {
  const auto* why = std::get_if<token_refusal>(&verdict);
  return why == nullptr ? "good" : why->reason;
}

std::string check(const std::string& token, const token_rules& by = rules(), wall_time when = now) {
  return reason_of(check_token(token, by, &keys(), when));
}

TEST(Token, SaysWhoTheClientIs) {
  const auto verdict = check_token(rsa().token(claims()), rules(), &keys(), now);
  ASSERT_EQ(reason_of(verdict), "good");
  const auto& who = std::get<identity>(verdict);
  EXPECT_EQ(who.principal, "alice");
  EXPECT_THAT(who.groups, ElementsAre("app", "dba"));
  EXPECT_EQ(*who.until, wall_time(1'700'000'600s));
}

TEST(Token, EveryAlgorithmThatCounts) {
  for (const char* each : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
    EXPECT_EQ(check(rsa().token(claims(), each)), "good") << each;
  for (const auto& [algorithm, curve] :
       {std::pair{"ES256", "P-256"}, std::pair{"ES384", "P-384"}, std::pair{"ES512", "P-521"}}) {
    const signer own = signer::ec("own", curve);
    const auto set = key_set::parse(jwks({own.jwk()}));
    ASSERT_TRUE(set) << algorithm;
    EXPECT_EQ(reason_of(check_token(own.token(claims(), algorithm), rules(), &*set, now)), "good")
        << algorithm;
  }
}

TEST(Token, OthersDoNotCount) {
  const std::string body = base64url(claims());
  EXPECT_THAT(check(base64url(R"({"alg":"none"})") + "." + body + "."), HasSubstr("signature is `none`"));
  EXPECT_THAT(check(base64url(R"({"alg":"nOnE"})") + "." + body + "."), HasSubstr("does not count"));
  EXPECT_THAT(check(base64url(R"({"typ":"JWT"})") + "." + body + "."), HasSubstr("signature is ``"));
  // The public key as the secret of an HMAC, which is what key confusion is.
  const std::string input = base64url(R"({"alg":"HS256","kid":"r1"})") + "." + body;
  const auto mac = hmac_sha256(as_bytes(rsa().jwk()), {as_bytes(input)});
  EXPECT_THAT(check(input + "." + base64url(as_text(mac))), HasSubstr("signature is `HS256`"));
  token_rules only = rules();
  only.algorithms = {signature_algorithm::es256};
  EXPECT_THAT(check(rsa().token(claims()), only), HasSubstr("signature is `RS256`"));
  EXPECT_EQ(check(ec().token(claims(), "ES256"), only), "good");
}

TEST(Token, AKeyIsForItsOwnKindOfSignature) {
  // The header says one thing, the key is another.
  EXPECT_THAT(check(rsa().sign(R"({"alg":"ES256","kid":"r1"})", claims())), HasSubstr("has no key `r1`"));
  EXPECT_THAT(check(rsa().sign(R"({"alg":"PS256","kid":"r1"})", claims(), "RS256")),
              HasSubstr("signature is wrong"));
  EXPECT_THAT(check(ec().sign(R"({"alg":"ES384","kid":"e1"})", claims(), "ES256")), HasSubstr("no key `e1`"));
  const auto bound = key_set::parse(jwks({rsa().jwk(R"("alg":"RS512",)")}));
  EXPECT_THAT(reason_of(check_token(rsa().token(claims()), rules(), &*bound, now)), HasSubstr("no key"));
}

TEST(Token, AForgeryIsOne) {
  std::string token = rsa().token(claims());
  const auto body = token.find('.') + 1;
  const std::string altered =
      token.substr(0, body) + base64url(claims(R"("x":1,)")) + token.substr(token.rfind('.'));
  EXPECT_EQ(check(altered), "the token's signature is wrong");
  EXPECT_EQ(check(signer::rsa("r1").token(claims())), "the token's signature is wrong");
  token.resize(token.size() - 10);  // whole groups of its encoding
  EXPECT_EQ(check(token), "the token's signature is wrong");
  EXPECT_EQ(check(token.substr(0, token.rfind('.') + 1)), "the token's signature is wrong");
}

TEST(Token, AnUnknownKeyMayBeANewOne) {
  const auto unknown = check_token(signer::rsa("r2").token(claims()), rules(), &keys(), now);
  EXPECT_TRUE(std::get<token_refusal>(unknown).key_is_unknown);
  EXPECT_THAT(reason_of(unknown), HasSubstr("has no key `r2`"));
  EXPECT_TRUE(
      std::get<token_refusal>(check_token(rsa().token(claims()), rules(), nullptr, now)).key_is_unknown);
  const auto wrong = check_token(signer::rsa("r1").token(claims()), rules(), &keys(), now);
  EXPECT_FALSE(std::get<token_refusal>(wrong).key_is_unknown);
  // All else comes first: nobody makes the gateway ask for keys with a token that would not do anyway.
  const auto expired = check_token(signer::rsa("r2").token(claims("", 1)), rules(), &keys(), now);
  EXPECT_FALSE(std::get<token_refusal>(expired).key_is_unknown);
}

TEST(Token, WithoutAnIdEveryKeyIsTried) {
  EXPECT_EQ(check(rsa().sign(R"({"alg":"RS256"})", claims())), "good");
  const auto stranger =
      check_token(signer::rsa("").sign(R"({"alg":"RS256"})", claims()), rules(), &keys(), now);
  EXPECT_TRUE(std::get<token_refusal>(stranger).key_is_unknown);
  const auto nameless = key_set::parse(jwks({signer::rsa("").jwk(), ec().jwk()}));
  EXPECT_THAT(reason_of(check_token(ec().token(claims(), "ES256"), rules(), &*nameless, now)), "good");
}

TEST(Token, IssuerAndAudienceAreToTheLetter) {
  const auto with = [](const std::string& issuer, const std::string& audience) {
    return check(
        rsa().token(R"({"iss":)" + issuer + R"(,"aud":)" + audience + R"(,"sub":"a","exp":1700000600})"));
  };
  EXPECT_EQ(with(R"("https://idp")", R"("db")"), "good");
  EXPECT_EQ(with(R"("https://idp")", R"(["x","other"])"), "good");
  EXPECT_THAT(with(R"("https://idp/")", R"("db")"), HasSubstr("issuer `https://idp/`"));
  EXPECT_THAT(with("7", R"("db")"), HasSubstr("issuer ``"));
  EXPECT_THAT(with(R"("https://idp")", R"("d*")"), HasSubstr("another audience"));
  EXPECT_THAT(with(R"("https://idp")", R"(["x",7])"), HasSubstr("another audience"));
  EXPECT_THAT(with(R"("https://idp")", "null"), HasSubstr("another audience"));
}

TEST(Token, Times) {
  EXPECT_EQ(check(rsa().token(claims("", 1'699'999'971))), "good");
  EXPECT_EQ(check(rsa().token(claims("", 1'699'999'970))), "the token has expired");
  EXPECT_EQ(check(rsa().token(claims(R"("nbf":1700000030,)"))), "good");
  EXPECT_EQ(check(rsa().token(claims(R"("nbf":1700000031,)"))), "the token is not yet valid");
  EXPECT_THAT(check(rsa().token(claims(R"("nbf":"soon",)"))), HasSubstr("is no time"));
  const std::string endless = R"({"iss":"https://idp","aud":"db","sub":"alice")";
  EXPECT_THAT(check(rsa().token(endless + "}")), HasSubstr("has no end"));
  EXPECT_THAT(check(rsa().token(endless + R"(,"exp":"1700000600"})")), HasSubstr("has no end"));
  EXPECT_THAT(check(rsa().token(endless + R"(,"exp":-1})")), HasSubstr("has no end"));
  EXPECT_EQ(check(rsa().token(endless + R"(,"exp":1e300})")), "good");
}

TEST(Token, PrincipalAndGroupsAreNames) {
  token_rules by = rules();
  by.principal_claim = "realm.name";
  by.groups_claim = "realm.roles";
  const auto with = [&](const std::string& realm) {
    return reason_of(check_token(rsa().token(claims(R"("realm":)" + realm + ",")), by, &keys(), now));
  };
  EXPECT_EQ(with(R"({"name":"a","roles":["x"]})"), "good");
  EXPECT_EQ(with(R"({"name":"a","roles":"x"})"), "good");
  EXPECT_EQ(with(R"({"name":"a"})"), "good");
  EXPECT_THAT(with(R"({"name":["a"]})"), HasSubstr("no claim `realm.name` that is a name"));
  EXPECT_THAT(with(R"({"name":""})"), HasSubstr("that is a name"));
  EXPECT_THAT(with(R"({"name":"a\u0000b"})"), HasSubstr("that is a name"));
  EXPECT_THAT(with(R"({"name":")" + std::string(limits::token_text_bytes + 1, 'a') + R"("})"),
              HasSubstr("that is a name"));
  EXPECT_THAT(with(R"({"name":"a","roles":[1]})"), HasSubstr("groups are no list of names"));
  std::string many;
  for (std::size_t i = 0; i <= limits::token_groups; ++i)
    many += (many.empty() ? "\"g" : ",\"g") + std::to_string(i) + '"';
  EXPECT_THAT(with(R"({"name":"a","roles":[)" + many + "]}"), HasSubstr("too many"));
  // A claim of that very name comes before the way into another.
  by.principal_claim = "https://x.example/name";
  EXPECT_EQ(std::get<identity>(
                check_token(rsa().token(claims(R"("https://x.example/name":"bob",)")), by, &keys(), now))
                .principal,
            "bob");
}

TEST(Token, WhatIsNotUnderstoodIsNotPassedOver) {
  const auto with = [](const std::string& header) { return check(rsa().sign(header, claims())); };
  EXPECT_THAT(with(R"({"alg":"RS256","kid":"r1","crit":["exp"]})"), HasSubstr("does not know"));
  EXPECT_THAT(with(R"({"alg":"RS256","kid":"r1","b64":false})"), HasSubstr("not encoded"));
  EXPECT_EQ(with(R"({"alg":"none","alg":"RS256","kid":"r1"})"), "this is not a token");
  EXPECT_EQ(check(rsa().token(claims(R"("sub":"root",)"))), "this is not a token");
  EXPECT_EQ(check(rsa().token(claims(R"("x":{"a":1,"a":2},)"))), "this is not a token");
}

TEST(Token, WhatIsNoToken) {
  const std::string token = rsa().token(claims());
  for (const std::string& each :
       {std::string(), std::string("."), std::string(".."), std::string("a.b"), std::string("a.b.c"),
        token + ".x", token + "=", " " + token, token.substr(1), std::string("secret password"),
        base64url("[]") + "." + base64url("[]") + ".", base64url("{}") + "." + base64url("7") + ".",
        std::string(1000, '{')})
    EXPECT_EQ(check(each), "this is not a token") << each;
  EXPECT_EQ(check(std::string(limits::token_bytes + 1, 'a')), "the token is too long");
}

TEST(Token, ItsOwnWordOnItsEnd) {
  EXPECT_EQ(claimed_end(rsa().token(claims())), wall_time(1'700'000'600s));
  EXPECT_FALSE(claimed_end("x"));
}

TEST(KeySet, WhatIsNone) {
  const auto why = [](const std::string& text) {
    const auto made = key_set::parse(text);
    return made ? "good" : made.error().message;
  };
  EXPECT_THAT(why(""), HasSubstr("not JSON"));
  EXPECT_THAT(why("[]"), HasSubstr("not JSON"));
  EXPECT_THAT(why("{}"), HasSubstr("no list `keys`"));
  EXPECT_THAT(why(R"({"keys":{}})"), HasSubstr("no list"));
  EXPECT_THAT(why(R"({"keys":[7]})"), HasSubstr("no object"));
  EXPECT_THAT(why(R"({"keys":[]})"), HasSubstr("none of 0"));
  EXPECT_THAT(why(jwks(std::vector<std::string>(limits::jwks_keys + 1, "{}"))), HasSubstr("101 of them"));
  for (const char* each :
       {"{}", R"({"kty":"oct","k":"c2VjcmV0"})", R"({"kty":"OKP","crv":"Ed25519","x":"AA"})",
        R"({"kty":"RSA","n":"!","e":"AQAB"})", R"({"kty":"RSA","n":"","e":""})",
        R"({"kty":"RSA","n":"0","e":"AQAB"})", R"({"kty":"RSA","n":"0===0,00=====cesa&ed","e":"AQAB"})",
        R"({"kty":"EC","crv":"P-256","x":"A","y":"A"})",

        R"({"kty":"RSA","n":7,"e":7})", R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})",
        R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})"})
    EXPECT_THAT(why(jwks({each})), HasSubstr("none of 1 can be used")) << each;
  EXPECT_THAT(why(jwks({signer::rsa("small", 1024).jwk()})), HasSubstr("none of 1"));
  EXPECT_THAT(why(jwks({rsa().jwk(R"("use":"enc",)")})), HasSubstr("none of 1"));
  EXPECT_THAT(why(jwks({rsa().jwk(R"("alg":"HS256",)")})), HasSubstr("none of 1"));
  EXPECT_THAT(why(jwks({rsa().jwk(R"("key_ops":["encrypt"],)")})), HasSubstr("none of 1"));
  EXPECT_EQ(why(jwks({rsa().jwk(R"("use":"sig","key_ops":["verify"],"alg":"RS256",)"), "{}"})), "good");
}

TEST(TokenCache, KnowsWhatWasGoodForAsLongAsItHolds) {
  token_cache cache(2);
  const auto who = std::make_shared<const identity>(identity{.principal = "alice"});
  const digest a = token_cache::name_of("token a", "rules");
  EXPECT_NE(a, token_cache::name_of("token a", "other rules"));
  EXPECT_NE(a, token_cache::name_of("token b", "rules"));
  const digest first{std::byte{1}};
  const digest second{std::byte{2}};
  cache.put(a, first, now + 10s, who);
  EXPECT_EQ(cache.find(a, first, now), who);
  EXPECT_EQ(cache.find(a, first, now + 10s), nullptr);
  EXPECT_EQ(cache.size(), 0);
  cache.put(a, first, now + 10s, who);
  EXPECT_EQ(cache.find(a, second, now), nullptr) << "the issuer has other keys since";
  EXPECT_EQ(cache.size(), 0);
  cache.put(a, first, now + 10s, who);
  cache.put(token_cache::name_of("b", ""), first, now + 10s, who);
  EXPECT_NE(cache.find(a, first, now), nullptr);
  cache.put(token_cache::name_of("c", ""), first, now + 10s, who);
  EXPECT_EQ(cache.size(), 2);
  EXPECT_NE(cache.find(a, first, now), nullptr);
  EXPECT_EQ(cache.find(token_cache::name_of("b", ""), first, now), nullptr) << "not seen for longest";
}

}  // namespace
}  // namespace trunkline::auth
