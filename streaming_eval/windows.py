"""Where an event time falls: panes and tumbling windows on the epoch's millisecond grid.

A pane and a window are the same thing at different widths. Both start at whole multiples of their
width since 1970, so a window whose width is a multiple of the pane's is made of whole panes.
"""


def start_ms(time_ms: int, width_ms: int) -> int:
    """Start of the pane or window of `width_ms` that holds `time_ms` (its end is exclusive).

    >>> start_ms(61_999, 60_000), start_ms(-1, 60_000)
    (60000, -60000)
    """
    return time_ms - time_ms % width_ms


def closed(begin_ms: int, width_ms: int, watermark_ms: int) -> bool:
    """Whether the pane or window that begins at `begin_ms` lies wholly before the watermark.

    >>> closed(0, 60_000, 59_999), closed(0, 60_000, 60_000)
    (False, True)
    """
    return begin_ms + width_ms <= watermark_ms
