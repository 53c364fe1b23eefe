"""What the model is shown of a turn's files, as pictures and documents."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor_worker.media.turn_files import LoadedFiles
from supervisor_worker.media.turn_media import NO_MEDIA, Pictures


@dataclass(frozen=True, slots=True)
class ShownFiles:
    """What the model is shown beside the texts of a turn: the pictures of texts, and the files of mails."""

    pictures: Pictures
    files: LoadedFiles

    @property
    def from_files(self) -> int:
        """How many files are shown as pictures and documents."""
        return len(self.files.pictures) + len(self.files.documents)

    @property
    def count(self) -> int:
        """How many pictures and documents are shown."""
        return len(self.pictures) + self.from_files

    @property
    def as_text(self) -> ShownFiles:
        """The same without pictures and documents: the files by what was read in them."""
        return ShownFiles(NO_MEDIA.pictures, self.files.as_text)

    @property
    def figures(self) -> dict[str, int | str]:
        """How many of each kind there are, for the reply's record."""
        counts = {"pictures": len(self.pictures) + len(self.files.pictures), "documents": len(self.files.documents)}
        return {name: count for name, count in counts.items() if count}
