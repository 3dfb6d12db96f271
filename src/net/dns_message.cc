#include "net/dns_message.h"

#include <arpa/nameser.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace trunkline::net {

namespace {

constexpr std::size_t srv_bytes_before_target = 6;  // priority, weight, port

byte_span data_of(const ns_rr& record) {
  return {reinterpret_cast<const std::byte*>(ns_rr_rdata(record)), record.rdlength};
}

/// The name at `offset` of the record's data, which may point anywhere in the message.
std::optional<std::string> name_in(const ns_msg& message, const ns_rr& record, std::size_t offset) {
  if (ns_rr_rdlen(record) <= offset) return std::nullopt;
  std::array<char, NS_MAXDNAME> name{};
  if (::ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record) + offset,
                           name.data(), name.size()) < 0) {
    return std::nullopt;
  }
  return name.data();
}

/// RFC 2181, 8: what has the topmost bit counts as zero.
std::chrono::seconds ttl_of(const ns_rr& record) {
  const std::uint32_t ttl = ns_rr_ttl(record);
  return std::chrono::seconds(ttl <= std::numeric_limits<std::int32_t>::max() ? ttl : 0);
}

socket_address address_of(byte_span data) {
  sockaddr_in v4{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 v6{
      .sin6_family = AF_INET6, .sin6_port = 0, .sin6_flowinfo = 0, .sin6_addr = {}, .sin6_scope_id = 0};
  if (data.size() == sizeof v4.sin_addr) {
    std::memcpy(&v4.sin_addr, data.data(), sizeof v4.sin_addr);
    return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
  }
  std::memcpy(&v6.sin6_addr, data.data(), sizeof v6.sin6_addr);
  return {reinterpret_cast<const sockaddr*>(&v6), sizeof v6};
}

/// False: the record is not what its type says.
bool take(const ns_msg& message, const ns_rr& record, dns_answer& answer) {
  const byte_span data = data_of(record);
  switch (ns_rr_type(record)) {
    case ns_t_a:
    case ns_t_aaaa:
      if (data.size() != (ns_rr_type(record) == ns_t_a ? sizeof(in_addr) : sizeof(in6_addr))) return false;
      answer.addresses.push_back(address_of(data));
      break;
    case ns_t_srv: {
      auto target = name_in(message, record, srv_bytes_before_target);
      if (!target) return false;
      if (target->empty() || *target == ".") return true;
      answer.services.push_back({.host = std::move(*target),
                                 .port = load_u16(data.data() + 4),
                                 .priority = load_u16(data.data()),
                                 .weight = load_u16(data.data() + 2)});
      break;
    }
    default:
      return true;
  }
  answer.ttl = std::min(answer.ttl, ttl_of(record));
  return true;
}

}  // namespace

std::optional<dns_answer> read_dns_answer(byte_span bytes) {
  ns_msg message{};
  ns_rr record{};
  if (bytes.size() > NS_MAXMSG) return std::nullopt;
  if (::ns_initparse(reinterpret_cast<const u_char*>(bytes.data()), static_cast<int>(bytes.size()),
                     &message) != 0 ||
      ::ns_msg_getflag(message, ns_f_rcode) != ns_r_noerror || ns_msg_count(message, ns_s_qd) != 1 ||
      ::ns_parserr(&message, ns_s_qd, 0, &record) != 0) {
    return std::nullopt;
  }
  std::string name = ns_rr_name(record);
  const auto type = ns_rr_type(record);

  dns_answer answer;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    if (::ns_parserr(&message, ns_s_an, i, &record) != 0) return std::nullopt;
    if (ns_rr_class(record) != ns_c_in || ::strcasecmp(ns_rr_name(record), name.c_str()) != 0) continue;
    if (ns_rr_type(record) == ns_t_cname) {
      auto target = name_in(message, record, 0);
      if (!target) return std::nullopt;
      name = std::move(*target);
      answer.ttl = std::min(answer.ttl, ttl_of(record));
    } else if (ns_rr_type(record) == type && !take(message, record, answer)) {
      return std::nullopt;
    }
  }
  return answer;
}

}  // namespace trunkline::net
