// Lines of the audit for people. Whatever stands in a line, no control character of it reaches the terminal.
// Main thread.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace trunkline::main {

/// Control characters (C0, DEL, C1) and line ends as escapes; what is not UTF-8 as U+FFFD.
std::string terminal_safe(std::string_view text);

struct audit_style {
  bool colours = false;   ///< only where stdout is a terminal
  std::size_t width = 0;  ///< cut lines to so many columns; 0: never
};

void print_audit_heading(const audit_style& style);
/// One row of `ls` and `tail`.
void print_audit_row(const nlohmann::json& line, const audit_style& style);
/// Everything about one event, over several lines; `show`.
void print_audit_event(const nlohmann::json& line, const audit_style& style);
/// One record for CSV (RFC 4180); `head` prints the names.
void print_audit_csv_head();
void print_audit_csv(const nlohmann::json& line);

std::string audit_text(const nlohmann::json& line, const char* key);
double audit_seconds(const nlohmann::json& line);
/// What the statements of an exchange came to: tags, rows, errors.
std::string audit_result(const nlohmann::json& line);

}  // namespace trunkline::main
