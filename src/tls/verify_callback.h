// Remembers why a peer's certificate was refused, while OpenSSL still has it at hand. Private to this room.
#pragma once

#include "tls/openssl.h"

namespace trunkline::tls {

/// For SSL_CTX_set_verify: never changes the verdict.
int note_verification(int verdict, X509_STORE_CTX* store);

}  // namespace trunkline::tls
