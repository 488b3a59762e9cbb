"""From words to finished studies: plan a search, run it, read what its log says, leave the
winner.

Called, this package is the function `nas.search(...)` of the public door, which has its name.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Called(ModuleType):
    """A package that can be called: `nas.search(...)` begins or continues a search."""

    def __call__(self, **settings: Any) -> Any:
        import nas

        return nas.__getattr__("search")(**settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """By name, as other modules, so that a function that calls it can travel."""
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Called
