#include "tls/span_bio.h"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>

namespace trunkline::tls {
namespace {

int read_from_span(BIO* bio, char* to, int wanted) {
  auto* io = static_cast<span_io*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (io == nullptr || wanted <= 0) return 0;
  const std::size_t take = std::min(static_cast<std::size_t>(wanted), io->in.size() - io->taken);
  if (take == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(to, io->in.data() + io->taken, take);
  io->taken += take;
  return static_cast<int>(take);
}

int write_to_span(BIO* bio, const char* from, int count) {
  auto* io = static_cast<span_io*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (io == nullptr || count <= 0) return 0;
  const byte_span bytes(reinterpret_cast<const std::byte*>(from), static_cast<std::size_t>(count));
  io->given += write_or_spill(bytes, io->out.subspan(io->given), io->spill);
  return count;
}

long control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* make_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span");
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method, read_from_span);
  BIO_meth_set_write(method, write_to_span);
  BIO_meth_set_ctrl(method, control);
  BIO_meth_set_create(method, create);
  return method;
}

}  // namespace

BIO* new_span_bio() {
  static BIO_METHOD* const method = make_method();  // a constant table, as good as code; never freed
  return method == nullptr ? nullptr : BIO_new(method);
}

span_bio_scope::span_bio_scope(BIO* bio, span_io& io) : bio_(bio) {
  BIO_set_data(bio_, &io);
}

span_bio_scope::~span_bio_scope() {
  BIO_set_data(bio_, nullptr);
}

std::size_t write_or_spill(byte_span bytes, mutable_byte_span out,
                           std::unique_ptr<std::vector<std::byte>>& spill) {
  const std::size_t fits = spill == nullptr ? std::min(bytes.size(), out.size()) : 0;
  if (fits != 0) std::memcpy(out.data(), bytes.data(), fits);
  if (fits < bytes.size()) {
    if (spill == nullptr) spill = std::make_unique<std::vector<std::byte>>();
    spill->insert(spill->end(), bytes.begin() + static_cast<std::ptrdiff_t>(fits), bytes.end());
  }
  return fits;
}

std::size_t drain_spill(std::unique_ptr<std::vector<std::byte>>& spill, mutable_byte_span space) {
  if (spill == nullptr) return 0;
  const std::size_t count = std::min(spill->size(), space.size());
  if (count == 0) return 0;
  std::memcpy(space.data(), spill->data(), count);
  if (count == spill->size()) {
    spill.reset();
  } else {
    spill->erase(spill->begin(), spill->begin() + static_cast<std::ptrdiff_t>(count));
    spill->shrink_to_fit();
  }
  return count;
}

}  // namespace trunkline::tls
