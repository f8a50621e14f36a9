// /api/sweeps/…
#pragma once

#include "coordinator/web/routes.h"

namespace prefixmem::web {

HttpServer::Routes sweep_routes(const RoutesContext& context);

}  // namespace prefixmem::web
