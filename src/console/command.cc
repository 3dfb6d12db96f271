#include "console/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/values.h"

namespace trunkline::console {

namespace {

using session::console_effect;

constexpr sqlstate syntax_error{"42601"};

struct token {
  std::string text;  ///< of a word in capitals; of everything else as it stands
  bool word = false;
  std::string raw = {};  ///< as it was written, without quotes
  bool glued = false;    ///< no blank before it
};

error refusal(sqlstate code, std::string message, std::string hint) {
  return {.source = error_source::client,
          .reaction = error_reaction::reject,
          .code = code,
          .message = std::move(message),
          .hint = std::move(hint)};
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Takes tokens off the front of a text.
class scanner {
 public:
  explicit scanner(std::string_view text) : rest_(text) {}

  /// The tokens up to the next ';' or the end, which is consumed.
  std::vector<token> statement() {
    std::vector<token> tokens;
    for (const char* end = rest_.data(); skip_blank(); end = rest_.data()) {
      const bool glued = rest_.data() == end;
      if (rest_.front() == ';') {
        rest_.remove_prefix(1);
        break;
      }
      tokens.push_back(next());
      tokens.back().glued = glued && tokens.size() > 1;
    }
    return tokens;
  }
  bool at_end() { return !skip_blank(); }

 private:
  /// Space and comments; false at the end.
  bool skip_blank() {
    for (;;) {
      while (!rest_.empty() && is_space(rest_.front()))
        rest_.remove_prefix(1);
      if (rest_.starts_with("--")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        skip_block();
      } else {
        return !rest_.empty();
      }
    }
  }
  /// Blocks nest, as in PostgreSQL.
  void skip_block() {
    std::size_t depth = 0;
    do {
      if (rest_.starts_with("/*")) {
        ++depth;
        rest_.remove_prefix(2);
      } else if (rest_.starts_with("*/")) {
        --depth;
        rest_.remove_prefix(2);
      } else {
        rest_.remove_prefix(1);
      }
    } while (depth > 0 && !rest_.empty());
  }
  token next() {
    const char first = rest_.front();
    if (first == '\'' || first == '"') return quoted(first);
    std::size_t size = 0;
    while (size < rest_.size() && is_word(rest_[size]))
      ++size;
    const bool word = size > 0;
    token made{.text = std::string(rest_.substr(0, std::max<std::size_t>(size, 1))), .word = word};
    made.raw = made.text;
    if (word) std::transform(made.text.begin(), made.text.end(), made.text.begin(), upper);
    rest_.remove_prefix(made.text.size());
    return made;
  }
  token quoted(char quote) {
    token made;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == quote) {
        if (!rest_.starts_with(quote)) break;
        rest_.remove_prefix(1);
      }
      made.text += c;
    }
    made.raw = made.text;
    return made;
  }

  std::string_view rest_;
};

struct session_word {
  std::string_view first;
  std::string_view tag;
  console_effect effect = console_effect::none;
};

/// What drivers and their pools say to whatever server they have.
constexpr std::array session_words{
    session_word{"BEGIN", "BEGIN", console_effect::begin},
    session_word{"START", "START TRANSACTION", console_effect::begin},
    session_word{"COMMIT", "COMMIT", console_effect::commit},
    session_word{"END", "COMMIT", console_effect::commit},
    session_word{"ROLLBACK", "ROLLBACK", console_effect::rollback},
    session_word{"ABORT", "ROLLBACK", console_effect::rollback},
    session_word{"RESET", "RESET"},
    session_word{"DISCARD", "DISCARD ALL"},
    session_word{"DEALLOCATE", "DEALLOCATE"},
    session_word{"CLOSE", "CLOSE CURSOR"},
    session_word{"UNLISTEN", "UNLISTEN"},
};

/// Settings of a session that drivers set; they mean nothing here, and are taken.
constexpr std::array<std::string_view, 15> driver_settings{"APPLICATION_NAME",
                                                           "BYTEA_OUTPUT",
                                                           "CLIENT_ENCODING",
                                                           "CLIENT_MIN_MESSAGES",
                                                           "DATESTYLE",
                                                           "EXTRA_FLOAT_DIGITS",
                                                           "INTERVALSTYLE",
                                                           "LOCK_TIMEOUT",
                                                           "NAMES",
                                                           "SEARCH_PATH",
                                                           "SESSION",
                                                           "STANDARD_CONFORMING_STRINGS",
                                                           "TIME",
                                                           "TIMEZONE",
                                                           "STATEMENT_TIMEOUT"};

/// Of others' consoles, or not yet there.
struct missing_word {
  std::string_view first;
  std::string_view hint;
};

constexpr std::array missing_words{
    missing_word{"DRAIN", "SIGTERM to the gateway's process drains it as a whole. "},
    missing_word{
        "SUSPEND",
        "PAUSE holds new work until RESUME; SIGUSR2 to `trunkline serve` hands over to a new binary, "
        "and its sessions go on meanwhile. "},
};

/// What stands between blanks, as it was written: an endpoint's name is many tokens.
std::vector<std::string> written_words(const std::vector<token>& tokens) {
  std::vector<std::string> words;
  for (const token& each : tokens) {
    if (each.glued) {
      words.back() += each.raw;
    } else {
      words.push_back(each.raw);
    }
  }
  return words;
}

bool is_keyword(const std::string& word, std::string_view keyword) {
  return word.size() == keyword.size() &&
         std::equal(word.begin(), word.end(), keyword.begin(), [](char a, char b) { return upper(a) == b; });
}

error usage(std::string_view form) {
  return refusal(syntax_error, fmt::format("the command is written {}", form), "");
}

struct act_word {
  std::string_view first;
  std::string_view usage;
  std::size_t least = 1;  ///< words, itself included
  std::size_t most = 2;
};

/// Without SWITCHOVER and SET, which have words between.
constexpr std::array act_words{
    act_word{"PAUSE", "PAUSE [upstream]"},
    act_word{"RESUME", "RESUME [upstream]"},
    act_word{"RECONNECT", "RECONNECT [upstream]"},
    act_word{"KILL", "KILL [database]"},
    act_word{"WAIT_CLOSE", "WAIT_CLOSE [database]"},
    act_word{"DISABLE", "DISABLE database", 2},
    act_word{"ENABLE", "ENABLE database", 2},
    act_word{"KILL_CLIENT", "KILL_CLIENT id", 2},
    act_word{"RELOAD", "RELOAD", 1, 1},
    act_word{"SHUTDOWN", "SHUTDOWN [WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]"},
};

/// SWITCHOVER upstream TO endpoint [WITHIN time]
result<command> read_switchover(const std::vector<token>& tokens) {
  const auto words = written_words(tokens);
  const bool timed = words.size() == 6 && is_keyword(words[4], "WITHIN");
  const bool fits = (words.size() == 4 || timed) && is_keyword(words[2], "TO");
  const auto within = timed ? config::parse_duration(words[5]) : std::nullopt;
  if (!fits || (timed && (!within || within->count() == 0)))
    return fail(usage("SWITCHOVER upstream TO endpoint [WITHIN 30s]"));
  command made{.is = command::kind::act, .tag = "SWITCHOVER", .words = {"SWITCHOVER", words[1], words[3]}};
  if (timed) made.words.push_back(words[5]);
  return made;
}

result<command> read_act(const act_word& which, const std::vector<token>& tokens) {
  const auto words = written_words(tokens);
  if (words.size() < which.least || words.size() > which.most) return fail(usage(which.usage));
  command made{.is = command::kind::act, .tag = which.first, .words = {std::string(which.first)}};
  if (words.size() == 2) made.words.push_back(words[1]);
  if (which.first == "SHUTDOWN" && words.size() == 2) {
    std::string& how = made.words[1];
    std::transform(how.begin(), how.end(), how.begin(), upper);
    if (how != "WAIT_FOR_SERVERS" && how != "WAIT_FOR_CLIENTS") return fail(usage(which.usage));
  }
  return made;
}

/// SET key = value, SET key TO value; what drivers set by themselves does nothing.
result<command> read_set(const std::vector<token>& tokens) {
  // SET [SESSION | LOCAL] name ...
  std::string name =
      tokens.size() > 1 ? tokens[tokens.size() > 2 && tokens[1].text == "LOCAL" ? 2 : 1].text : "";
  std::transform(name.begin(), name.end(), name.begin(), upper);
  if (std::find(driver_settings.begin(), driver_settings.end(), name) != driver_settings.end()) {
    return command{.tag = "SET"};
  }
  const bool has_sign = tokens.size() > 3 && (tokens[2].text == "=" || tokens[2].text == "TO");
  if (!has_sign || !(tokens[1].word || !tokens[1].raw.empty())) return fail(usage("SET key = 'value'"));
  // A value that is not quoted may be many tokens, such as a list or a path.
  std::string value;
  for (std::size_t i = 3; i < tokens.size(); ++i)
    value += (i > 3 && !tokens[i].glued ? " " : "") + tokens[i].raw;
  std::string key = tokens[1].raw;
  std::transform(key.begin(), key.end(), key.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return command{.is = command::kind::act, .tag = "SET", .words = {"SET", std::move(key), std::move(value)}};
}

result<command> read_command(const std::vector<token>& tokens) {
  const std::string& first = tokens.front().text;
  const bool word = tokens.front().word;
  if (word && first == "SWITCHOVER") return read_switchover(tokens);
  for (const act_word& each : act_words) {
    if (word && first == each.first) return read_act(each, tokens);
  }
  if (word && first == "SHOW") {
    if (tokens.size() == 1) return command{.is = command::kind::show, .what = "HELP", .tag = "SHOW"};
    std::string what = tokens[1].text;
    std::transform(what.begin(), what.end(), what.begin(), upper);
    for (std::size_t i = 2; i < tokens.size(); ++i)
      what += " " + tokens[i].text;
    return command{.is = command::kind::show, .what = std::move(what), .tag = "SHOW"};
  }
  if (word && first == "SET") return read_set(tokens);
  for (const session_word& each : session_words) {
    if (word && first == each.first) return command{.tag = each.tag, .effect = each.effect};
  }
  for (const missing_word& each : missing_words) {
    if (!word || first != each.first) continue;
    return fail(refusal(sqlstates::feature_not_supported, fmt::format("there is no {}", each.first),
                        fmt::format("{}SHOW HELP lists what there is.", each.hint)));
  }
  return fail(refusal(
      syntax_error, fmt::format("unknown command \"{}\"", shown(first)),
      "The console knows SHOW, PAUSE, RESUME, RECONNECT, SWITCHOVER, DISABLE, ENABLE, KILL, KILL_CLIENT, "
      "WAIT_CLOSE, RELOAD, SET and SHUTDOWN; SHOW HELP lists what it shows."));
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  std::string out;
  for (const char c : text.substr(0, most))
    out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > most) out += "...";
  return out;
}

std::vector<result<command>> read_commands(std::string_view sql) {
  std::vector<result<command>> all;
  scanner text(sql);
  while (!text.at_end()) {
    const auto tokens = text.statement();
    if (tokens.empty()) continue;
    all.push_back(read_command(tokens));
    if (!all.back()) break;
  }
  return all;
}

}  // namespace trunkline::console
