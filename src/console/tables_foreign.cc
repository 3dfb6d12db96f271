// What PgBouncer has and the gateway has not: the right columns and no rows, so that whoever asks goes on.
#include <array>

#include "console/tables.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using enum session::console_type;

constexpr std::array mem_columns{console_column{"name", text}, console_column{"size", int4},
                                 console_column{"used", int4}, console_column{"free", int4},
                                 console_column{"memtotal", int4}};
constexpr std::array host_columns{console_column{"hostname", text}, console_column{"ttl", int8},
                                  console_column{"addrs", text}};
constexpr std::array zone_columns{console_column{"zonename", text}, console_column{"serial", int8},
                                  console_column{"count", int4}};
constexpr std::array peer_columns{console_column{"peer_id", int4}, console_column{"host", text},
                                  console_column{"port", int4}, console_column{"pool_size", int4}};
constexpr std::array peer_pool_columns{
    console_column{"peer_id", int4}, console_column{"cl_active_cancel_req", int4},
    console_column{"cl_waiting_cancel_req", int4}, console_column{"sv_active_cancel", int4},
    console_column{"sv_login", int4}};

console_rows no_rows(sight&) {
  return {};
}

constexpr std::array foreign_list{
    table{"DNS_HOSTS", "nothing: names are looked up anew for each connection", host_columns, &no_rows},
    table{"DNS_ZONES", "nothing: the system's resolver is asked", zone_columns, &no_rows},
    table{"MEM", "nothing: there are no caches of objects", mem_columns, &no_rows},
    table{"PEERS", "nothing: SHOW CONFIG has replicas.peers", peer_columns, &no_rows},
    table{"PEER_POOLS", "nothing: SHOW CONFIG has replicas.peers", peer_pool_columns, &no_rows},
};

}  // namespace

std::span<const table> foreign_tables() {
  return foreign_list;
}

}  // namespace trunkline::console
