// How whoever wants objects gets them watched, without knowing by whom.
#pragma once

#include <functional>
#include <memory>

#include "k8s/collection_watch.h"

namespace trunkline::k8s {

/// As `api_client::watch`.
using watch_starter = std::function<std::shared_ptr<const void>(collection, std::shared_ptr<object_sink>)>;

}  // namespace trunkline::k8s
