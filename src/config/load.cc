#include "config/load.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "config/build.h"
#include "config/checks.h"
#include "config/load_parts.h"

namespace trunkline::config {

namespace {

struct file_closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

void note(std::vector<std::string>& list, const std::string& file) {
  if (!file.empty() && std::find(list.begin(), list.end(), file) == list.end()) list.push_back(file);
}

}  // namespace

/// One byte more than allowed is enough to know that it is too large.
std::expected<std::string, std::string> read_configuration(const std::string& path) {
  errno = 0;
  const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return std::unexpected(std::generic_category().message(errno));
  std::string text(limits::config_file_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return std::unexpected(std::generic_category().message(errno));
  return text;
}

loaded finish_load(load_state& state, settings value) {
  loaded result;
  const auto by_place = [](const problem& a, const problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  };
  std::stable_sort(state.problems.begin(), state.problems.end(), by_place);
  std::stable_sort(state.warnings.begin(), state.warnings.end(), by_place);
  if (state.problems.empty()) result.value = std::make_shared<const settings>(std::move(value));
  result.problems = std::move(state.problems);
  result.warnings = std::move(state.warnings);
  result.referenced_files = std::move(state.referenced);
  for (const auto& [wanted, path] : state.secrets)
    result.wanted_secrets.push_back(wanted);
  return result;
}

std::string problem::render() const {
  std::string text_form = file;
  if (line > 0) text_form += fmt::format(":{}:{}", line, column);
  if (!key.empty()) text_form += ": " + key;
  text_form += ": " + text;
  if (!expected.empty()) text_form += fmt::format(" (expected {})", expected);
  return text_form;
}

loaded load_text(std::string_view text, const std::string& name, const load_options& options) {
  load_state state(name, options);
  const auto tree = parse_tree(text);
  if (!tree) {
    state.problem(tree.error().where, "", tree.error().text, tree.error().expected);
    return finish_load(state, {});
  }
  node empty;
  empty.kind = node_kind::mapping;
  const node& root = *tree ? **tree : empty;
  auto value = build_settings(state, root);
  if (root.kind == node_kind::mapping) check_settings(state, root, value);
  return finish_load(state, std::move(value));
}

loaded load_file(const std::string& path, const load_options& options) {
  const auto text = read_configuration(path);
  if (text) return load_text(*text, path, options);
  load_state state(path, options);
  state.problem({}, "", "cannot be read: " + text.error(), "a readable file");
  return finish_load(state, {});
}

namespace {

/// Not the gateway's own token: it is read each time.
void note_keys(std::vector<std::string>& list, const issuer_keys& keys) {
  note(list, keys.jwks_file);
  note(list, keys.ca_file);
}

void note_keys(std::vector<std::string>& list, const route_auth& auth) {
  if (auth.jwt) note_keys(list, auth.jwt->keys);
  if (!auth.kubernetes) return;
  note(list, auth.kubernetes->ca_file);
  if (auth.kubernetes->offline) note_keys(list, *auth.kubernetes->offline);
}

}  // namespace

std::vector<std::string> referenced_files(const settings& value) {
  std::vector<std::string> list;
  note(list, load_state(value.file, {}).referenced.front());
  for (const auto& one : value.listeners) {
    for (const auto& shown : one.tls.certificates) {
      note(list, shown.cert_file);
      note(list, shown.key_file);
    }
    note(list, one.tls.client_ca_file);
  }
  for (const auto& one : value.routes) {
    note(list, one.auth.verifier_file);
    if (one.auth.query) note(list, one.auth.query->password_file);
    note_keys(list, one.auth);
    if (one.login) {
      note(list, one.login->usual.password_file);
      for (const auto& each : one.login->principals)
        note(list, each.as.password_file);
      if (one.login->ephemeral) note(list, one.login->ephemeral->as.password_file);
    }
  }
  for (const auto& one : value.upstreams) {
    note(list, one.tls.ca_file);
    note(list, one.tls.cert_file);
    note(list, one.tls.key_file);
    if (one.health) note(list, one.health->password_file);
  }
  note(list, value.replicas.key_file);
  note(list, value.replicas.tls.ca_file);
  note(list, value.replicas.tls.cert_file);
  note(list, value.replicas.tls.key_file);
  for (const auto& one : value.access.webhooks) {
    note(list, one.url_file);
    note(list, one.secret_file);
  }
  note(list, value.admin.tokens_file);
  if (value.admin.jwt) note_keys(list, value.admin.jwt->keys);
  note(list, value.admin.console.verifier_file);
  note(list, value.tracing.ca_file);
  note(list, value.kubernetes.kubeconfig_file);
  note(list, value.kubernetes.ca_file);
  return list;
}

}  // namespace trunkline::config
