#include "main/request_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "config/load.h"
#include "config/values.h"
#include "http/http_client.h"
#include "main/audit_output.h"
#include "main/options.h"

namespace trunkline::main {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t answer_bytes = std::size_t{32} * 1024 * 1024;
constexpr auto patience = limits::access_answer + limits::admin_response_timeout;

int fails(const std::string& what, int code = exit_failure) {
  fmt::print(stderr, "trunkline access: {}\n", terminal_safe(what));
  return code;
}

/// Where the gateway answers: an address for the client, and a socket where it is one.
struct place {
  std::string url;
  std::string socket = {};
};

place place_of(const config::address& where) {
  if (where.is_unix()) return {.url = "http://localhost", .socket = where.path};
  const bool any = where.host.empty() || where.host == "0.0.0.0" || where.host == "::";
  const std::string host = any ? "127.0.0.1" : where.host;
  const bool v6 = host.find(':') != std::string::npos;
  return {.url = fmt::format("http://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", where.port)};
}

result<place> find_place(const request_options& options) {
  if (options.admin_url.starts_with("unix:"))
    return place{.url = "http://localhost", .socket = options.admin_url.substr(5)};
  if (!options.admin_url.empty()) {
    std::string url = options.admin_url;
    while (url.ends_with('/'))
      url.pop_back();
    return place{.url = std::move(url)};
  }
  if (options.config_file.empty())
    return fail({.message = "which gateway? --admin-url URL or -c FILE says where it answers"});
  const auto loaded = config::load_file(options.config_file);
  if (loaded.value == nullptr)
    return fail(
        {.message = loaded.problems.empty() ? "the configuration is wrong" : loaded.problems[0].render()});
  if (!loaded.value->admin.address)
    return fail({.message = options.config_file + ": there is no admin.address"});
  return place_of(*loaded.value->admin.address);
}

result<secret_text> find_token(const request_options& options) {
  if (options.token_file.empty()) {
    const char* const given = std::getenv("TRUNKLINE_TOKEN");
    if (given == nullptr || *given == '\0')
      return fail({.message = "who are you? --token-file FILE or TRUNKLINE_TOKEN says it"});
    return secret_text(std::string(given));
  }
  std::ifstream from(options.token_file);
  std::string line;
  if (!std::getline(from, line) || line.empty())
    return fail({.message = options.token_file + ": there is no token in it"});
  while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
    line.pop_back();
  return secret_text(std::move(line));
}

/// One request to the gateway, and its answer.
result<json> ask(const request_options& options, const std::string& path, const json* body) {
  auto where = find_place(options);
  if (!where) return fail(where.error());
  auto token = find_token(options);
  if (!token) return fail(token.error());
  const std::string text = body == nullptr ? "" : body->dump(-1, ' ', false, json::error_handler_t::replace);
  http::client client(options.ca_file);
  const auto got = client.send({.url = where->url + path,
                                .headers = {"Content-Type: application/json"},
                                .bearer = std::move(*token),
                                .body = body == nullptr ? nullptr : &text,
                                .timeout = patience,
                                .answer_bytes = answer_bytes,
                                .unix_socket = where->socket});
  if (!got) return fail({.message = "the gateway does not answer: " + got.error().message});
  auto parsed = json::parse(got->body, nullptr, false);
  if (got->status >= 200 && got->status < 300 && parsed.is_object()) return parsed;
  const auto told = json::json_pointer("/error/message");
  const bool has_message = parsed.is_object() && parsed.contains(told) && parsed[told].is_string();
  return fail({.message = has_message ? parsed[told].get<std::string>()
                                      : fmt::format("the gateway answers with status {}", got->status)});
}

std::string text_of(const json& from, const char* name) {
  const auto found = from.find(name);
  if (found == from.end() || found->is_null()) return "";
  return terminal_safe(found->is_string() ? found->get<std::string>() : found->dump());
}

/// Columns as wide as what is in them; the last one is not filled up.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line);
  }
}

std::string minutes_of(const std::string& time) {
  return time.substr(0, 16);  // to the minute: 2026-01-31T12:00
}

void print_list(const json& answer) {
  std::vector<std::vector<std::string>> rows{
      {"ID", "STATE", "WHO", "DATABASE", "USER", "ROUTE", "POLICY", "ASKED", "UNTIL", "REASON"}};
  for (const char* list : {"requests", "grants"}) {
    for (const json& each : answer.value(list, json::array())) {
      const bool grant = !each.value("until", json()).is_null();
      rows.push_back({text_of(each, "id"), text_of(each, "state"), text_of(each, "principal"),
                      text_of(each, "database"), text_of(each, "user"), text_of(each, "route"),
                      text_of(each, "policy"), minutes_of(text_of(each, "asked")),
                      minutes_of(text_of(each, grant ? "until" : "answerBy")), text_of(each, "reason")});
    }
  }
  print_table(rows);
}

void print_one(const json& of) {
  const std::string state = text_of(of, "state");
  fmt::print("request {} of {} ({} on {}): {}\n", text_of(of, "id"), text_of(of, "principal"),
             text_of(of, "user"), text_of(of, "database"), state);
  if (state == "open") fmt::print("it needs {} by {}\n", text_of(of, "needs"), text_of(of, "answerBy"));
  if (state == "active") fmt::print("granted until {}\n", text_of(of, "until"));
}

void print_who(const json& of) {
  fmt::print("{}\n", text_of(of, "principal"));
  for (const json& group : of.value("groups", json::array()))
    fmt::print("group {}\n", terminal_safe(group.is_string() ? group.get<std::string>() : ""));
  if (of.value("administrator", false)) fmt::print("administrator\n");
}

int print(const result<json>& got, const request_options& options, void (*as_text)(const json&)) {
  if (!got) return fails(got.error().message);
  if (options.output == "json") {
    fmt::print("{}\n", got->dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    as_text(*got);
  }
  return std::fflush(stdout) == 0 ? exit_good : exit_failure;
}

json body_of(const request_options& options) {
  json made = json::object();
  if (!options.reason.empty()) made["reason"] = options.reason;
  if (const auto length = config::parse_duration(options.length); length && length->count() >= 1'000)
    made["seconds"] = length->count() / 1'000;
  return made;
}

void add_answer(CLI::App& to, const char* name, const char* help, request_options& options, bool reason) {
  auto* made = to.add_subcommand(name, help);
  made->add_option("ID", options.id, "the number of the request")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  if (reason) made->add_option("--reason", options.reason, "why");
}

/// Such as 30m; empty text: none was given.
std::string is_length(const std::string& text) {
  const auto length = config::parse_duration(text);
  return length && length->count() >= 1'000 ? "" : "a duration such as 30m or 2h";
}

}  // namespace

void add_request_commands(CLI::App& access, request_options& options) {
  auto* request =
      access.add_subcommand("request", "asks for access, or gives the reason of a request that waits");
  request->add_option("--route", options.route, "the route, by its name")->required();
  request->add_option("--database", options.database, "the database")->required();
  request->add_option("--user", options.user, "the user of the database; left out: named as you are");
  request->add_option("--reason", options.reason, "why");
  auto* ls = access.add_subcommand("ls", "open requests and active grants that you may see, newest first");
  ls->add_flag("--all", options.all, "those that are over, too");
  add_answer(access, "approve", "lets a request through", options, true);
  add_answer(access, "deny", "refuses a request", options, true);
  add_answer(access, "withdraw", "takes your own request back", options, false);
  add_answer(access, "revoke", "ends a grant now, and the sessions that live by it", options, true);
  access.add_subcommand("whoami", "who you are to the gateway");
  for (CLI::App* each : {request, access.get_subcommand("approve")})
    each->add_option("--for", options.length, "no longer than this, such as 30m")
        ->check(CLI::Validator(is_length, "DURATION"));
  for (const char* name : {"request", "ls", "approve", "deny", "withdraw", "revoke", "whoami"}) {
    CLI::App* const each = access.get_subcommand(name);
    each->add_option("-c,--config", options.config_file,
                     "the gateway's configuration, for its admin.address");
    each->add_option("--admin-url", options.admin_url, "where it answers: http://HOST:PORT or unix:/PATH");
    each->add_option("--ca-file", options.ca_file, "authorities (PEM) that vouch for an https address");
    each->add_option("--token-file", options.token_file, "your token; left out: TRUNKLINE_TOKEN");
    each->add_option("--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
  }
}

int run_request(const CLI::App& app, const request_options& options) {
  const std::string verb = app.get_subcommand("access")->get_subcommands().front()->get_name();
  if (verb == "ls")
    return print(ask(options, options.all ? "/api/v1/access?all=true" : "/api/v1/access", nullptr), options,
                 print_list);
  if (verb == "whoami") return print(ask(options, "/api/v1/whoami", nullptr), options, print_who);
  json body = body_of(options);
  if (verb == "request") {
    body["route"] = options.route;
    body["database"] = options.database;
    if (!options.user.empty()) body["user"] = options.user;
    return print(ask(options, "/api/v1/access/requests", &body), options, print_one);
  }
  const char* const list = verb == "revoke" ? "grants" : "requests";
  return print(ask(options, fmt::format("/api/v1/access/{}/{}/{}", list, options.id, verb), &body), options,
               print_one);
}

}  // namespace trunkline::main
