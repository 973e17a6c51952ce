"""Tables with a clip in each row, of any length."""

import csv
import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from giftune.data.clip_source import Skip
from giftune.errors import InputError


class Rows:
    """Rows of a CSV or TSV as {column: text}; of each only the place in the file is kept in memory.

    `judge` says which rows are left out, and why. Without `columns` the first row names them. Raises
    `InputError` for a file that cannot be read, and for one that lacks a column of `needed`.
    """

    def __init__(
        self,
        path: Path,
        judge: Callable[[Mapping[str, str]], Skip | None],
        needed: Sequence[str],
        columns: Sequence[str] | None = None,
        delimiter: str = ",",
    ) -> None:
        self.path, self.delimiter = path, delimiter
        self.columns = list(columns or ())
        self.left_out: list[Skip] = []
        self._places, digest = array("Q"), hashlib.sha256()
        try:
            with path.open("rb") as file:
                rows = self._parsed(file)
                if columns is None:
                    self.columns = [column.strip() for column in next(rows, (0, []))[1]]
                self._require(needed)
                for place, cells in rows:
                    if not cells:  # a blank line
                        continue
                    if (skip := judge(self._row(cells))) is not None:
                        self.left_out.append(skip)
                    else:
                        self._places.append(place)
                        digest.update("\t".join(cells).encode())
        except (OSError, csv.Error) as error:
            raise InputError(f"corpus.table {path} cannot be read: {error}.") from error
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> dict[str, str]:
        with self.path.open("rb") as file:
            file.seek(self._places[number])
            return self._row(next(self._parsed(file))[1])

    def _parsed(self, file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """Rows from here on, each with its place; a quoted cell may hold line breaks."""
        place = after = file.tell()

        def lines() -> Iterator[str]:
            nonlocal after
            for line in file:
                after += len(line)
                yield line.decode("utf-8-sig", errors="replace")

        as_they_are = self.delimiter == "\t"  # quotes in a TSV are part of the text
        for cells in csv.reader(
            lines(),
            delimiter=self.delimiter,
            quoting=csv.QUOTE_NONE if as_they_are else csv.QUOTE_MINIMAL,
        ):
            yield place, cells
            place = after

    def _row(self, cells: Sequence[str]) -> dict[str, str]:
        filled = [cell.strip() for cell in cells] + [""] * len(self.columns)
        return dict(zip(self.columns, filled, strict=False))

    def _require(self, needed: Sequence[str]) -> None:
        if missing := [column for column in needed if column not in self.columns]:
            raise InputError(
                f"corpus.table {self.path} has no column {', '.join(missing)}: its columns are "
                f"{', '.join(self.columns) or 'none'}, needed are {', '.join(needed)}."
            )
