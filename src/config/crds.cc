#include "config/crds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/limits_kubernetes.h"
#include "config/crd_rules.h"
#include "config/schema.h"

namespace trunkline::config {

namespace {

using ordered = nlohmann::ordered_json;
using kind = value_kind;

struct crd_resource {
  object_kind what;
  std::string_view section;  ///< of the schema
  std::string_view plural;
  std::string_view short_name;
  std::string_view doc;
};

constexpr std::array<crd_resource, 3> crd_resources{{
    {object_kind::upstream, "upstreams[]", "postgresupstreams", "pgup",
     "Servers that PostgresRoutes lead to: an entry of `upstreams` of the gateway's file."},
    {object_kind::route, "routes[]", "postgresroutes", "pgroute",
     "Which session goes where: an entry of `routes` of the gateway's file."},
    {object_kind::policy, "access.policies[]", "accesspolicies", "accesspolicy",
     "Who may have what over the PostgresRoutes of its namespace: an entry of `access.policies` of the "
     "gateway's file."},
}};

constexpr std::string_view duration_pattern = "^(0|[0-9]{1,9}(ms|s|m|h))$";
constexpr std::string_view size_pattern = "^[0-9]{1,16}(KiB|MiB|GiB)?$";
constexpr std::string_view port_pattern =
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
constexpr std::size_t url_characters = 2'048;

/// Links lead to pages that a cluster has not.
std::string without_links(std::string_view doc) {
  std::string made;
  while (!doc.empty()) {
    const auto open = doc.find(" ([");
    made += doc.substr(0, open);
    if (open == std::string_view::npos) break;
    doc.remove_prefix(open);
    const auto end = doc.find("))");
    doc.remove_prefix(end == std::string_view::npos ? doc.size() : end + 2);
  }
  return made;
}

/// Of what stands in the place of a file: there is no file here to be the same as.
std::string_view doc_of(const schema_key& key) {
  if (key.kind == kind::tls_secret)
    return "The gateway's own certificate for the server and its private key: `tls.crt` and `tls.key` of a "
           "Secret.";
  if (key.kind != kind::secret_key) return key.doc;
  const std::string file = key.path.substr(0, key.path.size() - std::string_view("Secret").size()) + "File";
  const schema_key* beside = find_key(file);
  return beside == nullptr || beside->doc.starts_with("Its password") ? key.doc : beside->doc;
}

std::string description_of(const schema_key& key) {
  std::string made = without_links(doc_of(key));
  if (!key.default_note.empty() && key.kind != kind::secret_key)
    made += fmt::format(" Left out: {}.", key.default_note);
  if (!key.default_text.empty()) made += fmt::format(" Left out: `{}`.", key.default_text);
  return made;
}

ordered text_of(std::size_t most, std::string_view pattern = {}) {
  ordered made{{"type", "string"}, {"minLength", 1}, {"maxLength", most}};
  if (!pattern.empty()) made["pattern"] = pattern;
  return made;
}

ordered list_of(ordered items) {
  return {{"type", "array"},
          {"minItems", 1},
          {"maxItems", limits::config_list_entries},
          {"items", std::move(items)}};
}

std::string_view pattern_of(std::string_view path) {
  for (const auto& each : crd_patterns())
    if (each.path == path) return each.pattern;
  return {};
}

ordered choice_of(const schema_key& key) {
  ordered words = ordered::array();
  for (const auto& each : key.choices)
    if (std::find(key.file_choices.begin(), key.file_choices.end(), each) == key.file_choices.end())
      words.push_back(each);
  return {{"type", "string"}, {"enum", std::move(words)}};
}

ordered integer_of(const schema_key& key) {
  ordered made{{"type", "integer"}, {"format", "int64"}, {"minimum", key.least}};
  if (key.most != std::numeric_limits<std::int64_t>::max()) made["maximum"] = key.most;
  return made;
}

/// Of a Secret of the object's own namespace.
ordered secret_of(const schema_key& key) {
  ordered name = text_of(253, "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$");
  name["description"] = "The Secret's name, in the same namespace.";
  ordered made{{"type", "object"}, {"required", {"name"}}, {"properties", {{"name", std::move(name)}}}};
  if (key.kind == kind::tls_secret) return made;
  ordered which = text_of(253, "^[-._a-zA-Z0-9]+$");
  which["description"] = fmt::format("Which of its data. Left out: `{}`.", key.secret_default);
  made["properties"]["key"] = std::move(which);
  return made;
}

ordered mapping_of(std::string_view path, std::string_view left_out = {});

ordered value_of(const schema_key& key) {
  const std::string_view pattern = pattern_of(key.path);
  switch (key.kind) {
    case kind::mapping:
      return mapping_of(key.path);
    case kind::mappings:
      return list_of(mapping_of(key.path + "[]"));
    case kind::name:
      return text_of(limits::config_name_bytes, "^[A-Za-z0-9._-]+$");
    case kind::texts:
      return list_of(text_of(limits::config_pattern_bytes, pattern));
    case kind::integer:
      return integer_of(key);
    case kind::boolean:
      return {{"type", "boolean"}};
    case kind::duration:
      return text_of(16, duration_pattern);
    case kind::size:
      return text_of(20, size_pattern);
    case kind::choice:
      return choice_of(key);
    case kind::endpoints:
      return list_of(text_of(300, fmt::format("^(\\[[0-9a-fA-F:.]+\\]|[^\\[\\]:/\\s]+):{}$", port_pattern)));
    case kind::ranges:
      return list_of(text_of(50, "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"));
    case kind::url:
      return text_of(url_characters, "^https?://[^/\\s][^\\s]*$");
    case kind::secret_key:
    case kind::tls_secret:
      return secret_of(key);
    case kind::parameters:
      return {{"type", "object"},
              {"maxProperties", limits::config_list_entries},
              {"additionalProperties", {{"type", "string"}, {"maxLength", limits::config_text_bytes}}}};
    default:  // the rest is for the file alone
      return text_of(limits::config_text_bytes, pattern);
  }
}

/// A name or a number.
bool is_port(const schema_key& key) {
  return key.path == "upstreams[].discovery.kubernetes.port";
}

ordered rules_of(std::string_view path) {
  ordered made = ordered::array();
  for (const auto& each : crd_rules())
    if (each.path == path) made.push_back({{"rule", each.rule}, {"message", each.message}});
  return made;
}

/// The keys below `path`, as far as they are for objects; `left_out` is said elsewhere.
ordered mapping_of(std::string_view path, std::string_view left_out) {
  ordered properties = ordered::object();
  ordered required = ordered::array();
  for (const auto* key : keys_of(path)) {
    if (!is_for_objects(*key) || key->leaf() == left_out) continue;
    ordered value = is_port(*key) ? ordered{{"x-kubernetes-int-or-string", true}} : value_of(*key);
    ordered described{{"description", description_of(*key)}};
    described.update(value);
    properties[std::string(key->leaf())] = std::move(described);
    if (key->required && key->leaf() != "namespace") required.push_back(key->leaf());
  }
  ordered made{{"type", "object"}};
  if (!required.empty()) made["required"] = std::move(required);
  made["properties"] = std::move(properties);
  if (ordered rules = rules_of(path); !rules.empty()) made["x-kubernetes-validations"] = std::move(rules);
  return made;
}

ordered spec_of(const crd_resource& of) {
  ordered made{{"description", of.doc}};
  made.update(mapping_of(of.section, "name"));
  if (of.what == object_kind::upstream) return made;
  made["properties"]["priority"] = {{"description",
                                     "Higher ones come first; of the same priority the older one, then by "
                                     "namespace and name. Those of the gateway's "
                                     "file come before all objects. Left out: `0`."},
                                    {"type", "integer"},
                                    {"format", "int32"},
                                    {"minimum", -limits::object_priority},
                                    {"maximum", limits::object_priority}};
  return made;
}

/// As metav1.Condition.
ordered condition_schema() {
  ordered made{{"type", "object"},
               {"required", {"type", "status", "lastTransitionTime", "reason", "message"}}};
  made["properties"] = {{"type", {{"type", "string"}, {"maxLength", 316}}},
                        {"status", {{"type", "string"}, {"enum", {"True", "False", "Unknown"}}}},
                        {"observedGeneration", {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}}},
                        {"lastTransitionTime", {{"type", "string"}, {"format", "date-time"}}},
                        {"reason",
                         {{"type", "string"},
                          {"minLength", 1},
                          {"maxLength", 1024},
                          {"pattern", "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"}}},
                        {"message", {{"type", "string"}, {"maxLength", 32768}}}};
  return made;
}

ordered status_schema() {
  return {{"description", "What the gateway says of it: `Accepted`, and `Programmed` where it is in force."},
          {"type", "object"},
          {"properties",
           {{"conditions",
             {{"type", "array"},
              {"maxItems", 8},
              {"x-kubernetes-list-type", "map"},
              {"x-kubernetes-list-map-keys", {"type"}},
              {"items", condition_schema()}}}}}};
}

ordered printer_column(std::string_view name, std::string_view path, std::string_view type = "string",
                       bool wide = false) {
  ordered made{{"name", name}, {"type", type}, {"jsonPath", path}};
  if (wide) made["priority"] = 1;
  return made;
}

ordered columns_of(object_kind what) {
  ordered made = ordered::array();
  if (what == object_kind::upstream)
    made.push_back(printer_column("Endpoints", ".spec.endpoints", "string", true));
  if (what == object_kind::route) {
    made.push_back(printer_column("Upstream", ".spec.upstream"));
    made.push_back(printer_column("Priority", ".spec.priority", "integer"));
  }
  if (what == object_kind::policy) {
    made.push_back(printer_column("Effect", ".spec.effect"));
    made.push_back(printer_column("Level", ".spec.level"));
    made.push_back(printer_column("Priority", ".spec.priority", "integer"));
  }
  made.push_back(printer_column("Accepted", ".status.conditions[?(@.type==\"Accepted\")].status"));
  made.push_back(printer_column("Programmed", ".status.conditions[?(@.type==\"Programmed\")].status"));
  made.push_back(
      printer_column("Reason", ".status.conditions[?(@.type==\"Accepted\")].reason", "string", true));
  made.push_back(printer_column("Age", ".metadata.creationTimestamp", "date"));
  return made;
}

ordered version_of(const crd_resource& of) {
  ordered whole{{"description", of.doc}, {"type", "object"}, {"required", {"spec"}}};
  whole["properties"] = {{"apiVersion", {{"type", "string"}}},
                         {"kind", {{"type", "string"}}},
                         {"metadata", {{"type", "object"}}},
                         {"spec", spec_of(of)},
                         {"status", status_schema()}};
  whole["x-kubernetes-validations"] = {
      {{"rule", fmt::format("self.metadata.name.size() <= {}", limits::config_name_bytes)},
       {"message", fmt::format("metadata.name has more than {} characters", limits::config_name_bytes)}}};
  return {{"name", "v1alpha1"},
          {"served", true},
          {"storage", true},
          {"subresources", {{"status", ordered::object()}}},
          {"additionalPrinterColumns", columns_of(of.what)},
          {"schema", {{"openAPIV3Schema", std::move(whole)}}}};
}

ordered definition(const crd_resource& of) {
  std::string singular(kind_of(of.what));
  std::transform(singular.begin(), singular.end(), singular.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  ordered names{{"kind", kind_of(of.what)},
                {"listKind", std::string(kind_of(of.what)) + "List"},
                {"plural", of.plural},
                {"singular", singular}};
  if (of.short_name != singular) names["shortNames"] = {of.short_name};
  names["categories"] = {"trunkline"};
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", fmt::format("{}.trunkline.dev", of.plural)}}},
          {"spec",
           {{"group", "trunkline.dev"},
            {"scope", "Namespaced"},
            {"names", std::move(names)},
            {"versions", ordered::array({version_of(of)})}}}};
}

// ---- YAML ----

/// Block style; texts in double quotes, as JSON has them, where they could be taken for something else.
class yaml_text {
 public:
  explicit yaml_text(const ordered& of) { write(of, 0); }
  std::string take() { return std::move(text_); }

 private:
  static std::string scalar(const ordered& value) {
    if (!value.is_string()) return value.dump();
    const auto& text = value.get_ref<const std::string&>();
    const auto is_plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '/' ||
             (c >= '0' && c <= '9');
    };
    const bool word = !text.empty() && std::all_of(text.begin(), text.end(), is_plain) &&
                      std::isalpha(static_cast<unsigned char>(text.front())) != 0;
    constexpr std::array<std::string_view, 6> taken{"true", "false", "null", "off", "on", "no"};
    const bool other = std::find(taken.begin(), taken.end(), text) != taken.end() ||
                       text.starts_with("True") || text.starts_with("False");
    return word && !other ? text : value.dump();
  }

  void write(const ordered& value, std::size_t depth) {  // no deeper than the schema
    const std::string indent(depth * 2, ' ');
    for (const auto& [key, each] : value.items()) {
      text_ += indent + (value.is_array() ? "-" : key + ":");
      if (each.is_structured() && each.empty()) {
        text_ += each.is_array() ? " []\n" : " {}\n";
      } else if (!each.is_structured()) {
        text_ += " " + scalar(each) + "\n";
      } else if (value.is_array()) {
        const std::size_t from = text_.size();
        write(each, depth + 1);
        text_.replace(from, indent.size() + 2, " ");
      } else {
        text_ += "\n";
        write(each, depth + 1);
      }
    }
  }

  std::string text_;
};

}  // namespace

ordered definition_of(object_kind kind) {
  return definition(crd_resources[static_cast<std::size_t>(kind)]);
}

std::string render_crds() {
  std::string made;
  for (const auto& each : crd_resources)
    made += "---\n" + yaml_text(definition(each)).take();
  return made;
}

}  // namespace trunkline::config
