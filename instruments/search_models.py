"""What searching keeps beside the index."""

from __future__ import annotations

from django.db import models


class SearchWord(models.Model):
    """A Latin word, or the pinyin of a name, that occurs in names: what a misspelled word may have meant.

    A word stays after the last instrument with it is gone, until the whole index is written anew.
    """

    word = models.CharField(max_length=40, primary_key=True)

    def __str__(self) -> str:
        return self.word
