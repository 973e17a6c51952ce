"""Declares two operators to torch just before torchvision is first imported.

While it is imported, torchvision registers stand-ins for `nms` and `qnms`. When its compiled library
cannot be loaded (a CUDA build beside a CPU torch) nobody has declared the two, and the import fails.
Nothing happens here, and torch is not imported, until torchvision is.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader


def declare_operators():
    import torch

    if not hasattr(torch, "_torchvision_cpu_library"):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch._torchvision_cpu_library = library  # the declarations live as long as this object


class DeclaringLoader(SourceFileLoader):
    def exec_module(self, module):
        declare_operators()
        super().exec_module(module)


class TorchvisionFinder:
    @staticmethod
    def find_spec(name, path=None, target=None) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = DeclaringLoader(spec.loader.name, spec.loader.path)
        return spec


if TorchvisionFinder not in sys.meta_path:
    sys.meta_path.insert(0, TorchvisionFinder)
