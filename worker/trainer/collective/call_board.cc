#include "worker/trainer/collective/call_board.h"

namespace prefixmem::trainer {

CallBoard& call_board() {
  static CallBoard board;
  return board;
}

}  // namespace prefixmem::trainer
