// The floor of the benchmark: what a Postgres proxy costs when it does nothing but relay.
//
// One thread, one epoll set, both sockets of a session registered once and edge-triggered. A short read
// means that the socket is drained, so there is no second receive that only finds EAGAIN. Each event costs
// one receive and one send. One buffer serves all sessions; a session owns memory only while its peer's
// socket does not take what was read. With --walk it also walks the headers of every message, in place.
//
// Usage: floor_relay --listen PORT --server PORT [--buffer BYTES] [--walk]     (loopback only)

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace {

struct options {
  std::uint16_t listen = 0;
  std::uint16_t server = 0;
  std::size_t buffer = 64 * 1024;
  bool walk = false;
};

/// Follows the message boundaries of one direction without copying anything but a header that is split
/// between two reads. PostgreSQL documentation, "Message Formats": type byte (absent at start-up), then a
/// big-endian length that counts itself.
class header_walk {
 public:
  enum class kind { startup, typed, opaque };

  explicit header_walk(kind start) : kind_(start) {}

  kind state() const { return kind_; }
  void become(kind next) { kind_ = next; }
  std::uint64_t messages() const { return messages_; }

  void feed(std::span<const std::uint8_t> bytes) {
    const std::uint8_t* at = bytes.data();
    const std::uint8_t* const end = at + bytes.size();
    while (at < end && kind_ != kind::opaque) {
      if (body_left_ > 0) {
        const auto step = std::min<std::size_t>(body_left_, static_cast<std::size_t>(end - at));
        at += step;
        body_left_ -= step;
        continue;
      }
      const std::size_t need = kind_ == kind::startup ? 8 : 5;
      if (held_ == 0 && static_cast<std::size_t>(end - at) >= need) {
        header(at);
        at += need;
        continue;
      }
      held_bytes_[held_++] = *at++;
      if (held_ == need) {
        held_ = 0;
        header(held_bytes_.data());
      }
    }
  }

 private:
  static std::uint32_t big_endian(const std::uint8_t* at) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return ntohl(word);
  }

  void header(const std::uint8_t* at) {
    ++messages_;
    if (kind_ == kind::startup) {
      const std::uint32_t length = big_endian(at);
      const std::uint32_t code = big_endian(at + 4);
      body_left_ = length < 8 ? 0 : length - 8;
      // SSLRequest (80877103) and GSSENCRequest (80877104) are followed by another start-up packet.
      if (code != 80877103 && code != 80877104) kind_ = kind::typed;
      return;
    }
    const std::uint32_t length = big_endian(at + 1);
    if (length < 4) {
      kind_ = kind::opaque;
      return;
    }
    body_left_ = length - 4;
  }

  kind kind_;
  std::size_t body_left_ = 0;
  std::size_t held_ = 0;
  std::array<std::uint8_t, 8> held_bytes_{};
  std::uint64_t messages_ = 0;
};

struct session;

/// One socket of a session: what it still owes to its own kernel buffer, and the walk of what it sends us.
struct leg {
  session* owner = nullptr;
  int fd = -1;
  bool eof = false;                  // the peer sent FIN and we have read it
  bool connected = false;            // only the server leg starts without
  bool readable = false;             // an edge came while the other side was full
  std::vector<std::uint8_t> unsent;  // read from the other leg, not yet taken by this socket
  std::size_t sent = 0;
  header_walk walk{header_walk::kind::startup};
};

struct session {
  leg client;
  leg server;
  bool dead = false;
};

volatile sig_atomic_t stop_requested = 0;

class relay {
 public:
  explicit relay(const options& chosen) : options_(chosen), buffer_(chosen.buffer) {}

  int run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    listener_ = listen_on(options_.listen);
    if (epoll_ < 0 || listener_ < 0) return 1;
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.ptr = nullptr;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &wanted);
    std::array<epoll_event, 256> events;
    while (stop_requested == 0) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          accept_some();
        } else {
          on_event(*static_cast<leg*>(events[i].data.ptr), events[i].events);
        }
      }
      bury();
    }
    if (options_.walk) std::fprintf(stderr, "floor_relay: walked %llu messages\n", messages_);
    return 0;
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  static int listen_on(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
      std::perror("floor_relay: listen");
      return -1;
    }
    return fd;
  }

  void accept_some() {
    for (int i = 0; i < 64; ++i) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const sockaddr_in address = loopback(options_.server);
      if (server < 0 || (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                         errno != EINPROGRESS)) {
        close(client);
        if (server >= 0) close(server);
        continue;
      }
      auto fresh = std::make_unique<session>();
      fresh->client.owner = fresh->server.owner = fresh.get();
      fresh->client.fd = client;
      fresh->client.connected = true;
      fresh->server.fd = server;
      fresh->server.walk.become(header_walk::kind::typed);
      watch(fresh->server);
      watch(fresh->client);
      fresh.release();  // lives until bury(); its legs are the epoll set's cookies
    }
  }

  void watch(leg& one) {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    wanted.data.ptr = &one;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &wanted);
  }

  void on_event(leg& one, std::uint32_t events) {
    session& both = *one.owner;
    if (both.dead) return;
    leg& other = &one == &both.client ? both.server : both.client;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !one.connected) return end(both);
    if ((events & EPOLLOUT) != 0) {
      one.connected = true;
      if (!one.unsent.empty() && !flush(one)) return end(both);
      if (one.unsent.empty() && other.readable && !pump(other, one, true)) return end(both);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
      const bool closing = (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0;
      if (!pump(one, other, closing)) return end(both);
    }
  }

  /// Moves what is there from one socket to the other; false when the session is over. `exhaust` asks for
  /// reading until EAGAIN or FIN, where a short read would not tell.
  bool pump(leg& from, leg& to, bool exhaust) {
    while (!from.eof) {
      if (!to.unsent.empty() || !to.connected) {
        from.readable = true;
        return true;
      }
      const ssize_t got = recv(from.fd, buffer_.data(), buffer_.size(), 0);
      if (got < 0) {
        from.readable = false;
        return errno == EAGAIN || errno == EINTR;
      }
      if (got == 0) {
        from.eof = true;
        shutdown(to.fd, SHUT_WR);
        return !to.eof;
      }
      const auto size = static_cast<std::size_t>(got);
      if (options_.walk) walk(from, to, {buffer_.data(), size});
      if (!pass_on(to, {buffer_.data(), size})) return false;
      if (size < buffer_.size() && !exhaust) {
        from.readable = false;
        return true;
      }
    }
    return true;
  }

  bool pass_on(leg& to, std::span<const std::uint8_t> bytes) {
    const ssize_t taken = send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN) return false;
    const std::size_t done = taken < 0 ? 0 : static_cast<std::size_t>(taken);
    if (done < bytes.size()) {
      to.unsent.assign(bytes.begin() + static_cast<std::ptrdiff_t>(done), bytes.end());
      to.sent = 0;
    }
    return true;
  }

  bool flush(leg& to) {
    const ssize_t taken = send(to.fd, to.unsent.data() + to.sent, to.unsent.size() - to.sent, MSG_NOSIGNAL);
    if (taken < 0) return errno == EAGAIN;
    to.sent += static_cast<std::size_t>(taken);
    if (to.sent == to.unsent.size()) std::vector<std::uint8_t>().swap(to.unsent);
    return true;
  }

  void walk(leg& from, leg& to, std::span<const std::uint8_t> bytes) {
    const bool from_server = &from == &from.owner->server;
    if (from_server && to.walk.state() == header_walk::kind::startup) {
      // The one-byte answer to an SSLRequest; after `S` everything is encrypted.
      if (bytes[0] == 'S') from.walk.become(header_walk::kind::opaque);
      if (bytes[0] == 'S') to.walk.become(header_walk::kind::opaque);
      return;
    }
    from.walk.feed(bytes);
  }

  void end(session& both) {
    both.dead = true;
    close(both.client.fd);
    close(both.server.fd);
    buried_.push_back(&both);
  }

  /// Sessions are freed after the batch of events in which they ended, which may name them again.
  void bury() {
    for (session* one : buried_) {
      messages_ += one->client.walk.messages() + one->server.walk.messages();
      delete one;
    }
    buried_.clear();
  }

  options options_;
  std::vector<std::uint8_t> buffer_;
  std::vector<session*> buried_;
  int epoll_ = -1;
  int listener_ = -1;
  unsigned long long messages_ = 0;
};

options parse(int argc, char** argv) {
  options chosen;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "0";
    if (name == "--walk") {
      chosen.walk = true;
      continue;
    }
    if (name == "--listen") chosen.listen = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--server") chosen.server = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--buffer") chosen.buffer = static_cast<std::size_t>(std::atoll(value));
    ++i;
  }
  return chosen;
}

}  // namespace

int main(int argc, char** argv) {
  const options chosen = parse(argc, argv);
  if (chosen.listen == 0 || chosen.server == 0 || chosen.buffer < 512) {
    std::fprintf(stderr, "usage: floor_relay --listen PORT --server PORT [--buffer BYTES] [--walk]\n");
    return 2;
  }
  struct sigaction act{};
  act.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &act, nullptr);
  sigaction(SIGINT, &act, nullptr);
  return relay(chosen).run();
}
