#include "doctor/failure.h"

#include "base/limits.h"
#include "client/one_line.h"
#include "protocol/error_response.h"
#include "protocol/notice_fields.h"

namespace trunkline::doctor {

said_error read_error(byte_span error_body) {
  const protocol::notice_fields fields(error_body);
  return {.code = fields.code(),
          .message = client::one_line(fields.message(), limits::doctor_message_bytes),
          .has_place = fields.find('F') && fields.find('L') && fields.find('R'),
          .by_trunkline = !fields.find('F') && fields.find('R') == protocol::speaker,
          .fatal = fields.is_fatal()};
}

}  // namespace trunkline::doctor
