"""Emergency calls: a clerk's cry for help, shown at once to who manages the hall."""
