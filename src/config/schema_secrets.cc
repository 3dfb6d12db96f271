#include "config/schema_secrets.h"

namespace trunkline::config {

namespace {

using held = value_kind;

}  // namespace

schema_key secret_beside(const std::string& path, std::string doc, std::string key) {
  return {.path = path + "Secret",
          .kind = held::secret_key,
          .doc = std::move(doc),
          .default_note = "none; its key: `" + key + "`",
          .secret_default = std::move(key)};
}

schema_key tls_secret_in(const std::string& parent, std::string doc) {
  return {.path = parent + ".certSecret", .kind = held::tls_secret, .doc = std::move(doc)};
}

std::vector<schema_key> secret_keys() {
  std::vector<schema_key> made;
  for (const auto path : {secret_key_path, tls_secret_path}) {
    const std::string in(path);
    made.push_back({.path = in + ".namespace",
                    .kind = held::text,
                    .doc = "Where the Secret is. In an object it is left out: its own namespace is meant.",
                    .required = true});
    made.push_back({.path = in + ".name", .kind = held::text, .doc = "The Secret's name.", .required = true});
  }
  made.push_back({.path = std::string(secret_key_path) + ".key",
                  .kind = held::text,
                  .doc = "Which of its data.",
                  .default_note = "as the reference says"});
  return made;
}

}  // namespace trunkline::config
