// Limits of what has to do with the Kubernetes API; the rest is in limits.h, and what happens at each of
// them in docs/limits.md.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/limits.h"

namespace trunkline::limits {

/// For TCP and TLS to the API server.
inline constexpr std::chrono::milliseconds k8s_connect_timeout = 5s;
/// A list's page, or any other answer that has an end, is there by then.
inline constexpr std::chrono::milliseconds k8s_request_timeout = 30s;
/// What the API server is asked to end a watch after, less up to half of it by chance; where it does not, the
/// watch is given up this much later.
inline constexpr std::chrono::milliseconds k8s_watch_time = 4min;
inline constexpr std::chrono::milliseconds k8s_watch_grace = 15s;
/// A watch that lasted so long has worked: what failed before is forgotten.
inline constexpr std::chrono::milliseconds k8s_watch_worked = 5s;
/// After a failure, doubled each time up to the bound; from half of it to the whole, by chance.
inline constexpr std::chrono::milliseconds k8s_retry = 500ms;
inline constexpr std::chrono::milliseconds k8s_retry_most = 30s;
/// Retry-After is obeyed up to here.
inline constexpr std::chrono::milliseconds k8s_retry_after_most = 60s;
/// Of one page of a list; and objects asked for in one page, halved where the answer is longer than that.
inline constexpr std::size_t k8s_page_bytes = 32 * 1024 * 1024;
inline constexpr std::size_t k8s_page_objects = 250;
/// Of one event of a watch. etcd keeps no object of more than 1.5 MiB.
inline constexpr std::size_t k8s_event_bytes = 4 * 1024 * 1024;
/// Of one list.
inline constexpr std::size_t k8s_objects = 20'000;
/// Of a kubeconfig, and of each file that it names.
inline constexpr std::size_t k8s_file_bytes = 1024 * 1024;
/// Of what the API server says of a refusal.
inline constexpr std::size_t k8s_refusal_bytes = 64 * 1024;

/// A question that is no list, such as one that writes, is answered by then.
inline constexpr std::chrono::milliseconds k8s_ask_timeout = 10s;
/// Questions that wait for their answers, at a time.
inline constexpr std::size_t k8s_asks = 256;
/// Of an answer to one.
inline constexpr std::size_t k8s_answer_bytes = 4 * 1024 * 1024;

/// Of an object that is configuration: values in its spec, and in all of them together.
inline constexpr std::size_t object_values = 5'000;
inline constexpr std::size_t objects_values = 200'000;
/// Of routes and policies, either way.
inline constexpr std::int64_t object_priority = 1'000'000;
/// Of what its status says, about.
inline constexpr std::size_t object_message_bytes = 1'000;

}  // namespace trunkline::limits
