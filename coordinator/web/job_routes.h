// /api/jobs/…
#pragma once

#include "coordinator/web/routes.h"

namespace prefixmem::web {

HttpServer::Routes job_routes(const RoutesContext& context);

}  // namespace prefixmem::web
