#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tls/test_raw_peer.h"

namespace trunkline::tls {
namespace {

using namespace std::chrono_literals;
using test::link;
using test::raw_peer;
using test::world;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string failure_of(const world& one) {
  auto built = server_context::build(one.server, one.tickets, test::now());
  return built ? "built" : built.error().message;
}

std::string shown_to(const std::shared_ptr<const server_context>& context, const world& one,
                     std::string name) {
  client_settings anything = one.client;
  anything.verify = verification::none;
  link joined{
      test::value_of(client_context::build(anything, test::now()))->connect(name, negotiation::ssl_request),
      context->accept(negotiation::ssl_request)};
  if (!joined.handshake()) return std::string(joined.server.error_text());
  return joined.client.peer_certificate()->common_name;
}

TEST(ServerContext, ChoosesTheCertificateByServerName) {
  world one;
  one.server.certificates = {one.source("first", {"db.example.org"}), one.source("wild", {"*.example.org"}),
                             one.source("exact", {"a.example.org"}),
                             one.source("rsa", {"rsa.test"}, key_kind::rsa_2048),
                             one.source("named", {"ignored.test"})};
  one.server.certificates.back().server_names = {"Named.Test"};
  const auto context = one.server_side();
  EXPECT_EQ(shown_to(context, one, "db.example.org"), "first");
  EXPECT_EQ(shown_to(context, one, "b.example.org"), "wild");
  EXPECT_EQ(shown_to(context, one, "a.example.org"), "exact");
  EXPECT_EQ(shown_to(context, one, "A.Example.ORG."), "exact");
  EXPECT_EQ(shown_to(context, one, "b.a.example.org"), "first");
  EXPECT_EQ(shown_to(context, one, "example.org"), "first");
  EXPECT_EQ(shown_to(context, one, "rsa.test"), "rsa");
  EXPECT_EQ(shown_to(context, one, "named.test"), "named");
  EXPECT_EQ(shown_to(context, one, "ignored.test"), "first");
  EXPECT_EQ(shown_to(context, one, "10.0.0.1"), "first");  // no SNI at all
  EXPECT_EQ(context->certificate_for("b.example.org"), 1u);
  EXPECT_THAT(context->certificates()[0].server_names, ElementsAre("db.example.org"));
  EXPECT_EQ(context->referenced_files().size(), 10u);
}

TEST(ServerContext, SaysWhatIsWrongWithAFile) {
  world one;
  const certificate_source good = one.server.certificates[0];
  const certificate_source other = one.source("other", {"o.test"});
  one.server.certificates = {};
  EXPECT_THAT(failure_of(one), HasSubstr("no certificate is configured"));
  one.server.certificates = {{.cert_file = "/nonexistent/tls.crt", .key_file = good.key_file}};
  EXPECT_THAT(failure_of(one), HasSubstr("/nonexistent/tls.crt: cannot be read: No such file"));
  one.server.certificates = {{.cert_file = good.cert_file, .key_file = other.key_file}};
  EXPECT_THAT(failure_of(one), HasSubstr("other.key: the key does not belong"));
  one.server.certificates = {{.cert_file = good.key_file, .key_file = good.key_file}};
  EXPECT_THAT(failure_of(one), HasSubstr("server.key: holds no certificate"));
  one.server.certificates = {{.cert_file = good.cert_file, .key_file = good.cert_file}};
  EXPECT_THAT(failure_of(one), HasSubstr("server.crt: holds no private key"));
  const std::string broken =
      one.files.write("broken.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  one.server.certificates = {{.cert_file = broken, .key_file = good.key_file}};
  EXPECT_THAT(failure_of(one), HasSubstr("broken.crt: broken certificate"));
  one.server.certificates = {good};
  one.server.client_certificate = client_certificates::require;
  EXPECT_THAT(failure_of(one), HasSubstr("no file of authorities"));
}

TEST(ServerContext, WarnsOfWhatShouldNotBeSo) {
  world one;
  issue_request asked = test::request("old", {"old.test"});
  asked.not_before = test::now() - 48h;
  asked.not_after = test::now() - 24h;
  const certificate_source expired = one.source_of("old", asked);
  asked.not_after = test::now() + 73h;
  const certificate_source soon = one.source_of("soon", asked);
  std::filesystem::permissions(soon.key_file, std::filesystem::perms(0644));
  one.server.certificates = {expired, soon};
  const auto context = one.server_side();
  EXPECT_THAT(context->warnings(), Contains(HasSubstr("old.crt: the certificate has expired")));
  EXPECT_THAT(context->warnings(), Contains(HasSubstr("soon.crt: the certificate expires in 3 days")));
  EXPECT_THAT(context->warnings(), Contains(HasSubstr("soon.key: the private key is readable by everybody")));
  EXPECT_TRUE(world().server_side()->warnings().empty());
}

struct client_certificate_case {
  client_certificates mode;
  const char* presented;  // "", "good" or "stranger"
  bool accepted;
};

TEST(ServerContext, ClientCertificates) {
  world one;
  const certificate_source good = one.source("app", {});
  const issued stranger_root = test::authority("Stranger");
  const issued stranger = test::value_of(issue(test::request("app"), &stranger_root));
  const test::stored stranger_files = test::store(one.files, "stranger", stranger);
  one.server.client_ca_file = one.ca_file;
  for (const client_certificate_case& c : {client_certificate_case{client_certificates::none, "", true},
                                           {client_certificates::none, "good", true},
                                           {client_certificates::request, "", true},
                                           {client_certificates::request, "good", true},
                                           {client_certificates::request, "stranger", false},
                                           {client_certificates::require, "", false},
                                           {client_certificates::require, "good", true},
                                           {client_certificates::require, "stranger", false}}) {
    one.server.client_certificate = c.mode;
    const std::string_view which = c.presented;
    one.client.cert_file = which == "good"       ? good.cert_file
                           : which == "stranger" ? stranger_files.cert_file
                                                 : "";
    one.client.key_file = which == "good"       ? good.key_file
                          : which == "stranger" ? stranger_files.key_file
                                                : "";
    link joined = one.join();
    joined.handshake();
    EXPECT_EQ(joined.server_status == status::ok, c.accepted) << which << " " << joined.server.error_text();
    if (c.accepted && c.mode != client_certificates::none && which == "good") {
      ASSERT_NE(joined.server.peer_certificate(), nullptr);
      EXPECT_EQ(joined.server.peer_certificate()->common_name, "app");
    }
    if (c.accepted) continue;
    EXPECT_THAT(std::string(joined.server.error_text()),
                HasSubstr(which.empty() ? "sent no certificate" : "issuer CN=Stranger is not trusted"));
    EXPECT_EQ(joined.client_receives(), status::failed);  // TLS 1.3: the client learns it after its handshake
    EXPECT_THAT(std::string(joined.client.error_text()), HasSubstr("the server refused with the TLS alert"));
  }
}

/// Connects with plain OpenSSL and keeps its session.
struct resumer {
  explicit resumer(int version) : context(test::raw_client(version)) {}

  bool connect(const server_context& server, const char* name = "db.example.org") {
    raw_peer client(*context);
    SSL_set_tlsext_host_name(client.ssl(), name);
    if (session != nullptr) SSL_set_session(client.ssl(), session.get());
    engine accepted = server.accept(negotiation::ssl_request);
    if (!client.handshake(accepted)) throw std::runtime_error(std::string(accepted.error_text()));
    client.read();  // tickets
    reused = accepted.session_reused();
    EXPECT_EQ(reused, SSL_session_reused(client.ssl()) == 1);
    EXPECT_EQ(accepted.server_name(), name);
    has_certificate = accepted.peer_certificate() != nullptr;
    session.reset(SSL_get1_session(client.ssl()));
    SSL_shutdown(client.ssl());
    return reused;
  }

  ssl_context_ptr context;
  ssl_session_ptr session;
  bool reused = false;
  bool has_certificate = false;
};

TEST(ServerContext, SessionsAreResumedAcrossReloadsAndRotations) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    world one;
    resumer client(version);
    EXPECT_FALSE(client.connect(*one.server_side()));
    EXPECT_TRUE(client.connect(*one.server_side())) << version;  // each call builds another context
    one.tickets->rotate();
    EXPECT_TRUE(client.connect(*one.server_side())) << version;
    for (int i = 0; i < 4; ++i)
      one.tickets->rotate();
    EXPECT_FALSE(client.connect(*one.server_side())) << version;
    EXPECT_TRUE(client.connect(*one.server_side())) << version;
  }
}

TEST(ServerContext, ATicketIsGoodOnlyWhereItCameFrom) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    world one;
    one.server.certificates.push_back(one.source("second", {"second.test"}));
    const auto context = one.server_side();
    resumer client(version);
    client.connect(*context);
    EXPECT_FALSE(client.connect(*context, "second.test")) << version;  // another name
    EXPECT_TRUE(client.connect(*context, "second.test")) << version;
    one.server.certificates[1] = one.source("renewed", {"second.test"});
    EXPECT_FALSE(client.connect(*one.server_side(), "second.test")) << version;  // another certificate
  }
}

TEST(ServerContext, ResumptionKeepsTheDemandForClientCertificates) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    world one;
    resumer client(version);
    const certificate_source own = one.source("app", {});
    SSL_CTX_use_certificate_chain_file(client.context.get(), own.cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(client.context.get(), own.key_file.c_str(), SSL_FILETYPE_PEM);
    client.connect(*one.server_side());  // nobody asked for the certificate
    one.server.client_ca_file = one.ca_file;
    one.server.client_certificate = client_certificates::require;
    EXPECT_FALSE(client.connect(*one.server_side())) << version;
    EXPECT_TRUE(client.has_certificate);
    EXPECT_TRUE(client.connect(*one.server_side())) << version;
    EXPECT_TRUE(client.has_certificate);  // still known in the resumed session
    one.server.client_ca_file = one.files.write(
        "both.crt", one.root.certificate_pem + test::authority("Another Root").certificate_pem);
    EXPECT_FALSE(client.connect(*one.server_side())) << version;  // other authorities, verified again
  }
}

TEST(ServerContext, ContextsAreSharedByThreads) {
  world one;
  one.server.certificates.push_back(one.source("second", {"second.test"}));
  one.client.verify = verification::verify_ca;
  const auto server = one.server_side();
  const auto client = one.client_side();
  std::atomic<int> established = 0;
  const auto work = [&](int seed) {
    for (int i = 0; i < 20; ++i) {
      const char* name = (seed + i) % 2 == 0 ? "db.example.org" : "second.test";
      link joined{client->connect(name, negotiation::direct), server->accept(negotiation::direct)};
      if (!joined.handshake()) continue;
      joined.server_sends(as_bytes("x"));
      if (joined.client_receives() == status::ok) ++established;
      if (i % 5 == 0) one.tickets->rotate();
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work, i);
  threads.clear();
  EXPECT_EQ(established, 80);
}

TEST(ServerContext, LiveEnginesKeepTheirContext) {
  world one;
  auto context = one.server_side();
  link joined{one.client_side()->connect("db.example.org", negotiation::ssl_request),
              context->accept(negotiation::ssl_request)};
  context.reset();
  ASSERT_TRUE(joined.handshake());
  joined.client_sends(as_bytes("x"));
  EXPECT_EQ(joined.server_receives(), status::ok);
}

}  // namespace
}  // namespace trunkline::tls
