// pgbouncer.ini as a list of entries with their places: sections, `key = value`, `%include`, comments, quoted
// names. Follows "pgbouncer.ini(5)" of PgBouncer 1.25: a line is a comment where it begins with ';' or '#',
// later ones are part of the value. Says nothing about what the keys mean. Pure but for the reader that it is
// given; any thread.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/redacted.h"
#include "config/load.h"

namespace trunkline::pgbouncer {

/// Where something stands.
struct place {
  std::string file = {};
  int line = 0;  ///< from 1; 0: the file as a whole
};

/// A value may hold a password, so each is a secret until somebody asks for it.
struct ini_entry {
  std::string section;
  std::string key;    ///< quotes resolved; empty: the section begins here
  secret_text value;  ///< without blanks around it
  place where;
};

struct ini_file {
  std::vector<ini_entry> entries;  ///< in the order in which PgBouncer takes them
  std::vector<std::string> files;  ///< the file itself and what it includes, each once
};

/// The text of a file, or why it cannot be read.
using text_reader = std::function<std::expected<secret_text, std::string>(const std::string& path)>;

/// Reads a file of at most limits::ini_file_bytes.
std::expected<secret_text, std::string> read_text(const std::string& path);

/// The first thing that is wrong ends it, as in PgBouncer. Relative names of included files are `read`'s
/// affair.
std::expected<ini_file, config::problem> read_ini(const std::string& path,
                                                  const text_reader& read = read_text);

/// With a '?' for each control character: a file may hold anything, and a terminal shows what is said of it.
std::string printable(std::string text);
config::problem problem_at(const place& where, std::string key, std::string text, std::string expected);

}  // namespace trunkline::pgbouncer
