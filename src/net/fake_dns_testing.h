// For tests: a name server on loopback, over UDP and TCP, that says what the test tells it to.
#pragma once

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/unique_fd.h"

namespace trunkline::net::test {

inline std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string u32(std::uint32_t value) {
  return u16(value >> 16) + u16(value & 0xffff);
}
/// A name as it goes over the wire, never compressed.
inline std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out + '\0';
}

struct fake_record {
  std::string owner;
  int type = 0;
  std::uint32_t ttl = 0;
  std::string data;
};
inline fake_record a(std::string owner, std::uint32_t ttl, unsigned last) {
  return {std::move(owner), ns_t_a, ttl, std::string{10, 0} + u16(last)};
}
inline fake_record aaaa(std::string owner, std::uint32_t ttl, unsigned last) {
  return {std::move(owner), ns_t_aaaa, ttl, "\x20\x01\x0d\xb8" + std::string(10, '\0') + u16(last)};
}
inline fake_record cname(std::string owner, std::uint32_t ttl, std::string_view target) {
  return {std::move(owner), ns_t_cname, ttl, wire_name(target)};
}
inline fake_record srv(std::string owner, std::uint32_t ttl, unsigned priority, unsigned weight,
                       unsigned port, std::string_view target) {
  return {std::move(owner), ns_t_srv, ttl, u16(priority) + u16(weight) + u16(port) + wire_name(target)};
}

struct fake_question {
  std::string name = {};  ///< without the final dot
  int type = 0;
  bool tcp = false;
  bool edns = false;
};

struct fake_reply {
  std::vector<fake_record> records = {};
  int rcode = ns_r_noerror;
  bool silent = false;
  std::size_t cut = 0;  ///< bytes that are missing at the message's end

  static fake_reply error(int rcode) { return {.rcode = rcode}; }
  static fake_reply nothing_said() { return {.silent = true}; }
};

/// A whole message: the question of `query` and the reply to it.
inline std::string fake_message(std::string_view query, std::size_t question_bytes, const fake_reply& reply) {
  std::string out(query.substr(0, 2));
  out += static_cast<char>(0x81);
  out += static_cast<char>(0x80 | reply.rcode);
  out += u16(1) + u16(static_cast<unsigned>(reply.records.size())) + u32(0);
  out += query.substr(NS_HFIXEDSZ, question_bytes);
  for (const auto& each : reply.records) {
    out += wire_name(each.owner) + u16(static_cast<unsigned>(each.type)) + u16(ns_c_in) + u32(each.ttl);
    out += u16(static_cast<unsigned>(each.data.size())) + each.data;
  }
  out.resize(out.size() - std::min(out.size(), reply.cut));
  return out;
}

class fake_dns_server {
 public:
  using script = std::function<fake_reply(const fake_question&)>;

  /// `answers` runs on the server's thread.
  explicit fake_dns_server(script answers) : answers_(std::move(answers)) {
    listen();
    thread_ = std::jthread([this] { serve(); });
  }
  ~fake_dns_server() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<fake_question> questions() {
    const std::lock_guard guard(mutex_);
    return asked_;
  }
  /// How many questions had this name.
  std::size_t count(std::string_view name) {
    const std::lock_guard guard(mutex_);
    return static_cast<std::size_t>(std::ranges::count(asked_, name, &fake_question::name));
  }

 private:
  static constexpr std::size_t udp_bytes = 1232;

  /// One port for both; the one that the system gave for TCP may be taken for UDP.
  void listen() {
    for (int attempt = 0; attempt < 100; ++attempt) {
      tcp_ = runtime::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      udp_ = runtime::unique_fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in where{
          .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
      socklen_t length = sizeof where;
      auto* generic = reinterpret_cast<sockaddr*>(&where);
      if (::bind(tcp_.get(), generic, length) != 0 || ::getsockname(tcp_.get(), generic, &length) != 0)
        continue;
      if (::bind(udp_.get(), generic, length) != 0 || ::listen(tcp_.get(), 16) != 0) continue;
      port_ = ntohs(where.sin_port);
      return;
    }
    throw std::runtime_error("no port for a name server");
  }

  void serve() {
    std::vector<runtime::unique_fd> connections;
    while (true) {
      std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
      for (const auto& each : connections)
        polled.push_back({each.get(), POLLIN, 0});
      if (::poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[0].revents != 0) return;
      if (polled[1].revents != 0) over_udp();
      for (std::size_t i = connections.size(); i-- > 0;) {
        if (polled[3 + i].revents != 0 && !over_tcp(connections[i].get())) {
          connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      if (polled[2].revents != 0) connections.emplace_back(::accept(tcp_.get(), nullptr, nullptr));
    }
  }

  void over_udp() {
    std::array<char, 4096> buffer{};
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    auto* generic = reinterpret_cast<sockaddr*>(&from);
    const ssize_t got = ::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, generic, &length);
    if (got < NS_HFIXEDSZ) return;
    std::string answer = reply_to({buffer.data(), static_cast<std::size_t>(got)}, false);
    if (answer.empty()) return;
    if (answer.size() > udp_bytes) {
      answer[2] = static_cast<char>(answer[2] | 0x02);  // truncated: no record at all
      answer.replace(6, 2, u16(0));
      answer.resize(udp_bytes);
    }
    ::sendto(udp_.get(), answer.data(), answer.size(), 0, generic, length);
  }

  bool over_tcp(int connection) {
    std::array<unsigned char, 2> size{};
    if (::recv(connection, size.data(), 2, MSG_WAITALL) != 2) return false;
    std::string query(static_cast<std::size_t>(size[0]) << 8 | size[1], '\0');
    if (::recv(connection, query.data(), query.size(), MSG_WAITALL) != static_cast<ssize_t>(query.size()))
      return false;
    std::string answer = reply_to(query, true);
    if (answer.empty()) return true;
    answer.insert(0, u16(static_cast<unsigned>(answer.size())));
    return ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(answer.size());
  }

  std::string reply_to(std::string_view query, bool tcp) {
    fake_question question{.tcp = tcp, .edns = query[11] != 0};
    std::size_t at = NS_HFIXEDSZ;
    for (; query[at] != 0; at += static_cast<unsigned char>(query[at]) + 1U) {
      if (!question.name.empty()) question.name += '.';
      question.name += query.substr(at + 1, static_cast<unsigned char>(query[at]));
    }
    question.type = static_cast<unsigned char>(query[at + 2]);
    {
      const std::lock_guard guard(mutex_);
      asked_.push_back(question);
    }
    const fake_reply reply = answers_(question);
    return reply.silent ? "" : fake_message(query, at + 5 - NS_HFIXEDSZ, reply);
  }

  const script answers_;
  std::uint16_t port_ = 0;
  runtime::unique_fd tcp_, udp_, stop_{::eventfd(0, EFD_CLOEXEC)};
  std::mutex mutex_;
  std::vector<fake_question> asked_;
  std::jthread thread_;
};

}  // namespace trunkline::net::test
