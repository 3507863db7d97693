"""Reports 报表: a hall's days in figures, for who manages it."""
