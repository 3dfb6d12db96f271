// An API server for tests of the store of requests: objects with versions, a status of its own, watches that
// hear of changes before a write returns. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grants/request_json.h"
#include "grants/test_support.h"
#include "k8s/answer_guard.h"
#include "k8s/request_store.h"

namespace trunkline::k8s {

class fake_requests_api {
 public:
  /// Everything is as it should be.
  fake_requests_api() {
    const json about{{"name", admission_policy},
                     {"creationTimestamp", "2020-01-01T00:00:00Z"},
                     {"annotations", {{admission_version_key, admission_version}}}};
    const json rule{{"apiGroups", {"trunkline.dev"}},
                    {"apiVersions", {"*"}},
                    {"operations", {"CREATE", "UPDATE"}},
                    {"resources", {"accessrequests"}}};
    const std::string admission = "/apis/admissionregistration.k8s.io/v1/";
    put_raw(admission + "validatingadmissionpolicies/" + admission_policy,
            {{"metadata", about},
             {"spec",
              {{"failurePolicy", "Fail"},
               {"matchConstraints", {{"resourceRules", json::array({rule})}}},
               {"validations", json::array({{{"expression", "true"}}})}}}});
    put_raw(
        admission + "validatingadmissionpolicybindings/" + admission_policy,
        {{"metadata", about}, {"spec", {{"policyName", admission_policy}, {"validationActions", {"Deny"}}}}});
  }

  // ---- for tests ----

  json get(const std::string& path) {
    std::lock_guard lock(mutex_);
    return objects_.at(path);
  }
  /// Of all AccessRequests; empty where there is none.
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    std::vector<std::string> made;
    for (const auto& [path, object] : objects_)
      if (is_request(path)) made.push_back(path);
    return made;
  }
  /// Whatever it is, past all rules.
  void change(const std::string& path, const std::function<void(json&)>& how) {
    std::lock_guard lock(mutex_);
    json changed = objects_.at(path);
    how(changed);
    keep(path, std::move(changed));
  }
  void put_raw(const std::string& path, json object) {
    std::lock_guard lock(mutex_);
    keep(path, std::move(object));
  }
  void create(const std::string& name_space, const std::string& name, json spec) {
    std::lock_guard lock(mutex_);
    add(std::string(requests_api) + "/namespaces/" + name_space + "/accessrequests",
        {{"metadata", {{"name", name}, {"namespace", name_space}}}, {"spec", std::move(spec)}});
  }
  void remove(const std::string& path) {
    std::lock_guard lock(mutex_);
    drop(path);
  }
  void answer(const std::string& path, json what) {
    change(path, [&](json& object) { object["spec"]["answers"].push_back(std::move(what)); });
  }
  void let_answer(const std::string& user) {
    std::lock_guard lock(mutex_);
    approvers_.insert(user);
  }
  void go_down(bool down) {
    std::lock_guard lock(mutex_);
    down_ = down;
    for (const watched& each : watches_)
      down ? each.sink->failed("the API server is gone") : each.sink->confirmed({});
  }
  /// Before the next write is done; once.
  void before_write(std::function<void()> what) {
    std::lock_guard lock(mutex_);
    before_write_ = std::move(what);
  }
  std::size_t asked(const std::string& method) {
    std::lock_guard lock(mutex_);
    return asked_[method];
  }

  // ---- for stores ----

  request_store::parts parts(telemetry::logger& log, request_scope scope = {"trunkline", "gateways"}) {
    return {.ask = {.ask_and_wait = [this](const api_question& what) { return ask(what); },
                    .ask = [this](const api_question& what, api_reply told) { told(ask(what)); }},
            .watch = [this](const collection& of,
                            std::shared_ptr<object_sink> sink) { return watch(of, std::move(sink)); },
            .scope = std::move(scope),
            .administers = [](const grants::person& who) { return who.principal == "root"; },
            .log = log};
  }

 private:
  struct watched {
    std::string prefix;
    std::shared_ptr<object_sink> sink;
    const void* ticket;
  };

  static bool is_request(const std::string& path) { return path.find("/accessrequests/") != path.npos; }
  static bool is_seen(const std::string& path, const std::string& collection_path) {
    const std::string all = std::string(requests_api) + "/accessrequests";
    return collection_path == all ? is_request(path) : path.starts_with(collection_path + "/");
  }
  static api_answer problem(long status) {
    return {.status = status, .problem = "the API server answers " + std::to_string(status)};
  }
  static std::string version_of(const json& object) { return resource_version_of(object); }

  std::shared_ptr<const void> watch(const collection& of, std::shared_ptr<object_sink> sink) {
    std::lock_guard lock(mutex_);
    std::vector<json> all;
    for (const auto& [path, object] : objects_)
      if (is_seen(path, of.path)) all.push_back(object);
    auto ticket = std::shared_ptr<const char>(new char(0), [this](const char* mine) {
      std::lock_guard again(mutex_);
      std::erase_if(watches_, [mine](const watched& each) { return each.ticket == mine; });
      delete mine;
    });
    watches_.push_back({of.path, sink, ticket.get()});
    if (down_) {
      sink->failed("the API server is gone");
    } else {
      sink->replace(std::move(all));
    }
    return ticket;
  }

  const json& keep(const std::string& path, json object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects_[path] = std::move(object);
    for (const watched& each : watches_)
      if (is_seen(path, each.prefix)) each.sink->put(objects_[path]);
    return objects_[path];
  }
  void drop(const std::string& path) {
    json last = objects_.at(path);
    last["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects_.erase(path);
    for (const watched& each : watches_)
      if (is_seen(path, each.prefix)) each.sink->remove(last);
  }
  const json& add(const std::string& where, json object) {
    object["metadata"]["uid"] = "uid-" + std::to_string(++uids_);
    object["metadata"]["generation"] = 1;
    object["metadata"]["creationTimestamp"] = grants::time_text(grants::wall_now());
    if (!object["spec"].contains("answers")) object["spec"]["answers"] = json::array();
    object.erase("status");
    const std::string path = where + "/" + name_of(object);
    return keep(path, std::move(object));
  }

  api_answer ask(const api_question& what) {
    std::function<void()> first;
    {
      std::lock_guard lock(mutex_);
      if (what.method != "GET") first = std::exchange(before_write_, nullptr);
    }
    if (first) first();
    std::lock_guard lock(mutex_);
    ++asked_[what.method];
    if (down_) return {.problem = "the API server: connection refused"};
    if (what.method == "POST") return post(what);
    const std::string path = what.target.substr(0, what.target.find('?'));
    if (path.ends_with("/leases")) return list(path);
    const std::string object = path.ends_with("/status") ? path.substr(0, path.size() - 7) : path;
    if (!objects_.contains(object)) return problem(404);
    if (what.method == "GET") return {.status = 200, .body = objects_[object]};
    if (what.method == "PUT") return put_status(object, what.body);
    if (what.method == "PATCH") {
      json changed = objects_[object];
      changed.merge_patch(what.body);
      return {.status = 200, .body = keep(object, std::move(changed))};
    }
    drop(object);
    return {.status = 200, .body = json::object()};
  }

  api_answer post(const api_question& what) {
    if (what.target.ends_with("/subjectaccessreviews")) {
      const bool allowed = approvers_.contains(what.body["spec"]["user"].get<std::string>());
      return {.status = 201, .body = {{"status", {{"allowed", allowed}}}}};
    }
    if (objects_.contains(what.target + "/" + name_of(what.body))) return problem(409);
    return {.status = 201, .body = add(what.target, what.body)};
  }
  api_answer put_status(const std::string& path, const json& body) {
    if (version_of(objects_[path]) != version_of(body)) return problem(409);
    json changed = objects_[path];
    changed["status"] = body["status"];
    return {.status = 200, .body = keep(path, std::move(changed))};
  }
  api_answer list(const std::string& path) {
    json items = json::array();
    for (const auto& [each, object] : objects_)
      if (each.starts_with(path + "/")) items.push_back(object);
    return {.status = 200, .body = {{"items", items}}};
  }

  std::mutex mutex_;
  std::map<std::string, json> objects_;
  std::vector<watched> watches_;
  std::set<std::string> approvers_;
  std::map<std::string, std::size_t> asked_;
  std::function<void()> before_write_;
  bool down_ = false;
  std::int64_t version_ = 100;
  std::int64_t uids_ = 0;
};

/// Stores of one API server.
class requests_place final : public grants::store_place {
 public:
  static std::unique_ptr<grants::store_place> make() { return std::make_unique<requests_place>(); }
  std::unique_ptr<grants::store> open() override {
    auto made = std::make_unique<request_store>(api.parts(log_));
    made->look_in({});
    return made;
  }

  fake_requests_api api;

 private:
  telemetry::logger log_{telemetry::log_format::text, telemetry::log_level::error};
};

}  // namespace trunkline::k8s
