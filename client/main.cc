// pmt: the command line client.
#include "client/app.h"

int main(int argc, char** argv) {
  auto environment = prefixmem::client::process_environment();
  return prefixmem::client::run_pmt(argc, argv, environment);
}
