#include "sql/guard_facts.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "sql/guarded_names.h"
#include "sql/literals.h"

namespace trunkline::sql {

namespace {

class guard_walk {
 public:
  explicit guard_walk(const parse_tree& tree) : tree_(tree) {}
  std::uint32_t run();

 private:
  using look = void (guard_walk::*)(std::size_t);
  static look look_of(std::string_view key);

  void add(guard_fact what) { bits_ |= bit(what); }
  void ddl(std::size_t) { add(guard_fact::ddl); }
  void code(std::size_t) { add(guard_fact::code); }
  void server_files(std::size_t) { add(guard_fact::server_files); }
  void discard(std::size_t node);
  void roles(std::size_t) {
    add(guard_fact::roles);
    add(guard_fact::ddl);
  }
  void truncate(std::size_t) { add(guard_fact::unqualified_write); }
  void write(std::size_t node);
  void rename(std::size_t node);
  void copy(std::size_t node);
  void make_function(std::size_t node);
  void make_extension(std::size_t node);
  void alter_system(std::size_t node);
  void call(std::size_t node);
  void identifier(std::size_t node) { bits_ |= facts_of_function(tree_.value(node, "sval")); }
  void set(std::size_t node);
  void option(std::size_t node);
  void setting(std::string_view name, const std::string* value);

  const parse_tree& tree_;
  std::uint32_t bits_ = 0;
};

guard_walk::look guard_walk::look_of(std::string_view key) {
  static const std::unordered_map<std::string_view, look> looks{
      {"CreateRoleStmt", &guard_walk::roles},
      {"AlterRoleStmt", &guard_walk::roles},
      {"AlterRoleSetStmt", &guard_walk::roles},
      {"DropRoleStmt", &guard_walk::roles},
      {"GrantRoleStmt", &guard_walk::roles},
      {"ReassignOwnedStmt", &guard_walk::roles},
      {"DropOwnedStmt", &guard_walk::roles},
      {"RenameStmt", &guard_walk::rename},
      {"DoStmt", &guard_walk::code},
      {"CreateFunctionStmt", &guard_walk::make_function},
      {"AlterFunctionStmt", &guard_walk::make_extension},
      {"CreateExtensionStmt", &guard_walk::make_extension},
      {"AlterExtensionStmt", &guard_walk::make_extension},
      {"CreatePLangStmt", &guard_walk::make_extension},
      {"CreateCastStmt", &guard_walk::make_extension},
      {"CreateOpClassStmt", &guard_walk::make_extension},
      {"DefineStmt", &guard_walk::make_extension},
      {"AlterSystemStmt", &guard_walk::alter_system},
      {"LoadStmt", &guard_walk::server_files},
      {"CopyStmt", &guard_walk::copy},
      {"UpdateStmt", &guard_walk::write},
      {"DeleteStmt", &guard_walk::write},
      {"TruncateStmt", &guard_walk::truncate},
      {"intoClause", &guard_walk::ddl},
      {"CommentStmt", &guard_walk::ddl},
      {"CompositeTypeStmt", &guard_walk::ddl},
      {"GrantStmt", &guard_walk::ddl},
      {"ImportForeignSchemaStmt", &guard_walk::ddl},
      {"IndexStmt", &guard_walk::ddl},
      {"RefreshMatViewStmt", &guard_walk::ddl},
      {"ReindexStmt", &guard_walk::ddl},
      {"ClusterStmt", &guard_walk::ddl},
      {"RuleStmt", &guard_walk::ddl},
      {"SecLabelStmt", &guard_walk::ddl},
      {"ViewStmt", &guard_walk::ddl},
      {"VariableSetStmt", &guard_walk::set},
      {"DiscardStmt", &guard_walk::discard},
      {"DefElem", &guard_walk::option},
      {"FuncCall", &guard_walk::call},
      {"String", &guard_walk::identifier},
  };
  if (const auto found = looks.find(key); found != looks.end()) return found->second;
  const bool makes = key.starts_with("Create") || key.starts_with("Alter") || key.starts_with("Drop");
  return makes ? &guard_walk::ddl : nullptr;
}

std::uint32_t guard_walk::run() {
  for (std::size_t i = 0; i < tree_.size(); ++i) {
    const tree_node& node = tree_[i];
    if (node.kind != tree_node::type::object || node.key.empty()) continue;
    if (const look found = look_of(node.key)) (this->*found)(i);
  }
  return bits_;
}

void guard_walk::write(std::size_t node) {
  if (tree_.find(node, "whereClause") == parse_tree::none) add(guard_fact::unqualified_write);
  // A rule on this view calls set_config().
  if (tree_.value(tree_.find(node, "relation"), "relname") == "pg_settings") add(guard_fact::any_setting);
}

void guard_walk::rename(std::size_t node) {
  tree_.value(node, "renameType") == "OBJECT_ROLE" ? roles(node) : ddl(node);
}

void guard_walk::copy(std::size_t node) {
  if (!tree_.value(node, "filename").empty() || tree_.value(node, "is_program") == "true")
    add(guard_fact::server_files);
}

/// A body that is SQL's own grammar is in the tree.
void guard_walk::make_function(std::size_t node) {
  add(guard_fact::ddl);
  if (tree_.find(node, "sql_body") == parse_tree::none) add(guard_fact::code);
}

/// What it names may call whatever it likes.
void guard_walk::make_extension(std::size_t) {
  add(guard_fact::ddl);
  add(guard_fact::code);
}

void guard_walk::alter_system(std::size_t) {
  add(guard_fact::ddl);
  add(guard_fact::server_files);
}

/// It also goes back to the session's own user.
void guard_walk::discard(std::size_t node) {
  if (tree_.value(node, "target") == "DISCARD_ALL") add(guard_fact::leaves_role);
}

/// `value` null: it is not known.
void guard_walk::setting(std::string_view name, const std::string* value) {
  const std::string folded = folded_name(name);
  if (folded == "role" || folded == "session_authorization") add(guard_fact::leaves_role);
  if (folded == "transaction_read_only" || folded == "default_transaction_read_only") {
    if (value == nullptr || !is_true(*value)) add(guard_fact::leaves_read_only);
  }
  if (folded == "standard_conforming_strings" && (value == nullptr || !is_true(*value)))
    add(guard_fact::lexical);
  if (folded == "client_encoding" && (value == nullptr || !is_plain_encoding(*value)))
    add(guard_fact::lexical);
}

void guard_walk::set(std::size_t node) {
  const std::string_view kind = tree_.value(node, "kind");
  const std::string name = plain_text(tree_.value(node, "name"));
  // Options of a transaction are looked at by themselves; RESET ALL goes back to the start-up packet.
  if (kind == "VAR_SET_MULTI" || kind == "VAR_RESET_ALL") return;
  const bool back = kind == "VAR_RESET" || kind == "VAR_SET_DEFAULT";
  if (back && folded_name(name) != "transaction_read_only") {
    const std::string start = "on";  // as the start-up packet has both of them
    const bool of_start = folded_name(name) != "client_encoding";
    if (of_start) setting(name, &start);
    return;
  }
  const std::size_t list = tree_.find(node, "args");
  const auto value = tree_.children(list) == 1 ? constant_at(tree_, tree_.first_child(list)) : std::nullopt;
  setting(name, value ? &*value : nullptr);
}

/// BEGIN READ WRITE, SET TRANSACTION, SET SESSION CHARACTERISTICS.
void guard_walk::option(std::size_t node) {
  if (tree_.value(node, "defname") != "transaction_read_only") return;
  const auto value = constant_at(tree_, tree_.find(node, "arg"));
  if (!value || !is_true(*value)) add(guard_fact::leaves_read_only);
}

void guard_walk::call(std::size_t node) {
  const std::size_t names = tree_.find(node, "funcname");
  std::size_t last = parse_tree::none;
  for (std::size_t i = tree_.first_child(names); i != parse_tree::none; i = tree_.next_sibling(i, names))
    last = i;
  if (tree_.value(tree_.find(last, "String"), "sval") != "set_config") return;
  const std::size_t list = tree_.find(node, "args");
  std::optional<std::string> name;
  std::optional<std::string> value;
  if (tree_.children(list) == 3 && tree_.find(node, "func_variadic") == parse_tree::none) {
    const std::size_t first = tree_.first_child(list);
    name = constant_at(tree_, first);
    value = constant_at(tree_, tree_.next_sibling(first, list));
  }
  // Named arguments (name => value) are no constants.
  if (!name) return add(guard_fact::any_setting);
  setting(*name, value ? &*value : nullptr);
}

}  // namespace

std::uint32_t guard_facts_of_tree(const parse_tree& tree) {
  return guard_walk(tree).run();
}

}  // namespace trunkline::sql
