#include "k8s/object.h"

#include <algorithm>

#include "base/limits.h"
#include "telemetry/utf8.h"

namespace trunkline::k8s {

namespace {

const json nothing;

}  // namespace

const json& field_of(const json& in, std::string_view key) {
  if (!in.is_object()) return nothing;
  const auto found = in.find(key);
  return found == in.end() ? nothing : *found;
}

std::string text_of(const json& in, std::string_view key) {
  const json& value = field_of(in, key);
  return value.is_string() ? value.get_ref<const std::string&>() : std::string();
}

bool flag_of(const json& in, std::string_view key, bool otherwise) {
  const json& value = field_of(in, key);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

std::string name_of(const json& object) {
  return text_of(field_of(object, "metadata"), "name");
}

std::string resource_version_of(const json& object) {
  return text_of(field_of(object, "metadata"), "resourceVersion");
}

std::string status_message(std::string_view body) {
  std::string said = text_of(json::parse(body, nullptr, false), "message");
  if (said.size() > limits::endpoint_said_bytes) said.resize(limits::endpoint_said_bytes);
  std::replace_if(said.begin(), said.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return telemetry::valid_utf8(said);
}

}  // namespace trunkline::k8s
