#include "sql/effects_walk.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/limits.h"
#include "sql/function_effects.h"
#include "sql/setting_names.h"

namespace trunkline::sql {

namespace {

struct statement_class {
  statement_kind kind = statement_kind::other;
  bool known = true;
  bool any_constants = false;  ///< its constants decide nothing, but for those of set_config()
};

bool calls_nothing(std::string_view name) {
  constexpr std::array<std::string_view, 9> such{"VariableSetStmt", "PrepareStmt",     "DeallocateStmt",
                                                 "ListenStmt",      "UnlistenStmt",    "NotifyStmt",
                                                 "TransactionStmt", "ClosePortalStmt", "LockStmt"};
  return std::find(such.begin(), such.end(), name) != such.end();
}

statement_class classify(std::string_view name) {
  using enum statement_kind;
  static const std::unordered_map<std::string_view, statement_class> classes{
      {"SelectStmt", {read_only, true, true}},
      {"InsertStmt", {other, true, true}},
      {"UpdateStmt", {other, true, true}},
      {"DeleteStmt", {other, true, true}},
      {"MergeStmt", {other, true, true}},
      {"TransactionStmt", {other, true, true}},
      {"VariableShowStmt", {read_only}},
      {"ExplainStmt", {read_only}},
      {"CopyStmt", {copy}},
      {"CallStmt", {other}},
      {"CheckPointStmt", {other}},
      {"ClosePortalStmt", {other}},
      {"ClusterStmt", {other}},
      {"ConstraintsSetStmt", {other}},
      {"DeallocateStmt", {other}},
      {"DeclareCursorStmt", {other}},
      {"DiscardStmt", {other}},
      {"DoStmt", {other}},
      {"ExecuteStmt", {other}},
      {"FetchStmt", {other}},
      {"ListenStmt", {other}},
      {"LoadStmt", {other}},
      {"LockStmt", {other}},
      {"NotifyStmt", {other}},
      {"PrepareStmt", {other}},
      {"RefreshMatViewStmt", {other}},
      {"ReindexStmt", {other}},
      {"TruncateStmt", {other}},
      {"UnlistenStmt", {other}},
      {"VacuumStmt", {other}},
      {"VariableSetStmt", {other}},
      {"CommentStmt", {ddl}},
      {"CompositeTypeStmt", {ddl}},
      {"DefineStmt", {ddl}},
      {"GrantRoleStmt", {ddl}},
      {"GrantStmt", {ddl}},
      {"ImportForeignSchemaStmt", {ddl}},
      {"IndexStmt", {ddl}},
      {"ReassignOwnedStmt", {ddl}},
      {"RenameStmt", {ddl}},
      {"RuleStmt", {ddl}},
      {"SecLabelStmt", {ddl}},
      {"ViewStmt", {ddl}},
  };
  if (const auto found = classes.find(name); found != classes.end()) return found->second;
  if (name.starts_with("Alter") || name.starts_with("Create") || name.starts_with("Drop")) return {ddl};
  return {other, false};
}

/// Goes through the nodes of one text, statement by statement.
class walk {
 public:
  explicit walk(const parse_tree& tree) : tree_(tree) {}
  effects run();

 private:
  using handler = void (walk::*)(std::size_t);
  static handler handler_of(std::string_view key);

  void statement(std::size_t node);
  void nodes(std::size_t begin, std::size_t end);
  statement_kind transaction_kind(std::size_t node) const;
  bool has_analyze(std::size_t node) const;

  void call(std::size_t node);
  void set_config(std::size_t node);
  void variable_set(std::size_t node);
  void set_characteristics(std::size_t node);
  void update(std::size_t node);
  void locks(std::size_t) { writes_ = true; }
  void writes(std::size_t) { writes_ = advances_ = true; }
  void creates(std::size_t);
  void persistence(std::size_t node);
  void schema(std::size_t node) { schema_name(tree_[node].value); }
  void identifier(std::size_t node) { schema_name(tree_.value(node, "sval")); }
  void operator_call(std::size_t node) { operator_name(tree_.find(node, "name")); }
  void operator_name(std::size_t list);
  void prepare(std::size_t) { out_.add({effect::prepare, effect::inspect}); }
  void execute(std::size_t node);
  void deallocate(std::size_t node);
  void discard(std::size_t node);
  void declare(std::size_t node);
  void close(std::size_t) { out_.add(effect::close_cursor); }
  void listen(std::size_t node);
  void unlisten(std::size_t node);
  void load(std::size_t) { out_.add({effect::load, effect::inspect}); }
  void unknown(std::size_t) {
    advances_ = true;
    out_.add(effect::inspect);
  }

  void schema_name(std::string_view name);
  void name_once(effect what, std::string& kept, std::string name);
  std::string literal(std::size_t node) const;

  const parse_tree& tree_;
  effects out_;
  // In the present statement:
  bool writes_ = false;
  bool advances_ = false;  // a sequence, as far as can be told: by a default or a trigger too
};

walk::handler walk::handler_of(std::string_view key) {
  static const std::unordered_map<std::string_view, handler> handlers{
      {"FuncCall", &walk::call},
      {"VariableSetStmt", &walk::variable_set},
      {"UpdateStmt", &walk::update},
      {"InsertStmt", &walk::writes},
      {"DeleteStmt", &walk::writes},
      {"MergeStmt", &walk::writes},
      {"lockingClause", &walk::locks},
      {"intoClause", &walk::creates},
      {"CreateStmt", &walk::creates},
      {"CreateTableAsStmt", &walk::creates},
      {"CreateSeqStmt", &walk::creates},
      {"ViewStmt", &walk::creates},
      {"relpersistence", &walk::persistence},
      {"schemaname", &walk::schema},
      {"String", &walk::identifier},
      {"A_Expr", &walk::operator_call},
      {"operName", &walk::operator_name},
      {"useOp", &walk::operator_name},
      {"PrepareStmt", &walk::prepare},
      {"ExecuteStmt", &walk::execute},
      {"DeallocateStmt", &walk::deallocate},
      {"DiscardStmt", &walk::discard},
      {"DeclareCursorStmt", &walk::declare},
      {"ClosePortalStmt", &walk::close},
      {"ListenStmt", &walk::listen},
      {"UnlistenStmt", &walk::unlisten},
      {"LoadStmt", &walk::load},
      {"DoStmt", &walk::unknown},
      {"CallStmt", &walk::unknown},
      // Their scripts are not in the text.
      {"CreateExtensionStmt", &walk::unknown},
      {"AlterExtensionStmt", &walk::unknown},
  };
  const auto found = handlers.find(key);
  return found == handlers.end() ? nullptr : found->second;
}

effects walk::run() {
  const std::size_t list = tree_.find(0, "stmts");
  for (std::size_t i = tree_.first_child(list); i != parse_tree::none; i = tree_.next_sibling(i, list)) {
    const std::size_t node = tree_.first_child(tree_.find(i, "stmt"));
    if (node == parse_tree::none) return unknown_effects();
    statement(node);
  }
  return std::move(out_);
}

void walk::statement(std::size_t node) {
  const std::string_view name = tree_[node].key;
  const statement_class kind = classify(name);
  writes_ = advances_ = false;
  if (!kind.known) out_.add(effect::inspect);
  if (!kind.any_constants) out_.depends_on_text = true;
  if (name.starts_with("Create") || name == "DefineStmt" || name == "CompositeTypeStmt")
    out_.add(effect::creates);
  if (name == "CreateFunctionStmt" || name == "AlterFunctionStmt") {
    // Neither its body nor what it sets is run now.
    const std::size_t made = tree_.find(node, "funcname");
    if (made != parse_tree::none) nodes(made, tree_[made].end);
  } else {
    nodes(node, tree_[node].end);
  }
  if (out_.statements++ > 0) return;
  out_.kind = kind.kind;
  out_.keeps_sequences = calls_nothing(name) || (name == "SelectStmt" && !advances_);
  if (name == "TransactionStmt") out_.kind = transaction_kind(node);
  if (kind.kind == statement_kind::read_only && (writes_ || !out_.clean() || has_analyze(node)))
    out_.kind = statement_kind::other;
  if (tree_.find(node, "intoClause") != parse_tree::none) out_.kind = statement_kind::ddl;
}

void walk::nodes(std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const tree_node& node = tree_[i];
    if (node.kind == tree_node::type::other || node.key.empty()) continue;
    if (const handler found = handler_of(node.key)) (this->*found)(i);
  }
}

statement_kind walk::transaction_kind(std::size_t node) const {
  const std::string_view kind = tree_.value(node, "kind");
  if (kind == "TRANS_STMT_BEGIN" || kind == "TRANS_STMT_START") return statement_kind::begins;
  if (kind == "TRANS_STMT_COMMIT" || kind == "TRANS_STMT_ROLLBACK" || kind == "TRANS_STMT_PREPARE")
    return statement_kind::ends;
  return statement_kind::other;
}

/// Of EXPLAIN, whatever the option's value.
bool walk::has_analyze(std::size_t node) const {
  if (tree_[node].key != "ExplainStmt") return false;
  const std::size_t list = tree_.find(node, "options");
  for (std::size_t i = tree_.first_child(list); i != parse_tree::none; i = tree_.next_sibling(i, list))
    if (tree_.value(tree_.find(i, "DefElem"), "defname") == "analyze") return true;
  return false;
}

void walk::call(std::size_t node) {
  const std::size_t list = tree_.find(node, "funcname");
  const std::size_t parts = tree_.children(list);
  if (parts == 0 || parts > 2) return unknown(node);
  const std::size_t first = tree_.first_child(list);
  const std::size_t last = parts == 2 ? tree_.next_sibling(first, list) : first;
  const std::string_view name = tree_.value(tree_.find(last, "String"), "sval");
  const std::string_view schema = parts == 2 ? tree_.value(tree_.find(first, "String"), "sval") : "";
  const function_effects found = effects_of_function(schema, name);
  out_.bits |= found.bits;
  writes_ = writes_ || found.may_write;
  advances_ = advances_ || found.may_advance;
  if (name == "set_config" && found.bits == 0) set_config(node);
}

/// The value of a string constant, or of one with a cast to text; empty: it is none.
std::string walk::literal(std::size_t node) const {
  if (const std::size_t cast = tree_.find(node, "TypeCast"); cast != parse_tree::none) {
    const std::size_t names = tree_.find(tree_.find(cast, "typeName"), "names");
    std::size_t last = parse_tree::none;
    for (std::size_t i = tree_.first_child(names); i != parse_tree::none; i = tree_.next_sibling(i, names))
      last = i;
    if (tree_.value(tree_.find(last, "String"), "sval") != "text") return {};
    node = tree_.find(cast, "arg");
  }
  return plain_text(tree_.value(tree_.find(tree_.find(node, "A_Const"), "sval"), "sval"));
}

void walk::set_config(std::size_t node) {
  out_.depends_on_text = true;
  const std::size_t list = tree_.find(node, "args");
  std::string name;
  bool local = false;
  if (tree_.children(list) == 3 && tree_.find(node, "func_variadic") == parse_tree::none) {
    const std::size_t first = tree_.first_child(list);
    const std::size_t last = tree_.next_sibling(tree_.next_sibling(first, list), list);
    name = literal(first);
    const std::size_t truth = tree_.find(tree_.find(last, "A_Const"), "boolval");
    local = tree_.value(truth, "boolval") == "true";
  }
  touch_setting(out_, name, local ? reach::transaction : reach::session);
}

void walk::variable_set(std::size_t node) {
  const std::string_view kind = tree_.value(node, "kind");
  const std::string name = plain_text(tree_.value(node, "name"));
  if (kind == "VAR_RESET_ALL") return out_.add({effect::reset_all, effect::path});
  if (kind == "VAR_SET_MULTI") {
    if (name == "SESSION CHARACTERISTICS") return set_characteristics(node);
    if (name != "TRANSACTION" && name != "TRANSACTION SNAPSHOT") out_.add(effect::inspect);
    return;
  }
  const bool local = tree_.value(node, "is_local") == "true";
  touch_setting(out_, name, local ? reach::transaction : reach::session);
}

void walk::set_characteristics(std::size_t node) {
  const std::size_t list = tree_.find(node, "args");
  for (std::size_t i = tree_.first_child(list); i != parse_tree::none; i = tree_.next_sibling(i, list))
    touch_setting(out_, "default_" + plain_text(tree_.value(tree_.find(i, "DefElem"), "defname")),
                  reach::session);
}

void walk::update(std::size_t node) {
  writes_ = true;
  // A rule on this view calls set_config() for the session.
  if (tree_.value(tree_.find(node, "relation"), "relname") == "pg_settings")
    out_.add({effect::all_settings, effect::path, effect::inspect});
}

void walk::creates(std::size_t) {
  writes_ = advances_ = true;
  out_.add(effect::creates);
}

void walk::persistence(std::size_t node) {
  if (tree_[node].value == "t") out_.add({effect::temporary, effect::inspect});
}

void walk::schema_name(std::string_view name) {
  if (name.starts_with("pg_temp") || name.starts_with("pg_toast_temp"))
    out_.add({effect::temporary, effect::inspect});
}

void walk::operator_name(std::size_t list) {
  if (tree_.children(list) < 2) return;
  if (tree_.value(tree_.find(tree_.first_child(list), "String"), "sval") != "pg_catalog") unknown(list);
}

void walk::name_once(effect what, std::string& kept, std::string name) {
  if (!out_.has(what)) {
    kept = std::move(name);
  } else if (kept != name) {
    kept.clear();
  }
  out_.add({what, effect::inspect});
}

void walk::execute(std::size_t node) {
  name_once(effect::execute, out_.execute_name, plain_text(tree_.value(node, "name")));
}

void walk::deallocate(std::size_t node) {
  name_once(effect::deallocate, out_.deallocate_name, plain_text(tree_.value(node, "name")));
}

void walk::listen(std::size_t node) {
  name_once(effect::listen, out_.listen_name, plain_text(tree_.value(node, "conditionname")));
}

void walk::unlisten(std::size_t node) {
  const std::string name = plain_text(tree_.value(node, "conditionname"));
  name_once(effect::unlisten, out_.unlisten_name, name.empty() ? "*" : name);
}

void walk::discard(std::size_t node) {
  const std::string_view target = tree_.value(node, "target");
  out_.add(effect::inspect);
  if (target == "DISCARD_PLANS") out_.add(effect::discard_plans);
  if (target == "DISCARD_SEQUENCES") out_.add(effect::discard_sequences);
  if (target == "DISCARD_TEMP") out_.add(effect::discard_temporary);
  if (target == "DISCARD_ALL") out_.add({effect::discard_all, effect::reset_all, effect::path, effect::role});
}

void walk::declare(std::size_t node) {
  // CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h; without options the member is left out.
  constexpr unsigned with_hold = 0x20;
  unsigned options = 0;
  for (const char digit : tree_.value(node, "options"))
    options = options * 10 + static_cast<unsigned>(digit - '0');
  if ((options & with_hold) != 0) out_.add({effect::hold_cursor, effect::inspect});
}

}  // namespace

effects effects_of_tree(const parse_tree& tree) {
  return walk(tree).run();
}

}  // namespace trunkline::sql
