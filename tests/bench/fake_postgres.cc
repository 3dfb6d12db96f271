// A server that costs nothing: it lets everybody in and answers every statement with one fixed row, so that
// thousands of sessions or logins measure the proxy before it and not PostgreSQL's processes.
//
// One thread, one epoll set, level-triggered. It speaks protocol 3.0 as far as pools and load tools need it:
// SSLRequest and GSSENCRequest are refused with `N`, Query and the extended messages get the smallest
// correct answer. PostgreSQL documentation, chapter "Frontend/Backend Protocol".
//
// Usage: fake_postgres --listen PORT     (loopback only)

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

void put_u32(std::string& out, std::uint32_t word) {
  const std::uint32_t wire = htonl(word);
  out.append(reinterpret_cast<const char*>(&wire), sizeof wire);
}

void put_message(std::string& out, char type, std::string_view body) {
  out.push_back(type);
  put_u32(out, static_cast<std::uint32_t>(body.size() + 4));
  out.append(body);
}

std::uint32_t big_endian(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return ntohl(word);
}

std::string parameter(std::string_view name, std::string_view value) {
  std::string body(name);
  body.push_back('\0');
  body.append(value);
  body.push_back('\0');
  return body;
}

/// One row of one text column, as an answer to any simple Query.
std::string row_answer() {
  using namespace std::string_view_literals;
  std::string out;
  put_message(out, 'T', "\0\1filler\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"sv);
  std::string row("\0\1"sv);
  put_u32(row, 100);
  row.append(100, 'x');
  put_message(out, 'D', row);
  put_message(out, 'C', "SELECT 1\0"sv);
  put_message(out, 'Z', "I");
  return out;
}

/// One client's state: start-up packets have no type byte. Answers are small, so an answer that the socket
/// does not take at once is a client that never reads, and ends it.
class peer {
 public:
  explicit peer(std::uint32_t number) : number_(number) {}

  /// Consumes complete messages; false when the connection is over.
  bool feed(std::string_view bytes, std::string& out) {
    input_.append(bytes);
    std::size_t at = 0;
    bool alive = true;
    while (alive) {
      const std::size_t header = started_ ? 5 : 8;
      if (input_.size() - at < header) break;
      const std::size_t length = big_endian(input_.data() + at + (started_ ? 1 : 0));
      if (length < 4 || length > 1'000'000) return false;
      const std::size_t whole = length + (started_ ? 1 : 0);
      if (input_.size() - at < whole) break;
      alive = started_ ? message(input_[at], out) : startup(big_endian(input_.data() + at + 4), out);
      at += whole;
    }
    input_.erase(0, at);
    if (input_.empty()) std::string().swap(input_);
    return alive;
  }

 private:
  bool startup(std::uint32_t code, std::string& out) {
    if (code == 80877103 || code == 80877104) {
      out.push_back('N');
      return true;
    }
    if (code >> 16 != 3) return false;  // a CancelRequest ends its connection, too
    started_ = true;
    std::string ok;
    put_u32(ok, 0);
    put_message(out, 'R', ok);
    put_message(out, 'S', parameter("server_version", "15.0"));
    put_message(out, 'S', parameter("server_encoding", "UTF8"));
    put_message(out, 'S', parameter("client_encoding", "UTF8"));
    put_message(out, 'S', parameter("DateStyle", "ISO, MDY"));
    put_message(out, 'S', parameter("TimeZone", "UTC"));
    put_message(out, 'S', parameter("integer_datetimes", "on"));
    put_message(out, 'S', parameter("standard_conforming_strings", "on"));
    std::string key;
    put_u32(key, number_);
    put_u32(key, number_ * 2654435761u);
    put_message(out, 'K', key);
    put_message(out, 'Z', "I");
    return true;
  }

  bool message(char type, std::string& out) {
    using namespace std::string_view_literals;
    switch (type) {
      case 'Q':
        out += answer_;
        return true;
      case 'P':
        put_message(out, '1', "");
        return true;
      case 'B':
        put_message(out, '2', "");
        return true;
      case 'C':
        put_message(out, '3', "");
        return true;
      case 'D':
        put_message(out, 'n', "");
        return true;
      case 'E':
        put_message(out, 'C', "SELECT 0\0"sv);
        return true;
      case 'S':
        put_message(out, 'Z', "I");
        return true;
      case 'X':
        return false;
      default:
        return true;
    }
  }

  static inline const std::string answer_ = row_answer();
  std::uint32_t number_;
  bool started_ = false;
  std::string input_;
};

volatile sig_atomic_t stop_requested = 0;

class server {
 public:
  int run(std::uint16_t port) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4096) != 0) {
      std::perror("fake_postgres: listen");
      return 1;
    }
    watch(listener_);
    std::array<epoll_event, 256> events;
    while (stop_requested == 0) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == listener_) {
          accept_some();
        } else {
          serve(events[i].data.fd);
        }
      }
    }
    return 0;
  }

 private:
  void watch(int fd) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &wanted);
  }

  void accept_some() {
    for (int i = 0; i < 64; ++i) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      peers_.insert_or_assign(fd, std::make_unique<peer>(++accepted_));
      watch(fd);
    }
  }

  void serve(int fd) {
    std::array<char, 16384> buffer;
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    std::string out;
    const auto found = peers_.find(fd);
    const bool alive = got > 0 && found->second->feed({buffer.data(), static_cast<std::size_t>(got)}, out);
    const bool taken =
        out.empty() || send(fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
    if (alive && taken) return;
    peers_.erase(found);
    close(fd);
  }

  int epoll_ = -1;
  int listener_ = -1;
  std::uint32_t accepted_ = 0;
  std::unordered_map<int, std::unique_ptr<peer>> peers_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--listen") {
    std::fprintf(stderr, "usage: fake_postgres --listen PORT\n");
    return 2;
  }
  struct sigaction act{};
  act.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &act, nullptr);
  sigaction(SIGINT, &act, nullptr);
  return server().run(static_cast<std::uint16_t>(std::atoi(argv[2])));
}
