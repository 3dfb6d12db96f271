#include <array>
#include <filesystem>
#include <utility>

#include "auth/base64.h"
#include "base/limits_kubernetes.h"
#include "config/tree.h"
#include "identity/files.h"
#include "k8s/api_access.h"

namespace trunkline::k8s {

namespace {

using config::node;

/// One user's or cluster's mapping, and how its values are read.
class part {
 public:
  part(const std::string& file, const node* from) : file_(file), from_(from) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string text(std::string_view key) const {
    const node* found = find(key);
    return found != nullptr && found->kind == config::node_kind::scalar ? found->text : std::string();
  }
  std::unexpected<error> refuse(const std::string& key, const std::string& why) const {
    const node* found = find(key);
    const std::string line = found == nullptr ? "" : ":" + std::to_string(found->where.line);
    return fail({.message = file_ + line + ": " + key + ": " + why});
  }
  /// `key`-data in base64, else the file that `key` names; empty where there is neither.
  result<secret_text> content(const std::string& key) const {
    if (const std::string data = text(key + "-data"); !data.empty()) {
      const auto bytes = auth::base64_decode(data);
      if (!bytes) return refuse(key + "-data", "is not base64");
      return secret_text(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
    }
    const std::string path = text(key);
    if (path.empty()) return secret_text();
    return identity::read_text_file(beside(path), limits::k8s_file_bytes);
  }
  std::string beside(const std::string& path) const {
    return (std::filesystem::path(file_).parent_path() / path).string();
  }

 private:
  const node* find(std::string_view key) const {
    const node* found = from_ == nullptr ? nullptr : from_->find(key);
    return found == nullptr || found->kind == config::node_kind::null ? nullptr : found;
  }

  const std::string& file_;
  const node* from_;
};

/// The value `key` of the entry called `name` in the list `list`; null where there is none.
const node* named(const node& root, std::string_view list, const std::string& name, std::string_view key) {
  const node* all = root.find(list);
  if (all == nullptr) return nullptr;
  for (const auto& each : all->items) {
    const node* its = each->find("name");
    if (its != nullptr && its->text == name) return each->find(key);
  }
  return nullptr;
}

result<> read_cluster(const part& cluster, api_access& to) {
  to.server = cluster.text("server");
  if (!to.server.starts_with("https://") && !to.server.starts_with("http://127.0.0.1"))
    return cluster.refuse("server", "is no https:// address");
  if (cluster.text("insecure-skip-tls-verify") == "true")
    return cluster.refuse("insecure-skip-tls-verify", "is refused: the API server is always verified");
  for (const char* key : {"tls-server-name", "proxy-url"}) {
    if (cluster.has(key)) return cluster.refuse(key, "is not supported");
  }
  auto authorities = cluster.content("certificate-authority");
  if (!authorities) return fail(authorities.error());
  to.tls.authorities = authorities->reveal();
  return {};
}

result<> read_user(const part& user, api_access& to) {
  constexpr std::array plugins{"exec", "auth-provider"};
  for (const char* key : plugins) {
    if (user.has(key))
      return user.refuse(key,
                         "is refused: the gateway starts no programs; use tokenFile, token or a client "
                         "certificate");
  }
  for (const char* key : {"username", "as"}) {
    if (user.has(key)) return user.refuse(key, "is not supported");
  }
  if (const std::string file = user.text("tokenFile"); !file.empty()) {
    auto token = identity::read_token_file(user.beside(file));
    if (!token) return fail(token.error());
    to.token = std::move(*token);
  } else if (std::string token = user.text("token"); !token.empty()) {
    if (token.find_first_of("\r\n \t") != std::string::npos) return user.refuse("token", "is none");
    to.token = secret_text(std::move(token));
  }
  auto certificate = user.content("client-certificate");
  if (!certificate) return fail(certificate.error());
  auto key = user.content("client-key");
  if (!key) return fail(key.error());
  to.tls.certificate = certificate->reveal();
  to.tls.key = std::move(*key);
  if (to.tls.certificate.empty() != to.tls.key.empty())
    return user.refuse("client-certificate", "stands without client-key, or that without it");
  return {};
}

}  // namespace

result<api_access> read_kubeconfig(std::string_view text, const std::string& file,
                                   const std::string& context) {
  const auto tree = config::parse_tree(text);
  if (!tree)
    return fail({.message = file + ":" + std::to_string(tree.error().where.line) + ": " + tree.error().text});
  if (*tree == nullptr || (*tree)->kind != config::node_kind::mapping)
    return fail({.message = file + ": is no kubeconfig"});
  const node& root = **tree;
  const std::string wanted = context.empty() ? part(file, &root).text("current-context") : context;
  if (wanted.empty()) return fail({.message = file + ": has no current-context"});
  const node* chosen = named(root, "contexts", wanted, "context");
  if (chosen == nullptr) return fail({.message = file + ": has no context \"" + wanted + "\""});
  const part of(file, chosen);
  const node* cluster = named(root, "clusters", of.text("cluster"), "cluster");
  const node* user = named(root, "users", of.text("user"), "user");
  if (cluster == nullptr) return fail({.message = file + ": has no cluster \"" + of.text("cluster") + "\""});
  if (user == nullptr) return fail({.message = file + ": has no user \"" + of.text("user") + "\""});
  api_access made;
  if (auto read = read_cluster(part(file, cluster), made); !read) return fail(read.error());
  if (auto read = read_user(part(file, user), made); !read) return fail(read.error());
  return made;
}

}  // namespace trunkline::k8s
