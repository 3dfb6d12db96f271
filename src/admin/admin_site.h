// The pages of the admin server: health, metrics and the API. All but requests for access only shows.
// Owner: main; what it shows outlives it.
#pragma once

#include <string>

#include "admin/access_source.h"
#include "admin/busy_window.h"
#include "admin/objects_page.h"
#include "admin/site.h"
#include "admin/statement_text.h"
#include "session/observer.h"

namespace trunkline::admin {

class admin_site final : public site {
 public:
  /// `access` null: nobody can ask for access here. Without `objects` there are none.
  admin_site(
      session::observer& seen, std::string version, access_source* access = nullptr,
      objects_source objects = [] { return session::objects_view(); });

  lane lane_of(const http_request& request) const override;
  http_response answer(const http_request& request) override;
  void tick() override;

 private:
  http_response metrics(const http_request& request);
  http_response api(const http_request& request, std::string_view page);

  session::observer& seen_;
  std::string version_;
  access_source* const access_;
  const objects_source objects_;
  busy_window busy_;
  statement_text statements_;
};

}  // namespace trunkline::admin
