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

// Identity: tokens, their issuers, and guesses (docs/identity.md).
/// A login message may have 64 KiB, its frame included.
inline constexpr std::size_t token_bytes = 60 * 1024;
/// Of a principal, a group or a key's id.
inline constexpr std::size_t token_text_bytes = 1'024;
inline constexpr std::size_t token_groups = 500;
/// Tokens that are known to be good, until they expire; only their hashes are kept.
inline constexpr std::size_t token_cache_entries = 20'000;
inline constexpr std::size_t jwks_keys = 100;
inline constexpr std::size_t rsa_key_bits_least = 2'048;
inline constexpr std::size_t rsa_key_bits_most = 8'192;
/// Different issuers, of all routes.
inline constexpr std::size_t issuers = 64;
/// Of one answer of an issuer or the Kubernetes API server.
inline constexpr std::size_t issuer_answer_bytes = 1024 * 1024;
/// An issuer's keys are there by then, the discovery document before them included.
inline constexpr std::chrono::milliseconds issuer_timeout = 5s;
/// Keys are read again after this; after a failure, sooner, doubled each time up to the bound.
inline constexpr std::chrono::milliseconds issuer_refresh = 5min;
inline constexpr std::chrono::milliseconds issuer_retry = 1s;
inline constexpr std::chrono::milliseconds issuer_retry_most = 60s;
/// Tokens of a key that is not known lead to so many questions at once, then to one in this time.
inline constexpr std::size_t issuer_questions = 5;
inline constexpr std::chrono::milliseconds issuer_question_gap = 10s;
/// Keys that could not be read again for so long are no longer believed.
inline constexpr std::chrono::milliseconds issuer_keys_life = 24h;
inline constexpr std::chrono::milliseconds token_review_timeout = 4s;
/// What an API server has said of a token is believed for so long, and no longer than the token lives.
inline constexpr std::chrono::milliseconds token_review_believed = 60s;
/// Reviews at one API server at a time, and those that wait for one of them.
inline constexpr std::size_t token_review_threads = 8;
inline constexpr std::size_t token_review_waiting = 1'024;
/// Failed logins that cost nothing: of one user from one source, and of a source as such. Each further one
/// makes the next logins wait for this time longer.
inline constexpr std::size_t login_failures = 10;
inline constexpr std::chrono::milliseconds login_failure_wait = 1s;
inline constexpr std::size_t login_failures_per_source = 100;
inline constexpr std::chrono::milliseconds login_failure_wait_per_source = 100ms;
/// Who would have to wait longer is refused at once; and however many failures there were, so much is the
/// most.
inline constexpr std::chrono::milliseconds login_wait_most = 10s;
inline constexpr std::chrono::milliseconds login_debt_most = 5min;
/// Users and sources whose failures are counted apart.
inline constexpr std::size_t login_suspects = 16'384;

// Sessions.
inline constexpr std::size_t sessions_per_listener = 10'000;
inline constexpr std::size_t half_open_logins = 4'000;
inline constexpr std::size_t half_open_logins_per_source = 1'000;
/// Out of descriptors or memory: a listener rests this long before it accepts again.
inline constexpr std::chrono::milliseconds accept_retry = 250ms;
inline constexpr std::chrono::milliseconds connect_timeout = 5s;
/// Addresses, or SRV records, that one name may have.
inline constexpr std::size_t dns_records = 256;
inline constexpr std::chrono::milliseconds drain_grace = 30s;
/// PAUSE and SWITCHOVER let a session that has just logged in ask once: its client cannot know of them.
inline constexpr std::chrono::milliseconds newcomer_time = 250ms;
/// Connections to one endpoint that are being opened; the rest wait in order.
inline constexpr std::size_t logins_per_endpoint = 16;
inline constexpr std::chrono::milliseconds login_wait = 30s;
/// Pooled server connections (docs/pooling.md): of one pool, how old they get, and how long unused.
inline constexpr std::size_t pool_size = 20;
inline constexpr std::chrono::milliseconds pool_lifetime = 1h;
inline constexpr std::chrono::milliseconds pool_idle = 10min;
/// From the connect of a pooled server connection to its ReadyForQuery.
inline constexpr std::chrono::milliseconds link_login = 30s;
/// For the statements that remove a client's traces.
inline constexpr std::chrono::milliseconds link_reset = 10s;
/// Who waits at another worker gets a connection first where the wait there is a quarter longer, and this.
inline constexpr std::chrono::milliseconds pool_unfairness = 1ms;
/// After a failed attempt to add a connection to a pool that has others.
inline constexpr std::chrono::milliseconds pool_retry = 100ms;
inline constexpr std::chrono::milliseconds pool_retry_most = 2s;
/// Idle connections are looked at no more often.
inline constexpr std::chrono::milliseconds pool_care = 100ms;
/// Different start-up settings of clients whose greeting is remembered, for each pool.
inline constexpr std::size_t pool_welcomes = 256;
/// Pools that the metrics name, the oldest first.
inline constexpr std::size_t pool_series = 100;
/// Where `pool.maxConnections` or `pool.perUser` is reached: how often a pool whose clients wait asks for a
/// place, how often the pools are looked at for one that gives it, and how long clients of a pool that has
/// none wait before one of those that have a single connection gives it.
inline constexpr std::chrono::milliseconds pool_room_retry = 20ms;
inline constexpr std::chrono::milliseconds pool_room_look = 1ms;
inline constexpr std::chrono::milliseconds pool_turn = 100ms;
/// A client of transaction pooling that does nothing for so long sleeps: only what it would miss is kept.
inline constexpr std::chrono::seconds awake_time = 2s;
/// Statements that SHOW PREPARED shows, the most used first.
inline constexpr std::size_t prepared_shown = 1'000;
/// Statements that one server connection has prepared; the one unused for longest is closed.
inline constexpr std::size_t prepared_per_link = 500;
/// Named statements of one client: how many, and of what size in all. More ends it with 53400.
inline constexpr std::size_t prepared_per_session = 20000;
inline constexpr std::size_t prepared_bytes_per_session = 32 * 1024 * 1024;
/// Of a client's message that must be whole before it can be passed on (transaction pooling).
inline constexpr std::size_t pooled_message = 1024 * 1024;
/// Of a larger one: what holds its names.
inline constexpr std::size_t pooled_message_head = 1024;
/// A larger unnamed statement is not kept: its session keeps its server connection.
inline constexpr std::size_t unnamed_statement = 8 * 1024;
/// Channels in one query of the connection that listens for a pool.
inline constexpr std::size_t listen_batch = 100;
/// Portals in which something else runs in the place of a LISTEN or UNLISTEN, in one transaction of a client.
inline constexpr std::size_t listen_portals = 100;
/// One LISTEN or UNLISTEN, or several of them, that it has asked for.
inline constexpr std::chrono::milliseconds listen_answer = 10s;
/// How long it stays when nobody listens any more.
inline constexpr std::chrono::milliseconds listen_linger = 10s;
/// Of notifications that a client has not taken yet. More ends it with 53400.
inline constexpr std::size_t notifications_waiting = 1024 * 1024;
/// How long a cancel request waits for the pooled session that it is for.
inline constexpr std::chrono::milliseconds cancel_patience = 30s;
/// Names and values of settings that one client has changed. More pins it.
inline constexpr std::size_t session_settings = 64 * 1024;
/// A new endpoint that does not answer is left for another one after this, if there is another.
inline constexpr std::chrono::milliseconds connect_patience = 1s;
/// All that a server says between the start-up packet and its first ReadyForQuery.
inline constexpr std::size_t login_answer_bytes = 1024 * 1024;

// Endpoints: discovery and health.
inline constexpr std::chrono::milliseconds health_interval = 2s;
inline constexpr std::chrono::milliseconds health_timeout = 1s;
/// While something is wrong with an upstream its endpoints are asked this often.
inline constexpr std::chrono::milliseconds health_hurry = 100ms;
/// For this long; then `interval` will do again.
inline constexpr std::chrono::milliseconds health_hurry_time = 2min;
inline constexpr std::chrono::milliseconds slow_start = 10s;
/// An endpoint that fails this many logins in a row, though it answers the health check, rests.
inline constexpr int failures_until_ejection = 3;
inline constexpr std::chrono::milliseconds ejection = 1s;
inline constexpr std::chrono::milliseconds ejection_most = 60s;
/// How long PAUSE waits for what is under way; new work waits all the same.
inline constexpr std::chrono::milliseconds pause_wait = 30s;
/// SWITCHOVER without WITHIN gives up after this, and undoes what it did.
inline constexpr std::chrono::milliseconds switchover_time = 30s;
/// How long a promotion that has been asked for may take.
inline constexpr std::chrono::milliseconds promotion_wait = 60s;
/// What a command of the console may take beyond that.
inline constexpr std::chrono::milliseconds command_wait = 5s;
/// How long the console waits for a reload, or another answer of the control thread.
inline constexpr std::chrono::milliseconds reload_wait = 30s;
/// How long WAIT_CLOSE waits for sessions that are to end.
inline constexpr std::chrono::milliseconds close_wait = 60s;
/// A login that waits for an endpoint tries again after this, doubled each time up to the second.
inline constexpr std::chrono::milliseconds hold_retry = 100ms;
inline constexpr std::chrono::milliseconds hold_retry_most = 2s;
/// Answers of a resolver are kept at least and at most this long, whatever their TTL.
inline constexpr std::chrono::seconds dns_ttl_least = 1s;
inline constexpr std::chrono::seconds dns_ttl_most = 5min;
/// A resolver that fails is asked again after this.
inline constexpr std::chrono::seconds dns_retry = 1s;
inline constexpr std::chrono::milliseconds dns_timeout = 5s;
/// Endpoints of one upstream, however many its name has.
inline constexpr std::size_t endpoints_per_upstream = 256;
/// Of what a server said last, as it is shown and told.
inline constexpr std::size_t endpoint_said_bytes = 512;
/// Where the primary was when, to tell how old what a replica has is.
inline constexpr std::size_t wal_positions = 512;
/// No two of them are nearer.
inline constexpr std::chrono::milliseconds wal_position_spacing = 250ms;
/// So many idle sessions are told of a drain at once; more are told one after the other within this time, or
/// half of the grace time where that is less, so that their clients do not all reconnect in one instant.
inline constexpr std::size_t drain_at_once = 50;
inline constexpr std::chrono::milliseconds drain_spread = 5s;
/// SIGUSR2: the new process must be ready by then.
inline constexpr std::chrono::milliseconds handover_ready = 30s;
/// Behind a hand-over sessions go on undisturbed until so much of the grace time is left, or a quarter of it
/// where that is less; then they end as in a drain.
inline constexpr std::chrono::milliseconds handover_last_call = 30s;
/// A CancelRequest for a session of the process before has been served there by then.
inline constexpr std::chrono::milliseconds handover_cancel = 10s;

// Credentials of routes (docs/credentials.md).
/// For so long after another password is in force, the one before is tried where a server refuses the new
/// one.
inline constexpr std::chrono::hours secret_overlap = 24h;

// Cancel requests, and the other replicas of the gateway (docs/cancel.md).
/// A shared secret has at least so many bytes.
inline constexpr std::size_t replica_secret_bytes = 32;
/// For so long after another secret is in force, the one before still counts.
inline constexpr std::chrono::hours replica_old_secret = 24h;
/// Addresses of peers, however many their names have.
inline constexpr std::size_t replica_peers = 64;
/// A peer that has not accepted by then, TLS included, is not reached.
inline constexpr std::chrono::milliseconds replica_connect = 1s;
/// What a peer says of its number is believed for so long, where a session may be elsewhere; less where the
/// key is genuine.
inline constexpr std::chrono::milliseconds replica_believed = 10s;
inline constexpr std::chrono::milliseconds replica_believed_sure = 100ms;
/// A peer that was asked has answered and served by then.
inline constexpr std::chrono::milliseconds replica_answer = 10s;
/// Cancel requests that are on their way to peers; of these, those whose keys may be guesses.
inline constexpr std::size_t forwarded_cancels = 1'024;
inline constexpr std::size_t forwarded_guesses = 256;
/// Keys of one source that turn out to belong to nobody, before its guesses are not passed on any more; so
/// many more are allowed each second.
inline constexpr std::size_t cancel_guesses = 100;
inline constexpr std::size_t cancel_guesses_per_second = 20;
/// Sources whose guesses are counted apart.
inline constexpr std::size_t cancel_sources = 4'096;
/// Where no more logins may be under way, so many more connections may still say that they are a cancel
/// request, in all and from one source, within this time.
inline constexpr std::size_t half_open_cancels = 256;
inline constexpr std::size_t half_open_cancels_per_source = 32;
inline constexpr std::chrono::milliseconds half_open_cancel_time = 2s;

/// A client that sent FIN while its statement runs silently is taken for gone after this time.
inline constexpr std::chrono::milliseconds half_close_grace = 400ms;
/// After that statement was cancelled, the server has this long to end by itself.
inline constexpr std::chrono::milliseconds abandoned_server_grace = 400ms;
/// Time to write a last ErrorResponse to a peer before its socket is closed.
inline constexpr std::chrono::milliseconds farewell_timeout = 2s;

// Buffers, lent by a worker while there are bytes in hand.
inline constexpr std::size_t buffer_bytes_tiny = 512;
inline constexpr std::size_t buffer_bytes_small = 16 * 1024;
inline constexpr std::size_t buffer_bytes_large = 256 * 1024;
/// Small writes that go out together at the end of a turn.
inline constexpr std::size_t sends_per_batch = 64;
/// Memory of coroutines of up to so many bytes is kept for the next ones, so many of each size and thread.
inline constexpr std::size_t kept_frame_bytes = 4096;
inline constexpr std::size_t kept_frames = 16;

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

// Audit.
/// One for each worker, between its loop and the audit thread.
inline constexpr std::size_t audit_ring_bytes = 8 * 1024 * 1024;
/// Kept of one message's body; of a longer one, its length and its SHA-256.
inline constexpr std::size_t audit_message_bytes = 64 * 1024;
/// Of an exchange's small messages, which reach the audit thread together when it ends.
inline constexpr std::size_t audit_gathered_bytes = 512;
/// What is written goes to the disk in groups, at most this long apart.
inline constexpr std::chrono::milliseconds audit_commit = 10ms;
inline constexpr std::size_t audit_segment_bytes = 256 * 1024 * 1024;
inline constexpr std::chrono::milliseconds audit_segment_age = 24h;
/// `onFailure: block`: a session that cannot be audited for so long is ended.
inline constexpr std::chrono::milliseconds audit_stall = 5s;
/// A worker goes on reading while its ring has so much room; below it waits, or counts what is lost.
inline constexpr std::size_t audit_ring_spare = 256 * 1024;
/// `onFailure: block`: records that a worker keeps beside its full ring; more are lost, counted and told.
inline constexpr std::size_t audit_records_beside = 100'000;
/// Processes that write to one folder at a time, each in a lane of its own: a gateway and those it took over
/// from.
inline constexpr unsigned audit_lanes = 8;
/// How often a worker that waits looks again.
inline constexpr std::chrono::milliseconds audit_retry = 5ms;
/// A sink that failed is tried again so often.
inline constexpr std::chrono::milliseconds audit_sink_retry = 500ms;
/// What one session's exchange may keep before its end; of a longer one a part is told at once.
inline constexpr std::size_t audit_exchange_bytes = 1024 * 1024;
/// A line that has become so long ends with the statement it is at.
inline constexpr std::size_t audit_event_bytes = 1024 * 1024;
/// Lines that wait for their group commit; with more, it comes early.
inline constexpr std::size_t audit_batch_bytes = 4 * 1024 * 1024;
/// Sessions that the audit thread knows. Only those whose end was lost in a gap stay behind.
inline constexpr std::size_t audit_sessions = 250'000;
/// Prepared statements that are known by name: of one session, and what they take in all.
inline constexpr std::size_t audit_statements_per_session = 5'000;
inline constexpr std::size_t audit_statement_bytes = 256 * 1024 * 1024;
/// Texts that are looked up instead of parsed again.
inline constexpr std::size_t audit_cache_bytes = 64 * 1024 * 1024;
/// A longer text is not shown to the grammar, which takes quadratic time on some, nor one nested more deeply.
inline constexpr std::size_t audit_grammar_bytes = 16 * 1024;
inline constexpr std::size_t audit_grammar_depth = 4'000;
/// Statements of one text that are told apart; the last holds all the rest.
inline constexpr std::size_t audit_statements = 1'000;
/// Kept of one bind parameter, and of all parameters of one Bind as JSON.
inline constexpr std::size_t audit_parameter_bytes = 1'024;
inline constexpr std::size_t audit_parameter_list_bytes = 64 * 1024;
/// Lines for each row of the index, and values (sessions, fingerprints...) that such a row remembers.
inline constexpr std::size_t audit_block_lines = 2'048;
inline constexpr std::size_t audit_block_keys = 12'000;
/// Statements whose normalised text the index keeps, in one run of the gateway, and how much of each.
inline constexpr std::size_t audit_index_statements = 100'000;
inline constexpr std::size_t audit_index_text_bytes = 4 * 1024;
/// A longer line is not one of ours.
inline constexpr std::size_t audit_line_bytes = 256 * 1024 * 1024;

// What a statement's text tells of its session (src/sql/).
/// A longer text is not shown to the grammar, nor one nested more deeply.
inline constexpr std::size_t sql_text_bytes = 16 * 1024;
inline constexpr std::size_t sql_depth = 1'000;
/// Settings that one text is said to touch, and of each name.
inline constexpr std::size_t sql_settings = 16;
inline constexpr std::size_t sql_setting_bytes = 128;
/// Texts whose effects a worker remembers, by their normal form.
inline constexpr std::size_t sql_cache_entries = 4'096;

// Access policies.
/// Of a statement in a session that a policy holds to something.
inline constexpr std::size_t guarded_message = 1024 * 1024;
/// So long before its policy ends a session, the client is told.
inline constexpr std::chrono::seconds access_warning = 60s;

// Observation.
/// Exchanges whose requests wait behind each other in one session; further ones are told as one.
inline constexpr std::size_t exchanges_in_flight = 1'024;
/// Of the statement of a slow or failed exchange.
inline constexpr std::size_t statement_head_bytes = 1'024;
/// Prepared statements that a session's observer knows by name; with one more it forgets them all.
inline constexpr std::size_t statement_names = 256;
/// For each worker: the slowest of a window and of the one before, and the last failed ones.
inline constexpr std::size_t slow_exchanges = 64;
inline constexpr std::size_t failed_exchanges = 64;
/// State of exchanges that are over, kept by a worker to be used again.
inline constexpr std::size_t spare_exchanges = 1'024;
inline constexpr std::chrono::minutes slow_window = 10min;
/// Of each name that such an exchange carries.
inline constexpr std::size_t flight_text_bytes = 256;
/// A loop shows at least this often that it turns.
inline constexpr std::chrono::milliseconds loop_heartbeat = 1s;
/// Behind a longer wait a loop cannot tell whether it was late.
inline constexpr std::chrono::milliseconds loop_pulse = 50ms;
/// What a loop does later than this it accounts for: the time is the gateway's, not the server's.
inline constexpr std::chrono::milliseconds loop_late = 4ms;
/// Whoever looks at a worker waits at most so long for it.
inline constexpr std::chrono::milliseconds observe_timeout = 2s;

/// A loop that has not turned for so long hangs: `/healthz` says so.
inline constexpr std::chrono::milliseconds loop_silence = 5s;
/// `worker_busy_ratio` is the share of this much time.
inline constexpr std::chrono::seconds busy_window = 10s;

// Admin HTTP.
inline constexpr std::size_t admin_connections = 64;
inline constexpr std::size_t admin_request_bytes = 8 * 1024;
inline constexpr std::size_t admin_request_fields = 64;
/// From accept to the last byte of the request; and for the answer to be taken.
inline constexpr std::chrono::milliseconds admin_request_timeout = 5s;
inline constexpr std::chrono::milliseconds admin_response_timeout = 10s;
/// Requests that wait for a thread, for each of the two that answer.
inline constexpr std::size_t admin_waiting_requests = 16;
/// Sessions in one answer.
inline constexpr std::size_t admin_sessions = 1'000;
inline constexpr std::size_t admin_statement_cache_bytes = 1024 * 1024;

// Requests for access, and grants (docs/access-requests.md).
/// Open requests: in all, and of one principal.
inline constexpr std::size_t access_requests = 10'000;
inline constexpr std::size_t access_requests_of_principal = 20;
/// Of a reason; the rest is cut.
inline constexpr std::size_t access_reason_bytes = 1'024;
/// Of the groups of who asks, that those who answer are shown.
inline constexpr std::size_t access_groups = 64;
/// Of a grant whose policy has no maxLength.
inline constexpr std::chrono::milliseconds access_grant = 1h;
/// Records of requests that are over are kept for so long, and no more than so many.
inline constexpr std::chrono::hours access_record_age = 2'160h;
inline constexpr std::size_t access_records = 50'000;
/// In one answer.
inline constexpr std::size_t access_listed = 1'000;
/// Records that are read at a time.
inline constexpr std::size_t access_batch = 256;
/// Of the file; then requests are refused.
inline constexpr std::size_t access_store_bytes = 512 * 1024 * 1024;
/// So long a gateway waits for another one that writes to the same file.
inline constexpr std::chrono::milliseconds access_store_busy = 2s;
/// How often it looks whether another gateway has written, and says that it is there itself; one that has not
/// said so for the last time does not wait for anything any more.
inline constexpr std::chrono::milliseconds access_look = 200ms;
inline constexpr std::chrono::milliseconds access_alive = 5s;
inline constexpr std::chrono::milliseconds access_silent = 20s;
/// Errands of sessions that wait for the thread of the store; one more is refused.
inline constexpr std::size_t access_errands = 16'384;
/// An errand of the API has been done by then.
inline constexpr std::chrono::milliseconds access_answer = 5s;
/// A client that waits hears of it so often.
inline constexpr std::chrono::milliseconds access_notice = 30s;
/// Roles that grants have at servers (docs/credentials.md): of one gateway, and what their names begin with.
inline constexpr std::size_t roles = 1'000;
inline constexpr std::size_t role_prefix_bytes = 16;
/// One conversation with a server about a role; a session waits no longer for its own.
inline constexpr std::chrono::milliseconds role_errand = 10s;
/// What a server may say to one of its statements.
inline constexpr std::size_t role_answer_bytes = 1024 * 1024;
/// From the end of a grant, at which its sessions end, until what is left of them at the server is ended.
inline constexpr std::chrono::milliseconds role_grace = 2s;
/// So long the server may take to end those; then, and after every failure, it is tried again after a time
/// that doubles up to the bound.
inline constexpr std::chrono::milliseconds role_sessions_end = 5s;
inline constexpr std::chrono::milliseconds role_retry = 1s;
inline constexpr std::chrono::milliseconds role_retry_most = 5min;
/// How often it is looked for roles that a crash has left behind, and how long their time must be over.
inline constexpr std::chrono::milliseconds role_sweep = 1min;
inline constexpr std::chrono::seconds role_orphan_age = 30s;
/// A gateway that stops takes no longer for its roles.
inline constexpr std::chrono::milliseconds role_farewell = 5s;
/// Webhooks: messages that wait for one receiver, one attempt, all attempts at one message, and the time
/// between two of them, doubled each time up to the bound.
inline constexpr std::size_t webhook_waiting = 1'000;
inline constexpr std::chrono::milliseconds webhook_timeout = 5s;
inline constexpr std::chrono::milliseconds webhook_deadline = 5min;
inline constexpr std::chrono::milliseconds webhook_retry = 500ms;
inline constexpr std::chrono::milliseconds webhook_retry_most = 30s;
/// What still waits when the process ends may take so long to go.
inline constexpr std::chrono::milliseconds webhook_farewell = 1s;
/// An API request whose token is signed with a key that is not known waits so long for the issuer.
inline constexpr std::chrono::milliseconds admin_issuer_patience = 3s;
/// Refused writes over the API of nobody who is known are told together, so often.
inline constexpr std::chrono::milliseconds strangers_told = 1s;
inline constexpr std::size_t webhook_answer_bytes = 64 * 1024;

// The console.
/// Sessions that have logged in to it, at a time.
inline constexpr std::size_t console_sessions = 32;
/// A query's text, and every other message to it.
inline constexpr std::size_t console_message_bytes = 64 * 1024;
/// Prepared statements, and portals, of one session.
inline constexpr std::size_t console_statements = 256;
inline constexpr std::size_t console_answer_bytes = 32 * 1024 * 1024;
inline constexpr std::chrono::milliseconds console_idle_timeout = 1h;
/// The console's averages cover at least this time.
inline constexpr std::chrono::seconds console_stats_period = 60s;
/// Normalised statements that are remembered, so that a look at slow exchanges costs little.
inline constexpr std::size_t console_cache_bytes = 1024 * 1024;

// Spans for OpenTelemetry. More wait in vain: the newest is lost and counted.
inline constexpr std::size_t otlp_waiting_spans = 4'096;
inline constexpr std::size_t otlp_batch_spans = 512;
/// Of one attribute's value, or a name; what is longer is cut.
inline constexpr std::size_t otlp_text_bytes = 4 * 1024;
inline constexpr std::size_t otlp_attributes = 64;
/// A batch goes out when it is full, or its first span has waited for so long.
inline constexpr std::chrono::milliseconds otlp_delay = 1s;
inline constexpr std::chrono::milliseconds otlp_timeout = 10s;
/// A batch that the collector does not take is lost after so many attempts; between two, this time, doubled
/// each time, or as long as the collector asks for, up to the bound.
inline constexpr int otlp_attempts = 5;
inline constexpr std::chrono::milliseconds otlp_retry = 1s;
inline constexpr std::chrono::milliseconds otlp_retry_most = 30s;
/// What still waits when the process ends may take so long to go.
inline constexpr std::chrono::milliseconds otlp_farewell = 1s;
inline constexpr std::size_t otlp_answer_bytes = 64 * 1024;

// The configuration's text.
inline constexpr std::size_t config_file_bytes = 1024 * 1024;
/// Values in all, aliases counted as what they stand for.
inline constexpr std::size_t config_nodes = 50'000;
inline constexpr int config_depth = 16;
// A pgbouncer.ini; includes within includes as PgBouncer has it.
inline constexpr std::size_t ini_file_bytes = 1024 * 1024;
inline constexpr std::size_t ini_include_depth = 10;
inline constexpr std::size_t ini_entries = 20'000;
inline constexpr std::size_t config_list_entries = 1'000;
inline constexpr std::size_t config_text_bytes = 8 * 1024;
inline constexpr std::size_t config_pattern_bytes = 255;
inline constexpr std::size_t config_secret_bytes = 4 * 1024;
/// As PostgreSQL's own names (NAMEDATALEN - 1).
inline constexpr std::size_t config_name_bytes = 63;
/// What a sockaddr_un holds, without the final NUL (unix(7)).
inline constexpr std::size_t unix_path_bytes = 107;

// client: what a DSN names (src/client/).
inline constexpr std::size_t password_file_bytes = 1024 * 1024;

// doctor: a path from the outside (src/doctor/).
/// Each step of a conversation, and each statement on the server.
inline constexpr std::chrono::milliseconds doctor_patience = 5s;
inline constexpr std::chrono::milliseconds doctor_statement = 10s;
/// Of a server's message that is shown.
inline constexpr std::size_t doctor_message_bytes = 300;
/// Logins at once, and the share of the server's free slots that they may take.
inline constexpr std::size_t doctor_logins = 100;
/// Threads that look names up and derive keys, and what may wait for them.
inline constexpr std::size_t doctor_threads = 2;
inline constexpr std::size_t doctor_jobs = 1'000;
/// How often whoever watches is told how far it is.
inline constexpr std::chrono::milliseconds doctor_tick = 100ms;
/// Rows that are kept of one answer; more are counted only.
inline constexpr std::size_t doctor_rows = 1'000;
/// Statements that are cancelled, each with a CancelRequest of its own.
inline constexpr std::size_t doctor_cancels = 20;
/// What goes through COPY in each direction.
inline constexpr std::size_t doctor_copy_bytes = 4 * 1024 * 1024;
/// DSNs that are compared with each other.
inline constexpr std::size_t doctor_paths = 8;
/// The longest silence that is tried, and the longest watch.
inline constexpr std::chrono::hours doctor_idle = 24h;
/// Between two steps of the canary.
inline constexpr std::chrono::milliseconds doctor_canary = 200ms;

// storm: a path under load (src/storm/).
inline constexpr std::size_t storm_clients = 50'000;
inline constexpr std::chrono::hours storm_duration = 24h;
/// Rounds, and logins, a second.
inline constexpr std::size_t storm_rate = 200'000;
inline constexpr std::size_t storm_logins = 10'000;
/// Of one result: rows, and bytes.
inline constexpr std::size_t storm_rows = 100'000;
inline constexpr std::size_t storm_bulk_bytes = 1024 * 1024 * 1024;
/// Of each row of a large result.
inline constexpr std::size_t storm_row_padding = 4 * 1024;
/// Kinds of findings, and examples of each.
inline constexpr std::size_t storm_finding_groups = 200;
inline constexpr std::size_t storm_examples = 5;
/// Of a server's message that an example shows.
inline constexpr std::size_t storm_message_bytes = 300;
/// Points of the chart, and how often one may be made; the clients' number is looked at as often.
inline constexpr std::size_t storm_points = 600;
inline constexpr std::chrono::milliseconds storm_tick = 100ms;
/// Threads that look names up and derive keys, and what may wait for them.
inline constexpr std::size_t storm_threads = 4;
inline constexpr std::size_t storm_jobs = 60'000;
/// A client whose login failed waits so long, doubled each time up to the bound.
inline constexpr std::chrono::milliseconds storm_retry = 100ms;
inline constexpr std::chrono::milliseconds storm_retry_most = 2s;
/// Notifications of one session that nobody has looked at.
inline constexpr std::size_t storm_notifications = 64;
/// Two paths take turns of this length, or shorter ones where that would be fewer than so many.
inline constexpr std::chrono::milliseconds storm_turn = 1s;
inline constexpr int storm_turns_least = 4;
/// Behind its turn a path has so long to finish what it began.
inline constexpr std::chrono::milliseconds storm_turn_rest = 500ms;
/// What statements of open transactions take at a path is known from so many of them,
inline constexpr std::size_t storm_usual_samples = 20;
/// and forgotten after one to two times this.
inline constexpr std::chrono::seconds storm_usual_window = 5s;
/// A storm that is late itself by more than this says so.
inline constexpr std::chrono::milliseconds storm_lag = 10ms;
/// What one wait stands for where a client could not keep its pace.
inline constexpr std::size_t storm_paced_records = 10'000;
/// Behind Ctrl-C, connections have so long to say goodbye.
inline constexpr std::chrono::milliseconds storm_farewell = 500ms;

}  // namespace trunkline::limits
