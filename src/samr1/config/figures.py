"""What the figures show, of `config/published.yaml`: which runs, on which benchmarks."""

from __future__ import annotations

from samr1.config.base import Frozen, Name, Names


class Examples(Frozen):
    """A few questions, with the answers of some runs below each other."""

    runs: Names
    """The runs, from above to below."""
    benchmark: Name
    """The benchmark whose questions are shown."""

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The same, as of other figures."""
        return (self.benchmark,)


class Figure4(Frozen):
    """The paper's Figure 4."""

    kl: Names
    """(a): trainings with and without the KL term."""
    any: Name
    """(b): the run whose negative points are rewarded anywhere."""
    inside: Name
    """(c): the run whose negative points are rewarded inside the box alone."""
    benchmark: Name
    """The benchmark whose answers show where points fall."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of all panels, each once."""
        return tuple(dict.fromkeys([*self.kl, self.any, self.inside]))

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The same, as of other figures."""
        return (self.benchmark,)


class Figures(Frozen):
    """The figures that show some runs; those of a table show the table's."""

    examples: Examples
    """Questions before and after training."""
    figure_4: Figure4
    """The KL term, and negative points."""
