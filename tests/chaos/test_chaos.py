"""A short version of chaos.py: once each what no other test does to real processes."""

import faults
from chaos import run

NOWHERE_ELSE = {
    faults.kill_mpirun,
    faults.stop_worker,
    faults.cut_worker_off,
    faults.damage_checkpoint,
    faults.fill_coordinators_disk,
    faults.fill_workers_disk,
    faults.set_clock_back_and_kill_coordinator,
    faults.set_clock_and_kill_coordinator,
}


def test_nothing_is_lost():
    chosen = [fault for fault in faults.ALL if fault.strike in NOWHERE_ELSE]
    lines = run(chosen, 1, lambda wounds: len(wounds) >= len(chosen))
    print("\n".join(lines))
