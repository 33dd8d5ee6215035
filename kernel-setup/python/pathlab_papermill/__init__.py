"""papermill for notebooks in TypeScript: parameters as typed assignments, and an engine that checks them first.

papermill loads this module by its `papermill.engine` entry point, so its own command line works unchanged.
"""
from papermill.engines import NBClientEngine, papermill_engines
from papermill.translators import papermill_translators

from .engine import DefaultEngine, PathlabEngine
from .translator import TypeScriptTranslator

__all__ = ["PathlabEngine", "TypeScriptTranslator"]

for language in ("pathlab", "tslab", "typescript"):
    papermill_translators.register(language, TypeScriptTranslator)

# Without --engine, papermill takes the engine registered under None.
papermill_engines.register(None, DefaultEngine.in_front_of(NBClientEngine))
