// Every limit has a name and this one home; docs/limits.md says what happens at each (a test compares the
// two).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace trunkline::limits {

using namespace std::chrono_literals;

// Start-up (PostgreSQL: MAX_STARTUP_PACKET_LENGTH is 10000).
inline constexpr std::size_t startup_packet_bytes = 10'000;
inline constexpr std::size_t cancel_key_bytes_min = 4;
inline constexpr std::size_t cancel_key_bytes_max = 256;
/// SSLRequest and GSSENCRequest each at most once: what may precede a StartupMessage on one connection.
inline constexpr int negotiation_rounds = 3;
inline constexpr std::size_t proxy_v1_header_bytes = 107;
inline constexpr std::size_t proxy_v2_header_bytes = 16 + 2'048;
inline constexpr std::size_t client_hello_bytes = 16 * 1024;
inline constexpr std::chrono::milliseconds login_timeout = 60s;

// Messages. A length word counts itself; PostgreSQL refuses bodies above 1 GiB - 1.
inline constexpr std::uint32_t message_length_min = 4;
inline constexpr std::uint32_t message_length_max = 0x3fff'ffff + 4;
/// While logging in, each message of either side is held whole.
inline constexpr std::size_t login_message_bytes = 64 * 1024;

/// Requests that a client has sent ahead of their answers; half a byte each.
inline constexpr std::size_t pipelined_requests = 1'000'000;
/// Syncs inside a COPY are remembered up to this many, in case that it fails before it reads.
inline constexpr std::size_t syncs_in_copy = 1'024;

// Authentication. A SASL message of a client is short (PostgreSQL: PG_MAX_SASL_MESSAGE_LENGTH is 1024).
inline constexpr std::size_t sasl_message_bytes = 1'024;
/// A server may ask for as much PBKDF2 as it likes; above this the login fails instead (about half a second).
inline constexpr std::uint32_t scram_iterations_max = 1'000'000;
inline constexpr std::size_t scram_salt_bytes_max = 1'024;
/// A bundle of all public roots has 0.25 MiB.
inline constexpr std::size_t certificate_file_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t user_file_bytes = 64 * 1024 * 1024;
inline constexpr std::size_t user_file_users = 200'000;
inline constexpr std::size_t user_name_bytes_max = 1'024;
inline constexpr std::size_t key_cache_entries = 10'000;

// Sessions.
inline constexpr std::size_t sessions_per_listener = 10'000;
inline constexpr std::size_t half_open_logins = 4'000;
inline constexpr std::size_t half_open_logins_per_source = 1'000;
/// Out of descriptors or memory: a listener rests this long before it accepts again.
inline constexpr std::chrono::milliseconds accept_retry = 250ms;
inline constexpr std::chrono::milliseconds connect_timeout = 5s;
inline constexpr std::chrono::milliseconds drain_grace = 30s;
/// A client that sent FIN while its statement runs silently is taken for gone after this time.
inline constexpr std::chrono::milliseconds half_close_grace = 400ms;
/// After that statement was cancelled, the server has this long to end by itself.
inline constexpr std::chrono::milliseconds abandoned_server_grace = 400ms;
/// Time to write a last ErrorResponse to a peer before its socket is closed.
inline constexpr std::chrono::milliseconds farewell_timeout = 2s;

// Buffers, lent by a worker while there are bytes in hand.
inline constexpr std::size_t buffer_bytes_small = 16 * 1024;
inline constexpr std::size_t buffer_bytes_large = 256 * 1024;
/// Small writes that go out together at the end of a turn.
inline constexpr std::size_t sends_per_batch = 64;

// TLS.
/// A key that seals session tickets is in use for so long; this many older ones still open theirs.
inline constexpr std::chrono::hours tls_ticket_key_rotation = 1h;
inline constexpr std::size_t tls_ticket_keys_kept = 2;
/// Within this time a session may be resumed instead of negotiated in full.
inline constexpr std::chrono::seconds tls_session_lifetime = 2h;
/// Sessions that a client context remembers for resumption, one for each name.
inline constexpr std::size_t tls_client_sessions = 256;
/// Output nobody fetched (key updates' answers): decrypting stops at this many bytes.
inline constexpr std::size_t tls_pending_output_bytes = 16 * 1024;

// Keepalive, both legs (wire.md 7).
inline constexpr std::chrono::seconds keepalive_idle = 30s;
inline constexpr std::chrono::seconds keepalive_interval = 10s;
inline constexpr int keepalive_probes = 3;
inline constexpr std::chrono::seconds tcp_user_timeout = 30s;

// The configuration's text.
inline constexpr std::size_t config_file_bytes = 1024 * 1024;
/// Values in all, aliases counted as what they stand for.
inline constexpr std::size_t config_nodes = 50'000;
inline constexpr int config_depth = 16;
inline constexpr std::size_t config_list_entries = 1'000;
inline constexpr std::size_t config_text_bytes = 8 * 1024;
inline constexpr std::size_t config_pattern_bytes = 255;
inline constexpr std::size_t config_secret_bytes = 4 * 1024;
/// As PostgreSQL's own names (NAMEDATALEN - 1).
inline constexpr std::size_t config_name_bytes = 63;
/// What a sockaddr_un holds, without the final NUL (unix(7)).
inline constexpr std::size_t unix_path_bytes = 107;

}  // namespace trunkline::limits
