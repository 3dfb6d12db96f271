#include "admin/access_pages.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "admin/api_pages.h"
#include "admin/json.h"
#include "admin/query.h"
#include "config/values.h"
#include "grants/request_json.h"

namespace trunkline::admin {
namespace {

using grants::desk;
using grants::person;
using grants::record;
using grants::wall_time;

int status_of(grants::refusal::kind why) {
  switch (why) {
    case grants::refusal::kind::not_found:
      return 404;
    case grants::refusal::kind::not_allowed:
      return 403;
    case grants::refusal::kind::wrong_state:
      return 409;
    case grants::refusal::kind::invalid:
      return 422;
    case grants::refusal::kind::limit:
      return 429;
    case grants::refusal::kind::unavailable:
      return 503;
  }
  return 500;
}

http_response refusal_response(const grants::refusal& why) {
  return error_response(status_of(why.what), why.message);
}

http_response record_response(const grants::answer<record>& got, int status = 200) {
  return got ? json_response(grants::request_json(*got), status) : refusal_response(got.error());
}

http_response unauthorized() {
  auto made = error_response(401, "who are you? An Authorization field with a bearer token is needed");
  made.fields.emplace_back("WWW-Authenticate", "Bearer");
  return made;
}

/// What a POST says: an object with these keys at most, none of them needed.
class said {
 public:
  said(const std::string& body, std::initializer_list<std::string_view> texts) {
    if (body.empty()) return;
    body_ = json::parse(body, nullptr, false);
    if (!body_.is_object()) {
      refusal_ = error_response(400, "the body has to be an object of JSON");
      return;
    }
    for (const auto& [name, value] : body_.items()) {
      const bool known = std::find(texts.begin(), texts.end(), name) != texts.end();
      if (name == "seconds" ? !is_length(value) : !known || !value.is_string()) {
        refusal_ = error_response(400, "the body has something in it that does not belong there: " + name);
        return;
      }
    }
  }

  const std::optional<http_response>& refusal() const { return refusal_; }
  std::string text(const char* name) const {
    const auto found = body_.find(name);
    return found == body_.end() ? std::string() : found->get<std::string>();
  }
  std::chrono::milliseconds length() const {
    const auto found = body_.find("seconds");
    return std::chrono::seconds(found == body_.end() ? 0 : found->get<std::int64_t>());
  }

 private:
  static bool is_length(const json& value) {
    constexpr std::int64_t year = 365 * 86'400;
    return value.is_number_integer() && value.get<std::int64_t>() > 0 && value.get<std::int64_t>() <= year;
  }

  json body_ = json::object();
  std::optional<http_response> refusal_;
};

http_response list_page(session::observer& seen, grants::office& at, const person& who,
                        const http_request& request) {
  query asked(request, {"all"});
  if (asked.refusal()) return *asked.refusal();
  const bool all = asked.text("all") == "true";
  const auto found =
      at.call<std::vector<record>>([=](desk& of, wall_time now) { return of.list(who, !all, now); });
  if (!found) return refusal_response(found.error());
  json requests = json::array();
  json given = json::array();
  for (const record& each : *found)
    (each.is_grant() ? given : requests).push_back(grants::request_json(each));
  return json_response(
      {{"supported", true}, {"policies", access_policies(seen)}, {"requests", requests}, {"grants", given}});
}

http_response one_page(grants::office& at, const person& who, std::int64_t id) {
  return record_response(at.call<record>([=](desk& of, wall_time now) { return of.show(id, who, now); }));
}

http_response ask_page(access_source& source, grants::office& at, const person& who,
                       const http_request& request) {
  const said what(request.body, {"route", "database", "user", "reason"});
  if (what.refusal()) return *what.refusal();
  auto asked = source.question_of(who, {.route = what.text("route"),
                                        .database = what.text("database"),
                                        .user = what.text("user"),
                                        .reason = what.text("reason"),
                                        .length = what.length()});
  if (!asked) return refusal_response(asked.error());
  return record_response(
      at.call<record>([asked = *asked](desk& of, wall_time now) { return of.ask(asked, now); }), 201);
}

/// "approve" and so on; nothing: there is no such thing to do with it.
std::optional<http_response> answer_page(grants::office& at, const person& who, const std::string& verb,
                                         std::int64_t id, const http_request& request) {
  const said what(request.body, {"reason"});
  if (what.refusal()) return what.refusal();
  const std::string reason = what.text("reason");
  const auto length = what.length();
  const auto run = [&](auto step) { return record_response(at.call<record>(std::move(step))); };
  if (verb == "requests/approve")
    return run([=](desk& of, wall_time now) { return of.approve(id, who, reason, length, now); });
  if (verb == "requests/deny")
    return run([=](desk& of, wall_time now) { return of.deny(id, who, reason, now); });
  if (verb == "requests/withdraw")
    return run([=](desk& of, wall_time now) { return of.withdraw(id, who, now); });
  if (verb == "grants/revoke")
    return run([=](desk& of, wall_time now) { return of.revoke(id, who, reason, now); });
  return std::nullopt;
}

/// "requests/7/approve" is 7 and "requests/approve".
std::optional<std::pair<std::int64_t, std::string>> number_and_verb(std::string_view path) {
  const auto begin = path.find('/');
  if (begin == path.npos) return std::nullopt;
  const auto end = std::min(path.find('/', begin + 1), path.size());
  const auto number = config::parse_integer(path.substr(begin + 1, end - begin - 1));
  if (!number || *number < 1) return std::nullopt;
  return std::pair(*number, std::string(path.substr(0, begin)) + std::string(path.substr(end)));
}

http_response no_page() {
  return error_response(404, "there is no such page; /api/v1/ lists them");
}

http_response wrong_method(const char* allowed) {
  auto refused = error_response(405, "this is not how it is asked for");
  refused.fields.emplace_back("Allow", allowed);
  return refused;
}

http_response page_of(session::observer& seen, access_source& source, grants::office& at, const person& who,
                      const http_request& request, std::string_view page) {
  const bool posts = request.method == "POST";
  if (page == "access") return posts ? wrong_method("GET, HEAD") : list_page(seen, at, who, request);
  page.remove_prefix(std::string_view("access/").size());
  if (page == "requests") return posts ? ask_page(source, at, who, request) : wrong_method("POST");
  const auto which = number_and_verb(page);
  if (!which) return no_page();
  const auto& [id, verb] = *which;
  if (verb == "requests" || verb == "grants")
    return posts ? wrong_method("GET, HEAD") : one_page(at, who, id);
  if (!posts) return wrong_method("POST");
  return answer_page(at, who, verb, id, request).value_or(no_page());
}

/// "approve 7" of "access/requests/7/approve", "request" of "access/requests".
std::string command_of(std::string_view page) {
  page.remove_prefix(std::min(page.size(), std::string_view("access/").size()));
  if (page == "requests") return "request";
  const auto which = number_and_verb(page);
  if (!which) return std::string(page);
  return which->second.substr(which->second.find('/') + 1) + " " + std::to_string(which->first);
}

/// A write that is refused leaves a record.
http_response noted(access_source& source, const person* who, const http_request& request,
                    std::string_view page, http_response answer) {
  if (request.method != "POST" || answer.status < 400) return answer;
  const json told = json::parse(answer.body, nullptr, false);
  const auto why = told.is_object() && told.contains("error") ? told["error"].value("message", "") : "";
  source.refused(who, command_of(page), std::to_string(answer.status) + ": " + why);
  return answer;
}

}  // namespace

http_response access_page(session::observer& seen, access_source* source, const http_request& request,
                          std::string_view page) {
  grants::office* const at = source == nullptr ? nullptr : source->desk();
  if (at == nullptr && page == "access")
    return json_response(
        {{"supported", false}, {"policies", access_policies(seen)}, {"grants", json::array()}});
  if (source == nullptr)
    return error_response(
        404, "nobody is known here: the configuration has neither admin.tokensFile nor admin.jwt");
  const auto who = source->who(request.bearer);
  if (!who) return noted(*source, nullptr, request, page, unauthorized());
  if (page == "whoami")
    return json_response(
        {{"principal", who->principal}, {"groups", who->groups}, {"administrator", who->administrator}});
  if (at == nullptr) return error_response(404, "the configuration has no access.store");
  return noted(*source, &*who, request, page, page_of(seen, *source, *at, *who, request, page));
}

}  // namespace trunkline::admin
