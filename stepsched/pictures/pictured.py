"""What all results with a picture have: the picture as SVG, and by matplotlib."""

from __future__ import annotations

from abc import abstractmethod
from datetime import tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when something is drawn
    from matplotlib.axes import Axes

    from stepsched.pictures.figures import Drawing


class Pictured:
    """A result with a picture, which its class describes."""

    __slots__ = ()

    @abstractmethod
    def _drawing(self, timezone: str | tzinfo | None) -> Drawing:
        """Returns the picture.

        Args:
            timezone: As for :meth:`to_svg`.
        """

    def to_svg(self, *, timezone: str | tzinfo | None = None) -> str:
        """Returns the picture as SVG, which a notebook shows and a browser opens.

        Args:
            timezone: The zone of days and hours: an IANA name such as ``"Europe/Paris"``, or a ``ZoneInfo``.
                None: the one that all items have, or UTC if there are several or none; of an estimate UTC.

        Raises:
            ValueError: There is no such zone.
        """
        return self._drawing(timezone).to_svg()

    def plot(self, ax: Axes | None = None, *, timezone: str | tzinfo | None = None) -> Axes:
        """Draws the picture with matplotlib, which the extra ``plot`` installs.

        Args:
            ax: Where it is drawn. None: on new axes.
            timezone: As for :meth:`to_svg`.

        Returns:
            The axes.

        Raises:
            ValueError: There is no such zone.
            ModuleNotFoundError: matplotlib is not installed.
        """
        from stepsched.pictures.figures import plot

        return plot(self._drawing(timezone), ax)
