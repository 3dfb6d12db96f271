#include "audit/redact.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "audit/secret_words.h"
#include "audit/sql_scan.h"

namespace trunkline::audit {

namespace {

constexpr int depth_max = 4;

template <std::size_t Count>
bool is_one_of(std::string_view word, const std::array<std::string_view, Count>& list) {
  return std::ranges::any_of(list, [&](std::string_view each) { return equal_ignoring_case(word, each); });
}

/// Statements in which a secret can only be a literal: their words stay.
constexpr std::array<std::string_view, 44> literal_statements{
    "select",   "insert",    "update",  "delete",  "with",      "merge",   "values", "table",   "copy",
    "explain",  "declare",   "fetch",   "call",    "comment",   "grant",   "revoke", "drop",    "truncate",
    "lock",     "vacuum",    "analyze", "reindex", "cluster",   "listen",  "notify", "begin",   "commit",
    "rollback", "savepoint", "release", "close",   "prepare",   "execute", "if",     "perform", "return",
    "raise",    "for",       "while",   "loop",    "exception", "end",     "else",   "start"};

/// What may stay behind the word PASSWORD, where anything else might be a password without its quotes.
constexpr std::array<std::string_view, 63> kept_behind{
    "with",       "encrypted",    "unencrypted", "password",     "valid",
    "until",      "superuser",    "nosuperuser", "createdb",     "nocreatedb",
    "createrole", "nocreaterole", "createuser",  "nocreateuser", "inherit",
    "noinherit",  "login",        "nologin",     "replication",  "noreplication",
    "bypassrls",  "nobypassrls",  "connection",  "limit",        "null",
    "in",         "role",         "group",       "admin",        "user",
    "sysid",      "set",          "to",          "default",      "from",
    "current",    "options",      "add",         "drop",         "server",
    "public",     "for",          "local",       "session",      "begin",
    "end",        "if",           "then",        "else",         "loop",
    "execute",    "perform",      "alter",       "create",       "do",
    "exception",  "when",         "others",      "language",     "plpgsql",
    "as",         "publication",  "mapping"};

/// The object is a holder of secrets: CREATE or ALTER of these, and whatever belongs to them.
constexpr std::array<std::string_view, 8> secret_objects{"role",   "user",         "group",    "server",
                                                         "system", "subscription", "database", "foreign"};

bool is_literal(const sql_piece& piece) {
  return piece.kind == sql_token::string || piece.kind == sql_token::dollar_string;
}

class redactor {
 public:
  redactor(std::string_view text, int depth) : text_(text), depth_(depth) {}
  std::string run();

 private:
  std::string_view raw(const sql_piece& piece) const {
    return text_.substr(piece.begin, piece.end - piece.begin);
  }
  std::string_view content(const sql_piece& piece) const {
    return text_.substr(piece.content, piece.content_end - piece.content);
  }
  bool is_word(const sql_piece& piece, std::string_view what) const {
    return piece.kind == sql_token::word && equal_ignoring_case(raw(piece), what);
  }
  bool has_word(std::span<const sql_piece> part, std::string_view what) const {
    return std::ranges::any_of(part, [&](const sql_piece& each) { return is_word(each, what); });
  }

  void scan();
  /// The first word, comments left out.
  bool begins_with(std::span<const sql_piece> part, std::string_view what) const {
    const auto first =
        std::ranges::find_if(part, [](const sql_piece& p) { return p.kind != sql_token::comment; });
    return first != part.end() && is_word(*first, what);
  }
  bool joined(const sql_piece& piece, std::size_t end_before) const;
  bool tells(const sql_piece& piece) const;
  bool hides_names(std::span<const sql_piece> part) const;
  bool only_literals(std::span<const sql_piece> part) const;
  bool sets_password_of_role(std::span<const sql_piece> part) const;
  bool plain_password(std::span<const sql_piece> part) const;
  bool is_expiry(std::span<const sql_piece> part, std::size_t index) const;

  void one_statement(std::span<const sql_piece> part);
  void literals_of(std::span<const sql_piece> part);
  void keywords_of(std::span<const sql_piece> part);
  bool keep_behind(const sql_piece& piece) const;
  void keep(const sql_piece& piece);
  void hide(const sql_piece& piece);
  void comment(const sql_piece& piece, bool in_doubt = false);
  void literal(const sql_piece& piece, bool body);

  std::string_view text_;
  int depth_;
  std::vector<sql_piece> pieces_;
  bool broken_ = false;    ///< quotes do not pair up: where literals begin and end is a guess
  bool secret_ = false;    ///< something in the text speaks of one
  bool doubtful_ = false;  ///< from here to the end only keywords stay
  bool hiding_ = false;    ///< the last token went
  std::size_t copied_ = 0;
  std::string out_;
};

/// A word right behind a literal: 'it's mine' without its second quote looks like this.
bool redactor::joined(const sql_piece& piece, std::size_t end_before) const {
  return piece.begin == end_before && piece.kind != sql_token::mark && piece.kind != sql_token::comment;
}

void redactor::scan() {
  sql_scanner scanner(text_);
  sql_piece piece;
  std::size_t literal_end = std::string_view::npos;
  bool begins = true;
  while (scanner.next(piece)) {
    if (!piece.closed || joined(piece, literal_end)) broken_ = true;
    literal_end = std::string_view::npos;
    if (piece.kind == sql_token::string || piece.kind == sql_token::quoted_word) {
      literal_end = piece.end;
      // Where standard_conforming_strings is off, or the client's encoding has bytes like this one.
      const std::string_view inside = content(piece);
      if (inside.ends_with('\\') || inside.find("\\'") != std::string_view::npos) broken_ = true;
    }
    // No statement begins with a literal: a quote before it has no partner.
    if (begins && piece.kind != sql_token::comment) {
      const bool sound =
          piece.kind == sql_token::word || (piece.kind == sql_token::mark && raw(piece) != "\\");
      broken_ = broken_ || !sound;
      begins = false;
    }
    if (piece.kind == sql_token::mark && raw(piece) == ";") begins = true;
    pieces_.push_back(piece);
  }
}

bool redactor::tells(const sql_piece& piece) const {
  switch (piece.kind) {
    case sql_token::string:
    case sql_token::quoted_word:
      // Unicode escapes are rare enough to be taken for the worst.
      if (piece.prefix == 'u') return true;
      return names_secret(content(piece)) || (piece.prefix == 'e' && names_secret(unescape(content(piece))));
    case sql_token::word:
    case sql_token::dollar_string:
    case sql_token::comment:
      return names_secret(content(piece));
    default:
      return false;
  }
}

/// dblink and set_config whose argument is put together on the spot.
bool redactor::hides_names(std::span<const sql_piece> part) const {
  bool call = false;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i].kind != sql_token::word) continue;
    std::string name(raw(part[i]));
    std::ranges::transform(name, name.begin(), lower);
    if (name == "set_config" && i + 3 < part.size())
      call = call || part[i + 2].kind != sql_token::string || raw(part[i + 3]) != ",";
    if (name.starts_with("dblink")) {
      call = call || std::ranges::any_of(part, [&](const sql_piece& each) {
               return raw(each) == "|" || is_word(each, "format") || is_word(each, "concat") ||
                      is_word(each, "chr");
             });
    }
  }
  return call;
}

bool redactor::sets_password_of_role(std::span<const sql_piece> part) const {
  bool role = false;
  for (const sql_piece& each : part) {
    role = role || is_word(each, "role") || is_word(each, "user") || is_word(each, "group");
    if (role && is_word(each, "password")) return true;
  }
  return false;
}

/// Nothing but literals can be a secret in this statement.
bool redactor::only_literals(std::span<const sql_piece> part) const {
  if (broken_ || doubtful_) return false;
  const auto first =
      std::ranges::find_if(part, [](const sql_piece& p) { return p.kind != sql_token::comment; });
  if (first == part.end()) return true;
  if (is_one_of(raw(*first), literal_statements)) return depth_ == 0 || !sets_password_of_role(part);
  if (depth_ > 0) return !sets_password_of_role(part) && !has_word(part, "set");
  if (!is_word(*first, "create") && !is_word(*first, "alter")) return false;
  const auto words = part.first(std::min<std::size_t>(part.size(), 8));
  const bool holder = std::ranges::any_of(words, [&](const sql_piece& each) {
    return each.kind == sql_token::word && is_one_of(raw(each), secret_objects);
  });
  return !holder && !has_word(part, "set");
}

/// PASSWORD and then no literal: its quotes are missing, and where it ends nobody knows.
bool redactor::plain_password(std::span<const sql_piece> part) const {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (!is_word(part[i], "password")) continue;
    std::size_t next = i + 1;
    while (next < part.size() && part[next].kind == sql_token::comment)
      ++next;
    if (next == part.size() || !(is_literal(part[next]) || is_word(part[next], "null"))) return true;
    // 'one' 'two': a quote inside it was not doubled.
    if (part[next].kind == sql_token::string && next + 1 < part.size() && is_literal(part[next + 1]))
      return true;
  }
  return false;
}

void redactor::keep(const sql_piece& piece) {
  out_ += text_.substr(copied_, piece.end - copied_);
  copied_ = piece.end;
  hiding_ = false;
}

/// Neighbours that go leave one mark.
void redactor::hide(const sql_piece& piece) {
  if (!hiding_) {
    out_ += text_.substr(copied_, piece.begin - copied_);
    out_ += '\'';
    out_ += redacted_mark;
    out_ += '\'';
  }
  copied_ = piece.end;
  hiding_ = true;
}

void redactor::comment(const sql_piece& piece, bool in_doubt) {
  if (!tells(piece) && piece.closed && !in_doubt) return keep(piece);
  if (!hiding_) out_ += text_.substr(copied_, piece.begin - copied_);
  out_ += "/* ";
  out_ += redacted_mark;
  out_ += " */";
  copied_ = piece.end;
}

/// `body`: a dollar-quoted string here is code, which is worth reading.
void redactor::literal(const sql_piece& piece, bool body) {
  if (!body || piece.kind != sql_token::dollar_string || !piece.closed || broken_ || depth_ >= depth_max)
    return hide(piece);
  out_ += text_.substr(copied_, piece.content - copied_);
  out_ += redactor(content(piece), depth_ + 1).run();
  out_ += text_.substr(piece.content_end, piece.end - piece.content_end);
  copied_ = piece.end;
  hiding_ = false;
}

void redactor::literals_of(std::span<const sql_piece> part) {
  const bool body = has_word(part, "do") || has_word(part, "function") || has_word(part, "procedure");
  bool named = false;
  for (const sql_piece& each : part) {
    const bool operates = each.kind == sql_token::mark || is_word(each, "to");
    if (each.kind == sql_token::comment) {
      comment(each);
    } else if (is_literal(each) || (each.kind == sql_token::number && named)) {
      literal(each, body);
    } else {
      keep(each);
    }
    named = operates ? named : each.kind != sql_token::string && tells(each);
  }
}

bool redactor::keep_behind(const sql_piece& piece) const {
  if (piece.kind == sql_token::word) return is_one_of(raw(piece), kept_behind);
  constexpr std::string_view marks = "(),;=.:";
  return piece.kind == sql_token::mark && marks.find(raw(piece)) != std::string_view::npos;
}

/// VALID UNTIL '2027-01-01': a time and nothing else.
bool redactor::is_expiry(std::span<const sql_piece> part, std::size_t index) const {
  if (broken_ || doubtful_ || index == 0 || !is_word(part[index - 1], "until")) return false;
  constexpr std::string_view of_times = "0123456789-:.+ TZ";
  return content(part[index]).find_first_not_of(of_times) == std::string_view::npos;
}

/// Literals go, and behind the first word of secrets all that is no keyword.
void redactor::keywords_of(std::span<const sql_piece> part) {
  const bool body = has_word(part, "do") || has_word(part, "function") || has_word(part, "procedure");
  bool behind = doubtful_;
  // Of what is no statement that is known, the quotes may be anywhere.
  const bool guess = broken_ || !(begins_with(part, "create") || begins_with(part, "alter") ||
                                  begins_with(part, "set") || begins_with(part, "do"));
  for (std::size_t i = 0; i < part.size(); ++i) {
    const sql_piece& each = part[i];
    if (each.kind == sql_token::comment) {
      comment(each, doubtful_ || (guess && behind));
      behind = behind || (guess && tells(each));
    } else if (is_literal(each) && is_expiry(part, i)) {
      keep(each);
    } else if (is_literal(each)) {
      literal(each, body);
      behind = behind || (guess && tells(each));
    } else if (behind) {
      keep_behind(each) ? keep(each) : hide(each);
    } else if (tells(each)) {
      behind = true;
      // PASSWORDsecret, with the space forgotten: only the plain word is known to be none itself.
      const bool glued = raw(each).size() > 8 && equal_ignoring_case(raw(each).substr(0, 8), "password");
      const bool guessed = guess && each.kind != sql_token::word;
      glued || guessed ? hide(each) : keep(each);
    } else {
      keep(each);
    }
  }
}

void redactor::one_statement(std::span<const sql_piece> part) {
  const bool plain = only_literals(part);
  const bool told = std::ranges::any_of(part, [&](const sql_piece& each) {
    return tells(each) && (each.kind != sql_token::comment || !plain);
  });
  const bool role = !plain && (begins_with(part, "create") || begins_with(part, "alter")) &&
                    !has_word(part, "set") && !has_word(part, "subscription") && !has_word(part, "server") &&
                    !has_word(part, "database") && !has_word(part, "foreign");
  if (doubtful_ || (broken_ && secret_)) {
    keywords_of(part);
  } else if ((depth_ > 0 && secret_) || told || role || hides_names(part) || has_word(part, "mapping")) {
    plain ? literals_of(part) : keywords_of(part);
    if (!plain && plain_password(part)) doubtful_ = true;
  } else {
    for (const sql_piece& each : part)
      each.kind == sql_token::comment ? comment(each) : keep(each);
  }
}

std::string redactor::run() {
  scan();
  secret_ = std::ranges::any_of(pieces_, [&](const sql_piece& each) { return tells(each); });
  // In a broken text words may stand where a literal was meant, and the other way round.
  secret_ = secret_ || (broken_ && names_secret(text_));
  std::span<const sql_piece> rest(pieces_);
  while (!rest.empty()) {
    const auto end = std::ranges::find_if(rest, [&](const sql_piece& each) {
      return each.kind == sql_token::mark && text_[each.begin] == ';';
    });
    const auto size = std::min<std::size_t>(static_cast<std::size_t>(end - rest.begin()) + 1, rest.size());
    one_statement(broken_ ? rest : rest.first(size));
    rest = broken_ ? std::span<const sql_piece>{} : rest.subspan(size);
  }
  if (!hiding_) out_ += text_.substr(copied_);
  return std::move(out_);
}

/// Most texts have none of these, and are done with.
bool may_need_work(std::string_view sql) {
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const std::string_view rest = sql.substr(i, 10);
    switch (lower(sql[i])) {
      case 'a':
        if (equal_ignoring_case(rest.substr(0, 5), "alter")) return true;
        break;
      case 'c':
        if (equal_ignoring_case(rest.substr(0, 6), "create")) return true;
        break;
      case 's':
        if (equal_ignoring_case(rest.substr(0, 10), "set_config")) return true;
        break;
      case 'd':
        if (equal_ignoring_case(rest.substr(0, 6), "dblink")) return true;
        break;
      case '\\':
        return true;
      case '&':
        return true;
      default:
        break;
    }
  }
  return names_secret(sql);
}

}  // namespace

std::string redact_secrets(std::string_view sql) {
  if (!may_need_work(sql)) return std::string(sql);
  return redactor(sql, 0).run();
}

bool looks_secret(std::string_view value) {
  if (holds_verifier(value)) return true;
  if (!names_secret(value)) return false;
  // "password" alone is a word; with what follows it, a connection string or a statement.
  return value.find('=') != std::string_view::npos || redact_secrets(value) != value;
}

}  // namespace trunkline::audit
