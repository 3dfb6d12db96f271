#include "config/schema_identity.h"

#include "config/enum_names.h"
#include "config/schema_secrets.h"

namespace trunkline::config {

namespace {

using held = value_kind;

// As in schema.cc: one key, one entry.
// clang-format off

void add_certificate(std::vector<schema_key>& to, const std::string& auth) {
  const std::string map = auth + ".certificate.map";
  to.insert(to.end(), {
    {.path = auth + ".certificate", .kind = held::mapping,
     .doc = "For `cert`: which of the certificate's names says who the client is. Left out: the common name."},
    {.path = map, .kind = held::mappings, .doc = "The first rule that one of the names fits decides.", .required = true},
    {.path = map + "[].from", .kind = held::choice,
     .doc = "The subject's common name, or the alternative names of a kind; `uri` is where SPIFFE has its identities.",
     .default_text = "commonName", .choices = {"commonName", "dns", "email", "uri"}},
    {.path = map + "[].match", .kind = held::text,
     .doc = "What the name must be; each `*` is a part of it that is free, within one label (`dns`), one segment (`uri`) or "
            "one side of the `@` (`email`).",
     .required = true},
    {.path = map + "[].principal", .kind = held::text,
     .doc = "Who the client then is: `$1` is the first free part, `$0` the whole name.", .default_text = "$0"},
  });
}

void add_tokens(std::vector<schema_key>& to, const std::string& jwt, std::string doc) {
  to.insert(to.end(), {
    {.path = jwt, .kind = held::mapping, .doc = std::move(doc)},
    {.path = jwt + ".issuer", .kind = held::url,
     .doc = "The issuer (`iss`), to the letter. Where nothing else says where its keys are, its discovery document does.",
     .required = true},
    {.path = jwt + ".audience", .kind = held::texts,
     .doc = "A token must be made for one of these (`aud`); no wildcards.", .required = true},
    {.path = jwt + ".principalClaim", .kind = held::text,
     .doc = "The claim that says who the client is; `a.b` is a claim `b` within `a`, where there is none of that name.",
     .default_text = "sub"},
    {.path = jwt + ".groupsClaim", .kind = held::text, .doc = "The claim with its groups, a list of texts.",
     .default_note = "none: no groups"},
    {.path = jwt + ".jwksFile", .kind = held::file, .doc = "The issuer's keys, a JWKS, from a file."},
    {.path = jwt + ".jwksUri", .kind = held::url, .doc = "Where the issuer's keys are, without its discovery document."},
    {.path = jwt + ".caFile", .kind = held::file, .doc = "Authorities (PEM) that vouch for the issuer behind https.",
     .default_note = "the system's trust store"},
    secret_beside(jwt + ".ca", "The same, from a Secret of Kubernetes.", "ca.crt"),
    {.path = jwt + ".algorithms", .kind = held::texts,
     .doc = "Signatures that count: `RS256` `RS384` `RS512` `PS256` `PS384` `PS512` `ES256` `ES384` `ES512`.",
     .default_note = "all of them"},
    {.path = jwt + ".clockSkew", .kind = held::duration,
     .doc = "How far the clocks of issuer and gateway may differ.", .default_text = "30s", .most = 600'000},
  });
}

void add_offer(std::vector<schema_key>& to, const std::string& jwt) {
  to.insert(to.end(), {
    {.path = jwt + ".offer", .kind = held::choice,
     .doc = "How clients are asked for the token. `password`: any driver, in the place of a password. `oauthbearer`: by the "
            "SASL mechanism that libpq 18 speaks.",
     .default_text = "password", .choices = {"password", "oauthbearer"}},
    {.path = jwt + ".scope", .kind = held::text,
     .doc = "With `oauthbearer`: what a client without a token is told to ask the issuer for.", .default_text = "openid"},
  });
}

void add_kubernetes(std::vector<schema_key>& to, const std::string& kubernetes) {
  const std::string offline = kubernetes + ".offline";
  const std::string authorization = kubernetes + ".authorization";
  to.insert(to.end(), {
    {.path = kubernetes, .kind = held::mapping, .doc = "For `kubernetes`: who says whose service-account token it is."},
    {.path = kubernetes + ".apiServer", .kind = held::url,
     .doc = "The API server, such as https://kubernetes.default.svc, which is asked by TokenReview. For objects it is the "
            "gateway's own.",
     .default_note = "none where there is `offline`; else that of the section `kubernetes`, or the pod's", .file_only = true},
    {.path = kubernetes + ".tokenFile", .kind = held::file,
     .doc = "The gateway's own token, which may create TokenReviews; read again for each.",
     .default_note = "without apiServer and `offline`: as apiServer"},
    {.path = kubernetes + ".caFile", .kind = held::file, .doc = "Authorities (PEM) that vouch for the API server.",
     .default_note = "the system's trust store; without apiServer and `offline`: as apiServer"},
    {.path = kubernetes + ".audience", .kind = held::texts,
     .doc = "A token must be made for one of these: the audience of the pod's projected volume; no wildcards.",
     .required = true},
    {.path = authorization, .kind = held::mapping,
     .doc = "RBAC says who may have the route: who may `connect` to this PostgresRoute, to read; with `write` or `admin`, more."},
    {.path = authorization + ".namespace", .kind = held::text, .doc = "Of the PostgresRoute. There need not be such an object.",
     .default_note = "the route's own, where it is an object"},
    {.path = authorization + ".name", .kind = held::text, .doc = "Of the PostgresRoute.",
     .default_note = "the route's own, where it is an object"},
    {.path = authorization + ".graceTime", .kind = held::duration,
     .doc = "Sessions go on for so long while the API server cannot be asked whether they may; then they end.",
     .default_text = "1h", .least = 1'000, .most = 30 * 24 * 3'600'000LL},
    {.path = offline, .kind = held::mapping,
     .doc = "What decides where the API server cannot be reached: the token's signature."},
    {.path = offline + ".issuer", .kind = held::url, .doc = "The cluster's issuer, to the letter.", .required = true},
    {.path = offline + ".jwksFile", .kind = held::file, .doc = "Its keys, a JWKS, from a file."},
    {.path = offline + ".jwksUri", .kind = held::url,
     .doc = "Where its keys are, such as https://kubernetes.default.svc/openid/v1/jwks.",
     .default_note = "none: as its discovery document says"},
    {.path = offline + ".caFile", .kind = held::file, .doc = "Authorities (PEM) that vouch for the issuer.",
     .default_note = "the system's trust store"},
    secret_beside(offline + ".ca", "The same, from a Secret.", "ca.crt"),
  });
}

// clang-format on

}  // namespace

void add_admin_tokens(std::vector<schema_key>& to) {
  add_tokens(to, "admin.jwt",
             "Whose tokens may ask for access, answer and revoke over the API, as those of tokensFile do: of "
             "an OpenID "
             "Connect issuer.");
}

void add_identity_keys(std::vector<schema_key>& to) {
  const std::string auth = "routes[].auth";
  add_certificate(to, auth);
  add_tokens(to, auth + ".jwt", "For `jwt`: whose tokens count, and what in them.");
  add_offer(to, auth + ".jwt");
  add_kubernetes(to, auth + ".kubernetes");
  to.push_back(
      {.path = auth + ".disconnectExpired",
       .kind = held::boolean,
       .doc =
           "For `cert`, `jwt` and `kubernetes`: a session ends when the token or certificate that it began "
           "with expires; a minute before, a notice says so.",
       .default_text = "false"});
  const std::string users = auth + ".userMap";
  to.insert(to.end(),
            {{.path = users,
              .kind = held::mappings,
              .doc = "For `cert`, `jwt` and `kubernetes`: which user the client may log in as; one rule "
                     "must fit. Left out: the user must be named as the principal is."},
             {.path = users + "[].principal",
              .kind = held::texts,
              .doc = "Who the client is; each `*` is a free part.",
              .default_note = "anybody"},
             {.path = users + "[].group",
              .kind = held::texts,
              .doc = "A group that it is in.",
              .default_note = "any or none"},
             {.path = users + "[].user",
              .kind = held::texts,
              .doc = "Whom it may log in as: users, with wildcards, and made of the principal's parts, "
                     "such as `$1`.",
              .required = true}});
}

}  // namespace trunkline::config
