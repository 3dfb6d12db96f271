// Objects of the Kubernetes API as JSON, read without trusting what they hold. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace trunkline::k8s {

using json = nlohmann::json;

/// The value under `key`; a null where `in` is no object or has none.
const json& field_of(const json& in, std::string_view key);
/// Empty where it is no text.
std::string text_of(const json& in, std::string_view key);
bool flag_of(const json& in, std::string_view key, bool otherwise);

/// Of its metadata; empty where there is none.
std::string name_of(const json& object);
std::string resource_version_of(const json& object);

/// What a Status says went wrong, short and on one line; empty where it is none.
std::string status_message(std::string_view body);

}  // namespace trunkline::k8s
