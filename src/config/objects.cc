#include "config/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/limits_kubernetes.h"
#include "config/build.h"
#include "config/checks.h"
#include "config/glob.h"
#include "config/load_parts.h"
#include "config/object_entry.h"

namespace trunkline::config {

namespace {

using reason = object_verdict::reason;

constexpr std::array<std::string_view, 3> kind_names{"PostgresUpstream", "PostgresRoute", "AccessPolicy"};
constexpr std::array<std::string_view, 6> reason_names{"Accepted",    "Invalid",         "Conflicted",
                                                       "RefNotFound", "RefNotPermitted", "SecretNotFound"};
constexpr std::size_t upstream_list = 0;
constexpr std::size_t route_list = 1;
constexpr std::size_t policy_list = 2;
constexpr std::size_t list_count = object_lists.size();

/// What is wrong with an object shows in one pass, and what follows from its absence in the next: upstreams,
/// their routes, what other rooms say of them, routes that conflict. So there are five at most.
constexpr int passes_most = 8;

/// The same for matches that are the same, whatever the order in their lists.
std::string canonical_text(const route_match& match) {
  std::string made;
  const auto add = [&](char what, std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    for (const auto& each : list)
      made += fmt::format("{}{}:{}", what, each.size(), each);
  };
  std::vector<std::string> sources;
  for (const auto& each : match.sources)
    sources.push_back(each.text());
  add('l', match.listeners);
  add('n', match.server_names);
  add('d', match.databases);
  add('u', match.users);
  add('s', std::move(sources));
  return made;
}

bool lets_in(const upstream& to, const route& from) {
  return to.name_space == from.name_space ||
         std::any_of(to.allowed_namespaces.begin(), to.allowed_namespaces.end(),
                     [&](const std::string& each) { return glob_match(each, from.name_space); });
}

/// The same whether it is there or not: that is nobody else's business.
object_refusal not_permitted(const object_entry& route) {
  return {reason::ref_not_permitted,
          object_message("spec.upstream",
                         fmt::format("no PostgresUpstream {} lets routes of namespace {} lead to it",
                                     quote(route.upstream), route.of->name_space),
                         "its allowedNamespaces to name the namespace")};
}

/// The tree of a file, objects, and what is known of them so far. Of one load.
class combination {
 public:
  combination(const node& root, std::string file, std::span<const config_object> objects,
              const load_options& options)
      : root_(root), file_(std::move(file)), options_(options) {
    for (const auto& each : objects)
      entries_[static_cast<std::size_t>(each.kind)].push_back(entry_of(each));
    std::set<std::string> governed;
    for (const auto& each : entries_[policy_list])
      governed.insert(each.of->name_space);
    governed_.assign(governed.begin(), governed.end());
    for (std::size_t list = 0; list < list_count; ++list)
      put_in_order(list);
    for (const auto& each : entries_[upstream_list])
      upstream_objects_.emplace(each.name, &each);
  }

  combined run() {
    for (int pass = 0; pass < passes_most; ++pass) {
      load_state state(file_, options_);
      settings value = build(state, place());
      remember(state);
      const bool of_objects = std::all_of(state.problems.begin(), state.problems.end(),
                                          [&](const problem& each) { return object_of(each) != nullptr; });
      if (!of_objects) break;
      if (refuse_wrong(state, value) || refuse_examined(value) || refuse_conflicts(value)) continue;
      return finish(state, std::move(value));
    }
    return without_objects();
  }

  /// One for each, in the order of `objects`.
  std::vector<object_verdict> verdicts(std::span<const config_object> objects) const {
    std::vector<object_verdict> made;
    made.reserve(objects.size());
    for (const auto& of : objects)
      made.push_back({of.kind, of.name_space, of.name, of.uid, of.generation, reason::accepted, {}});
    for (const auto& list : entries_) {
      for (const auto& each : list) {
        object_verdict& verdict = made[static_cast<std::size_t>(each.of - objects.data())];
        verdict.why = each.refused ? each.refused->why : reason::accepted;
        verdict.message = each.refused ? each.refused->message : each.doubts;
      }
    }
    return made;
  }

 private:
  /// Those that come last are left out where there are too many.
  void put_in_order(std::size_t list) {
    std::sort(entries_[list].begin(), entries_[list].end(), comes_before);
    in_file_[list] = entries_in(root_, object_lists[list]);
    std::size_t count = in_file_[list];
    for (auto& each : entries_[list]) {
      if (each.tree == nullptr && each.instead == nullptr) continue;
      values_ += each.tree == nullptr ? 0 : each.tree->weight;
      const bool too_many = ++count > limits::config_list_entries;
      if (!too_many && values_ <= limits::objects_values) continue;
      each.tree = nullptr;
      each.instead = nullptr;  // nothing comes behind it that it could deny
      each.refuse({reason::invalid,
                   too_many
                       ? fmt::format("there are more than {} of them, with those of the gateway's file, and "
                                     "this one comes last",
                                     limits::config_list_entries)
                       : fmt::format("the objects have more than {} values together, and this one comes last",
                                     limits::objects_values)});
    }
  }

  /// The file's tree with those that are not refused.
  node place() {
    node merged = root_;
    for (std::size_t list = 0; list < list_count; ++list) {
      std::vector<node_ptr> trees;
      placed_[list].clear();
      for (auto& each : entries_[list]) {
        if (list == route_list && !each.refused) resolve_upstream(each);
        const node_ptr& tree = each.refused ? each.instead : each.tree;
        if (tree == nullptr) continue;
        trees.push_back(tree);
        placed_[list].push_back(&each);
      }
      if (!trees.empty()) merged = with_entries(merged, object_lists[list], trees);
    }
    return merged;
  }

  settings build(load_state& state, const node& root) const {
    settings value = build_settings(state, root);
    value.access.governed = governed_;
    check_settings(state, root, value);
    return value;
  }

  /// What a route calls `db` is the object of its own namespace, or else the file's; `other/db` is an object.
  void resolve_upstream(object_entry& route) const {
    const std::string& own = route.of->name_space;
    const bool is_full = route.upstream.find('/') != std::string::npos;
    const bool is_own = !is_full || route.upstream.starts_with(own + "/");
    const std::string name = is_full ? route.upstream : own + "/" + route.upstream;
    const auto known = upstream_objects_.find(name);
    if (known != upstream_objects_.end() && !known->second->refused) {
      if (!is_full) route.tree = with_text(*route.tree, "upstream", name);
    } else if (!is_own) {
      route.refuse(not_permitted(route));
    } else if (known != upstream_objects_.end() || is_full) {
      route.refuse({reason::ref_not_found,
                    object_message("spec.upstream",
                                   known == upstream_objects_.end()
                                       ? fmt::format("there is no PostgresUpstream {}", quote(name))
                                       : fmt::format("PostgresUpstream {} is not accepted itself", name),
                                   "")});
    }
  }

  object_entry* at(std::size_t list, std::size_t index) const {
    if (index < in_file_[list] || index - in_file_[list] >= placed_[list].size()) return nullptr;
    return placed_[list][index - in_file_[list]];
  }
  object_entry* object_of(const problem& each) const {
    const auto key = read_object_key(each.key);
    return key ? at(key->list, key->index) : nullptr;
  }
  static std::string message_of(const problem& each) {
    const auto key = read_object_key(each.key);
    return object_message("spec" + std::string(key->rest), each.text, each.expected);
  }

  /// These tell whether there was any.
  bool refuse_wrong(const load_state& state, const settings& value) {
    const bool by_upstream = refuse_by_upstream(value);
    std::unordered_set<const object_entry*> fresh;
    for (const auto& each : state.problems) {
      object_entry& which = *object_of(each);
      std::string text = message_of(each);
      if (!which.refused) {
        which.refuse({each.of_secret ? reason::secret_not_found : reason::invalid, std::move(text)});
        fresh.insert(&which);
      } else if (fresh.contains(&which)) {
        if (which.refused->message.size() < limits::object_message_bytes / 2)
          which.refused->message += "; " + text;
      } else {
        which.instead = nullptr;  // never: a denial is right by itself. But no pass may end as it began
      }
    }
    return by_upstream || !state.problems.empty();
  }

  bool refuse_by_upstream(const settings& value) {
    std::unordered_map<std::string_view, const upstream*> named;
    for (const auto& each : value.upstreams)
      named.emplace(each.name, &each);
    bool any = false;
    for (std::size_t i = in_file_[route_list]; i < value.routes.size(); ++i) {
      const route& made = value.routes[i];
      object_entry& self = *at(route_list, i);
      const auto found = named.find(made.upstream);
      if (made.upstream.empty() || (found != named.end() && lets_in(*found->second, made))) continue;
      self.refuse(why_not(self, found == named.end() ? nullptr : found->second));
      any = true;
    }
    return any;
  }

  static object_refusal why_not(const object_entry& route, const upstream* to) {
    if (to == nullptr)
      return {reason::ref_not_found,
              object_message("spec.upstream",
                             quote(route.upstream) + " is neither a PostgresUpstream of the namespace nor an "
                                                     "upstream of the gateway's file",
                             "")};
    if (!to->name_space.empty()) return not_permitted(route);
    return {reason::ref_not_permitted,
            object_message("spec.upstream",
                           fmt::format("the gateway's upstream {} is not for routes of namespace {}",
                                       quote(route.upstream), route.of->name_space),
                           "its allowedNamespaces to name the namespace")};
  }

  bool refuse_examined(const settings& value) {
    if (!options_.examine) return false;
    bool any = false;
    for (const std::size_t list : {upstream_list, route_list}) {
      for (std::size_t i = 0; i < placed_[list].size(); ++i) {
        object_entry& each = *placed_[list][i];
        if (std::exchange(each.is_examined, true)) continue;
        std::string wrong = options_.examine(value, list == route_list, in_file_[list] + i);
        if (wrong.empty()) continue;
        each.refuse({reason::invalid, object_message("spec", wrong, "")});
        any = true;
      }
    }
    return any;
  }

  bool refuse_conflicts(const settings& value) {
    bool any = false;
    std::unordered_map<std::string, const route*> first;
    for (std::size_t i = 0; i < value.routes.size(); ++i) {
      const route& each = value.routes[i];
      const auto [before, fresh] = first.try_emplace(canonical_text(each.match), &each);
      object_entry* const self = at(route_list, i);
      if (fresh || self == nullptr) continue;
      self->refuse({reason::conflicted, object_message("spec.match",
                                                       shown_to(each.name_space, *before->second) +
                                                           " has the same match and comes first",
                                                       "")});
      any = true;
    }
    return any;
  }

  static std::string shown_to(const std::string& name_space, const route& which) {
    if (which.name_space.empty()) return fmt::format("route {} of the gateway's file", which.name);
    return which.name_space == name_space ? "PostgresRoute " + which.name
                                          : std::string("a PostgresRoute of another namespace");
  }

  /// Secrets and files of objects that are left out count too: there the mending may come from.
  void remember(const load_state& state) {
    for (const auto& [wanted, path] : state.secrets)
      wanted_.insert(wanted);
    for (const auto& each : state.referenced)
      if (seen_.insert(each).second) referenced_.push_back(each);
  }

  combined finish(load_state& state, settings value) {
    std::vector<problem> of_file;
    for (auto& each : state.warnings) {
      object_entry* const which = object_of(each);
      if (which == nullptr) {
        of_file.push_back(std::move(each));
      } else if (which->doubts.size() < limits::object_message_bytes / 2) {
        which->doubts += (which->doubts.empty() ? "" : "; ") + message_of(each);
      }
    }
    state.warnings = std::move(of_file);
    combined made{.all = finish_load(state, std::move(value)), .verdicts = {}};
    made.all.referenced_files = referenced_;
    made.all.wanted_secrets.assign(wanted_.begin(), wanted_.end());
    return made;
  }

  /// Something is wrong with the file; or with what the objects make of it, in a way that none of them is to
  /// blame for: then none of them counts.
  combined without_objects() {
    load_state state(file_, options_);
    settings value = build(state, root_);
    remember(state);
    for (auto& list : placed_)
      list.clear();
    for (auto& list : entries_)
      for (auto& each : list)
        each.refuse({reason::invalid, "the objects and the gateway's file do not go together"});
    return finish(state, std::move(value));
  }

  const node& root_;
  std::string file_;
  const load_options& options_;
  std::array<std::vector<object_entry>, list_count> entries_;  ///< in order, never changed in number
  std::array<std::vector<object_entry*>, list_count> placed_;  ///< of the last pass, behind those of the file
  std::array<std::size_t, list_count> in_file_{};
  std::unordered_map<std::string, const object_entry*> upstream_objects_;
  std::vector<std::string> governed_;
  std::size_t values_ = 0;
  std::set<secret_reference> wanted_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> referenced_;
};

}  // namespace

std::string_view kind_of(object_kind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

std::string_view reason_name(object_verdict::reason why) {
  return reason_names[static_cast<std::size_t>(why)];
}

combined load_text_with(std::string_view text, const std::string& name,
                        std::span<const config_object> objects, const load_options& options) {
  const auto tree = parse_tree(text);
  const bool is_mapping = tree && *tree != nullptr && (*tree)->kind == node_kind::mapping;
  if (!is_mapping || objects.empty()) return {.all = load_text(text, name, options), .verdicts = {}};
  combination all(**tree, name, objects, options);
  combined made = all.run();
  if (made.all.problems.empty()) made.verdicts = all.verdicts(objects);
  return made;
}

combined load_file_with(const std::string& path, std::span<const config_object> objects,
                        const load_options& options) {
  const auto text = read_configuration(path);
  if (!text) return {.all = load_file(path, options), .verdicts = {}};
  return load_text_with(*text, path, objects, options);
}

}  // namespace trunkline::config
