"""A contract for import-linter: which modules may load TensorFlow; no other may reach it."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class HeavyImports(Contract):
    """No module reaches `heavy_packages`, at its top or within a function, but those named.

    A name of `may_load` that is a package stands for everything in it. Naming what does not reach
    them is a fault, too, so that the list stays as short as the truth.
    """

    heavy_packages = fields.SetField(subfield=fields.StringField())
    may_load = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Follow every import upstream of the heavy packages."""
        heavy = self.heavy_packages & graph.modules
        reaching = set().union(*map(graph.find_downstream_modules, heavy))
        named = {name: {name} | graph.find_descendants(name) for name in self.may_load}
        chains = [
            min(filter(None, (graph.find_shortest_chain(module, package) for package in heavy)))
            for module in sorted(reaching - set().union(*named.values()))
        ]
        idle = sorted(name for name, modules in named.items() if not modules & reaching)
        found = {"chains": chains, "idle": idle}
        return ContractCheck(kept=not chains and not idle, metadata=found)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say which module reaches them by which imports."""
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))
        for name in check.metadata["idle"]:
            output.print_error(f"{name} is in may_load and loads none of them")
