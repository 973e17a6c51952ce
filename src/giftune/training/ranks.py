"""The processes of one job: the first does the work of a job alone, the others do what it tells them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from torch import distributed

PATIENCE = timedelta(days=1)  # the others wait while the first draws a preview or the like


@dataclass(frozen=True)
class Ranks:
    """This process's number and how many there are."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def tell(self, order: Any) -> None:
        """From the first process to all others, which `hear` it."""
        if self.count > 1:
            distributed.broadcast_object_list([order], src=0)

    def hear(self) -> Any:
        heard: list[Any] = [None]
        distributed.broadcast_object_list(heard, src=0)
        return heard[0]

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


def here() -> Ranks:
    """Alone unless `join` was called."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Ranks()
    return Ranks(distributed.get_rank(), distributed.get_world_size())


def join(device_type: str) -> Ranks:
    """Meet the others, by the environment variables of torchrun."""
    distributed.init_process_group("nccl" if device_type == "cuda" else "gloo", timeout=PATIENCE)
    return here()


def leave() -> None:
    """Together: who goes first would take the connection from those that still listen."""
    distributed.barrier()
    distributed.destroy_process_group()
