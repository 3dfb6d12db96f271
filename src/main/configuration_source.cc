#include "main/configuration_source.h"

namespace trunkline::main {

result<> yaml_source::set(const std::string& /*key*/, const std::string& /*value*/) {
  return fail({.source = error_source::client,
               .reaction = error_reaction::reject,
               .code = sqlstates::feature_not_supported,
               .message = "settings are those of the configuration's file",
               .hint = "Change the file, then RELOAD; SHOW CONFIG shows what is in force."});
}

}  // namespace trunkline::main
