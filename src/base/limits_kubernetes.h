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
/// Names of services in the selector of a watch that upstreams share, as they are in its URL: what stands
/// between gateways and API servers may take 8 KiB of one.
inline constexpr std::size_t k8s_selector_bytes = 4'000;
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

/// Of events on objects: one, and how many are saved up; the same is not posted again for a while; and as many
/// are posted at a time.
inline constexpr std::chrono::milliseconds k8s_event_gap = 1s;
inline constexpr int k8s_event_burst = 50;
inline constexpr std::chrono::milliseconds k8s_event_again = 5min;
inline constexpr std::size_t k8s_events_under_way = 16;

/// Of the Lease: another replica may have it when it has not changed for so long; whoever has it gives up when
/// it could not renew it for so long, which is sooner; how often it is renewed, or looked at; and what giving
/// it back may take.
inline constexpr std::chrono::milliseconds k8s_lease_time = 15s;
inline constexpr std::chrono::milliseconds k8s_lease_renew_deadline = 10s;
inline constexpr std::chrono::milliseconds k8s_lease_retry = 2s;
inline constexpr std::chrono::milliseconds k8s_lease_release = 2s;

/// Of status: one write, and how many are saved up; at a time; how often the same is written to one object
/// within which time, before it is left to whoever changes it; when all are looked at again; after failures.
inline constexpr std::chrono::milliseconds k8s_status_gap = 50ms;
inline constexpr int k8s_status_burst = 50;
inline constexpr std::size_t k8s_status_under_way = 4;
inline constexpr int k8s_status_repeats = 3;
inline constexpr std::chrono::milliseconds k8s_status_repeats_within = 10min;
inline constexpr std::chrono::milliseconds k8s_status_look_again = 10s;
inline constexpr std::chrono::milliseconds k8s_status_retry = 1s;
inline constexpr std::chrono::milliseconds k8s_status_retry_most = 60s;

/// A start waits so long for the first answers about objects and Secrets; a reload for those about Secrets
/// that are new to it.
inline constexpr std::chrono::milliseconds k8s_first_answers = 5s;
inline constexpr std::chrono::milliseconds k8s_secret_wait = 1s;
/// Changes of objects and Secrets are gathered for so long.
inline constexpr std::chrono::milliseconds k8s_gather = 5ms;

// Requests for access as objects (docs/kubernetes-requests.md).
/// Of answers in one AccessRequest.
inline constexpr std::size_t k8s_answers = 32;
/// A gateway that the API server tells of changes looks of itself so often.
inline constexpr std::chrono::milliseconds k8s_look = 1s;
/// A question about requests is answered by then. An API server that says nothing for longer than the second
/// is not asked again for as long as the third, unless a watch hears of it.
inline constexpr std::chrono::milliseconds k8s_store_timeout = 4s;
inline constexpr std::chrono::milliseconds k8s_store_patience = 500ms;
inline constexpr std::chrono::milliseconds k8s_store_rest = 15s;
/// By so much an answer of the API server moves its clock, where it does not fit to those before.
inline constexpr std::chrono::milliseconds k8s_clock_step = 1s;
/// Requests that are over and are kept; and so many are removed at a time, once a minute.
inline constexpr std::size_t k8s_requests_kept = 5'000;
inline constexpr std::size_t k8s_forget_batch = 50;
/// Of requests that were deleted, or cannot be read, and of which the desk is still to hear.
inline constexpr std::size_t k8s_requests_buried = 1'000;
/// A request whose gateway has not written its status by then is given up.
inline constexpr std::chrono::milliseconds k8s_request_begun = 60s;
/// A Lease that says no more that its gateway is there is removed after that.
inline constexpr std::chrono::milliseconds k8s_lease_kept = 1h;

/// Of an object that is configuration: values in its spec, and in all of them together.
inline constexpr std::size_t object_values = 5'000;
inline constexpr std::size_t objects_values = 200'000;
/// Of routes and policies, either way.
inline constexpr std::int64_t object_priority = 1'000'000;
/// Of what its status says, about.
inline constexpr std::size_t object_message_bytes = 1'000;

// Who may connect, by RBAC (docs/identity.md).
/// An API server's answer to SubjectAccessReview counts for so long for new clients.
inline constexpr std::chrono::milliseconds rbac_allowed_believed = 10s;
inline constexpr std::chrono::milliseconds rbac_denied_believed = 5s;
/// For those who are connected it is asked again so often, or three times in the grace time.
inline constexpr std::chrono::milliseconds rbac_asked_again = 10s;
/// A login that waits for an answer has none after this.
inline constexpr std::chrono::milliseconds rbac_review_timeout = 4s;
/// Users and routes that are asked about at a time, of each API server; each is three questions. And those of
/// them for the sake of who is connected, and logins that wait for their turn.
inline constexpr std::size_t rbac_reviews = 32;
inline constexpr std::size_t rbac_reviews_again = 8;
inline constexpr std::size_t rbac_reviews_waiting = 1'024;
/// Of an answer, and what is kept of the reason that it gives.
inline constexpr std::size_t rbac_answer_bytes = 64 * 1024;
inline constexpr std::size_t rbac_reason_bytes = 200;
/// Users and routes whose answers are known.
inline constexpr std::size_t rbac_cases = 20'000;

}  // namespace trunkline::limits
